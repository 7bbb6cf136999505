"""Counting scored reports for the audit, in one pass and in constant memory."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessment import LABELS
from stalkflag.audit.estimate import LEVEL, Interval
from stalkflag.audit.reading import ScoredReport
from stalkflag.audit.sample import recorded_value
from stalkflag.batch.dates import read_when
from stalkflag.batch.recorded import Offences

MOST_VALUES = 2000
"""Different values of a column that are counted apart; further ones are counted together."""

OTHERS = "(other values)"
NOT_GIVEN = "(not given)"

STEPS = 10_000
"""Probabilities are given to four decimals, so that counting them loses nothing."""

READ_TO_FIND: tuple[float, ...] = (0.5, 0.75, 0.9, 0.95)
"""Shares of the likely misrecorded for which it is said how much must be read."""


@dataclass(slots=True)
class Counts:
    """Counts of some reports.

    ``expected`` sums the probabilities of stalking over the reports *open* to be misrecorded (not
    recorded as stalking, or all where that is not known); ``variance`` and ``skew`` sum the second
    and third central moments of their outcomes. ``unread`` reports have no narrative that could be
    read and so no probability: they are not among the open ones.
    """

    reports: int = 0
    unread: int = 0
    suggested: int = 0
    recorded: int = 0
    open: int = 0
    missed: int = 0
    referred: int = 0
    expected: float = 0.0
    variance: float = 0.0
    skew: float = 0.0

    def add(self, report: ScoredReport, recorded: str | None) -> None:
        """Count one report, given the label of its recorded offence."""
        stalking = report.suggestion == "stalking"
        self.reports += 1
        self.unread += not report.read
        self.suggested += stalking
        self.referred += report.refer
        if recorded == "stalking":
            self.recorded += 1
            return
        if not report.read:
            return
        p = report.p_stalking
        self.open += 1
        self.missed += stalking
        self.expected += p
        self.variance += p * (1 - p)
        self.skew += p * (1 - p) * (1 - 2 * p)

    @property
    def interval(self) -> Interval:
        """Misrecorded stalking expected, if the probabilities are right and reports independent.

        The limits are those of a sum of independent outcomes of unequal probability (Poisson's
        binomial distribution), by the normal distribution corrected for skewness.
        """
        if not self.variance:
            return Interval(self.expected, self.expected, self.expected)
        z = NormalDist().inv_cdf((1 + LEVEL) / 2)
        spread = math.sqrt(self.variance)
        shift = self.skew / self.variance * (z * z - 1) / 6
        return Interval(
            self.expected,
            max(0.0, self.expected - z * spread + shift),
            min(float(self.open), self.expected + z * spread + shift),
        )


@dataclass(slots=True)
class Breakdown:
    """Counts by the values of one thing, such as the year."""

    name: str
    values: dict[str, Counts] = field(default_factory=dict)

    def add(self, value: Any, report: ScoredReport, recorded: str | None) -> None:
        """Count one report under its value."""
        name = " ".join(str("" if value is None else value).split()) or NOT_GIVEN
        if name not in self.values and len(self.values) >= MOST_VALUES:
            name = OTHERS
        self.values.setdefault(name, Counts()).add(report, recorded)


@dataclass(frozen=True, slots=True)
class Listed:
    """A report on the review list, and the probability by which it stands there."""

    report: ScoredReport
    rank: float
    recorded: str | None
    recorded_as: str | None
    date: str | None

    @property
    def raised(self) -> bool:
        """Whether it stands there for the reports that it is linked with."""
        return bool(self.report.linked.get("linked_raised"))


@dataclass(slots=True)
class Summary:
    """Everything that the audit report shows, but for reviews.

    ``linked`` and ``raised`` are ``None`` where the reports were not linked. ``recorded_labels``
    says for each recorded offence which label it was read as. ``suggestions`` are those of the
    reports that could be read.
    """

    all: Counts = field(default_factory=Counts)
    suggestions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LABELS, 0))
    years: Breakdown | None = None
    places: list[Breakdown] = field(default_factory=list)
    offences: Breakdown | None = None
    relationships: Breakdown = field(
        default_factory=lambda: Breakdown("Relationship of suspect to victim")
    )
    recorded_labels: dict[str, str] = field(default_factory=dict)
    probabilities: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(STEPS + 1, dtype=np.int64)
    )
    listed: list[Listed] = field(default_factory=list)
    raised: int | None = None
    first_date: str | None = None
    last_date: str | None = None

    def read_to_find(self, share: float) -> int:
        """How many of the open reports must be read, most probable first, to find a share of the
        stalking expected among them."""
        steps = np.arange(STEPS, -1, -1)
        numbers = self.probabilities[::-1]
        found = np.cumsum(numbers * steps) / STEPS
        wanted = share * float(found[-1])
        if not wanted:
            return 0
        at = int(np.searchsorted(found, wanted - 1e-9))
        before = float(found[at - 1]) if at else 0.0
        rest = math.ceil((wanted - before - 1e-9) / (float(steps[at]) / STEPS))
        return int(numbers[:at].sum()) + min(rest, int(numbers[at]))

    def gain(self, points: int = 100) -> list[tuple[float, float]]:
        """Share of the open reports read, most probable first, and share of stalking found."""
        numbers = self.probabilities[::-1].astype(np.float64)
        read = np.cumsum(numbers)
        found = np.cumsum(numbers * np.arange(STEPS, -1, -1) / STEPS)
        if not found[-1]:
            return []
        at = np.linspace(0, read[-1], points + 1)
        shares = np.interp(at, np.concatenate(([0], read)), np.concatenate(([0], found)))
        return [
            (float(a / read[-1]), float(b / found[-1])) for a, b in zip(at, shares, strict=True)
        ]

    def if_odds_were(self, times: float) -> float:
        """Misrecorded stalking expected if the true odds were so many times the model's."""
        p = np.arange(STEPS + 1) / STEPS
        moved = times * p / (1 - p + times * p)
        return float((self.probabilities * moved).sum())


