"""Pictures of how good a model is: confusion, reliability, precision and recall, referral."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stalkflag.assessment import LABELS
from stalkflag.training.predictions import Predictions

BINS = 10
"""Bins of equal width of the reliability picture, as of the calibration error."""


def pictures(
    predictions: Predictions,
    confusion: Sequence[Sequence[int]],
    *,
    coverage: Sequence[dict[str, Any]],
    title: str,
) -> Iterator[tuple[str, Figure]]:
    """All pictures of one model on one set of narratives, each with its name."""
    yield "confusion", confusion_picture(confusion, title=title)
    yield "reliability", reliability_picture(predictions, title=title)
    yield "precision-recall", precision_recall_picture(predictions, title=title)
    yield "referral", referral_picture(coverage, title=title)


def confusion_picture(confusion: Sequence[Sequence[int]], *, title: str) -> Figure:
    """A confusion matrix: rows are the labels, columns the suggestions."""
    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.imshow(confusion, cmap="Blues")
    most = max(map(max, confusion))
    for i, row in enumerate(confusion):
        for j, number in enumerate(row):
            colour = "white" if number > most / 2 else "black"
            axes.text(j, i, str(number), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set_xlabel("suggested")
    axes.set_ylabel("labelled")
    axes.set_title(title)
    return figure


def reliability_picture(predictions: Predictions, *, title: str) -> Figure:
    """How often a label is right at each probability given to it, with the counts below."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="calibrated")
    for k, (label, mark) in enumerate(zip(LABELS, "os^", strict=True)):
        p, right = predictions.probabilities[:, k], predictions.true == k
        bins = np.minimum((p * BINS).astype(int), BINS - 1)
        filled = [b for b in range(BINS) if (bins == b).any()]
        axes.plot(
            [p[bins == b].mean() for b in filled],
            [right[bins == b].mean() for b in filled],
            marker=mark,
            label=label,
        )
        below.hist(p, bins=BINS, range=(0, 1), histtype="step")
    axes.set_ylabel("share that is labelled so")
    axes.legend()
    axes.set_title(title)
    below.set_xlabel("probability of the label")
    below.set_ylabel("narratives")
    return figure


def precision_recall_picture(predictions: Predictions, *, title: str) -> Figure:
    """Precision against recall of each label as its probability's threshold falls."""
    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    for k, (label, line) in enumerate(zip(LABELS, ("-", "--", "-."), strict=True)):
        true = predictions.true == k
        if true.any():
            precision, recall = _precision_recall(true, predictions.probabilities[:, k])
            axes.plot(recall, precision, linestyle=line, label=f"{label} ({true.sum()})")
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, 1.01)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.legend(loc="lower left")
    axes.set_title(title)
    return figure


def _precision_recall(
    true: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(true[order])
    last = np.append(np.diff(score[order]) != 0, True)
    return (hits / np.arange(1, len(hits) + 1))[last], (hits / hits[-1])[last]


def referral_picture(coverage: Sequence[dict[str, Any]], *, title: str) -> Figure:
    """What is wrong among what stays, against the share that is referred to a person."""
    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    referred = [row["referred"] for row in coverage]
    axes.plot(referred, [row["wrong_kept"] for row in coverage], marker="o", label="any error")
    axes.plot(
        referred,
        [row["missed_share"] for row in coverage],
        marker="s",
        label="stalking missed, of what is not suggested as stalking",
    )
    axes.plot(
        referred,
        [row["missed_at_most"] for row in coverage],
        linestyle=":",
        color="C1",
        label="its 95 % upper limit",
    )
    axes.set_xlabel("share referred to a person")
    axes.set_ylabel("share wrong among the others")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.legend()
    axes.set_title(title)
    return figure


def learning_curve_picture(rows: Sequence[dict[str, Any]], *, title: str) -> Figure:
    """Macro-F1 and stalking recall against the narratives trained on."""
    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    sizes = [row["narratives"] for row in rows]
    for name, mark in (("macro_f1", "o"), ("stalking_recall", "s")):
        values = [row[name] for row in rows]
        low, high = ([row[f"{name}_{end}"] for row in rows] for end in ("low", "high"))
        axes.plot(sizes, values, marker=mark, label=name.replace("_", " "))
        axes.fill_between(sizes, low, high, alpha=0.2)
    axes.set_xscale("log")
    axes.set_xlabel("narratives trained on")
    axes.set_ylim(0, 1)
    axes.legend(loc="lower right")
    axes.set_title(title)
    return figure
