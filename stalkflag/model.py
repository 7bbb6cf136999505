"""The trained half of the reading: scores of words and of the whole, and heads that weigh them.

1. *Sentence scores*: for each indicator, how much a sentence looks like evidence of it.
2. *Bag scores*: words of the whole narrative, for labels, acts and relationship.
3. *Whole scores*: what the narrative encoder says of each of these, and of each word.
4. *Heads*: logistic regressions over the best sentences' scores, the bag and whole scores and the
   counts of rules, context and occasions. The label head reads the other heads' results too.

The first two and the heads are linear. Evidence that no rule names is the words that the narrative
encoder, which learned from marked words, points at. A bundle holds arrays and JSON, never pickled
objects.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag import encoder
from stalkflag.assessment import ACTS, INDICATORS, LABELS, RELATIONSHIPS
from stalkflag.encoder.whole import LEAST
from stalkflag.errors import ModelError
from stalkflag.features import COUNTS, SIZE, WordFeatures, narrative_counts
from stalkflag.reading import Reading
from stalkflag.rules.compiled import Compiled, compile_rules
from stalkflag.rules.schema import RuleSet

BUNDLE_FORMAT = 1

MOST_SENTENCES = 60
"""A text with more sentences than this is judged by its most telling paragraphs; all narratives of
the corpus have fewer."""

TELLING = 30
"""Sentences of a long text from which on no more paragraphs are read."""

AS_TELLING = 0.9
"""A paragraph is read if its most telling sentence scores at least this share of the best."""

LONG_PARAGRAPH = 15
"""Of a paragraph with more sentences than this, those around its most telling one are read."""

AROUND = 2
"""Sentences before and after it."""

BUNDLE_FILES = ("bundle.json", "weights.npz", "rules.json")

SENTENCE_TARGETS: tuple[str, ...] = INDICATORS
BAG_TARGETS: tuple[str, ...] = (
    *INDICATORS,
    *(f"act:{act}" for act in ACTS),
    *(f"tie:{tie}" for tie in RELATIONSHIPS),
    *(f"label:{label}" for label in LABELS),
)
WHOLE_TARGETS: tuple[str, ...] = (*BAG_TARGETS, *(f"words:{name}" for name in INDICATORS))
"""What the narrative encoder scores: as the words of the whole, and the most evident word."""

POOLED: tuple[str, ...] = tuple(
    f"{how}_{target}" for target in SENTENCE_TARGETS for how in ("best", "second", "many")
)
DENSE: tuple[str, ...] = (
    *COUNTS,
    *POOLED,
    *(f"bag_{target}" for target in BAG_TARGETS),
    *(f"whole_{target}" for target in WHOLE_TARGETS),
)
"""What the first heads read, one number each."""

FIRST_HEADS: tuple[str, ...] = (
    *INDICATORS,
    *(f"act:{act}" for act in ACTS),
    *(f"tie:{tie}" for tie in RELATIONSHIPS),
)
JOINT: tuple[str, ...] = (
    "course",
    "course_fixed_or_obsessed",
    "course_only",
    "course_by_former_partner",
    "unwanted_once",
    "not_unwanted",
    "fixed_or_obsessed",
    "log_fixed_or_obsessed",
    "log_course",
    "log_course_fixed_or_obsessed",
)
"""What the labelling rules join: unwanted *and* repeated *and* (fixated *or* obsessive)."""

LABEL_INPUTS: tuple[str, ...] = (*DENSE, *(f"head_{name}" for name in FIRST_HEADS), *JOINT)


@dataclass(frozen=True, slots=True)
class WordWeights:
    """A weight for each hashed feature and target, and a bias a target.

    ``hashed`` has shape ``(SIZE, targets)``; ``rarity`` of shape ``(SIZE,)`` is how much each feature counts (TF-IDF), 0 where it was not
    learned from. A text's score is the sum over its distinct features by their rarity, divided by
    the root of the sum of squares of that rarity, plus the bias.
    """

    rarity: NDArray[np.float32]
    hashed: NDArray[np.float32]
    bias: NDArray[np.float32]

    def scores(self, texts: list[NDArray[np.int64]]) -> NDArray[np.float32]:
        """Scores of shape ``(len(texts), targets)``."""
        scores = np.zeros((len(texts), len(self.bias)), dtype=np.float32)
        sizes = np.array([len(text) for text in texts], dtype=np.int64)
        filled = sizes > 0
        if filled.any():
            offsets = np.concatenate(([0], np.cumsum(sizes[filled])[:-1]))
            features = np.concatenate(texts)
            rarity = self.rarity[features]
            norms = np.sqrt(np.add.reduceat(rarity**2, offsets))
            rows = self.hashed[features] * rarity[:, None]
            scores[filled] = np.add.reduceat(rows, offsets, axis=0)
            scores[filled] /= np.maximum(norms, 1e-6)[:, None]
        result: NDArray[np.float32] = scores + self.bias
        return result

    def columns(self, wanted: slice) -> WordWeights:
        """The weights of some targets."""
        return WordWeights(self.rarity, self.hashed[:, wanted], self.bias[wanted])


@dataclass(frozen=True, slots=True)
class Head:
    """Logistic regressions over named inputs: ``logit = inputs @ weights + bias``."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, inputs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Logits of shape ``(rows, outputs)`` for inputs of shape ``(rows, len(weights))``."""
        result: NDArray[np.float64] = inputs.astype(np.float64) @ self.weights + self.bias
        return result


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says of one narrative.

    ``evidence`` of shape ``(tokens, indicators)`` and ``act_sentences`` of shape
    ``(sentences, acts)`` are logits.
    """

    indicators: dict[str, float]
    acts: dict[str, float]
    relationship: dict[str, float]
    label: dict[str, float]
    evidence: NDArray[np.float32]
    act_sentences: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model with the rules it was trained with; see :func:`load_model`."""

    info: dict[str, Any]
    rules: RuleSet
    sentence_words: WordWeights
    bag_words: WordWeights
    first_heads: Head
    label_head: Head

    @property
    def thresholds(self) -> dict[str, float]:
        """Probabilities from which an indicator or act (``act:NAME``) is present, ``refer_below``
        and ``missed_costs`` (see :class:`stalkflag.training.fit.Settings`)."""
        thresholds: dict[str, float] = self.info["thresholds"]
        return thresholds

    def score(self, reading: Reading, words: WordFeatures) -> Scores:
        """Score one reading."""
        read = words.read(reading)
        by_sentence = self.sentence_words.scores(read.hashed)
        kept = telling(by_sentence, reading.paragraphs)
        by_bag = self.bag_words.scores([read.whole(kept)])
        weight = np.full(len(by_sentence), -np.inf)
        weight[kept] = importance(by_sentence)[kept]
        by_whole = words.narrative.scores(read.pieces, weight)
        dense = dense_inputs(
            narrative_counts(reading, kept), by_sentence[kept], by_bag[0], by_whole.targets
        )
        first = self.first_heads.logits(dense[None, :])[0]
        second = self.label_head.logits(label_inputs(dense[None, :], first[None, :]))[0]
        first_p = _sigmoid(first)
        ties = first[len(INDICATORS) + len(ACTS) :]
        act_columns = slice(len(INDICATORS), len(INDICATORS) + len(ACTS))
        acts = dict(zip(ACTS, first_p[act_columns].tolist(), strict=True))
        shown = any(p >= self.thresholds[f"act:{act}"] for act, p in acts.items())
        return Scores(
            indicators=dict(zip(INDICATORS, first_p[: len(INDICATORS)].tolist(), strict=True)),
            acts=acts,
            relationship=dict(zip(RELATIONSHIPS, softmax(ties).tolist(), strict=True)),
            label=dict(zip(LABELS, softmax(second).tolist(), strict=True)),
            evidence=_by_token(len(reading.norms), read.places, by_whole.evidence),
            act_sentences=self.bag_words.columns(act_columns).scores(read.plain if shown else []),
        )


