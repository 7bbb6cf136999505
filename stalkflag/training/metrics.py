"""How good assessments are on labelled narratives, with intervals, overall and by slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessment import ACTS, INDICATORS, LABELS, Assessment
from stalkflag.training.records import NAMES_OFFENCE, Record

BOOTSTRAP = 1000
"""Resamples of whole groups for an interval."""

SLICES: dict[str, Callable[[Record], str | None]] = {
    "register": lambda r: r.register,
    "relationship": lambda r: r.relationship,
    "difficulty": lambda r: r.difficulty,
    "words": lambda r: _length_band(len(r.text.split())),
    "names_offence": lambda r: "yes" if NAMES_OFFENCE.search(r.text) else "no",
}
FEWEST_IN_SLICE = 20


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labels as they are and as they were suggested, row for row, as indices into ``LABELS``."""

    true: NDArray[np.int64]
    suggested: NDArray[np.int64]
    groups: NDArray[np.str_]

    def interval(
        self, statistic: Callable[[NDArray[np.int64], NDArray[np.int64]], float], seed: int = 1997
    ) -> tuple[float, float]:
        """95 % bootstrap interval of a statistic of (true, suggested); groups are kept whole."""
        names, group_of = np.unique(self.groups, return_inverse=True)
        members = [np.flatnonzero(group_of == g) for g in range(len(names))]
        draw = np.random.default_rng(seed)
        values = []
        for _ in range(BOOTSTRAP):
            rows = np.concatenate([members[g] for g in draw.integers(0, len(names), len(names))])
            values.append(statistic(self.true[rows], self.suggested[rows]))
        low, high = np.percentile(values, [2.5, 97.5])
        return round(float(low), 3), round(float(high), 3)


def f1(true: NDArray[np.bool_], said: NDArray[np.bool_]) -> float:
    """F1 of a yes-or-no question; 0 where it is undefined."""
    both = int((true & said).sum())
    return 2 * both / total if (total := int(true.sum() + said.sum())) else 0.0


def macro_f1(true: NDArray[np.int64], suggested: NDArray[np.int64]) -> float:
    """Mean F1 of the labels that occur among the true ones."""
    present = np.unique(true)
    return float(np.mean([f1(true == k, suggested == k) for k in present]))


def measure(records: Sequence[Record], assessments: Sequence[Assessment]) -> dict[str, Any]:
    """All measures of assessments against the labels of their records, as plain data.

    Indicators, acts, relationships and occasions are measured on the records that have them.
    """
    labelled = Labelled(
        np.array([LABELS.index(r.label) for r in records]),
        np.array([LABELS.index(a.suggestion) for a in assessments]),
        np.array([r.group for r in records]),
    )
    true, said = labelled.true, labelled.suggested
    stalking = LABELS.index("stalking")
    pairs = list(zip(records, assessments, strict=True))
    probabilities = np.array([[a.probabilities[x] for x in LABELS] for a in assessments])
    referred = np.array([a.refer for a in assessments])
    result: dict[str, Any] = {
        "narratives": len(records),
        "groups": len(set(labelled.groups)),
        "macro_f1": _round(macro_f1(true, said)),
        "macro_f1_interval": labelled.interval(macro_f1),
        "accuracy": _round(float((true == said).mean())),
        "stalking_recall_interval": labelled.interval(
            lambda t, s: (
                float((s[t == stalking] == stalking).mean()) if (t == stalking).any() else 0.0
            )
        ),
        "labels": {
            label: _precision_recall(true == k, said == k) for k, label in enumerate(LABELS)
        },
        "confusion": [
            [int(((true == i) & (said == j)).sum()) for j in range(len(LABELS))]
            for i in range(len(LABELS))
        ],
        "calibration_error": _round(calibration_error(probabilities, true)),
        "referred": _round(float(referred.mean())),
        "accuracy_not_referred": _round(float((true == said)[~referred].mean()))
        if (~referred).any()
        else None,
        "indicators": {
            name: _precision_recall(*_indicator_columns(pairs, name)) for name in INDICATORS
        },
    }
    result["evidence_overlapped"] = _evidence_overlap(pairs)
    with_acts = [(r, a) for r, a in pairs if r.acts is not None]
    if with_acts:
        shown = np.array([[act in (r.acts or ()) for act in ACTS] for r, _ in with_acts])
        found = np.array([[act in a.shown_acts() for act in ACTS] for _, a in with_acts])
        result["acts_micro_f1"] = _round(f1(shown.ravel(), found.ravel()))
        result["acts"] = {act: _round(f1(shown[:, k], found[:, k])) for k, act in enumerate(ACTS)}
    ties = [r.relationship == a.relationship.value for r, a in pairs if r.relationship is not None]
    if ties:
        result["relationship_accuracy"] = _round(float(np.mean(ties)))
    counted = [
        (r.occasions >= 2) == (a.course_of_conduct.occasions >= 2)
        for r, a in pairs
        if r.occasions is not None
    ]
    if counted:
        result["two_or_more_accuracy"] = _round(float(np.mean(counted)))
    result["slices"] = {
        kind: slices for kind, of in SLICES.items() if (slices := _slices(records, labelled, of))
    }
    return result


