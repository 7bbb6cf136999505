"""What a model said of labelled narratives, row for row, without the narratives.

These rows are all that MLflow keeps of a test set, so that models can be compared later without
reading a narrative again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessment import LABELS, Assessment
from stalkflag.training.bootstrap import Labelled
from stalkflag.training.records import NAMES_OFFENCE, Record

_HE = re.compile(r"\b(he|him|his|himself|man|male|boyfriend|husband|father|son|brother|mr)\b", re.I)
_SHE = re.compile(
    r"\b(she|her|hers|herself|woman|female|girlfriend|wife|mother|daughter|sister|mrs|ms|miss)\b",
    re.I,
)

SLICES: dict[str, Callable[[Record], str | None]] = {
    "register": lambda r: r.register,
    "relationship": lambda r: r.relationship,
    "difficulty": lambda r: r.difficulty,
    "words": lambda r: _length_band(len(r.text.split())),
    "sexes_as_written": lambda r: _sexes(r.text),
    "names_offence": lambda r: "yes" if NAMES_OFFENCE.search(r.text) else "no",
}


@dataclass(frozen=True, slots=True)
class Predictions:
    """Labels, suggestions and probabilities of some narratives, as arrays in one order.

    ``true`` and ``suggested`` are indices into ``LABELS``; ``probabilities`` has shape
    ``(narratives, len(LABELS))``; ``slices`` has a value a narrative for each kind of slice, empty
    where it is not told.
    """

    ids: tuple[str, ...]
    groups: NDArray[np.str_]
    true: NDArray[np.int64]
    suggested: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    referred: NDArray[np.bool_]
    slices: dict[str, NDArray[np.str_]]

    @classmethod
    def of(cls, records: Sequence[Record], assessments: Sequence[Assessment]) -> Predictions:
        """What assessments say of their records."""
        return cls(
            ids=tuple(r.id for r in records),
            groups=np.array([r.group for r in records]),
            true=np.array([LABELS.index(r.label) for r in records]),
            suggested=np.array([LABELS.index(a.suggestion) for a in assessments]),
            probabilities=np.array([[a.probabilities[x] for x in LABELS] for a in assessments]),
            referred=np.array([a.refer for a in assessments]),
            slices={kind: np.array([of(r) or "" for r in records]) for kind, of in SLICES.items()},
        )

    @classmethod
    def from_rows(cls, rows: Sequence[dict[str, Any]]) -> Predictions:
        """From what :meth:`rows` gave."""
        return cls(
            ids=tuple(row["id"] for row in rows),
            groups=np.array([row["group"] for row in rows]),
            true=np.array([LABELS.index(row["label"]) for row in rows]),
            suggested=np.array([LABELS.index(row["suggestion"]) for row in rows]),
            probabilities=np.array([row["probabilities"] for row in rows]),
            referred=np.array([row["refer"] for row in rows]),
            slices={
                kind: np.array([row["slices"].get(kind, "") for row in rows]) for kind in SLICES
            },
        )

    def rows(self) -> list[dict[str, Any]]:
        """Plain data, one object a narrative."""
        return [
            {
                "id": self.ids[i],
                "group": str(self.groups[i]),
                "label": LABELS[self.true[i]],
                "suggestion": LABELS[self.suggested[i]],
                "probabilities": self.probabilities[i].tolist(),
                "refer": bool(self.referred[i]),
                "slices": {kind: str(values[i]) for kind, values in self.slices.items()},
            }
            for i in range(len(self.ids))
        ]

    def chosen(self, rows: NDArray[np.bool_]) -> Predictions:
        """Some of the narratives."""
        return Predictions(
            ids=tuple(name for name, use in zip(self.ids, rows, strict=True) if use),
            groups=self.groups[rows],
            true=self.true[rows],
            suggested=self.suggested[rows],
            probabilities=self.probabilities[rows],
            referred=self.referred[rows],
            slices={kind: values[rows] for kind, values in self.slices.items()},
        )

    @property
    def labelled(self) -> Labelled:
        """Labels and suggestions, for intervals."""
        return Labelled(self.true, self.suggested, self.groups)

    @property
    def stalking(self) -> NDArray[np.float64]:
        """The probability of stalking of each narrative."""
        column: NDArray[np.float64] = self.probabilities[:, LABELS.index("stalking")]
        return column


def texts_sha256(records: Iterable[Record]) -> str:
    """Hash of narratives with their labels, in order: whether two models were asked the same."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(json.dumps([record.text, record.label]).encode() + b"\n")
    return digest.hexdigest()


def _length_band(words: int) -> str:
    for most in (25, 60, 120, 240):
        if words <= most:
            return f"up to {most}"
    return "over 240"


def _sexes(text: str) -> str:
    """Whose words stand in the text, whoever they are said of: the roles are not told apart."""
    he, she = bool(_HE.search(text)), bool(_SHE.search(text))
    if he and she:
        return "male and female words"
    return "male words only" if he else "female words only" if she else "neither"
