"""What would change this suggestion: answers to its open questions, tried one at a time.

Each answer is added to the narrative as one sentence and the whole is read again by the same
assessor. Nothing is inferred from weights: what is shown is what would be suggested. A fact that
the tried sentences do not express, or two facts together, may still change it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stalkflag.assessment import Assessment
from stalkflag.law import Profile

LONGEST = 20_000
"""Characters above which answers are not tried: each of them is another reading of the whole."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller might say to a question, as the sentence that is tried."""

    question: str
    condition: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Change:
    """An answer that changes what is suggested or whether it is referred."""

    question: str
    condition: str
    sentence: str
    suggestion: str
    refer: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """The answers that were tried and those of them that change the suggestion or the referral."""

    tried: tuple[Answer, ...]
    changes: tuple[Change, ...]


@cache
def load_answers() -> tuple[Answer, ...]:
    """The answers that come with the package (``answers.toml``)."""
    plain = tomllib.loads(Path(__file__).with_name("answers.toml").read_text(encoding="utf-8"))
    return tuple(Answer(item["question"], item["if"], item["sentence"]) for item in plain["answer"])


def answers_to(assessment: Assessment, profile: Profile) -> list[Answer]:
    """The answers to the questions that an assessment asks, in its order."""
    keys = {question: key for key, question in profile.questions.items()}
    return [
        answer
        for question in assessment.missing
        for answer in load_answers()
        if answer.question == keys.get(question)
    ]


async def what_would_change(
    text: str,
    assessment: Assessment,
    *,
    profile: Profile,
    assess: Callable[[str], Awaitable[Assessment]],
) -> Tried:
    """Try each answer on the narrative and keep those that change the suggestion or referral."""
    tried = answers_to(assessment, profile) if len(text) <= LONGEST else []
    changes = []
    for answer in tried:
        then = await assess(f"{text.rstrip()}\n{answer.sentence}")
        if (then.suggestion, then.refer) != (assessment.suggestion, assessment.refer):
            changes.append(
                Change(
                    question=profile.questions[answer.question],
                    condition=answer.condition,
                    sentence=answer.sentence,
                    suggestion=then.suggestion,
                    refer=then.refer,
                )
            )
    return Tried(tuple(tried), tuple(changes))
