"""Intervals: of one model's figures, and of the difference between two."""

from __future__ import annotations

import numpy as np

from stalkflag.training.bootstrap import (
    BOOTSTRAP,
    Labelled,
    accuracy,
    macro_f1,
    paired_difference,
    stalking_recall,
)

DRAW = np.random.default_rng(3)
TRUE = DRAW.integers(0, 3, 400)
GROUPS = np.array([f"case-{number // 2}" for number in range(400)])


def said(right: float, seed: int) -> Labelled:
    """Suggestions that are right so often."""
    draw = np.random.default_rng(seed)
    other = (TRUE + draw.integers(1, 3, len(TRUE))) % 3
    return Labelled(TRUE, np.where(draw.random(len(TRUE)) < right, TRUE, other), GROUPS)


def test_an_interval_is_that_of_resampled_cases_row_by_row() -> None:
    labelled = said(0.8, 1)
    draw = np.random.default_rng(1997)
    names = np.unique(GROUPS)
    members = [np.flatnonzero(name == GROUPS) for name in names]
    values = []
    for _ in range(BOOTSTRAP):
        rows = np.concatenate([members[g] for g in draw.integers(0, len(names), len(names))])
        values.append(macro_f1(labelled.true[rows], labelled.suggested[rows]))
    low, high = np.percentile(values, [2.5, 97.5])
    assert labelled.interval(macro_f1) == (round(low, 3), round(high, 3))


def test_the_same_model_is_level_with_itself() -> None:
    found = paired_difference(said(0.8, 1), said(0.8, 1), macro_f1)
    assert (found.low, found.high) == (0, 0)
    assert not found.worse and not found.better


def test_a_much_worse_model_is_worse_and_a_hardly_worse_one_is_level() -> None:
    good, bad = said(0.85, 1), said(0.6, 2)
    assert paired_difference(good, bad, accuracy).worse
    assert paired_difference(bad, good, accuracy).better
    near = Labelled(TRUE, good.suggested.copy(), GROUPS)
    near.suggested[:2] = (TRUE[:2] + 1) % 3
    found = paired_difference(good, near, accuracy)
    assert not found.worse and not found.better


def test_pairing_sees_a_small_difference_that_separate_intervals_hide() -> None:
    good = said(0.7, 1)
    better = Labelled(TRUE, good.suggested.copy(), GROUPS)
    wrong = np.flatnonzero(better.suggested != TRUE)[::5]
    better.suggested[wrong] = TRUE[wrong]
    assert good.interval(accuracy)[1] > better.interval(accuracy)[0]
    assert paired_difference(good, better, accuracy).better


def test_recall_of_stalking_is_zero_where_there_is_none() -> None:
    assert stalking_recall(np.array([1, 2]), np.array([0, 2])) == 0.0
    assert stalking_recall(np.array([0, 0, 2]), np.array([0, 2, 2])) == 0.5
