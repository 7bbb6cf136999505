"""Fitting a model to labelled narratives, with held-out folds inside, by group.

The same records, settings and package versions give the same weights: the solvers used are
deterministic and every fold is drawn with the stated seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from stalkflag.assessment import ACTS, INDICATORS, LABELS, RELATIONSHIPS
from stalkflag.encoder.whole import held_out_scores, text_key
from stalkflag.errors import InputError
from stalkflag.features import SIZE, WordFeatures, Words, narrative_counts
from stalkflag.model import (
    BAG_TARGETS,
    DENSE,
    FIRST_HEADS,
    SENTENCE_TARGETS,
    Head,
    Model,
    WordWeights,
    dense_inputs,
    importance,
    label_inputs,
    softmax,
)
from stalkflag.reading import Reader
from stalkflag.rules.schema import RuleSet
from stalkflag.training.records import Record, data_sha256

FEWEST_RECORDS = 60
"""Below this, held-out folds inside training are too small to mean anything."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be chosen about training.

    Parameters
    ----------
    seed
        Draws the folds.
    folds
        Number of held-out folds, whole groups in each.
    sentence_c, bag_c, head_c, label_c
        Inverse strengths of regularisation (scikit-learn's ``C``).
    least_narratives
        A hashed word feature is kept if it occurs in at least this many narratives.
    characters
        Whether character n-grams of words are features.
    refer_below
        A suggestion less probable than this is referred to a person.
    missed_costs
        What stalking suggested as something else costs, beside any other wrong suggestion: stalking
        is suggested from so much less probability than the likeliest label's. Probabilities stay as
        they are, and a suggestion that is not the likeliest label is referred.
    class_weight
        How much more a narrative of a label counts for the label head than another, such as
        ``{"stalking": 2.0}``. Probabilities are then those of a file with that much more of it.
    prevalence
        Shares of the labels in the files that will be scored, or of stalking alone; empty leaves
        the shares of the training data. See :mod:`stalkflag.training.prevalence`.
    most_missed, most_false
        Bounds that referral keeps with 95 % confidence; 0 promises nothing. See
        :mod:`stalkflag.training.referral`.
    most_records
        Of more narratives than this, so many are drawn by whole cases to train on, which bounds
        time and memory.
    """

    seed: int = 1997
    folds: int = 5
    sentence_c: float = 1.0
    bag_c: float = 10.0
    head_c: float = 0.02
    label_c: float = 0.1
    least_narratives: int = 2
    characters: bool = True
    refer_below: float = 0.6
    missed_costs: float = 1.5
    class_weight: dict[str, float] = field(default_factory=dict)
    prevalence: dict[str, float] = field(default_factory=dict)
    most_missed: float = 0.0
    most_false: float = 0.0
    most_records: int = 30_000


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model and what its held-out folds said of each training record (rows as given)."""

    model: Model
    held_out_label: NDArray[np.float64]
    held_out_first: NDArray[np.float64]


def fit(
    records: Sequence[Record],
    *,
    rules: RuleSet,
    settings: Settings | None = None,
    name: str = "stalkflag",
    version: str = "0",
    progress: Callable[[str], None] = lambda step: None,
) -> Fitted:
    """Fit a model.

    Raises
    ------
    InputError
        If there are too few records, groups or labels for held-out folds.
    """
    settings = settings or Settings()
    labels = np.array([LABELS.index(r.label) for r in records])
    groups = np.array([r.group for r in records])
    _check(labels, groups, settings)
    reader = Reader(rules)
    words = WordFeatures(
        reader.nlp.vocab.strings, known=reader.engine.words, characters=settings.characters
    )
    corpus = _Corpus(records, reader, words, settings, progress)
    progress("scoring words on held-out folds")
    folds = list(
        StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed).split(
            labels, labels, groups
        )
    )
    dense = np.zeros((len(records), len(DENSE)))
    for kept, held in folds:
        sentence_words, bag_words = corpus.fit_words(kept)
        dense[held] = corpus.dense(held, sentence_words, bag_words)
    progress("fitting the heads")
    first_logits = np.zeros((len(records), len(FIRST_HEADS)))
    for kept, held in folds:
        head = _fit_first_heads(dense[kept], [records[i] for i in kept], settings)
        first_logits[held] = head.logits(dense[held])
    first = _fit_first_heads(dense, records, settings)
    inputs = label_inputs(dense, first_logits)
    label_logits = np.zeros((len(records), len(LABELS)))
    for kept, held in folds:
        head = _fit_label_head(inputs[kept], labels[kept], [records[i] for i in kept], settings)
        label_logits[held] = head.logits(inputs[held])
    label_head = _fit_label_head(inputs, labels, records, settings)
    temperature = _temperature(label_logits, labels)
    label_head = Head(label_head.weights / temperature, label_head.bias / temperature)
    progress("fitting on all narratives")
    sentence_words, bag_words = corpus.fit_words(np.arange(len(records)))
    held_out = softmax(label_logits / temperature)
    model = Model(
        info={
            "name": name,
            "version": version,
            "settings": asdict(settings),
            "records": len(records),
            "rules_sha256": rules.sha256(),
            "data_sha256": data_sha256(records),
            "thresholds": {
                **_thresholds(first_logits, records),
                "refer_below": settings.refer_below,
                "missed_costs": settings.missed_costs,
            },
        },
        rules=rules,
        sentence_words=sentence_words,
        bag_words=bag_words,
        first_heads=first,
        label_head=label_head,
    )
    return Fitted(model, held_out, first_logits)