def calibration_error(probabilities: NDArray[np.float64], true: NDArray[np.int64]) -> float:
    """Expected calibration error of the suggested label's probability, ten bins of equal width."""
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == true
    bins = np.minimum((sure * 10).astype(int), 9)
    return float(
        sum(
            (bins == b).mean() * abs(right[bins == b].mean() - sure[bins == b].mean())
            for b in range(10)
            if (bins == b).any()
        )
    )


def _slices(
    records: Sequence[Record], labelled: Labelled, of: Callable[[Record], str | None]
) -> dict[str, dict[str, Any]]:
    values = np.array([of(r) or "" for r in records])
    found = {}
    for value in sorted(set(values.tolist()) - {""}):
        rows = values == value
        if rows.sum() >= FEWEST_IN_SLICE:
            part = Labelled(labelled.true[rows], labelled.suggested[rows], labelled.groups[rows])
            found[value] = {
                "narratives": int(rows.sum()),
                "accuracy": _round(float((part.true == part.suggested).mean())),
                "accuracy_interval": part.interval(lambda t, s: float((t == s).mean())),
            }
    return found


def _indicator_columns(
    pairs: Sequence[tuple[Record, Assessment]], name: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    known = [
        (shown, a.indicators[name].present)
        for r, a in pairs
        if (shown := r.indicators[name]) is not None
    ]
    columns = np.array(known, dtype=bool).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def _precision_recall(true: NDArray[np.bool_], said: NDArray[np.bool_]) -> dict[str, Any]:
    both = int((true & said).sum())
    return {
        "f1": _round(f1(true, said)),
        "precision": _round(both / max(int(said.sum()), 1)),
        "recall": _round(both / max(int(true.sum()), 1)),
        "true": int(true.sum()),
    }


def _evidence_overlap(pairs: Sequence[tuple[Record, Assessment]]) -> float | None:
    """Share of labelled pieces of evidence that shown evidence for the same indicator touches."""
    touched: list[bool] = []
    for record, assessment in pairs:
        for name in INDICATORS:
            shown = assessment.indicators[name]
            for piece in record.evidence.get(name, ()):
                start = record.text.find(piece)
                touched.append(
                    shown.present
                    and any(e.start < start + len(piece) and start < e.end for e in shown.evidence)
                )
    return _round(float(np.mean(touched))) if touched else None


def _length_band(words: int) -> str:
    for most in (25, 60, 120, 240):
        if words <= most:
            return f"up to {most}"
    return "over 240"


def _round(value: float) -> float:
    return round(value, 4)
