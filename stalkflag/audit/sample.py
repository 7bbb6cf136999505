"""Drawing a stratified sample of scored reports for people to review.

Strata are how a report was recorded, what is suggested, and bands of the probability of stalking:
reports that are hard to tell are drawn more often, and every report has a known chance above zero.
Reports whose narrative could not be read have no probability: they are strata of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stalkflag.audit.estimate import Stratum
from stalkflag.audit.reading import ScoredReport, read_scored
from stalkflag.batch.recorded import Offences
from stalkflag.errors import InputError

BANDS: tuple[float, ...] = (0.02, 0.1, 0.3, 0.6, 0.85)
"""Where the probability of stalking is cut into strata."""

FEWEST = 8
"""Reports drawn from each stratum, or all it has, when the sample is large enough."""

UNREAD = -1
"""The band of reports that could not be read."""

LEAST_SPREAD = 0.1
"""The standard deviation that is taken for a stratum at the least: probabilities near 0 and 1 may
be wrong, and a stratum that nobody reads cannot say so."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One report of a sample with how it was drawn; ``report`` is as it was scored."""

    sample_id: str
    report: ScoredReport
    recorded: str | None
    stratum: Stratum

    @property
    def chance(self) -> float:
        """The probability with which the report was to be drawn (inclusion probability)."""
        return self.stratum.drawn / self.stratum.size


def draw_sample(
    scored: Path,
    size: int,
    *,
    seed: int,
    offences: Offences,
    recorded_as: str | None = None,
    id_column: str | None = None,
) -> list[Unit]:
    """A stratified random sample without replacement, in random order.

    The file is read twice; only a byte a report is kept of it. The same file and seed give the
    same sample. It is larger than asked for where each stratum's least number needs it.

    Parameters
    ----------
    recorded_as
        The input column with the recorded offence, if the file was scored without one.
    id_column
        The input column that names a report.

    Raises
    ------
    InputError
        If the file has no report.
    """
    kinds: dict[tuple[str | None, bool, int], int] = {}
    codes = bytearray()
    sums: list[float] = []
    for report in read_scored(scored):
        kind = _kind(report, recorded_label(report, offences, recorded_as))
        code = kinds.setdefault(kind, len(kinds))
        if code == len(sums):
            sums.append(0.0)
        codes.append(code)
        sums[code] += report.p_stalking if report.read else 0.0
    if not codes:
        raise InputError(f"{scored} has no report: score some first.")
    stratum_of = np.frombuffer(bytes(codes), dtype=np.uint8)
    sizes = np.bincount(stratum_of, minlength=len(kinds))
    expected = np.array(sums) / sizes
    drawn = allocate(sizes, np.sqrt(expected * (1 - expected)), size)
    strata = {
        code: Stratum(
            name=_name(kind),
            size=int(sizes[code]),
            drawn=int(drawn[code]),
            expected=round(float(expected[code]), 4),
            recorded=kind[0],
            suggested=kind[1],
        )
        for kind, code in kinds.items()
    }
    draw = np.random.default_rng(seed)
    # By name, so that the order in which strata are met does not matter.
    chosen = [
        draw.choice(np.flatnonzero(stratum_of == code), int(drawn[code]), replace=False)
        for code in sorted(strata, key=lambda code: strata[code].name)
    ]
    order = draw.permutation(np.concatenate(chosen)).tolist()
    width = len(str(len(order)))
    names = {position: f"S{n:0{width}}" for n, position in enumerate(order, start=1)}
    units = [
        Unit(
            names[position],
            report,
            recorded_label(report, offences, recorded_as),
            strata[int(stratum_of[position])],
        )
        for position, report in _at(read_scored(scored, id_column), sorted(order))
    ]
    return sorted(units, key=lambda unit: unit.sample_id)


def recorded_label(report: ScoredReport, offences: Offences, recorded_as: str | None) -> str | None:
    """The label of the offence as recorded; none if the file does not say how it was."""
    was = recorded_value(report, recorded_as)
    return None if was is None else offences.label(was)


def recorded_value(report: ScoredReport, recorded_as: str | None) -> str | None:
    """The offence as recorded: from a column of the input, else as it was scored."""
    if recorded_as is None:
        return report.recorded_as
    value = report.value(recorded_as)
    return "" if value is None else str(value)


def allocate(
    sizes: NDArray[np.int64], spread: NDArray[np.float64], total: int
) -> NDArray[np.int64]:
    """How many to draw from each stratum (Neyman's allocation by the expected spread).

    Parameters
    ----------
    sizes, spread
        Reports in each stratum and the standard deviation expected in it, shape ``(strata,)``.
    total
        How many to draw in all; each stratum gets a least number whatever this is.
    """
    least = np.minimum(sizes, max(2, min(FEWEST, total // (2 * len(sizes)))))
    drawn = least.copy()
    weight = sizes * np.maximum(spread, LEAST_SPREAD)
    while (left := min(total, int(sizes.sum())) - int(drawn.sum())) > 0:
        free = drawn < sizes
        wanted = weight * total / weight.sum() - drawn
        wanted = np.where(free, np.maximum(wanted, 1e-9 * weight), 0.0)
        give = np.floor(wanted * left / wanted.sum()).astype(np.int64)
        if not give.any():
            give[np.argsort(-wanted, kind="stable")[:left]] = 1
            give[~free] = 0
        drawn = np.minimum(sizes, drawn + give)
    return drawn


def _kind(report: ScoredReport, recorded: str | None) -> tuple[str | None, bool, int]:
    band = int(np.searchsorted(BANDS, report.p_stalking, side="right")) if report.read else UNREAD
    was = recorded if recorded in (None, "stalking") else "other"
    return was, report.suggestion == "stalking", band


def _name(kind: tuple[str | None, bool, int]) -> str:
    recorded, suggested, band = kind
    edges = (0.0, *BANDS, 1.0)
    was = "" if recorded is None else f"recorded as {recorded}, "
    if band == UNREAD:
        return f"{was}could not be read"
    says = "" if suggested else "not "
    return f"{was}{says}suggested as stalking, p {edges[band]:g} to {edges[band + 1]:g}"


def _at(
    reports: Iterable[ScoredReport], positions: Sequence[int]
) -> Iterator[tuple[int, ScoredReport]]:
    wanted = iter(positions)
    following = next(wanted, None)
    for position, report in enumerate(reports):
        if following is None:
            return
        if position == following:
            yield position, report
            following = next(wanted, None)