def _check(labels: NDArray[np.int64], groups: NDArray[np.str_], settings: Settings) -> None:
    if len(labels) < FEWEST_RECORDS:
        raise InputError(
            f"Only {len(labels)} labelled narratives were given: at least {FEWEST_RECORDS} are needed."
        )
    for index, label in enumerate(LABELS):
        number = len(set(groups[labels == index]))
        if number < settings.folds:
            raise InputError(
                f"Only {number} separate cases are labelled {label}: "
                f"at least {settings.folds} are needed for held-out folds."
            )


class _Corpus:
    """The features of all training records, computed once."""

    def __init__(
        self,
        records: Sequence[Record],
        reader: Reader,
        words: WordFeatures,
        settings: Settings,
        progress: Callable[[str], None],
    ) -> None:
        self.records, self.settings = records, settings
        self.words: list[Words] = []
        self.shown: list[NDArray[np.int8]] = []
        self.counts = []
        readings = reader.read(r.text for r in records)
        for number, (record, reading) in enumerate(zip(records, readings, strict=True)):
            if number % 500 == 0:
                progress(f"reading the narratives: {number:,} of {len(records):,}")
            self.words.append(words.read(reading))
            spans = [reading.span(start, end) for start, end in reading.bounds]
            self.shown.append(_sentence_targets(record, spans))
            self.counts.append(narrative_counts(reading))
        self.wholes = [found.whole() for found in self.words]
        self.trained_on = [held_out_scores().get(int(text_key(r.text))) for r in records]
        self.narrative = words.narrative

    def fit_words(self, rows: NDArray[np.int64]) -> tuple[WordWeights, WordWeights]:
        """Word weights from some of the records."""
        settings = self.settings
        common = np.zeros(SIZE, dtype=np.int64)
        plain = np.zeros(SIZE, dtype=np.int64)
        for row in rows:
            if self.words[row].hashed:
                common[np.unique(np.concatenate(self.words[row].hashed))] += 1
            plain[self.wholes[row]] += 1
        alike = (common >= settings.least_narratives).astype(np.float32)
        rare = np.log((1 + len(rows)) / (1 + plain)) + 1
        rare[plain < settings.least_narratives] = 0
        sentence = _fit_targets(
            [text for row in rows for text in self.words[row].hashed],
            np.concatenate([self.shown[row] for row in rows]),
            rarity=alike,
            c=settings.sentence_c,
            weights=_weights(
                [self.records[row] for row in rows for _ in range(len(self.words[row].hashed))]
            ),
        )
        whole = _fit_targets(
            [self.wholes[row] for row in rows],
            np.array(
                [[_bag_target(self.records[row], target) for target in BAG_TARGETS] for row in rows]
            ),
            rarity=rare.astype(np.float16).astype(np.float32),
            c=settings.bag_c,
            weights=_weights([self.records[row] for row in rows]),
        )
        return sentence, whole

    def dense(
        self, rows: NDArray[np.int64], sentence_words: WordWeights, bag_words: WordWeights
    ) -> NDArray[np.float64]:
        """The heads' inputs for some records, with the word weights given."""
        by_bag = bag_words.scores([self.wholes[row] for row in rows])
        dense = np.empty((len(rows), len(DENSE)))
        for place, (row, scores) in enumerate(zip(rows, by_bag, strict=True)):
            words = self.words[row]
            by_sentence = sentence_words.scores(words.hashed)
            by_whole = self.trained_on[row]
            if by_whole is None:
                by_whole = self.narrative.scores(words.pieces, importance(by_sentence)).targets
            dense[place] = dense_inputs(self.counts[row], by_sentence, scores, by_whole)
        return dense


