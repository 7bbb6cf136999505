"""How figures differ between narratives by the sexes written in them, with fairlearn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessment import LABELS
from stalkflag.training.bootstrap import accuracy, stalking_recall
from stalkflag.training.predictions import Predictions

WIDEST = "widest gap"


@dataclass(frozen=True, slots=True)
class SliceGap:
    """Figures of one slice, or the widest gap between slices; ``None`` where there is none."""

    value: str
    narratives: int | None
    accuracy: float | None
    stalking_recall: float | None
    suggested_stalking: float | None
    referred: float | None

    def figures(self) -> tuple[float | None, ...]:
        """The figures in the order of the table."""
        return self.accuracy, self.stalking_recall, self.suggested_stalking, self.referred


def by_sexes(predictions: Predictions) -> list[SliceGap]:
    """Each slice of the sexes as written, then the widest gap between any two."""
    from fairlearn.metrics import MetricFrame

    stalking = LABELS.index("stalking")

    def recall(true: Any, said: Any) -> float:
        true = np.asarray(true)
        known = bool((true == stalking).any())
        return stalking_recall(true, np.asarray(said)) if known else float("nan")

    def share(true: Any, said: Any) -> float:
        return float((np.asarray(said) == stalking).mean())

    def right(true: Any, said: Any) -> float:
        return accuracy(np.asarray(true), np.asarray(said))

    def sent(true: Any, said: Any) -> float:
        return float(np.asarray(said).mean())

    sexes = predictions.slices["sexes_as_written"]

    def frame(metrics: dict[str, Callable[..., float]], said: NDArray[Any]) -> Any:
        return MetricFrame(
            metrics=metrics, y_true=predictions.true, y_pred=said, sensitive_features=sexes
        )

    of_labels = frame(
        {"accuracy": right, "stalking_recall": recall, "suggested_stalking": share},
        predictions.suggested,
    )
    of_referral = frame({"referred": sent}, predictions.referred)
    values, numbers = np.unique(sexes, return_counts=True)
    rows = [
        SliceGap(
            str(value),
            int(number),
            **{
                name: _known(group.by_group[name][value])
                for group in (of_labels, of_referral)
                for name in group.by_group.columns
            },
        )
        for value, number in zip(values, numbers, strict=True)
    ]
    gaps = {
        name: _known(group.difference()[name])
        for group in (of_labels, of_referral)
        for name in group.by_group.columns
    }
    return [*rows, SliceGap(WIDEST, None, **gaps)]


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
