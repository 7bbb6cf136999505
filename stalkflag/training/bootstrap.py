"""Intervals by the bootstrap: of one model's figures, and of the difference between two models.

Cases are drawn with replacement and kept whole, since narratives of one case are not independent
(Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993; for paired comparisons of systems
on the same texts, Koehn, "Statistical significance tests for machine translation evaluation",
EMNLP 2004).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessment import LABELS

BOOTSTRAP = 1000
"""Resamples of whole groups for an interval."""

Statistic = Callable[[NDArray[np.int64], NDArray[np.int64]], float]
"""A figure from labels as they are and as they were suggested; the order of rows is nothing to it."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labels as they are and as they were suggested, row for row, as indices into ``LABELS``."""

    true: NDArray[np.int64]
    suggested: NDArray[np.int64]
    groups: NDArray[np.str_]

    def interval(self, statistic: Statistic, seed: int = 1997) -> tuple[float, float]:
        """95 % bootstrap interval of a statistic of (true, suggested); groups are kept whole."""
        cells = np.stack((self.true, self.suggested))
        values = [statistic(true, said) for true, said in _resamples(cells, self.groups, seed)]
        low, high = np.percentile(values, [2.5, 97.5])
        return round(float(low), 3), round(float(high), 3)

    def rows(self, chosen: NDArray[np.bool_]) -> Labelled:
        """Some of the rows."""
        return Labelled(self.true[chosen], self.suggested[chosen], self.groups[chosen])


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher a figure is for a second model than for a first, with a 95 % interval."""

    first: float
    second: float
    low: float
    high: float

    @property
    def worse(self) -> bool:
        """Whether the second is worse beyond the interval."""
        return self.high < 0

    @property
    def better(self) -> bool:
        """Whether the second is better beyond the interval."""
        return self.low > 0


def paired_difference(
    first: Labelled, second: Labelled, statistic: Statistic, *, seed: int = 1997
) -> Difference:
    """The difference of a statistic between two models on the same narratives, in order.

    Each resample holds the same cases for both models, so that what makes a case hard for both
    does not blur the difference.
    """
    cells = np.stack((first.true, first.suggested, second.suggested))
    values = [
        statistic(true, b) - statistic(true, a)
        for true, a, b in _resamples(cells, first.groups, seed)
    ]
    low, high = np.percentile(values, [2.5, 97.5])
    return Difference(
        first=round(statistic(first.true, first.suggested), 4),
        second=round(statistic(second.true, second.suggested), 4),
        low=round(float(low), 4),
        high=round(float(high), 4),
    )


def _resamples(
    columns: NDArray[np.int64], groups: NDArray[np.str_], seed: int
) -> Iterator[NDArray[np.int64]]:
    """The columns of ``BOOTSTRAP`` resamples, shape ``(len(columns), rows)``.

    Rows are counted by their values once a group, so that a resample is a sum of counts.
    """
    shape = (len(LABELS),) * len(columns)
    codes = np.ravel_multi_index(tuple(columns), shape)
    names, group_of = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), int(np.prod(shape))), dtype=np.int64)
    np.add.at(counts, (group_of, codes), 1)
    values = np.stack(np.unravel_index(np.arange(counts.shape[1]), shape))
    draw = np.random.default_rng(seed)
    for _ in range(BOOTSTRAP):
        times = np.bincount(draw.integers(0, len(names), len(names)), minlength=len(names))
        yield np.repeat(values, times @ counts, axis=1)


def f1(true: NDArray[np.bool_], said: NDArray[np.bool_]) -> float:
    """F1 of a yes-or-no question; 0 where it is undefined."""
    both = int((true & said).sum())
    return 2 * both / total if (total := int(true.sum() + said.sum())) else 0.0


def macro_f1(true: NDArray[np.int64], suggested: NDArray[np.int64]) -> float:
    """Mean F1 of the labels that occur among the true ones."""
    present = np.unique(true)
    return float(np.mean([f1(true == k, suggested == k) for k in present]))


def accuracy(true: NDArray[np.int64], suggested: NDArray[np.int64]) -> float:
    """Share of suggestions that are the label."""
    return float((true == suggested).mean())


def stalking_recall(true: NDArray[np.int64], suggested: NDArray[np.int64]) -> float:
    """Share of the stalking that is suggested as stalking; 0 where there is none."""
    stalking = LABELS.index("stalking")
    asked = true == stalking
    return float((suggested[asked] == stalking).mean()) if asked.any() else 0.0