def _sentence_targets(record: Record, spans: list[tuple[int, int]]) -> NDArray[np.int8]:
    """1 where a sentence holds labelled evidence, 0 where it shows none, -1 where unknown."""
    targets = np.zeros((len(spans), len(SENTENCE_TARGETS)), dtype=np.int8)
    for column, indicator in enumerate(SENTENCE_TARGETS):
        if record.indicators[indicator] is False:
            continue
        targets[:, column] = -1
        for start, end in record.evidence_offsets(indicator):
            for row, (first, last) in enumerate(spans):
                overlap = min(end, last) - max(start, first)
                if overlap > 0 and overlap >= 0.3 * min(end - start, last - first):
                    targets[row, column] = 1
    return targets


def _bag_target(record: Record, target: str) -> int:
    kind, _, name = target.rpartition(":")
    if kind == "act":
        return -1 if record.acts is None else int(name in record.acts)
    if kind == "tie":
        return -1 if record.relationship is None else int(record.relationship == name)
    if kind == "label":
        return int(record.label == name)
    shown = record.indicators[name]
    return -1 if shown is None else int(shown)


def _matrix(texts: list[NDArray[np.int64]], rarity: NDArray[np.float32]) -> csr_matrix:
    """One row of unit length a text, from the rarity of its features."""
    columns = np.concatenate(texts) if texts else np.empty(0, dtype=np.int64)
    rows = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    values = rarity[columns]
    norms = np.sqrt(np.bincount(rows, weights=values**2, minlength=len(texts)))
    use = values > 0
    return csr_matrix(
        (values[use] / norms[rows[use]], (rows[use], columns[use])), shape=(len(texts), SIZE)
    )


def _fit_targets(
    texts: list[NDArray[np.int64]],
    targets: NDArray[np.integer[Any]],
    *,
    rarity: NDArray[np.float32],
    c: float,
    weights: NDArray[np.float64] | None,
) -> WordWeights:
    """A logistic regression for each column of ``targets``; -1 marks what is not known."""
    hashed = _matrix(texts, rarity)
    used = np.flatnonzero(hashed.getnnz(axis=0))
    x = hashed[:, used]
    number = targets.shape[1]
    of_words = np.zeros((SIZE, number), dtype=np.float32)
    bias = np.full(number, -4.0, dtype=np.float32)
    for column in range(number):
        known = targets[:, column] >= 0
        y = targets[known, column]
        if len(set(y.tolist())) < 2:
            continue
        fitted = LogisticRegression(
            C=c,
            solver="liblinear",
            dual=True,
            class_weight="balanced",
            max_iter=1000,
            random_state=0,
        ).fit(x[known], y, sample_weight=None if weights is None else weights[known])
        of_words[used, column] = fitted.coef_[0]
        bias[column] = fitted.intercept_[0]
    # Bundles hold half precision: use the same weights for the heads.
    return WordWeights(rarity, of_words.astype(np.float16).astype(np.float32), bias)