def _by_token(
    tokens: int, places: list[list[int]], evidence: list[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """The most that a word piece of each token has, shape ``(tokens, indicators)``."""
    most = np.full((tokens, len(INDICATORS)), LEAST, dtype=np.float32)
    for at, scores in zip(places, evidence, strict=True):
        np.maximum.at(most, at[: len(scores)], scores)
    return most


def telling(by_sentence: NDArray[np.float32], paragraphs: Sequence[int]) -> list[int]:
    """The sentences by which a narrative is judged: all, or a long text's most telling paragraphs.

    A report buried in a long statement is so read like the report alone. What is said again word
    for word tells nothing more.

    Parameters
    ----------
    by_sentence
        Sentence scores, shape ``(sentences, len(SENTENCE_TARGETS))``.
    paragraphs
        The number of the paragraph of each sentence.
    """
    if len(by_sentence) <= MOST_SENTENCES:
        return list(range(len(by_sentence)))
    own = np.zeros(len(by_sentence))
    first = np.unique(by_sentence, axis=0, return_index=True)[1]
    own[first] = _sigmoid(by_sentence[first].max(axis=1).astype(np.float64))
    of = np.asarray(paragraphs)
    kept: set[int] = set()
    for sentence in np.argsort(-own, kind="stable").tolist():
        if own[sentence] < AS_TELLING * own.max() or len(kept) >= TELLING:
            break
        whole = np.flatnonzero(of == of[sentence])
        if len(whole) > LONG_PARAGRAPH:
            whole = whole[np.abs(whole - sentence) <= AROUND]
        kept.update(whole.tolist())
    return sorted(kept)


def importance(by_sentence: NDArray[np.float32]) -> NDArray[np.float64]:
    """How telling each sentence is: by its best score, and half by the sentences beside it.

    What belongs together stands together, so single sentences among other matters count less.
    """
    own = _sigmoid(by_sentence.max(axis=1, initial=-np.inf).astype(np.float64))
    beside = np.pad(own, 1)
    return own + (beside[:-2] + beside[2:]) / 2


def dense_inputs(
    counts: NDArray[np.float64],
    by_sentence: NDArray[np.float32],
    by_bag: NDArray[np.float32],
    by_whole: NDArray[np.float32],
) -> NDArray[np.float64]:
    """The inputs named in ``DENSE`` for one narrative, shape ``(len(DENSE),)``.

    Parameters
    ----------
    counts
        From :func:`stalkflag.features.narrative_counts`.
    by_sentence
        Sentence scores, shape ``(sentences, len(SENTENCE_TARGETS))``; may be empty.
    by_bag
        Bag scores, shape ``(len(BAG_TARGETS),)``.
    by_whole
        The narrative encoder's scores, shape ``(len(WHOLE_TARGETS),)``.
    """
    targets = len(SENTENCE_TARGETS)
    pooled = np.full((targets, 3), -6.0)
    if len(by_sentence):
        ordered = np.sort(by_sentence, axis=0)[::-1]
        pooled[:, 0] = ordered[0]
        if len(ordered) > 1:
            pooled[:, 1] = ordered[1]
        pooled[:, 2] = np.log1p(_sigmoid(ordered.astype(np.float64)).sum(axis=0))
    pooled[:, :2] = np.clip(pooled[:, :2], -6.0, 6.0)
    bag, whole = np.clip(by_bag, -8.0, 8.0), np.clip(by_whole, -8.0, 8.0)
    return np.concatenate((counts, pooled.ravel(), bag, whole))


def label_inputs(dense: NDArray[np.float64], first: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inputs named in ``LABEL_INPUTS``, shape ``(rows, len(LABEL_INPUTS))``.

    Parameters
    ----------
    dense
        The first heads' inputs, shape ``(rows, len(DENSE))``.
    first
        The first heads' logits, shape ``(rows, len(FIRST_HEADS))``.
    """
    p = _sigmoid(first)
    fixated, obsessive, unwanted, repeated = (p[:, INDICATORS.index(name)] for name in INDICATORS)
    former = p[:, FIRST_HEADS.index("tie:ex_intimate")]
    either = 1 - (1 - fixated) * (1 - obsessive)
    course = unwanted * repeated
    joint = (
        course,
        course * either,
        course * (1 - either),
        course * former,
        unwanted * (1 - repeated),
        1 - unwanted,
        either,
        np.log(either + 1e-3),
        np.log(course + 1e-3),
        np.log(course * either + 1e-3),
    )
    return np.hstack((dense, first, np.stack(joint, axis=1)))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities that sum to one along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logits))
    return result


def save_model(model: Model, folder: Path) -> None:
    """Write a bundle folder: ``bundle.json``, ``weights.npz`` and ``rules.json``.

    The files are written aside and renamed, ``bundle.json`` (which holds the hashes of the
    others and of itself) last. The same model gives the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {}
    for name, words in (("sentence", model.sentence_words), ("bag", model.bag_words)):
        rows = np.flatnonzero(words.rarity > 0)
        arrays[f"{name}_rows"] = rows.astype(np.int32)
        arrays[f"{name}_rarity"] = words.rarity[rows].astype(np.float16)
        arrays[f"{name}_hashed"] = words.hashed[rows].astype(np.float16)
        arrays[f"{name}_bias"] = words.bias
    for name, head in (("first", model.first_heads), ("label", model.label_head)):
        arrays[f"{name}_weights"] = head.weights
        arrays[f"{name}_bias"] = head.bias
    weights = folder / "weights.npz.partial"
    with weights.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    rules = folder / "rules.json.partial"
    compiled = model.rules.compiled or compile_rules(model.rules)
    plain = {"rules": model.rules.to_dict(), "compiled": compiled.to_dict()}
    rules.write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")
    info = {
        **model.info,
        "format": BUNDLE_FORMAT,
        "inputs": list(LABEL_INPUTS),
        "encoder_sha256": encoder.sha256(),
        "sha256": {"weights.npz": _sha256(weights), "rules.json": _sha256(rules)},
    }
    info["bundle_sha256"] = _info_sha256(info)
    about = folder / "bundle.json.partial"
    about.write_text(json.dumps(info, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in (weights, rules, about):
        path.rename(path.with_suffix(""))


def _info_sha256(info: Mapping[str, Any]) -> str:
    """Hash of all that ``bundle.json`` says but this hash, however it is laid out."""
    plain = {key: value for key, value in info.items() if key != "bundle_sha256"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def load_model(folder: Path) -> Model:
    """Load a bundle folder.

    Raises
    ------
    ModelError
        If a file is missing, the format is another version's, a hash does not match, or the
        weights are not plain arrays of the shapes named in :class:`Model`.
    """
    for name in BUNDLE_FILES:
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder} is not a model bundle ({name} is missing): "
                "give a folder written by 'stalkflag train'."
            )
    try:
        info = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        hashes: Mapping[str, str] = dict(info["sha256"])
        inputs, version, over = info["inputs"], info["format"], info["encoder_sha256"]
        own_hash = info["bundle_sha256"]
    except (ValueError, KeyError, TypeError):
        raise ModelError(
            f"{folder / 'bundle.json'} is damaged: train or export it again."
        ) from None
    same = inputs == list(LABEL_INPUTS) and over == encoder.sha256()
    if version != BUNDLE_FORMAT or not same:
        raise ModelError(
            f"The bundle in {folder} was made by another version of stalkflag: train it again "
            "or install the version that made it."
        )
    for name in BUNDLE_FILES:
        same = (
            _info_sha256(info) == own_hash
            if name == "bundle.json"
            else _sha256(folder / name) == hashes.get(name)
        )
        if not same:
            raise ModelError(
                f"{folder / name} is not the file this bundle was made with (its hash differs): "
                "do not use it; get the bundle again from where it was made."
            )
    words, heads = _read_weights(folder / "weights.npz")
    plain = json.loads((folder / "rules.json").read_text(encoding="utf-8"))
    rules = RuleSet.from_dict(plain["rules"], compiled=Compiled(**plain["compiled"]))
    return Model(
        info=info,
        rules=rules,
        sentence_words=words["sentence"],
        bag_words=words["bag"],
        first_heads=heads["first"],
        label_head=heads["label"],
    )


def _read_weights(path: Path) -> tuple[dict[str, WordWeights], dict[str, Head]]:
    """The word weights and the heads, by name; pickled objects, which can run code, never load."""
    words = {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for name, targets in (("sentence", SENTENCE_TARGETS), ("bag", BAG_TARGETS)):
                hashed = np.zeros((SIZE, len(targets)), dtype=np.float32)
                hashed[arrays[f"{name}_rows"]] = arrays[f"{name}_hashed"]
                rarity = np.zeros(SIZE, dtype=np.float32)
                rarity[arrays[f"{name}_rows"]] = arrays[f"{name}_rarity"]
                words[name] = WordWeights(rarity, hashed, arrays[f"{name}_bias"])
            heads = {
                name: Head(arrays[f"{name}_weights"], arrays[f"{name}_bias"])
                for name in ("first", "label")
            }
    except (ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        # numpy's only sign of an object array is the name of this option in its message.
        pickled = "allow_pickle" in str(error)
        what = "holds pickled objects, which can run code" if pickled else "is damaged"
        raise ModelError(
            f"{path} {what}: do not use it; get the bundle again from where it was made."
        ) from None
    return words, heads


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
