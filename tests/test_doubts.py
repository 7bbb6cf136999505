"""Thin, foreign and wrong input is referred with the reason, and never favours a label."""

from __future__ import annotations

import base64
import json
import random

import pytest

from stalkflag import Assessor
from stalkflag import narrative as n
from stalkflag.assessment import LABELS
from stalkflag.reading import Reader
from stalkflag.rules.schema import load_packs
from stalkflag.training.records import read_records
from stalkflag.training.shipped import shipped_corpus

FOREIGN = {
    "Welsh": "Mae fy nghyn-ŵr yn fy nilyn i bob dydd ar ôl gwaith. Dywedais wrtho am beidio â "
    "chysylltu â mi ond mae'n dal i anfon negeseuon. Neithiwr roedd yn sefyll y tu allan i'r tŷ.",
    "Polish": "Mój były chłopak ciągle do mnie dzwoni i stoi pod moim domem. Mówiłam mu wiele "
    "razy, żeby przestał, ale on nie słucha. Wczoraj znowu czekał na mnie pod pracą.",
    "Polish, one line": "On ciągle za mną chodzi i mnie nagrywa.",
    "Urdu": "میرا سابق شوہر ہر روز میرے گھر کے باہر کھڑا ہوتا ہے۔ میں نے اسے کئی بار کہا ہے کہ مجھ سے "
    "رابطہ نہ کرے لیکن وہ نہیں مانتا۔",
    "Romanian": "Fostul meu soț mă urmărește în fiecare zi după serviciu. I-am spus de mai multe "
    "ori să nu mă mai contacteze, dar continuă să îmi trimită mesaje.",
    "Romanian without marks": "fostul meu prieten ma suna in fiecare zi si sta in fata casei mele. "
    "i-am zis sa ma lase in pace dar nu vrea. aseara a venit iar la mine la serviciu",
    "French": "Mon ex-mari me suit tous les jours après le travail. Je lui ai dit plusieurs fois "
    "de ne plus me contacter mais il continue de m'envoyer des messages.",
    "Arabic": "زوجي السابق يتبعني كل يوم بعد العمل. قلت له عدة مرات أن يتوقف عن الاتصال بي لكنه "
    "يستمر في إرسال الرسائل.",
    "Chinese": "我的前夫每天下班后都跟踪我。我告诉他很多次不要再联系我，但他还是不停地给我发短信。",
    "Punjabi": "ਮੇਰਾ ਸਾਬਕਾ ਪਤੀ ਹਰ ਰੋਜ਼ ਮੇਰਾ ਪਿੱਛਾ ਕਰਦਾ ਹੈ। ਮੈਂ ਉਸਨੂੰ ਕਈ ਵਾਰ ਕਿਹਾ ਹੈ।",
    "Ukrainian": "Мій колишній чоловік щодня переслідує мене після роботи. Я багато разів казала "
    "йому не телефонувати, але він продовжує надсилати повідомлення.",
    "Somali": "Ninkii hore ee aan is qabnay ayaa maalin kasta i daba socda shaqada kadib. Waxaan "
    "u sheegay marar badan inuu iga joogo laakiin wuu sii wadaa.",
    "English around Polish": "Caller passed a note. Mój były chłopak ciągle do mnie dzwoni i stoi "
    "pod moim domem. Mówiłam mu wiele razy, żeby przestał, ale on nie słucha. Officer to attend.",
}
STORY = (
    "Woman rang about her tyres again, third time since she moved. He asked her out in spring, "
    "she said no and blocked him, and since then he has been stood by her car."
)
BYTES = random.Random(1997).randbytes(900)
WRONG = {
    n.ENCODED: [base64.b64encode(BYTES).decode(), base64.encodebytes(BYTES).decode()],
    n.FIGURES: [" ".join(f"{byte:02x}" for byte in BYTES[:200]), "12 33 44 5 66 7 88 99 1 2 3"],
    n.A_FILE: ["%PDF-1.4\n1 0 obj << /Type /Catalog >> endobj", "{\\rtf1\\ansi He rang again}"],
    n.EMPTY_FORM: [
        "Crime number:\nDate reported:\nOfficer:\nVictim name:\nSuspect:\nMO:\nNarrative:\n",
        "Name: N/K Date: 12/03/24 Time: Officer: Location: Victim: Suspect: Narrative:",
        "Beat: K2\nOfficer: attending\nVictim: F 34\nSuspect: male, ex\nNarrative: none entered",
    ],
    n.NOT_ENGLISH: ["asdf qwer zxcv poiu lkjh mnbv asdf jkl qwop zmxn vbnc", *FOREIGN.values()],
}
SHAPED = {
    "markup": f"<html><body><p>{STORY}</p><br/><b>End</b></body></html>",
    "JSON": json.dumps({"number": 3, "text": STORY, "offence": "8L", "date": "2024"}),
    "table": "date,place,what,who\n1/3/24,home,call,ex\n2/3/24,work,visit,ex\n4/3/24,home,text,ex",
    "thread of 2": f"From: me\nSubject: him again\n\n{STORY}\n\nFrom: the desk\nSent: Sunday\n\n"
    "Can you tell me more about when he came to the house please?",
    "thread of 3": f"{STORY}\n\nOn Mon, 3 Mar 2024 at 10:11, the desk wrote:\n> When was it?\n"
    "> On Sun, 2 Mar 2024 at 10:11, I wrote:\n>> he came back\n>> -----Original Message-----",
    "Part of the text": f"{STORY} {STORY} {FOREIGN['Polish']} {STORY}",
    "words": STORY * 1500,
    "too thin": "Stalking.",
}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_packs())