def _fit_first_heads(
    dense: NDArray[np.float64], records: Sequence[Record], settings: Settings
) -> Head:
    weights = np.zeros((len(DENSE), len(FIRST_HEADS)), dtype=np.float32)
    bias = np.full(len(FIRST_HEADS), -4.0, dtype=np.float32)
    case_weights = _weights(records)
    ties = np.array(
        [-1 if r.relationship is None else RELATIONSHIPS.index(r.relationship) for r in records]
    )
    for column, name in enumerate(FIRST_HEADS):
        if name.startswith("tie:"):
            continue
        y = np.array([_bag_target(record, name) for record in records])
        if len(set(y[y >= 0].tolist())) == 2:
            w, b = _fit_head(dense, y, c=settings.head_c, weights=case_weights)
            weights[:, column], bias[column] = w[:, 0], b[0]
    first_tie = len(INDICATORS) + len(ACTS)
    known = ties >= 0
    present = sorted(set(ties[known].tolist()))
    if len(present) > 2:
        w, b = _fit_head(dense, ties, c=settings.head_c, weights=case_weights)
        for index, tie in enumerate(present):
            weights[:, first_tie + tie], bias[first_tie + tie] = w[:, index], b[index]
    return Head(weights, bias)


def _fit_label_head(
    inputs: NDArray[np.float64],
    labels: NDArray[np.int64],
    records: Sequence[Record],
    settings: Settings,
) -> Head:
    case_weights = _weights(records)
    if settings.class_weight:
        by_label = np.array([settings.class_weight.get(label, 1.0) for label in LABELS])
        case_weights = by_label[labels] * (1.0 if case_weights is None else case_weights)
    weights, bias = _fit_head(inputs, labels, c=settings.label_c, weights=case_weights)
    return Head(weights, bias)


def _weights(records: Sequence[Record]) -> NDArray[np.float64] | None:
    """How much each record counts; ``None`` if all count alike."""
    weights = np.array([record.weight for record in records])
    return None if (weights == 1).all() else weights


def _fit_head(
    x: NDArray[np.float64],
    y: NDArray[np.int64],
    *,
    c: float,
    weights: NDArray[np.float64] | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logistic regression on standardised inputs, with the scaling folded into the weights.

    Rows whose ``y`` is -1 are not known and left out.
    """
    known = y >= 0
    x, y = x[known], y[known]
    weights = None if weights is None else weights[known]
    scaler = StandardScaler().fit(x, sample_weight=weights)
    fitted = LogisticRegression(C=c, max_iter=2000).fit(
        scaler.transform(x), y, sample_weight=weights
    )
    w = (fitted.coef_ / scaler.scale_).T
    bias = fitted.intercept_ - scaler.mean_ @ w
    return w.astype(np.float32), bias.astype(np.float32)


def _thresholds(logits: NDArray[np.float64], records: Sequence[Record]) -> dict[str, float]:
    """For each indicator and act, the probability from which held-out F1 is best."""
    found: dict[str, float] = {}
    probabilities = 1 / (1 + np.exp(-logits))
    for column, name in enumerate(FIRST_HEADS):
        if name.startswith("tie:"):
            continue
        true = np.array([_bag_target(record, name) for record in records])
        p, y = probabilities[true >= 0, column], true[true >= 0] == 1
        grid = [round(0.2 + 0.02 * step, 2) for step in range(26)]
        scores = [2 * (y & (p >= t)).sum() / max(y.sum() + (p >= t).sum(), 1) for t in grid]
        found[name] = grid[int(np.argmax(scores))] if y.any() else 0.5
    return found


def _temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The divisor of held-out logits under which the held-out labels are most probable."""
    rows = np.arange(len(labels))

    def loss(temperature: float) -> float:
        return -float(np.log(softmax(logits / temperature)[rows, labels] + 1e-12).mean())

    return float(min(np.geomspace(0.3, 3.0, 60).tolist(), key=loss))
