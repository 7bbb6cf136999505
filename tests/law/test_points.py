"""Points to prove: each shown by clear words, denied by clear words, or asked about.

The narratives are read by the rules alone, so that no trained weight decides a test here.
"""

from __future__ import annotations

from datetime import date

import pytest

from stalkflag import Assessor
from stalkflag.assessment import INDICATORS, CourseOfConduct, Indicator, PointToProve, Relationship
from stalkflag.context import distinct
from stalkflag.law import load_profile
from stalkflag.law.applied import AppliedLaw, Found
from stalkflag.quotes import quotes


def found_in(assessor: Assessor, text: str) -> Found:
    """What the rules alone find in a text."""
    reading = assessor.read(text)
    by_rule = {
        name: quotes(reading, [f for f in reading.counted() if name in f.rule.shows])
        for name in INDICATORS
    }
    ties = [f for f in distinct(reading.counted()) if f.rule.category == "relationship"]
    occasions = reading.conduct.counted or (2 if by_rule["repeated"] else 1)
    return Found(
        reading,
        {
            name: Indicator(bool(words), float(bool(words)), words)
            for name, words in by_rule.items()
        },
        (),
        CourseOfConduct(occasions, None, reading.conduct.basis),
        Relationship(ties[0].rule.value or "unknown", quotes(reading, ties))
        if ties
        else Relationship("unknown"),
    )


def points(
    assessor: Assessor, text: str, *, law: str = "england-wales", asking: bool = True
) -> dict[str, PointToProve]:
    applied = AppliedLaw(load_profile(law), assessor.model.rules)
    return {p.point: p for p in applied.points(found_in(assessor, text), asking=asking)}


SHOWN = [
    (
        "england-wales",
        "course_of_conduct",
        "He came to my house on 3 May, 7 May and 12 May.",
        "3 May",
    ),
    ("england-wales", "harassment", "She is upset and frightened by it.", "frightened"),
    ("england-wales", "knowledge", "I told him to stop contacting me.", "told him to stop"),
    ("england-wales", "knowledge", "He breached his restraining order.", "restraining order"),
    (
        "england-wales",
        "fear_of_violence",
        "He threatened to kill her and she is terrified of him.",
        "threatened to kill",
    ),
    (
        "england-wales",
        "fear_twice",
        "On Monday he threatened to kill me. On Friday he came with a knife. I was terrified.",
        "knife",
    ),
    ("england-wales", "serious_alarm", "IP is petrified and has been crying.", "petrified"),
    (
        "england-wales",
        "day_to_day",
        "She has changed her route to work and can't sleep.",
        "changed her route",
    ),
    ("scotland", "course_of_conduct", "He came to my house on 3 May, 7 May and 12 May.", "3 May"),
    ("scotland", "fear_or_alarm", "The complainer was terrified.", "terrified"),
    ("scotland", "knowledge", "I told him to stop contacting me.", "told him to stop"),
    ("scotland", "threatening_or_abusive", "He threatened to kill her.", "threatened to kill"),
    ("scotland", "reasonable_fear", "He threatened to kill her.", "threatened to kill"),
    ("scotland", "intent_or_reckless", "He carried on despite being told to stop.", "despite"),
    ("scotland", "partner", "Her ex-partner is ringing her.", "ex-partner"),
    ("scotland", "abusive_behaviour", "Her ex-partner threatened to kill her.", "threatened"),
    ("scotland", "harm_likely", "She is upset and frightened by it.", "frightened"),
]


@pytest.mark.parametrize(("law", "point", "text", "words"), SHOWN)
def test_clear_words_show_a_point(
    assessor: Assessor, law: str, point: str, text: str, words: str
) -> None:
    one = points(assessor, text, law=law)[point]
    assert one.status == "shown"
    assert any(words in evidence.text or evidence.text in words for evidence in one.evidence)
    assert all(text[e.start : e.end] == e.text for e in one.evidence)
    assert one.ask is None


UNRELATED = "The bicycle was taken from the shed between noon and three o'clock in the afternoon."


@pytest.mark.parametrize("law", ["england-wales", "scotland"])
def test_silence_is_asked_about_or_not_shown(assessor: Assessor, law: str) -> None:
    asked = points(assessor, UNRELATED, law=law)
    assert {point.status for point in asked.values()} == {"to_ask"}
    assert all(point.ask and not point.evidence for point in asked.values())
    left = points(assessor, UNRELATED, law=law, asking=False)
    assert {point.status for point in left.values()} == {"not_shown"}
    assert all(point.ask is None for point in left.values())


