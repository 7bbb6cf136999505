"""What a training run found: the model and its measures, without a narrative."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stalkflag.model import Model
from stalkflag.training.behaviour import Behaviour
from stalkflag.training.invariance import Invariance
from stalkflag.training.predictions import Predictions


@dataclass(frozen=True, slots=True)
class Measured:
    """A model on one set of narratives; ``texts`` is the hash of what was asked.

    ``held_out`` marks narratives that were trained on, judged by folds that held them out: another
    model has not been asked the same.
    """

    measures: dict[str, Any]
    predictions: Predictions
    coverage: list[dict[str, Any]]
    texts: str
    held_out: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trained model with everything that is logged of it.

    ``config`` is the resolved configuration; ``notes`` what was left out, and why; ``invariance``
    what changed on test narratives when words were swapped or the writing was rougher.
    """

    model: Model
    config: dict[str, Any]
    measured: dict[str, Measured]
    behaviour: Behaviour
    notes: list[str] = field(default_factory=list)
    invariance: list[Invariance] = field(default_factory=list)
