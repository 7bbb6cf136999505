"""What a model says of the narratives it was trained on when their cases are held out.

Two ways. The held-out folds inside one training cost nothing more, but the heads' inputs there
come from words scored on neighbouring folds, so they are a little hopeful. Cross-validation trains
anew for each fold, as often as there are folds, and is what a stranger's cases would meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from stalkflag.assessment import ACTS, INDICATORS, LABELS, RELATIONSHIPS, Assessment
from stalkflag.assessor import Assessor
from stalkflag.encoder.whole import Whole, held_out_scores, text_key
from stalkflag.errors import InputError
from stalkflag.features import WordFeatures, Words
from stalkflag.model import Model, Scores, softmax
from stalkflag.reading import Reading
from stalkflag.rules.schema import RuleSet
from stalkflag.training.fit import Settings, fit
from stalkflag.training.records import Record


class HeldOut:
    """A model in whose place stands what was said of each narrative when it was held out."""

    def __init__(self, model: Model, scores: Sequence[Scores]) -> None:
        own = {field.name: getattr(model, field.name) for field in fields(Model)}
        self._assessor = Assessor(_Said(**own, said=iter(scores)))

    def assess(self, records: Sequence[Record]) -> list[Assessment]:
        """Assessments of the records, in the order of the scores."""
        return list(self._assessor.assess_many(record.text for record in records))


@dataclass(frozen=True)
class _Said(Model):
    said: Iterator[Scores]

    def score(self, reading: Reading, words: WordFeatures) -> Scores:
        """The next narrative's scores; its words are not looked at."""
        # Which words show it is not known: all stand for it.
        shape = len(reading.norms), len(INDICATORS)
        return replace(next(self.said), evidence=np.zeros(shape, dtype=np.float32))


@dataclass(frozen=True)
class _NotTrainedOn(Model):
    def score(self, reading: Reading, words: WordFeatures) -> Scores:
        """As the model scores, but by a narrative encoder that was not trained on this text."""
        given = reading.text if reading.mended is None else reading.mended.given
        said = held_out_scores().get(int(text_key(given)))
        return super().score(reading, words if said is None else _Instead(words, said))


class _Instead(WordFeatures):
    """Features of words with given scores in the place of the narrative encoder's."""

    def __init__(self, words: WordFeatures, said: NDArray[np.float32]) -> None:
        self._words, self._said = words, said
        self.narrative = self  # type: ignore[assignment]

    def read(self, reading: Reading) -> Words:
        """The features as they are."""
        return self._words.read(reading)

    def scores(
        self, sentences: Sequence[Sequence[int]], importance: NDArray[np.floating[Any]]
    ) -> Whole:
        """What the encoder is taken to say; the words it shows are its own."""
        return replace(self._words.narrative.scores(sentences, importance), targets=self._said)


def not_trained_on(model: Model) -> Model:
    """The model with a narrative encoder that has not seen the text it is asked about.

    The shipped narrative encoder was trained on the shipped corpus; of each of its narratives it
    is known what an encoder says that was trained without it.
    """
    return _NotTrainedOn(**{field.name: getattr(model, field.name) for field in fields(Model)})


def fold_scores(first: NDArray[np.float64], label: NDArray[np.float64]) -> list[Scores]:
    """Scores from the held-out logits of the first heads and probabilities of the labels."""
    p = 1 / (1 + np.exp(-first))
    acts = slice(len(INDICATORS), len(INDICATORS) + len(ACTS))
    ties = softmax(first[:, acts.stop :])
    return [
        Scores(
            indicators=dict(zip(INDICATORS, p[row, : acts.start].tolist(), strict=True)),
            acts=dict(zip(ACTS, p[row, acts].tolist(), strict=True)),
            relationship=dict(zip(RELATIONSHIPS, ties[row].tolist(), strict=True)),
            label=dict(zip(LABELS, label[row].tolist(), strict=True)),
            evidence=np.empty((0, len(INDICATORS)), dtype=np.float32),
            act_sentences=np.zeros((1, len(ACTS)), dtype=np.float32),
        )
        for row in range(len(label))
    ]


def cross_validate(
    records: Sequence[Record],
    *,
    rules: RuleSet,
    settings: Settings,
    folds: int,
    adjust: Callable[[Model], Model],
    progress: Callable[[str], None],
) -> list[Assessment]:
    """Assessments of the records, each by a model trained without its fold's cases.

    Whole cases are in one fold, and each fold holds about the same share of each label. ``adjust``
    is what is done to a model after it is fitted.

    Raises
    ------
    InputError
        If there are too few cases for so many folds.
    """
    labels = np.array([LABELS.index(record.label) for record in records])
    groups = np.array([record.group for record in records])
    fewest = min(len(set(groups[labels == k])) for k in range(len(LABELS)))
    if not 2 <= folds <= fewest:
        raise InputError(
            f"--folds {folds}: give a number from 2 to {fewest}, the cases of the rarest label."
        )
    found: list[Assessment | None] = [None] * len(records)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=settings.seed)
    for number, (kept, held) in enumerate(splitter.split(labels, labels, groups), start=1):

        def step(what: str, number: int = number) -> None:
            progress(f"fold {number} of {folds}: {what}")

        fitted = fit([records[i] for i in kept], rules=rules, settings=settings, progress=step)
        step("measuring")
        assessor = Assessor(not_trained_on(adjust(fitted.model)))
        assessments = assessor.assess_many(records[i].text for i in held)
        for row, assessment in zip(held.tolist(), assessments, strict=True):
            found[row] = assessment
    assert None not in found
    return [assessment for assessment in found if assessment is not None]