def count_reports(
    reports: Iterable[ScoredReport],
    *,
    offences: Offences,
    recorded_as: str | None = None,
    date_column: str | None = None,
    by: tuple[str, ...] = (),
    most_listed: int = 100,
) -> Summary:
    """Count reports and rank those that may be stalking recorded as something else.

    The review list is ranked by the probability of stalking of the report alone or, where it is
    stalking only together with linked reports, by that of the linked set. Reports that could not
    be read are not on it.
    """
    summary = Summary(places=[Breakdown(column) for column in by])
    heap: list[tuple[float, int, Listed]] = []
    for report, recorded, was, when in _read(reports, offences, recorded_as, date_column):
        summary.all.add(report, recorded)
        summary.suggestions[report.suggestion] += report.read
        summary.relationships.add(report.relationship, report, recorded)
        for place in summary.places:
            place.add(report.value(place.name), report, recorded)
        if was is not None and recorded is not None:
            summary.offences = summary.offences or Breakdown("Recorded offence")
            summary.offences.add(was, report, recorded)
            if len(summary.recorded_labels) < MOST_VALUES:
                summary.recorded_labels.setdefault(" ".join(was.split()) or NOT_GIVEN, recorded)
        if date_column:
            summary.years = summary.years or Breakdown("Year")
            summary.years.add(when[:4] if when else None, report, recorded)
            if when:
                summary.first_date = min(summary.first_date or when, when)
                summary.last_date = max(summary.last_date or when, when)
        raised = bool(report.linked.get("linked_raised"))
        if report.linked:
            summary.raised = (summary.raised or 0) + (raised and recorded != "stalking")
        if recorded == "stalking" or not report.read:
            continue
        summary.probabilities[round(report.p_stalking * STEPS)] += 1
        rank = float(report.linked["linked_p_stalking"]) if raised else report.p_stalking
        item = (rank, -report.number, Listed(report, rank, recorded, was, when))
        if len(heap) < most_listed:
            heapq.heappush(heap, item)
        elif heap and item[:2] > heap[0][:2]:
            heapq.heapreplace(heap, item)
    summary.listed = [listed for *_, listed in sorted(heap, key=lambda one: one[:2], reverse=True)]
    return summary


def _read(
    reports: Iterable[ScoredReport],
    offences: Offences,
    recorded_as: str | None,
    date_column: str | None,
) -> Iterator[tuple[ScoredReport, str | None, str | None, str | None]]:
    for report in reports:
        was = recorded_value(report, recorded_as)
        recorded = None if was is None else offences.label(was)
        when = read_when(report.value(date_column)) if date_column else None
        yield report, recorded, was, when.date().isoformat() if when else None
