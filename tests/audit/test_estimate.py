"""Estimates hold what they promise: intervals that cover, and limits that are exact."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stalkflag.audit.estimate import Interval, Reviewed, Stratum, exact_limits


@pytest.mark.parametrize(("drawn", "population"), [(5, 20), (8, 9), (1, 12), (30, 60), (7, 7)])
def test_limits_in_a_stratum_hold_the_truth_for_every_number_of_positives(
    drawn: int, population: int
) -> None:
    for positives in range(population + 1):
        covered = sum(
            math.comb(positives, k)
            * math.comb(population - positives, drawn - k)
            / math.comb(population, drawn)
            for k in range(max(0, drawn - population + positives), min(drawn, positives) + 1)
            if exact_limits(k, drawn, population)[0]
            <= positives
            <= exact_limits(k, drawn, population)[1]
        )
        assert covered >= 0.95 - 1e-9


def test_limits_shrink_to_nothing_when_all_is_read() -> None:
    assert exact_limits(3, 10, 10) == (3, 3)
    wide, narrow = exact_limits(3, 10, 1000), exact_limits(3, 10, 12)
    assert narrow[1] - narrow[0] < (wide[1] - wide[0]) * 12 / 1000


def test_no_positives_still_leave_doubt() -> None:
    strata = (Stratum("a", 1000, 50, 0.1, "other", False),)
    sample = Reviewed(strata, np.zeros(50, dtype=np.int64))
    total = sample.total(np.zeros(50, dtype=bool))
    assert total.value == total.low == 0
    assert 50 < total.high < 80
    assert sample.part(np.zeros(50, dtype=bool), lambda s: True) is None


def strata(
    sizes: list[int], drawn: list[int], positives: list[int], recorded: list[bool]
) -> tuple[tuple[Stratum, ...], list[int]]:
    return tuple(
        Stratum(str(n), size, take, k / size, "stalking" if was else "other", False)
        for n, (size, take, k, was) in enumerate(
            zip(sizes, drawn, positives, recorded, strict=True)
        )
    ), positives


POPULATIONS = {
    "usual": strata(
        [12214, 4102, 1101, 538, 462, 258, 151, 172, 119, 204, 368, 311],
        [100, 60, 30, 20, 20, 12, 8, 8, 8, 10, 14, 10],
        [80, 190, 210, 130, 90, 60, 2, 12, 30, 90, 260, 270],
        [False] * 6 + [True] * 6,
    ),
    "rare": strata(
        [18660, 830, 209, 21], [200, 60, 40, 10], [30, 25, 40, 15], [False] * 2 + [True] * 2
    ),
    "small": strata([700, 90, 60, 50], [40, 20, 30, 50], [8, 20, 6, 45], [False] * 2 + [True] * 2),
}


@pytest.mark.parametrize("name", POPULATIONS)
def test_intervals_cover_the_truth_in_about_95_of_100_samples(name: str) -> None:
    parts, positives = POPULATIONS[name]
    sizes = np.array([s.size for s in parts])
    drawn = np.array([s.drawn for s in parts])
    k = np.array(positives)
    was = np.array([s.recorded == "stalking" for s in parts])
    where = np.repeat(np.arange(len(parts)), drawn)
    truth = {
        "missed": k[~was].sum(),
        "accuracy": k[was].sum() / k.sum(),
        "right": (k[was].sum() + (sizes - k)[~was].sum()) / sizes.sum(),
    }
    draw = np.random.default_rng(1997)
    samples = 300
    covered = dict.fromkeys(truth, 0)
    values = []
    for _ in range(samples):
        found = draw.hypergeometric(k, sizes - k, drawn)
        stalking = np.concatenate(
            [np.arange(n) < hits for n, hits in zip(drawn, found, strict=True)]
        )
        sample = Reviewed(parts, where)
        intervals = {
            "missed": sample.total(stalking, lambda s: s.recorded != "stalking"),
            "accuracy": sample.part(stalking, lambda s: s.recorded == "stalking"),
            "right": sample.share(stalking == was[where]),
        }
        for what, interval in intervals.items():
            assert interval
            covered[what] += interval.low - 1e-9 <= truth[what] <= interval.high + 1e-9
        values.append(intervals["missed"].value)  # type: ignore[union-attr]
    for what, number in covered.items():
        assert number / samples >= 0.92, (what, number / samples)
    error = np.std(values) / math.sqrt(samples)
    assert abs(np.mean(values) - truth["missed"]) < 4 * error


def test_a_stratum_that_nobody_reviewed_is_left_wide_open() -> None:
    parts = (Stratum("a", 100, 10, 0.3, "other", False), Stratum("b", 50, 5, 0.5, "other", False))
    sample = Reviewed(parts, np.zeros(10, dtype=np.int64))
    total = sample.total(np.zeros(10, dtype=bool))
    assert total.value == 25
    assert total.low == 0
    assert total.high >= 50
    assert sample.bounds(np.zeros(10, dtype=bool)) == (0, 50)


def test_an_interval_can_be_scaled() -> None:
    assert Interval(2, 1, 4).scaled(0.5) == Interval(1, 0.5, 2)
