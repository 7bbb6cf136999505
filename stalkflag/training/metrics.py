"""How good assessments are on labelled narratives, with intervals, overall and by slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessment import ACTS, INDICATORS, LABELS, Assessment
from stalkflag.training.bootstrap import Labelled, accuracy, f1, macro_f1, stalking_recall
from stalkflag.training.predictions import Predictions
from stalkflag.training.records import Record

__all__ = ["Labelled", "calibration_error", "f1", "macro_f1", "measure", "worst_errors"]

FEWEST_IN_SLICE = 20

WORST = 50
"""How many errors are listed, by id only."""


def measure(records: Sequence[Record], assessments: Sequence[Assessment]) -> dict[str, Any]:
    """All measures of assessments against the labels of their records, as plain data.

    Indicators, acts, relationships and occasions are measured on the records that have them.
    """
    predictions = Predictions.of(records, assessments)
    pairs = list(zip(records, assessments, strict=True))
    result = measure_labels(predictions)
    slices = result.pop("slices")
    result["indicators"] = {
        name: _precision_recall(*_indicator_columns(pairs, name)) for name in INDICATORS
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
    result["slices"] = slices
    return result


def measure_labels(predictions: Predictions) -> dict[str, Any]:
    """The measures that need labels and predictions only, as plain data."""
    labelled = predictions.labelled
    true, said, referred = labelled.true, labelled.suggested, predictions.referred
    return {
        "narratives": len(true),
        "groups": len(set(labelled.groups)),
        "macro_f1": _round(macro_f1(true, said)),
        "macro_f1_interval": labelled.interval(macro_f1),
        "accuracy": _round(accuracy(true, said)),
        "accuracy_interval": labelled.interval(accuracy),
        "stalking_recall_interval": labelled.interval(stalking_recall),
        "labels": {
            label: _precision_recall(true == k, said == k) for k, label in enumerate(LABELS)
        },
        "confusion": [
            [int(((true == i) & (said == j)).sum()) for j in range(len(LABELS))]
            for i in range(len(LABELS))
        ],
        "calibration_error": _round(calibration_error(predictions.probabilities, true)),
        "stalking_average_precision": _round(
            average_precision(true == LABELS.index("stalking"), predictions.stalking)
        ),
        "referred": _round(float(referred.mean())),
        "accuracy_not_referred": _round(float((true == said)[~referred].mean()))
        if (~referred).any()
        else None,
        "slices": {
            kind: found
            for kind, values in predictions.slices.items()
            if (found := _slices(labelled, values))
        },
    }


def worst_errors(predictions: Predictions, most: int = WORST) -> list[dict[str, Any]]:
    """The errors that the model was surest of, by id only, the surest first."""
    rows = np.arange(len(predictions.true))
    of_label = predictions.probabilities[rows, predictions.true]
    wrong = np.flatnonzero(predictions.true != predictions.suggested)
    return [
        {
            "id": predictions.ids[i],
            "label": LABELS[predictions.true[i]],
            "suggestion": LABELS[predictions.suggested[i]],
            "probability_of_label": round(float(of_label[i]), 4),
            "refer": bool(predictions.referred[i]),
        }
        for i in wrong[np.argsort(of_label[wrong], kind="stable")][:most].tolist()
    ]


def average_precision(true: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Mean precision over the recall gained as the score's threshold falls; 0 if none is true."""
    order = np.argsort(-score, kind="stable")
    hits = true[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean()) if hits.any() else 0.0


def calibration_error(probabilities: NDArray[np.float64], true: NDArray[np.int64]) -> float:
    """Expected calibration error of the suggested label's probability, ten bins of equal width.

    Guo and others, "On calibration of modern neural networks", ICML 2017.
    """
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


def _slices(labelled: Labelled, values: NDArray[np.str_]) -> dict[str, dict[str, Any]]:
    found = {}
    for value in sorted(set(values.tolist()) - {""}):
        part = labelled.rows(values == value)
        if len(part.true) >= FEWEST_IN_SLICE:
            found[value] = {
                "narratives": len(part.true),
                "accuracy": _round(accuracy(part.true, part.suggested)),
                "accuracy_interval": part.interval(accuracy),
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


def _round(value: float) -> float:
    return round(value, 4)
