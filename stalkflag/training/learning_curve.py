"""Whether more labelled cases would help: the same training on more and more of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from stalkflag.assessment import LABELS
from stalkflag.assessor import Assessor
from stalkflag.errors import InputError
from stalkflag.rules.schema import RuleSet
from stalkflag.training.fit import FEWEST_RECORDS, Settings, fit
from stalkflag.training.heldout import not_trained_on
from stalkflag.training.records import Record, draw_cases
from stalkflag.training.run import measure_on

SIZES: tuple[int, ...] = (100, 300, 1000, 3000, 10_000)
HELD_OUT = 5
"""Without a test split, one fold of so many is held out."""


def learning_curve(
    learn: Sequence[Record],
    test: Sequence[Record],
    *,
    beside: Sequence[Record] = (),
    sizes: Sequence[int] = SIZES,
    rules: RuleSet,
    settings: Settings,
    progress: Callable[[str], None] = lambda step: None,
) -> Iterator[dict[str, Any]]:
    """A row of figures for each number of narratives, the smallest first, as each is known.

    Parameters
    ----------
    learn
        Cases of which more and more are trained on, drawn whole; all of them at last.
    test
        Narratives that every model is measured on.
    beside
        Narratives that are trained on every time, such as the shipped corpus.
    """
    parts = [draw_cases(learn, n, settings.seed) for n in sorted(set(sizes)) if 0 < n < len(learn)]
    parts = [*([[]] if beside else []), *parts, list(learn)]
    parts = [part for part in parts if len(part) + len(beside) >= FEWEST_RECORDS]
    if not parts:
        raise InputError(f"A learning curve needs at least {FEWEST_RECORDS} labelled narratives.")
    for part in parts:

        def step(what: str, number: int = len(part)) -> None:
            progress(f"{number:,} narratives, {what}")

        model = fit([*beside, *part], rules=rules, settings=settings, progress=step).model
        measures = measure_on(
            Assessor(not_trained_on(model)), test, name="held-out", progress=step
        ).measures
        yield {
            "narratives": len(part),
            "cases": len({record.group for record in part}),
            "macro_f1": measures["macro_f1"],
            **_ends("macro_f1", measures["macro_f1_interval"]),
            "stalking_recall": measures["labels"]["stalking"]["recall"],
            **_ends("stalking_recall", measures["stalking_recall_interval"]),
            "calibration_error": measures["calibration_error"],
        }


def _ends(name: str, interval: tuple[float, float]) -> dict[str, float]:
    return {f"{name}_low": interval[0], f"{name}_high": interval[1]}


def hold_out(records: Sequence[Record], *, seed: int) -> tuple[list[Record], list[Record]]:
    """Records to learn from and a fifth to measure on, by whole cases, labels in proportion.

    Raises
    ------
    InputError
        If a label has too few cases.
    """
    labels = np.array([LABELS.index(record.label) for record in records])
    groups = np.array([record.group for record in records])
    for k, label in enumerate(LABELS):
        if len(set(groups[labels == k])) < HELD_OUT:
            raise InputError(
                f"Fewer than {HELD_OUT} separate cases are labelled {label}: label more, or give "
                "a file called test with cases to measure on."
            )
    splitter = StratifiedGroupKFold(HELD_OUT, shuffle=True, random_state=seed)
    kept, held = next(iter(splitter.split(labels, labels, groups)))
    return [records[i] for i in kept], [records[i] for i in held]
