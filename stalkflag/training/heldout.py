"""What a model says of the narratives it was trained on when their cases are held out.

Two ways. The held-out folds inside one training cost nothing more, but the heads' inputs there
come from words scored on neighbouring folds, so they are a little hopeful. Cross-validation trains
anew for each fold, as often as there are folds, and is what a stranger's cases would meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from stalkflag.assessment import ACTS, INDICATORS, LABELS, RELATIONSHIPS, Assessment
from stalkflag.assessor import Assessor
from stalkflag.errors import InputError
from stalkflag.features import WordFeatures
from stalkflag.model import Model, Scores, softmax
from stalkflag.reading import Reading
from stalkflag.rules.schema import RuleSet
from stalkflag.training.fit import Fitted, Settings, fit
from stalkflag.training.records import Record


@dataclass(frozen=True)
class _HeldOut(Model):
    """A model that says of each narrative, asked in order, what its held-out fold said."""

    rows: Iterator[Scores]

    def score(self, reading: Reading, words: WordFeatures) -> Scores:
        """The next narrative's held-out scores; its words are not looked at."""
        return next(self.rows)


def held_out_assessments(
    records: Sequence[Record], fitted: Fitted, model: Model
) -> list[Assessment]:
    """Assessments of the training records by the folds that held them out; evidence is by rules.

    ``model`` gives the rules and thresholds; ``fitted`` what was said of each record.
    """
    own = {field.name: getattr(model, field.name) for field in fields(Model)}
    assessor = Assessor(_HeldOut(**own, rows=_scores(fitted)))
    return list(assessor.assess_many(record.text for record in records))


def _scores(fitted: Fitted) -> Iterator[Scores]:
    first = 1 / (1 + np.exp(-fitted.held_out_first))
    acts = slice(len(INDICATORS), len(INDICATORS) + len(ACTS))
    ties = softmax(fitted.held_out_first[:, acts.stop :])
    for row, label in enumerate(fitted.held_out_label):
        yield Scores(
            indicators=dict(zip(INDICATORS, first[row, : acts.start].tolist(), strict=True)),
            acts=dict(zip(ACTS, first[row, acts].tolist(), strict=True)),
            relationship=dict(zip(RELATIONSHIPS, ties[row].tolist(), strict=True)),
            label=dict(zip(LABELS, label.tolist(), strict=True)),
            # Which sentence shows it is not known: the first stands for all.
            sentences=np.zeros((1, len(INDICATORS)), dtype=np.float32),
            act_sentences=np.zeros((1, len(ACTS)), dtype=np.float32),
        )


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
        assessor = Assessor(adjust(fitted.model))
        assessments = assessor.assess_many(records[i].text for i in held)
        for row, assessment in zip(held.tolist(), assessments, strict=True):
            found[row] = assessment
    assert None not in found
    return [assessment for assessment in found if assessment is not None]
