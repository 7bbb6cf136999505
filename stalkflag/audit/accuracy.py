"""Recording accuracy from a reviewed sample, as an inspectorate's crime data integrity audit states it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.audit.estimate import LEVEL, Interval, Reviewed, Stratum
from stalkflag.audit.forms import Review
from stalkflag.errors import InputError

MOST_GROUPS = 200
"""Different values of a column by which estimates can be broken down."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One thing that the sample says of all reports.

    ``interval`` counts reports or, if ``share``, is a share; none if there is no report of the
    kind, or none was found among those reviewed.
    """

    name: str
    says: str
    interval: Interval | None
    share: bool


@dataclass(frozen=True, slots=True)
class Group:
    """What the sample says of the reports with one value in a column."""

    value: str
    reviewed: int
    missed: Interval
    accuracy: Interval | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """All that a reviewed sample says, and what must be known to read it.

    ``expected`` is how many reports the model's probabilities expect to be stalking.
    """

    estimates: tuple[Estimate, ...]
    groups: dict[str, tuple[Group, ...]]
    population: int
    drawn: int
    reviewed: int
    expected: float
    recorded: bool
    notes: tuple[str, ...]
    level: float

    def get(self, name: str) -> Interval | None:
        """An estimate by name."""
        return next((e.interval for e in self.estimates if e.name == name), None)


def estimate_accuracy(
    review: Review, *, by: tuple[str, ...] = (), level: float = LEVEL
) -> Accuracy:
    """What a reviewed sample says of how stalking is recorded, and of the suggestions.

    Parameters
    ----------
    by
        Columns of the form or its design by whose values missed stalking is broken down.

    Raises
    ------
    InputError
        If nothing has been reviewed, or a column is not there.
    """
    settled = review.settled
    if not settled:
        raise InputError("No report of the sample has a reviewed_label yet: review some first.")
    sample = review.sample(level=level)
    stalking = np.array([unit.label == "stalking" for unit in settled])
    right = np.array([unit.label == unit.recorded for unit in settled])
    recorded = all(stratum.recorded is not None for stratum in review.strata)
    estimates = [Estimate("stalking", "Reports that are stalking", sample.total(stalking), False)]
    if recorded:
        estimates += [
            Estimate(
                "recording_accuracy",
                "Of stalking, recorded as stalking",
                sample.part(stalking, _as_stalking),
                True,
            ),
            Estimate(
                "missed",
                "Stalking recorded as something else",
                sample.total(stalking, _as_other),
                False,
            ),
            Estimate(
                "missed_share",
                "Of reports not recorded as stalking, those that are",
                sample.share(stalking, _as_other),
                True,
            ),
            Estimate(
                "recorded_rightly",
                "Of reports recorded as stalking, those that are",
                sample.share(stalking, _as_stalking),
                True,
            ),
            Estimate(
                "all_labels",
                "Of all reports, recorded with the right one of the three labels",
                sample.share(right),
                True,
            ),
        ]
    estimates += [
        Estimate(
            "suggested",
            "Of stalking, suggested as stalking",
            sample.part(stalking, _suggested),
            True,
        ),
        Estimate(
            "suggested_rightly",
            "Of reports suggested as stalking, those that are",
            sample.share(stalking, _suggested),
            True,
        ),
    ]
    return Accuracy(
        estimates=tuple(estimates),
        groups={column: _groups(review, sample, stalking, column) for column in by},
        population=sum(stratum.size for stratum in review.strata),
        drawn=len(review.units),
        reviewed=len(settled),
        expected=sum(stratum.size * stratum.expected for stratum in review.strata),
        recorded=recorded,
        notes=tuple(_notes(review, sample, stalking, recorded=recorded)),
        level=level,
    )


def _as_stalking(stratum: Stratum) -> bool:
    return stratum.recorded == "stalking"


def _as_other(stratum: Stratum) -> bool:
    return stratum.recorded != "stalking"


def _suggested(stratum: Stratum) -> bool:
    return stratum.suggested


def _groups(
    review: Review, sample: Reviewed, stalking: NDArray[np.bool_], column: str
) -> tuple[Group, ...]:
    if column not in review.units[0].values:
        shown = ", ".join(review.units[0].values)
        raise InputError(f"The form has no column {column!r}: name one of {shown} with --by.")
    values = np.array([_plain(unit.values.get(column)) for unit in review.settled])
    names = sorted(set(values.tolist()))
    if len(names) > MOST_GROUPS:
        raise InputError(f"{column!r} has {len(names)} values: name a column with fewer with --by.")
    return tuple(
        Group(
            value=name or "(empty)",
            reviewed=int((values == name).sum()),
            missed=sample.total(stalking & (values == name), _as_other),
            accuracy=sample.part(stalking & (values == name), _as_stalking),
        )
        for name in names
    )


def _plain(value: Any) -> str:
    return " ".join(str("" if value is None else value).split())


def _notes(
    review: Review, sample: Reviewed, stalking: NDArray[np.bool_], *, recorded: bool
) -> list[str]:
    """What must be known to read the estimates: what was not reviewed, and what that could change."""
    missing = len(review.units) - len(review.settled)
    if not missing:
        return []
    what = "missed stalking" if recorded else "stalking"
    least, most = sample.bounds(stalking, _as_other if recorded else lambda stratum: True)
    notes = [
        f"{missing} of {len(review.units)} reports drawn have no reviewed label. They are taken to be "
        "like the reviewed ones of their stratum. If none of them were stalking, the estimate of "
        f"{what} would be {least:,.0f}; if all were, {most:,.0f}."
    ]
    reviewed = set(sample.stratum.tolist())
    bare = [stratum for n, stratum in enumerate(review.strata) if n not in reviewed]
    if bare:
        notes.append(
            f"In {len(bare)} of {len(review.strata)} strata (with "
            f"{sum(stratum.size for stratum in bare):,} reports) none was reviewed: the model's "
            "probability stands in for them, and the intervals allow for any share."
        )
    return notes
