"""How often a suggestion stays when something changes that must not matter.

Needs no labels. Each change is measured on the narratives that it touches; shares carry Wilson's
95 % interval (Wilson, JASA 1927), the shift of probability a bootstrap interval over whole cases.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessor import Assessor
from stalkflag.training.bootstrap import BOOTSTRAP, Labelled
from stalkflag.training.perturbations import FEWER, perturbations
from stalkflag.training.records import Record
from stalkflag.training.swaps import Pair, swaps

MOST_SWAPPED = 0.01
"""Share of suggestions that may change when words are swapped."""

FEWEST_KEPT = 0.97
"""Share of suggestions that must stay when the writing is rougher."""

MOST_CHANGED_NARRATIVES = 20
"""Narratives that training and the gate ask about: each is read some thirty times."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Invariance:
    """What one change did to the suggestions on the narratives that it touched.

    ``changed_low`` and ``changed_high`` bound the share changed, ``shift`` is the mean change of the
    probability of stalking; ``target`` is the share that may change, and ``kept`` says of each
    narrative, by its id, whether its suggestion stayed.
    """

    change: str
    narratives: int
    changed: int
    changed_low: float
    changed_high: float
    shift: float
    shift_low: float
    shift_high: float
    target: float
    kept: dict[str, bool]

    @property
    def share(self) -> float:
        """Share of the suggestions that changed; 0 where nothing was touched."""
        return self.changed / self.narratives if self.narratives else 0.0

    @property
    def verdict(self) -> str:
        """Whether the target is met or missed beyond the interval, or is undecided."""
        if not self.narratives:
            return "not measured"
        if self.changed_high <= self.target:
            return "met"
        return "missed" if self.changed_low > self.target else "undecided"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for tables; ids of narratives whose suggestion changed, never a text."""
        plain = asdict(self)
        kept = plain.pop("kept")
        changed_ids = [id for id, stayed in kept.items() if not stayed]
        return {**plain, "share": self.share, "verdict": self.verdict, "changed_ids": changed_ids}


def measure_swaps(
    assessor: Assessor, records: Sequence[Record], *, seed: int, progress: Progress
) -> list[Invariance]:
    """Each attribute's words swapped over the narratives."""
    return _measure(assessor, records, swaps(), seed=seed, target=MOST_SWAPPED, progress=progress)


def measure_robustness(
    assessor: Assessor, records: Sequence[Record], *, seed: int, progress: Progress
) -> list[Invariance]:
    """Each kind of rougher writing over the narratives."""
    target = round(1 - FEWEST_KEPT, 4)
    return _measure(assessor, records, perturbations(), seed=seed, target=target, progress=progress)


def sample(records: Sequence[Record], limit: int | None, seed: int) -> list[Record]:
    """So many of the records, drawn by the seed, in their order."""
    if limit is None or limit >= len(records):
        return list(records)
    return [records[n] for n in sorted(Random(seed).sample(range(len(records)), limit))]


def as_labelled(found: Iterable[Invariance]) -> Labelled:
    """Kept and changed as labels and suggestions, each narrative a case, for a paired interval."""
    rows = [(id, stayed) for one in found for id, stayed in one.kept.items()]
    return Labelled(
        np.zeros(len(rows), dtype=np.int64),
        np.array([0 if stayed else 1 for _, stayed in rows], dtype=np.int64),
        np.array([id for id, _ in rows], dtype=np.str_),
    )


def _measure(
    assessor: Assessor,
    records: Sequence[Record],
    pairs: Mapping[str, Pair],
    *,
    seed: int,
    target: float,
    progress: Progress,
) -> list[Invariance]:
    progress("narratives as they are")
    said = _said(assessor, [record.text for record in records])
    plain = dict(zip((record.text for record in records), said, strict=True))
    found = []
    for name, pair in pairs.items():
        progress(name)
        asked: list[tuple[Record, str, str]] = []
        for record in records[:: FEWER.get(name, 1)]:
            chance = Random(zlib.crc32(f"{seed}|{name}|{record.text}".encode("utf-8", "replace")))
            one, other = pair(record.text, chance)
            if one != other:
                asked.append((record, one, other))
        new = [one for _, one, _ in asked if one not in plain]
        before = {**plain, **dict(zip(new, _said(assessor, new), strict=True))}
        after = _said(assessor, [other for _, _, other in asked])
        found.append(_summary(name, asked, before, after, target=target, seed=seed))
    return found


def _said(assessor: Assessor, texts: Sequence[str]) -> list[tuple[str, float]]:
    return [(one.suggestion, one.probabilities["stalking"]) for one in assessor.assess_many(texts)]


def _summary(
    name: str,
    asked: Sequence[tuple[Record, str, str]],
    before: Mapping[str, tuple[str, float]],
    after: Sequence[tuple[str, float]],
    *,
    target: float,
    seed: int,
) -> Invariance:
    kept = {
        record.id: before[one][0] == now[0]
        for (record, one, _), now in zip(asked, after, strict=True)
    }
    shifts = np.array(
        [now[1] - before[one][1] for (_, one, _), now in zip(asked, after, strict=True)]
    )
    changed = sum(before[one][0] != now[0] for (_, one, _), now in zip(asked, after, strict=True))
    low, high = wilson(changed, len(asked))
    groups = np.array([record.group for record, _, _ in asked])
    shift_low, shift_high = _mean_interval(shifts, groups, seed)
    return Invariance(
        change=name,
        narratives=len(asked),
        changed=changed,
        changed_low=round(low, 4),
        changed_high=round(high, 4),
        shift=round(float(shifts.mean()), 4) if len(shifts) else 0.0,
        shift_low=shift_low,
        shift_high=shift_high,
        target=target,
        kept=kept,
    )


def wilson(hits: int, number: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; from 0 to 1 where nothing was counted.

    >>> [round(end, 3) for end in wilson(0, 100)], wilson(0, 0)
    ([0.0, 0.037], (0.0, 1.0))
    """
    if number == 0:
        return 0.0, 1.0
    z = 1.959964
    share = hits / number
    middle = share + z * z / (2 * number)
    half = z * sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    scale = 1 + z * z / number
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def _mean_interval(
    values: NDArray[np.float64], groups: NDArray[np.str_], seed: int
) -> tuple[float, float]:
    """95 % bootstrap interval of a mean; groups are kept whole."""
    if not len(values):
        return 0.0, 0.0
    names, group_of = np.unique(groups, return_inverse=True)
    sums = np.bincount(group_of, weights=values)
    sizes = np.bincount(group_of)
    draws = np.random.default_rng(seed).integers(0, len(names), (BOOTSTRAP, len(names)))
    means = sums[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)