@pytest.mark.parametrize(
    ("point", "text", "words"),
    [
        ("course_of_conduct", "This was an isolated incident.", "isolated incident"),
        ("fear_of_violence", "She is not frightened of him.", "not frightened"),
        ("serious_alarm", "She is not frightened of him.", "not frightened"),
    ],
)
def test_words_that_speak_against_a_point_are_quoted(
    assessor: Assessor, point: str, text: str, words: str
) -> None:
    one = points(assessor, text)[point]
    assert one.status == "not_shown"
    assert any(words in evidence.text for evidence in one.against)
    assert all(text[e.start : e.end] == e.text for e in one.against)


def test_fear_of_violence_needs_both_fear_and_violence(assessor: Assessor) -> None:
    for threat in ("He threatened to kill her.", "He threatened me with a knife."):
        assert points(assessor, threat)["fear_of_violence"].status == "to_ask"
    assert (
        points(assessor, "He scares her, she is so upset.")["fear_of_violence"].status == "to_ask"
    )


def test_one_threat_is_not_fear_on_two_occasions(assessor: Assessor) -> None:
    for text in (
        "He threatened to kill her and she is terrified of him.",
        "He rings her every day and threatened to kill her. She is terrified of him.",
    ):
        once = points(assessor, text)
        assert once["fear_of_violence"].status == "shown"
        assert once["fear_twice"].status == "to_ask"
    again = points(assessor, "He keeps threatening to kill her and she is terrified of him.")
    assert again["fear_twice"].status == "shown"


def test_both_limbs_of_4A_are_told_apart(assessor: Assessor) -> None:
    distressed = points(assessor, "She is distressed, changed her route to work and can't sleep.")
    assert distressed["day_to_day"].status == "shown"
    assert distressed["fear_of_violence"].status == "to_ask"
    assert distressed["day_to_day"].offences == ("s.4A(1)(b)(ii)",)


def test_a_tie_that_is_told_and_is_no_partner_speaks_against_domestic_abuse(
    assessor: Assessor,
) -> None:
    one = points(assessor, "The suspect is her next-door neighbour.", law="scotland")["partner"]
    assert one.status == "not_shown"
    assert one.against


def test_points_of_offences_not_in_force_are_left_out(assessor: Assessor) -> None:
    then = AppliedLaw(load_profile(), assessor.model.rules, day=date(2011, 5, 1))
    left = {p.point: p for p in then.points(found_in(assessor, UNRELATED), asking=True)}
    assert "stalking_acts" not in left and "day_to_day" not in left
    assert left["course_of_conduct"].offences == ("s.2", "s.4")


@pytest.mark.parametrize(
    ("law", "offence", "text"),
    [
        ("england-wales", "breach_restraining_order", "He breached his restraining order again."),
        (
            "england-wales",
            "breach_non_molestation_order",
            "He has breached the non-molestation order.",
        ),
        ("england-wales", "threatening_communications", "He sent a text saying he would kill her."),
        (
            "england-wales",
            "malicious_communications",
            "He texted her explicit images. He sent messages with sexually explicit photos to her.",
        ),
        (
            "england-wales",
            "harassment_at_home",
            "Over the unpaid debt he stood outside her house and banged on the door.",
        ),
        (
            "england-wales",
            "controlling_former_partner",
            "Her ex-partner has a history of domestic abuse and rings her every day.",
        ),
        ("scotland", "breach_non_harassment_order", "He breached the non-harassment order again."),
        ("scotland", "breach_bail", "He breached his bail conditions by ringing her."),
        ("scotland", "improper_communications", "He sent a text saying he would kill her."),
    ],
)
def test_neighbouring_offences_are_offered_with_their_words(
    assessor: Assessor, law: str, offence: str, text: str
) -> None:
    applied = AppliedLaw(load_profile(law), assessor.model.rules)
    found = found_in(assessor, text)
    acts = applied.acts(
        assessor.assess(text).acts if offence == "malicious_communications" else (), found.reading
    )
    offered = applied.neighbours(
        Found(found.reading, found.indicators, acts, found.conduct, found.relationship)
    )
    one = next((n for n in offered if n.offence == offence), None)
    assert one is not None and one.evidence
    assert one.source and one.why
    assert applied.neighbours(found_in(assessor, UNRELATED)) == ()


def test_scotland_names_conduct_that_england_does_not(assessor: Assessor) -> None:
    reading = assessor.read("He let himself in to her flat and left a note on her car.")
    scots = AppliedLaw(load_profile("scotland"), assessor.model.rules).acts((), reading)
    assert {"entering", "giving"} <= {act.act for act in scots}
    assert AppliedLaw(load_profile(), assessor.model.rules).acts((), reading) == ()
