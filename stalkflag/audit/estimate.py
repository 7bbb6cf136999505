"""Estimates with design-based confidence intervals from a stratified sample that people reviewed.

The sample is simple random without replacement in each stratum, so that a total is estimated by
the sum over strata of population times reviewed share (Horvitz and Thompson's estimator for this
design). Intervals combine exact limits of each stratum, which behave with few or no positives and
shrink to nothing as a stratum is read whole (the finite-population correction), by the square-and-
add method: Zou and Donner, Construction of confidence limits about effect measures, Statistics in
Medicine 27 (2008), 1693-1702; the limits in a stratum are the hypergeometric ones, Wright, Exact
confidence bounds when sampling from small finite universes (1991).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
"""The share of samples whose interval is to hold the true value."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence limits."""

    value: float
    low: float
    high: float

    def scaled(self, by: float) -> Interval:
        """The interval of a multiple."""
        return Interval(self.value * by, self.low * by, self.high * by)


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the population that was sampled by itself.

    ``size`` reports are in it, ``drawn`` were to be reviewed; ``expected`` is their mean
    probability of stalking by the model (0 if they could not be read), used only where none was
    reviewed.
    """

    name: str
    size: int
    drawn: int
    expected: float
    recorded: str | None
    suggested: bool


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A reviewed sample: for each reviewed report its stratum and whether it is so and so."""

    strata: tuple[Stratum, ...]
    stratum: NDArray[np.int64]
    level: float = LEVEL

    def total(
        self, outcome: NDArray[np.bool_], among: Callable[[Stratum], bool] = lambda s: True
    ) -> Interval:
        """How many reports of the population have an outcome.

        Parameters
        ----------
        outcome
            For each reviewed report, shape ``(reviewed,)``.
        among
            Which strata to count in.
        """
        chosen = [index for index, stratum in enumerate(self.strata) if among(stratum)]
        return _sum((self.strata[i].size, self._share(outcome, i)) for i in chosen)

    def share(
        self, outcome: NDArray[np.bool_], among: Callable[[Stratum], bool] = lambda s: True
    ) -> Interval | None:
        """What share of the population, or of some strata, has an outcome; none if it is empty."""
        size = sum(stratum.size for stratum in self.strata if among(stratum))
        return self.total(outcome, among).scaled(1 / size) if size else None

    def part(
        self, outcome: NDArray[np.bool_], within: Callable[[Stratum], bool]
    ) -> Interval | None:
        """What share of the reports with an outcome lies within some strata; none if none has it.

        The limits are the shares ``r`` at which ``(1 - r)`` times the total within and ``r`` times
        the total outside cannot be told apart, as in Fieller's theorem.
        """
        inside = [within(stratum) for stratum in self.strata]
        shares = [self._share(outcome, index) for index in range(len(self.strata))]
        sizes = [stratum.size for stratum in self.strata]
        totals = [size * share.value for size, share in zip(sizes, shares, strict=True)]
        if not sum(totals):
            return None

        def difference(r: float) -> Interval:
            weights = [
                size * (1 - r) if here else -size * r
                for size, here in zip(sizes, inside, strict=True)
            ]
            return _sum(zip(weights, shares, strict=True))

        return Interval(
            sum(total for total, here in zip(totals, inside, strict=True) if here) / sum(totals),
            _largest(lambda r: difference(r).low > 0),
            _largest(lambda r: difference(r).high >= 0),
        )

    def bounds(
        self, outcome: NDArray[np.bool_], among: Callable[[Stratum], bool] = lambda s: True
    ) -> tuple[float, float]:
        """The estimated total if no unreviewed report of the sample had the outcome, and if all had."""
        least = most = 0.0
        for index, stratum in enumerate(self.strata):
            if among(stratum):
                here = outcome[self.stratum == index]
                each = stratum.size / stratum.drawn
                least += each * int(here.sum())
                most += each * (int(here.sum()) + stratum.drawn - len(here))
        return least, most

    def _share(self, outcome: NDArray[np.bool_], index: int) -> Interval:
        here = outcome[self.stratum == index]
        stratum = self.strata[index]
        if not len(here):
            return Interval(stratum.expected, 0.0, 1.0)
        low, high = exact_limits(int(here.sum()), len(here), stratum.size, level=self.level)
        return Interval(float(here.mean()), low / stratum.size, high / stratum.size)


def _sum(parts: Iterable[tuple[float, Interval]]) -> Interval:
    """The interval of a weighted sum of independent shares, by square-and-add."""
    value = below = above = 0.0
    for weight, share in parts:
        value += weight * share.value
        down, up = weight * (share.value - share.low), weight * (share.high - share.value)
        below += (down if weight >= 0 else up) ** 2
        above += (up if weight >= 0 else down) ** 2
    return Interval(value, value - math.sqrt(below), value + math.sqrt(above))


@lru_cache(maxsize=4096)
def exact_limits(
    positive: int, drawn: int, population: int, *, level: float = LEVEL
) -> tuple[int, int]:
    """Limits on the positives of a population of which a simple random sample was read.

    Each tail of the hypergeometric distribution is at most ``(1 - level) / 2``.

    >>> exact_limits(0, 30, 1000), exact_limits(8, 8, 8)
    ((0, 114), (8, 8))
    """
    tail = (1 - level) / 2
    low, high = positive, population - (drawn - positive)
    least, most = low, high
    while low < high:
        middle = (low + high) // 2
        if 1 - _at_most(positive - 1, drawn, population, middle) > tail:
            high = middle
        else:
            low = middle + 1
    lowest, low, high = low, least, most
    while low < high:
        middle = (low + high + 1) // 2
        if _at_most(positive, drawn, population, middle) > tail:
            low = middle
        else:
            high = middle - 1
    return lowest, low


def _at_most(positive: int, drawn: int, population: int, positives: int) -> float:
    """P(at most so many positives in a sample) if the population has ``positives``."""
    first = max(0, drawn - (population - positives))
    last = min(positive, drawn, positives)
    whole = _log_ways(population, drawn)
    ways = (
        _log_ways(positives, k) + _log_ways(population - positives, drawn - k) - whole
        for k in range(first, last + 1)
    )
    return min(1.0, math.fsum(math.exp(one) for one in ways))


def _log_ways(among: int, chosen: int) -> float:
    return math.lgamma(among + 1) - math.lgamma(chosen + 1) - math.lgamma(among - chosen + 1)


def _largest(holds: Callable[[float], bool]) -> float:
    """The largest number from 0 to 1 for which a condition holds that fails above it."""
    if holds(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
