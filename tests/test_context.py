"""Whether words count, and which cue decided."""

from __future__ import annotations

import pytest

from stalkflag import Assessor


def counts(assessor: Assessor, text: str, act: str) -> bool:
    return any(finding.rule.act == act for finding in assessor.read(text).counted())


@pytest.mark.parametrize(
    ("text", "act", "expected"),
    [
        ("He followed me home.", "following", True),
        ("He has not followed me home.", "following", False),
        ("He did not stop following me.", "following", True),
        ("She is worried that he will follow her home.", "following", False),
        ("Has he followed her? No.", "following", False),
        ("Has he followed her? Yes.", "following", True),
        ("I followed him home.", "following", False),
        ("He texted me all night but I did not reply.", "contacting", True),
    ],
)
def test_what_counts(assessor: Assessor, text: str, act: str, expected: bool) -> None:
    assert counts(assessor, text, act) is expected


def test_evidence_set_aside_names_its_cue(assessor: Assessor) -> None:
    assessment = assessor.assess("She says that he has never followed her and she is content.")
    item = next(i for i in assessment.counter_evidence if "followed" in i.text)
    assert item.cue == "never"
    assert "did not happen" in item.because


def test_the_reporting_person_as_pursuer_is_referred(assessor: Assessor) -> None:
    text = (
        "My ex has blocked me. I followed her to her mum's and I waited outside her work every day "
        "this week. I sent her flowers and letters. Now she says she will ring you."
    )
    assessment = assessor.assess(text)
    assert assessment.refer
    assert any("reporting person" in reason for reason in assessment.refer_reasons)
