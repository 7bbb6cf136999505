"""A model's probabilities made to fit a force's own cases, without learning words anew.

A hundred labelled cases are too few to teach words, but enough to say whether the model is too
sure or too timid, and for which label. The logits of the label head are divided by a temperature
and, if the cases hold enough of each label, a constant a label is added: temperature scaling (Guo
and others, ICML 2017) and bias-corrected temperature scaling (Alexandari and others, ICML 2020).
Both are linear, so the result is another label head and the bundle needs nothing new. Whether it
helps is checked on cases held out of the fit, and where it does not the model is left alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.model_selection import StratifiedGroupKFold

from stalkflag.assessment import LABELS
from stalkflag.decision import least_costly
from stalkflag.errors import InputError
from stalkflag.model import Head, Model, softmax
from stalkflag.training.bootstrap import BOOTSTRAP, macro_f1
from stalkflag.training.metrics import calibration_error
from stalkflag.training.records import Record

FEWEST_TO_RECALIBRATE = 100
FEWEST_OF_A_LABEL = 5
"""Cases of each label from which a constant for each label is tried as well."""

FOLDS, REPEATS = 10, 3
SEED = 1997


@dataclass(frozen=True, slots=True)
class Scaling:
    """``logits * scale + bias``; ``bias`` is by label."""

    method: str
    scale: float
    bias: tuple[float, ...]

    def apply(self, log_probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """The scaled probabilities, shape ``(rows, len(LABELS))``."""
        return softmax(log_probabilities * self.scale + np.array(self.bias))


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A scaling and the check that it helps, on cases that were held out of its fit.

    ``held_out`` has the probabilities of each case under a scaling fitted without it; figures are
    pairs, before and after. ``gain`` is how far the log loss falls, and its lower 95 % limit.
    """

    scaling: Scaling
    cases: int
    log_loss: tuple[float, float]
    gain: tuple[float, float]
    calibration_error: tuple[float, float]
    macro_f1: tuple[float, float]
    held_out: NDArray[np.float64]

    @property
    def helps(self) -> bool:
        """Whether held-out labels become more probable, with 95 % confidence."""
        return self.gain[1] > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the bundle and MLflow."""
        return {
            "method": self.scaling.method,
            "cases": self.cases,
            "scale": round(self.scaling.scale, 6),
            "bias": {k: round(b, 6) for k, b in zip(LABELS, self.scaling.bias, strict=True)},
            "log_loss": list(self.log_loss),
            "log_loss_gain_at_least": self.gain[1],
            "calibration_error": list(self.calibration_error),
            "macro_f1": list(self.macro_f1),
        }


def recalibrate(
    probabilities: NDArray[np.float64],
    records: Sequence[Record],
    *,
    missed_costs: float,
    seed: int = SEED,
) -> Recalibration:
    """Fit a scaling to own cases and check it by repeated grouped cross-validation.

    Parameters
    ----------
    probabilities
        What the model says of the records, shape ``(len(records), len(LABELS))``.
    missed_costs
        The model's threshold of that name, by which it suggests.

    Raises
    ------
    InputError
        If there are fewer cases than ``FEWEST_TO_RECALIBRATE``, or only one label.
    """
    labels = np.array([LABELS.index(record.label) for record in records])
    groups = np.array([record.group for record in records])
    cases = len(set(groups.tolist()))
    if cases < FEWEST_TO_RECALIBRATE:
        raise InputError(
            f"Only {cases} separate cases are labelled: recalibration needs at least "
            f"{FEWEST_TO_RECALIBRATE}."
        )
    if len(set(labels.tolist())) < 2:
        raise InputError("All cases have the same label: recalibration needs at least two labels.")
    logs = np.log(np.maximum(probabilities, 1e-12))
    fewest = min(len(set(groups[labels == k].tolist())) for k in range(len(LABELS)))
    methods = ("temperature", *(("temperature and bias",) if fewest >= FEWEST_OF_A_LABEL else ()))
    rows = np.arange(len(labels))
    before = -logs[rows, labels]
    folds = _folds(labels, groups, seed=seed)
    tried = {}
    for method in methods:
        held_out = np.zeros_like(logs)
        for kept, held in folds:
            scaling = _fit(logs[kept], labels[kept], method)
            held_out[held] += scaling.apply(logs[held]) / REPEATS
        tried[method] = (-np.log(held_out[rows, labels]), held_out)
    method = min(methods, key=lambda name: float(tried[name][0].mean()))
    after, held_out = tried[method]
    return Recalibration(
        scaling=_fit(logs, labels, method),
        cases=cases,
        log_loss=(_mean(before), _mean(after)),
        gain=(_mean(before - after), _lower_limit(before - after, groups, seed=seed)),
        calibration_error=(
            round(calibration_error(probabilities, labels), 4),
            round(calibration_error(held_out, labels), 4),
        ),
        macro_f1=(
            round(macro_f1(labels, _suggested(probabilities, missed_costs)), 4),
            round(macro_f1(labels, _suggested(held_out, missed_costs)), 4),
        ),
        held_out=held_out,
    )


def _suggested(probabilities: NDArray[np.float64], missed_costs: float) -> NDArray[np.int64]:
    rows = (dict(zip(LABELS, row, strict=True)) for row in probabilities.tolist())
    return np.array([LABELS.index(least_costly(row, missed_costs)) for row in rows])


def apply_scaling(model: Model, scaling: Scaling) -> Model:
    """The model with the scaling in its label head's weights."""
    head = model.label_head
    bias = head.bias * scaling.scale + np.array(scaling.bias)
    return replace(
        model,
        label_head=Head((head.weights * scaling.scale).astype(np.float32), bias.astype(np.float32)),
    )


