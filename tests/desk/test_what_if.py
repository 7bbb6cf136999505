"""What would change a suggestion: what is shown is what the assessor then says."""

from __future__ import annotations

import asyncio

import pytest

from desk.conftest import BICYCLE, STALKED
from stalkflag import Assessor
from stalkflag.assessment import Assessment
from stalkflag.desk.what_if import LONGEST, Tried, answers_to, load_answers, what_would_change
from stalkflag.law import load_profile, shipped

READ_AS = {
    "repeated": {"repeated"},
    "unwanted": {"unwanted"},
    "relationship": {"ex_intimate", "stranger"},
    "fixated": {"fixated"},
    "motive": {"dispute", "fixated"},
    "technology": {"technology"},
    "impact": {"impact"},
    "fear": {"impact"},
    "threats": {"risk"},
    "history": {"risk"},
    "visits": {"risk"},
    "violence": {"other_crime"},
    "property": {"interfering"},
    "others": {"proxy"},
    "orders": {"order", "police_response"},
}
"""What each question's answers must be read as, on their own."""


@pytest.mark.parametrize("number", range(len(load_answers())))
def test_each_answer_is_read_as_what_it_says(assessor: Assessor, number: int) -> None:
    answer = load_answers()[number]
    reading = assessor.read(answer.sentence)
    read_as = {
        word
        for f in reading.counted()
        for word in (*f.rule.shows, f.rule.category, f.rule.value, f.rule.act)
    }
    assert read_as & READ_AS[answer.question], answer.sentence


@pytest.mark.parametrize("law", shipped())
def test_answers_belong_to_questions_of_the_law_profiles(law: str) -> None:
    assert {answer.question for answer in load_answers()} <= set(load_profile(law).questions)


def tried(assessor: Assessor, text: str) -> tuple[Assessment, Tried]:
    async def assess(more: str) -> Assessment:
        return assessor.assess(more)

    assessment = assessor.assess(text)
    return assessment, asyncio.run(
        what_would_change(text, assessment, profile=load_profile(), assess=assess)
    )


THIN = (
    "He followed me home on Friday.",
    "A man has been sending her messages. She does not know who he is.",
    "Woman reports that her former husband came to the house on Sunday and shouted at her.",
    "My neighbour keeps shouting at me about the fence.",
)


@pytest.mark.parametrize("text", [*THIN, STALKED, BICYCLE])
def test_all_changes_are_shown_and_only_those(assessor: Assessor, text: str) -> None:
    assessment, found = tried(assessor, text)
    assert list(found.tried) == answers_to(assessment, load_profile())
    expected = {}
    for answer in found.tried:
        then = assessor.assess(f"{text}\n{answer.sentence}")
        if (then.suggestion, then.refer) != (assessment.suggestion, assessment.refer):
            expected[answer.sentence] = (then.suggestion, then.refer)
    assert {c.sentence: (c.suggestion, c.refer) for c in found.changes} == expected


def test_some_answer_changes_some_thin_text(assessor: Assessor) -> None:
    assert any(tried(assessor, text)[1].changes for text in THIN)


def test_a_very_long_text_is_not_read_again_and_again(assessor: Assessor) -> None:
    assert tried(assessor, "He rang. " * (LONGEST // 9 + 1))[1] == Tried((), ())
