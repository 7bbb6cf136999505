"""The gate that a model passes before it replaces the champion.

It must not be worse beyond the paired bootstrap interval overall (macro-F1), on stalking recall, on
the accuracy of any slice with enough narratives, on the behavioural suite, or in how often its
suggestion stays when words are swapped or the writing is rougher, in all and for each attribute and
kind of roughness. What was predicted in training is used where both models were measured on the
same narratives, so that none need be at hand; else both are asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stalkflag.assessor import Assessor, load
from stalkflag.errors import ModelError
from stalkflag.training.behaviour import Behaviour, load_pairs, run_suite
from stalkflag.training.bootstrap import accuracy, paired_difference
from stalkflag.training.compare import Compared, compare, compare_behaviour
from stalkflag.training.invariance import (
    MOST_CHANGED_NARRATIVES,
    Invariance,
    as_labelled,
    measure_robustness,
    measure_swaps,
    sample,
)
from stalkflag.training.predictions import Predictions
from stalkflag.training.records import Record, read_records
from stalkflag.training.run import measure_on
from stalkflag.training.shipped import shipped_corpus, shipped_pairs
from stalkflag.training.store import client_ready, quiet

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Gate:
    """Every figure that was compared, the challenger as the second."""

    compared: list[Compared]

    @property
    def worse(self) -> list[str]:
        """What the challenger is worse at beyond the interval."""
        return [one.what for one in self.compared if one.difference.worse]

    @property
    def passes(self) -> bool:
        """Whether it is worse at nothing."""
        return not self.worse

    def says(self) -> str:
        """The outcome in words."""
        number = len(self.compared)
        if self.passes:
            return f"not worse in any of {number} figures"
        return f"worse in {len(self.worse)} of {number} figures ({', '.join(self.worse)})"


def gate(
    champion_ref: str,
    challenger_ref: str,
    *,
    runs: tuple[str, str],
    records: Sequence[Record] = (),
    pairs: Path | None = None,
    progress: Progress = lambda step: None,
) -> Gate:
    """Compare a challenger with the champion.

    Parameters
    ----------
    champion_ref, challenger_ref, runs
        The two models and the MLflow runs that trained them.
    records
        Labelled narratives to ask both about; none takes what was predicted in training.
    pairs
        A behavioural suite; ``None`` takes the results logged in training, or the shipped suite.

    Raises
    ------
    ModelError
        If no records are given and the two were not measured on the same narratives.
    """
    loaded: dict[str, Assessor] = {}

    def assessor(ref: str) -> Assessor:
        if ref not in loaded:
            loaded[ref] = load(ref)
        return loaded[ref]

    compared: list[Compared] = []
    if records:
        first, second = (
            measure_on(assessor(ref), records, name=ref, progress=progress).predictions
            for ref in (champion_ref, challenger_ref)
        )
        compared += compare(first, second)
    else:
        for first, second in _asked_alike(*runs):
            compared += compare(first, second)
        if not compared:
            raise ModelError(
                "The two models were not measured on the same narratives in training: give "
                "labelled ones that neither was trained on with --data."
            )
    before, now = (_logged_behaviour(run) for run in runs)
    found = compare_behaviour(before, now) if pairs is None and before and now else None
    if found is None:
        suite = load_pairs(pairs or shipped_pairs())
        before, now = (
            run_suite(assessor(ref), suite, progress=progress)
            for ref in (champion_ref, challenger_ref)
        )
        found = compare_behaviour(before, now)
    assert found is not None
    asked = list(records) or read_records([shipped_corpus() / "test.jsonl"])
    drawn = sample(asked, MOST_CHANGED_NARRATIVES, seed=1997)
    for what, measure in (
        ("kept when words are swapped", measure_swaps),
        ("kept when written more roughly", measure_robustness),
    ):
        one, other = (
            measure(assessor(ref), drawn, seed=1997, progress=progress)
            for ref in (champion_ref, challenger_ref)
        )
        compared.append(_kept(what, one, other))
        compared += [
            _kept(f"{what}: {a.change}", [a], [b])
            for a, b in zip(one, other, strict=True)
            if a.narratives
        ]
    return Gate([*compared, found])


def _kept(what: str, first: list[Invariance], second: list[Invariance]) -> Compared:
    """How much more often the second model's suggestions stay."""
    a, b = as_labelled(first), as_labelled(second)
    return Compared(what, len(a.true), paired_difference(a, b, accuracy))


def _asked_alike(first_run: str, second_run: str) -> list[tuple[Predictions, Predictions]]:
    """Predictions of test narratives that both runs were asked about, from what they logged."""
    first, second = _logged_predictions(first_run), _logged_predictions(second_run)
    return [
        (Predictions.from_rows(first[texts]), Predictions.from_rows(second[texts]))
        for texts in first
        if texts in second
    ]


def _logged_predictions(run: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of each logged test set by the hash of its texts."""
    found = {}
    for name in ("test", "corpus_test"):
        plain = _logged(run, f"predictions/{name}.json")
        if plain:
            found[plain["texts_sha256"]] = plain["rows"]
    return found


def _logged_behaviour(run: str) -> Behaviour | None:
    plain = _logged(run, "behaviour.json")
    return Behaviour(**plain) if plain else None


def _logged(run: str, path: str) -> Any:
    if not run:
        return None
    mlflow = client_ready()
    with quiet():
        try:
            return mlflow.artifacts.load_dict(f"runs:/{run}/{path}")
        except Exception:
            return None
