"""Probabilities for files in which stalking is rarer, or commoner, than where a model was trained.

If only the shares of the labels differ between two kinds of file, and not how each label reads,
then the probability of a label in the new kind is the old one times the ratio of its shares, made
to sum to one. In a head of logits that is a constant a label, so it is stored in the bundle's
weights and costs nothing. Where the shares are not known they are estimated from unlabelled
narratives by expectation maximisation.

Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori
probabilities: a simple procedure", *Neural Computation* 14 (2002); that the probabilities must be
calibrated for it to work: Alexandari, Kundaje and Shrikumar, "Maximum likelihood with
bias-corrected calibration is hard-to-beat at label shift adaptation", ICML 2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessment import LABELS
from stalkflag.errors import InputError
from stalkflag.model import Head, Model
from stalkflag.training.records import Record

LEAST_SHARE = 1e-4
MOST_STEPS = 1000
CLOSE_ENOUGH = 1e-6

ENOUGH_TO_ESTIMATE = 5000
"""How many unlabelled narratives are read to estimate shares; of more, evenly spaced ones."""


def parse_prevalence(given: str) -> dict[str, float]:
    """Shares from ``0.02`` (of stalking) or ``stalking=0.02,harassment=0.05`` (the rest neither).

    Raises
    ------
    InputError
        If a share is not between 0 and 1, or they sum to more than 1.
    """
    parts = given if "=" in given else f"stalking={given}"
    try:
        found = {
            name.strip(): float(share)
            for name, share in (part.split("=") for part in parts.split(","))
        }
    except ValueError:
        raise InputError(
            f"--prevalence is {given!r}: give a share such as 0.02, or "
            "stalking=0.02,harassment=0.05."
        ) from None
    return checked_prevalence(found)


def checked_prevalence(shares: Mapping[str, float]) -> dict[str, float]:
    """The shares as given, if they can be shares of the labels."""
    for name, share in shares.items():
        if name not in LABELS:
            raise InputError(
                f"prevalence: {name!r} is not a label; labels are {', '.join(LABELS)}."
            )
        if not LEAST_SHARE <= share <= 1 - LEAST_SHARE:
            raise InputError(f"prevalence: the share of {name} must be between 0.0001 and 0.9999.")
    total = sum(shares.values())
    if total > 1 + 1e-9 or (len(shares) == len(LABELS) and abs(total - 1) > 1e-3):
        raise InputError(f"prevalence: the shares sum to {total:g}; they must sum to 1.")
    return dict(shares)


def trained_shares(
    records: Sequence[Record], class_weight: Mapping[str, float] | None = None
) -> NDArray[np.float64]:
    """The label shares that a label head fitted to some records has in mind, by ``LABELS``."""
    sums = np.zeros(len(LABELS))
    for record in records:
        sums[LABELS.index(record.label)] += record.weight
    sums *= [(class_weight or {}).get(label, 1.0) for label in LABELS]
    shares: NDArray[np.float64] = sums / sums.sum()
    return shares


def by_label(shares: NDArray[np.float64]) -> dict[str, float]:
    """Shares with their labels, rounded as a bundle keeps them."""
    return {label: round(float(share), 6) for label, share in zip(LABELS, shares, strict=True)}


def model_shares(info: Mapping[str, Any]) -> NDArray[np.float64]:
    """The label shares that a trained model has in mind, from its bundle's info.

    Raises
    ------
    InputError
        If the bundle does not say.
    """
    shares = info.get("prevalence") or info.get("label_shares")
    if not shares:
        raise InputError(
            "The model does not say which shares of the labels it was trained on: train it again."
        )
    return np.array([shares[label] for label in LABELS])


def full_shares(
    prevalence: Mapping[str, float], trained: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A share for each label; what was not given is filled in the proportions of training."""
    shares = np.array([prevalence.get(label, np.nan) for label in LABELS])
    missing = np.isnan(shares)
    if missing.any():
        rest = max(1 - float(np.nansum(shares)), LEAST_SHARE)
        shares[missing] = rest * trained[missing] / trained[missing].sum()
    full: NDArray[np.float64] = shares / shares.sum()
    return full


def shift(
    probabilities: NDArray[np.float64], *, old: NDArray[np.float64], new: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probabilities for a file with other shares of the labels, shape ``(rows, len(LABELS))``."""
    weighted = probabilities * (new / old)
    result: NDArray[np.float64] = weighted / weighted.sum(axis=1, keepdims=True)
    return result


def shift_model(model: Model, *, old: NDArray[np.float64], new: NDArray[np.float64]) -> Model:
    """The model with the shift of prevalence in its label head's bias, and noted in its info."""
    head = model.label_head
    bias = (head.bias + np.log(new / old)).astype(np.float32)
    return replace(
        model,
        label_head=Head(head.weights, bias),
        info={**model.info, "prevalence": by_label(new)},
    )


def estimate_shares(
    probabilities: NDArray[np.float64], trained: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The label shares of a file from a model's probabilities of its narratives (Saerens' EM)."""
    shares = trained.copy()
    for _ in range(MOST_STEPS):
        before = shares
        shares = shift(probabilities, old=trained, new=shares).mean(axis=0)
        shares = np.maximum(shares, LEAST_SHARE)
        shares /= shares.sum()
        if np.abs(shares - before).max() < CLOSE_ENOUGH:
            break
    return shares
