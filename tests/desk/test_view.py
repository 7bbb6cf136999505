"""What the page says: changes between two checks, and a summary to paste."""

from __future__ import annotations

from dataclasses import fields, make_dataclass, replace

import pytest

from desk.conftest import STALKED
from stalkflag import Assessor
from stalkflag.assessment import RELATIONSHIPS, Assessment
from stalkflag.desk import view
from stalkflag.law import load_profile


def test_what_changed_is_told(assessor: Assessor) -> None:
    before = view.summary_of(assessor.assess("A man rang her on Monday about her car."))
    now = view.summary_of(assessor.assess(STALKED))
    told = view.differences(before, now)
    assert f"Suggestion: {before.suggestion}, now stalking." in told
    assert "Now found: fixated." in told
    assert any(line.startswith("Occasions: ") for line in told)
    assert view.differences(now, now) == []
    assert view.read_before(now.to_json()) == now


@pytest.mark.parametrize(
    "carried",
    ["", "{", "[]", "null", '{"suggestion": "<script>"}', "[" * 100_000, '{"occasions": 1e999}'],
)
def test_a_summary_that_is_not_ours_is_left_out(carried: str) -> None:
    assert view.read_before(carried) is None


def test_every_relationship_has_words() -> None:
    assert set(view.RELATIONSHIPS) == set(RELATIONSHIPS)


def test_the_summary_says_whose_decision_it_is(assessor: Assessor) -> None:
    shown = view.Shown(STALKED, assessor.assess(STALKED), load_profile())
    assert "it does not make it" in shown.note
    assert "Review as stalking" in shown.note
    assert shown.assessment.model.version in shown.note


def test_a_chance_never_says_0_or_100(assessor: Assessor) -> None:
    assessment = replace(
        assessor.assess(STALKED),
        probabilities={"stalking": 0.9999, "harassment": 0.0001, "neither": 0.0},
    )
    assert [one.says for one in view.chances(assessment)] == ["over 99%", "under 1%", "under 1%"]


def test_a_field_that_is_new_in_an_assessment_is_shown(assessor: Assessor) -> None:
    assessment = assessor.assess(STALKED)
    values = {f.name: getattr(assessment, f.name) for f in fields(assessment)}
    newer = make_dataclass(
        "Newer", [("what_to_prove", tuple)], bases=(Assessment,), frozen=True, kw_only=True
    )(**values, what_to_prove=("Course of conduct",))
    assert view.Shown(STALKED, newer, load_profile()).more["What to prove"] == ["Course of conduct"]