def doubts(reader: Reader, text: str) -> list[str]:
    return next(reader.read([text])).doubts


@pytest.mark.parametrize(
    ("reason", "text"), [(reason, text) for reason, texts in WRONG.items() for text in texts]
)
def test_what_is_no_narrative_in_english_is_named(reader: Reader, reason: str, text: str) -> None:
    assert doubts(reader, text) == [reason]
    assert reason in n.UNREADABLE


@pytest.mark.parametrize("says", SHAPED)
def test_what_must_be_read_in_full_says_why(reader: Reader, says: str) -> None:
    found = doubts(reader, SHAPED[says])
    assert any(says in reason for reason in found)
    assert n.UNREADABLE.isdisjoint(found)


@pytest.mark.parametrize(
    "text",
    [
        STORY,
        STORY.upper(),
        "blckd ex 1/6 snce thn shes opnd 9 nw accs 2 tel me we blong 2gthr dad sez ignor it all",
        "18:44 FIGHT OUTSIDE\n18:45 ONE HAS A BELT\n18:46 DISPERSING TOWARDS INTERCHANGE\n18:51 NFA",
        "Mr Nguyễn and Siân say that Paweł's café window was broken in Llanfairfechan at 2am.",
        STORY.translate(str.maketrans("aeopc", "аеорс")),
        "\u200b".join(STORY),
        "Victim: F 34. Suspect: ex. MO: suspect has rung her at work every day this week and she "
        "has told him to stop. Enquiries: none. Officer: see log.",
    ],
)
def test_rough_english_raises_no_alarm(reader: Reader, text: str) -> None:
    assert doubts(reader, text) == []


def test_narratives_of_the_corpus_raise_no_alarm(reader: Reader) -> None:
    texts = [record.text for record in read_records([shipped_corpus() / "dev.jsonl"])]
    alarms = sum(bool(reading.doubts) for reading in reader.read(texts[::2]))
    assert alarms <= 0.005 * len(texts[::2])


@pytest.mark.parametrize("text", [texts[0] for texts in WRONG.values()])
def test_the_unreadable_is_referred_and_favours_no_label(assessor: Assessor, text: str) -> None:
    assessment = assessor.assess(text)
    assert assessment.refer and set(assessment.refer_reasons) <= n.UNREADABLE
    assert assessment.suggestion == "neither"
    assert max(assessment.probabilities.values()) < 1.01 / len(LABELS)


@pytest.mark.parametrize("says", SHAPED)
def test_the_doubtful_is_referred(assessor: Assessor, says: str) -> None:
    assessment = assessor.assess(SHAPED[says])
    assert assessment.refer and any(says in reason for reason in assessment.refer_reasons)


THIN = "What happened, who did it, how often and since when?"


@pytest.mark.parametrize("says", ["markup", "JSON", "thread of 2", "Part of the text"])
def test_a_doubt_hides_no_question_that_the_facts_call_for(assessor: Assessor, says: str) -> None:
    plain, doubtful = assessor.assess(STORY), assessor.assess(SHAPED[says])
    assert plain.suggestion == doubtful.suggestion == "stalking"
    open_points = {point.ask for point in doubtful.points_to_prove if point.ask}
    assert open_points & set(doubtful.missing)
    assert THIN not in doubtful.missing


@pytest.mark.parametrize("text", [SHAPED["too thin"], "", *(texts[0] for texts in WRONG.values())])
def test_where_nothing_was_told_or_read_that_is_asked(assessor: Assessor, text: str) -> None:
    assert assessor.assess(text).missing == (THIN,)


def test_a_doubtful_text_that_calls_for_no_question_is_asked_about(assessor: Assessor) -> None:
    theft = (
        "Bike stolen from the racks outside the library between 2pm and 4pm, the lock cut and left "
        "on the ground. No suspect seen and no cameras. Frame number given for the insurance."
    )
    assert assessor.assess(theft).missing == ()
    assert assessor.assess(f"<p>{theft}</p><br/>").missing == (THIN,)


@pytest.mark.parametrize("text", ["fine", "No.", "Test", "Window broken at shop.", "Bike stolen."])
def test_a_few_words_that_read_like_nothing_show_only_what_they_name(
    assessor: Assessor, text: str
) -> None:
    found = assessor.assess(text)
    assert (found.suggestion, found.refer) == ("neither", True)
    assert found.acts == ()
    assert not any(indicator.present for indicator in found.indicators.values())
    for said, act in (("He followed me.", "following"), ("Ex sending texts again.", "contacting")):
        assert [found.act for found in assessor.assess(said).acts] == [act]
