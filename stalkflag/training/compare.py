"""One model against another on the same narratives: overall, on stalking, and slice by slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stalkflag.assessment import LABELS
from stalkflag.training.behaviour import Behaviour
from stalkflag.training.bootstrap import (
    Difference,
    accuracy,
    macro_f1,
    paired_difference,
    stalking_recall,
)
from stalkflag.training.predictions import Predictions

FEWEST_COMPARED = 30
"""Narratives that a slice must have to be compared."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of two models, on so many narratives or pairs."""

    what: str
    number: int
    difference: Difference

    def to_dict(self) -> dict[str, Any]:
        """Plain data for tables."""
        d = self.difference
        return {
            "what": self.what,
            "number": self.number,
            "first": d.first,
            "second": d.second,
            "difference": round(d.second - d.first, 4),
            "low": d.low,
            "high": d.high,
            "verdict": "worse" if d.worse else "better" if d.better else "level",
        }


def compare(first: Predictions, second: Predictions) -> list[Compared]:
    """How much better the second is, with 95 % paired bootstrap intervals.

    Both must be predictions of the same narratives in the same order.
    """
    return list(_compared(first, second))


def _compared(first: Predictions, second: Predictions) -> Iterator[Compared]:
    if first.ids != second.ids or not np.array_equal(first.true, second.true):
        raise ValueError("predictions of different narratives cannot be compared")
    a, b = first.labelled, second.labelled
    yield Compared("macro-F1", len(a.true), paired_difference(a, b, macro_f1))
    stalking = int((a.true == LABELS.index("stalking")).sum())
    if stalking:
        yield Compared("stalking recall", stalking, paired_difference(a, b, stalking_recall))
    for kind, values in first.slices.items():
        for value in sorted(set(values.tolist()) - {""}):
            chosen = values == value
            if (number := int(chosen.sum())) >= FEWEST_COMPARED:
                found = paired_difference(a.rows(chosen), b.rows(chosen), accuracy)
                yield Compared(f"accuracy, {kind} {value}", number, found)


def compare_behaviour(first: Behaviour, second: Behaviour) -> Compared | None:
    """The share of the behavioural suite that is right; ``None`` if the suites differ."""
    if first.suite != second.suite:
        return None
    found = paired_difference(first.labelled, second.labelled, accuracy)
    return Compared("behavioural suite", len(first.right), found)