def _fit(logs: NDArray[np.float64], labels: NDArray[np.int64], method: str) -> Scaling:
    """The scaling under which the labels are most probable, held near none by a weak prior."""
    rows = np.arange(len(labels))
    with_bias = method == "temperature and bias"
    truth = np.eye(len(LABELS))[labels]

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scaled = logs * np.exp(x[0])
        p = softmax(scaled + x[1:])
        off = p - truth
        slope = np.concatenate(([(off * scaled).sum()], off.sum(axis=0))) + x
        return float(-np.log(p[rows, labels] + 1e-12).sum() + 0.5 * (x @ x)), slope

    start = np.zeros(1 + len(LABELS))
    fixed = [(-3.0, 3.0), *([(-6.0, 6.0) if with_bias else (0.0, 0.0)] * len(LABELS))]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=fixed).x
    return Scaling(method, float(np.exp(found[0])), tuple(float(b) for b in found[1:]))


def _folds(
    labels: NDArray[np.int64], groups: NDArray[np.str_], *, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to fit on and rows held out, by whole cases, for each fold of each repeat."""
    found = []
    for repeat in range(REPEATS):
        splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed + repeat)
        with warnings.catch_warnings():
            # A label with fewer cases than folds is in some of them only.
            warnings.simplefilter("ignore", UserWarning)
            found += list(splitter.split(labels, labels, groups))
    return found


def _mean(values: NDArray[np.float64]) -> float:
    return round(float(values.mean()), 4)


def _lower_limit(values: NDArray[np.float64], groups: NDArray[np.str_], *, seed: int) -> float:
    """Lower one-sided 95 % bootstrap limit of a mean; groups are kept whole."""
    names, group_of = np.unique(groups, return_inverse=True)
    sums = np.bincount(group_of, weights=values, minlength=len(names))
    sizes = np.bincount(group_of, minlength=len(names))
    draw = np.random.default_rng(seed)
    means = []
    for _ in range(BOOTSTRAP):
        chosen = draw.integers(0, len(names), len(names))
        means.append(sums[chosen].sum() / sizes[chosen].sum())
    return round(float(np.percentile(means, 5)), 4)
