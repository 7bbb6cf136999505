"""The contract of one assessment, on awkward texts as on plain ones."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stalkflag import Assessor
from stalkflag.assessment import ACTS, INDICATORS, LABELS, RELATIONSHIPS, Assessment

STALKED = (
    "My ex keeps sitting outside my work in his car. I have told him to stop and blocked his number "
    "but he makes new accounts to message me. He followed me home on Tuesday and again on Friday."
)


def offsets(assessment: Assessment) -> Iterator[tuple[int, int, str]]:
    """Every quotation in an assessment."""
    plain = assessment.to_dict()
    groups = [plain[name] for name in ("acts", "impact", "orders", "risk_cues", "counter_evidence")]
    groups += [plain["indicators"][name]["evidence"] for name in INDICATORS]
    groups += [plain["course_of_conduct"]["basis"], plain["relationship"]["evidence"]]
    for point in plain["points_to_prove"]:
        groups += [point["evidence"], point["against"]]
    for other in (*plain["neighbouring_offences"], *plain["directions"], plain["danger"] or {}):
        groups.append(other.get("evidence", ()))
    for item in itertools.chain.from_iterable(groups):
        yield item["start"], item["end"], item["text"]


def check_contract(text: str, assessment: Assessment) -> None:
    plain = json.loads(assessment.to_json())
    assert plain["schema"] == "stalkflag.assessment/1"
    assert plain["suggestion"] in LABELS
    assert sum(plain["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert set(plain["indicators"]) == set(INDICATORS)
    assert {act["act"] for act in plain["acts"]} <= set(ACTS)
    assert plain["relationship"]["value"] in RELATIONSHIPS
    assert plain["course_of_conduct"]["occasions"] >= 0
    assert plain["refer"] == bool(plain["refer_reasons"])
    for name in INDICATORS:
        indicator = plain["indicators"][name]
        assert not indicator["present"] or indicator["evidence"], name
    for start, end, quoted in offsets(assessment):
        assert 0 <= start < end <= len(text)
        assert text[start:end] == quoted


def test_stalking_by_a_former_partner_is_read(assessor: Assessor) -> None:
    assessment = assessor.assess(STALKED, id="r1")
    check_contract(STALKED, assessment)
    assert assessment.id == "r1"
    assert assessment.suggestion == "stalking"
    assert all(assessment.indicators[name].present for name in INDICATORS)
    assert {"contacting", "following", "loitering"} <= set(assessment.shown_acts())
    assert assessment.relationship.value == "ex_intimate"
    assert assessment.course_of_conduct.occasions >= 2
    assert assessment.reasons


@pytest.mark.parametrize(
    "text", ["", "\n4E E", "   \n", "dog", "he rang", "n/a", "12:30 // -- // 44", "\x00"]
)
def test_thin_texts_are_referred_with_a_question(assessor: Assessor, text: str) -> None:
    assessment = assessor.assess(text)
    check_contract(text, assessment)
    assert assessment.suggestion == "neither"
    assert assessment.refer
    assert assessment.missing


def test_a_foreign_text_is_referred(assessor: Assessor) -> None:
    text = (
        "Mój były partner dzwoni do mnie codziennie i czeka pod pracą, chociaż prosiłam go wiele "
        "razy, żeby przestał. Boję się wychodzić z domu."
    )
    assessment = assessor.assess(text)
    check_contract(text, assessment)
    assert any("English" in reason for reason in assessment.refer_reasons)


def test_a_very_long_text_is_assessed_and_referred(assessor: Assessor) -> None:
    text = ("The weather was fine and nothing much happened at the depot that day. " * 3000)[
        :200_000
    ]
    text = text[:100_000] + STALKED + text[100_000:]
    assessment = assessor.assess(text)
    check_contract(text, assessment)
    assert any("words" in reason for reason in assessment.refer_reasons)
    assert assessment.suggestion == "stalking"


@pytest.mark.parametrize("change", [str.upper, str.lower])
def test_case_does_not_change_the_suggestion(assessor: Assessor, change: object) -> None:
    text = change(STALKED)  # type: ignore[operator]
    assessment = assessor.assess(text)
    check_contract(text, assessment)
    assert assessment.suggestion == "stalking"


def test_emoji_and_hidden_characters(assessor: Assessor) -> None:
    text = "😭😭 " + STALKED.replace("followed", "foll\u200bowed") + " 🙏"
    assessment = assessor.assess(text)
    check_contract(text, assessment)
    assert "following" in assessment.shown_acts()
    assert assessment.suggestion == "stalking"


def test_many_give_the_same_as_one_in_order(assessor: Assessor) -> None:
    texts = [STALKED, "", "Bike stolen from the station between 9am and 5pm.", STALKED.upper()] * 40
    many = list(assessor.assess_many(texts))
    assert len(many) == len(texts)
    for text, assessment in zip(texts[:4], many[156:], strict=True):
        assert assessor.assess(text) == assessment


def test_two_streams_can_be_read_in_turn(assessor: Assessor) -> None:
    texts = [f"{STALKED} Ref{number}zzq." for number in range(150)]
    pairs = zip(assessor.assess_many(texts), assessor.assess_many(reversed(texts)), strict=True)
    assert all(a.suggestion == b.suggestion == "stalking" for a, b in pairs)


def test_spacy_spans_hold_the_evidence(assessor: Assessor) -> None:
    doc = assessor.nlp(STALKED)
    assert any("sitting outside my work" in span.text for span in doc.spans["evidence"])


words = st.sampled_from(
    "he she I my ex neighbour followed not never kept again outside house . , // \n told stop 3x £ 😀 "
    "IP SUSP O/S H/A isn't won't 12:04 \u200b followed\u200b me \t ' \" x4 daily since May 2023".split(
        " "
    )
)


@given(st.one_of(st.text(max_size=300), st.lists(words, max_size=60).map(" ".join)))
@settings(max_examples=300, deadline=None)
def test_offsets_are_exact_on_any_text(assessor: Assessor, text: str) -> None:
    check_contract(text, assessor.assess(text))
