"""What is each part of the reading worth? Methods and ablations on the same narratives.

    python experiments/parts/run.py data/corpus/test.jsonl [MORE.jsonl ...]

Every method is trained on the train split alone. Ablations take the named inputs from the heads
(set to nothing in training and in measuring) and fit the heads anew. Prints a table, with 95 %
bootstrap intervals over cases, and writes results.json beside this file: numbers, never a text.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import spacy
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch

from stalkflag.assessment import INDICATORS, LABELS
from stalkflag.features import COUNTS, WordFeatures
from stalkflag.model import BAG_TARGETS, DENSE, POOLED, WHOLE_TARGETS, label_inputs, softmax
from stalkflag.reading import Reader
from stalkflag.rules import load_packs
from stalkflag.training import fit as fitting
from stalkflag.training.bootstrap import Labelled, f1, macro_f1
from stalkflag.training.records import Record, read_records

HERE = Path(__file__).parent
Said = Callable[[int], NDArray[np.int64]]
"""The labels that a method gives the narratives of a test file, by the file's number."""

Heads = Callable[[int], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Logits of the first heads and of the label for the narratives of a test file."""

NEITHER = LABELS.index("neither")
SETTLED, QUIET = 0.98, 0.3
"""A cascade ends early from this probability of *neither* on, if no indicator has more than that.
On the train split's held-out folds 7 % of the narratives end so, 2 % of them wrongly."""

WITHOUT: dict[str, tuple[str, ...]] = {
    "stalkflag": (),
    "without the narrative encoder": tuple(f"whole_{t}" for t in WHOLE_TARGETS),
    "without words of the whole narrative": tuple(f"bag_{t}" for t in BAG_TARGETS),
    "without sentence scores": POOLED,
    "without rules, context and counts": COUNTS,
    "rules, context and counts alone": tuple(n for n in DENSE if n not in COUNTS),
}


def labels(records: list[Record]) -> NDArray[np.int64]:
    return np.array([LABELS.index(record.label) for record in records])


def tfidf(train: list[Record], tests: list[list[Record]], **options: object) -> Said:
    model = make_pipeline(
        TfidfVectorizer(min_df=2, sublinear_tf=True, **options),  # type: ignore[arg-type]
        LogisticRegression(C=10, class_weight="balanced", max_iter=2000),
    ).fit([r.text for r in train], labels(train))
    return lambda number: model.predict([r.text for r in tests[number]])


def textcat(train: list[Record], tests: list[list[Record]], architecture: str) -> Said:
    """spaCy's own text classifier from scratch, ten passes."""
    fix_random_seed(1997)
    nlp = spacy.blank("en")
    config = {"model": {"@architectures": architecture, "exclusive_classes": True}}
    if "Ensemble" in architecture:
        config = {}
    else:
        config["model"] |= {"ngram_size": 2, "no_output_layer": False}
    pipe = nlp.add_pipe("textcat", config=config)
    for label in LABELS:
        pipe.add_label(label)  # type: ignore[attr-defined]
    examples = [
        Example.from_dict(
            nlp.make_doc(r.text), {"cats": {label: float(label == r.label) for label in LABELS}}
        )
        for r in train
    ]
    optimiser = nlp.initialize(lambda: examples)
    order = np.random.default_rng(1997)
    for _ in range(10):
        shuffled = [examples[n] for n in order.permutation(len(examples))]
        for batch in minibatch(shuffled, 32):
            nlp.update(batch, sgd=optimiser, drop=0.2)

    def said(number: int) -> NDArray[np.int64]:
        docs = nlp.pipe(r.text for r in tests[number])
        return np.array([np.argmax([doc.cats[label] for label in LABELS]) for doc in docs])

    return said


class Parts:
    """The inputs of the heads: held out for the train split, as at run time for the tests."""

    def __init__(self, train: list[Record], tests: list[list[Record]]) -> None:
        self.settings = fitting.Settings()
        reader = Reader(load_packs())
        words = WordFeatures(reader.nlp.vocab.strings, known=reader.engine.words)

        def quiet(step: str) -> None:
            return None

        self.train = fitting._Corpus(train, reader, words, self.settings, quiet)
        self.tests = [fitting._Corpus(t, reader, words, self.settings, quiet) for t in tests]
        self.labels = labels(train)
        groups = np.array([r.group for r in train])
        self.folds = list(
            StratifiedGroupKFold(self.settings.folds, shuffle=True, random_state=1997).split(
                self.labels, self.labels, groups
            )
        )
        self.dense = np.zeros((len(train), len(DENSE)))
        for kept, held in self.folds:
            self.dense[held] = self.train.dense(held, *self.train.fit_words(kept))
        weights = self.train.fit_words(np.arange(len(train)))
        self.test_dense = [t.dense(np.arange(len(t.records)), *weights) for t in self.tests]

    def without(self, names: tuple[str, ...]) -> Said:
        """The two-stage heads without some of their inputs."""
        heads = self.heads(names)
        return lambda number: heads(number)[1].argmax(axis=1)

    def cascade(self) -> Said:
        """Without the narrative encoder where that is sure of *neither*, with it elsewhere."""
        quick, full = self.heads(WITHOUT["without the narrative encoder"]), self.heads(())

        def said(number: int) -> NDArray[np.int64]:
            first, label = quick(number)
            most = 1 / (1 + np.exp(-first[:, : len(INDICATORS)].max(axis=1)))
            settled = (softmax(label)[:, NEITHER] >= SETTLED) & (most <= QUIET)
            print(f"settled without the narrative encoder: {settled.mean():.1%}", file=sys.stderr)
            return np.where(settled, NEITHER, full(number)[1].argmax(axis=1))

        return said

    def heads(self, names: tuple[str, ...]) -> Heads:
        """Both stages of heads, fitted without some of their inputs."""
        use = np.array([name not in names for name in DENSE])
        records = list(self.train.records)
        dense = self.dense * use
        first = np.zeros((len(dense), len(fitting.FIRST_HEADS)))
        for kept, held in self.folds:
            head = fitting._fit_first_heads(dense[kept], [records[i] for i in kept], self.settings)
            first[held] = head.logits(dense[held])
        first_head = fitting._fit_first_heads(dense, records, self.settings)
        label_head = fitting._fit_label_head(
            label_inputs(dense, first), self.labels, records, self.settings
        )

        def logits(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            test = self.test_dense[number] * use
            first = first_head.logits(test)
            return first, label_head.logits(label_inputs(test, first))

        return logits

    def boosted(self) -> Said:
        """Gradient boosting over the same inputs in place of both stages of heads."""
        model = HistGradientBoostingClassifier(
            max_iter=200, learning_rate=0.05, max_leaf_nodes=8, l2_regularization=5, random_state=0
        ).fit(self.dense, self.labels)
        return lambda number: model.predict(self.test_dense[number])

    def encoder_alone(self) -> Said:
        """The narrative encoder's own label."""
        columns = [DENSE.index(f"whole_label:{label}") for label in LABELS]
        return lambda number: self.test_dense[number][:, columns].argmax(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tests", nargs="+", type=Path)
    parser.add_argument("--train", type=Path, default=Path("data/corpus/train.jsonl"))
    options = parser.parse_args()
    train = read_records([options.train])
    tests = [read_records([path]) for path in options.tests]
    parts = Parts(train, tests)
    methods: dict[str, Callable[[], Said]] = {
        "TF-IDF of words + logistic regression": lambda: tfidf(train, tests, ngram_range=(1, 2)),
        "TF-IDF of characters + logistic regression": lambda: tfidf(
            train, tests, analyzer="char_wb", ngram_range=(3, 5)
        ),
        "spaCy textcat, bag of words": lambda: textcat(train, tests, "spacy.TextCatBOW.v3"),
        "spaCy textcat, ensemble": lambda: textcat(train, tests, "spacy.TextCatEnsemble.v2"),
        "narrative encoder alone": parts.encoder_alone,
        "gradient boosting over all inputs": parts.boosted,
        "cascade: the narrative encoder only where the rest is in doubt": parts.cascade,
        **{name: (lambda n=names: parts.without(n)) for name, names in WITHOUT.items()},
    }
    results: dict[str, dict[str, object]] = {}
    print("| method | " + " | ".join(f"{p.stem} ({len(t)})" for p, t in zip(options.tests, tests, strict=True)) + " |")  # fmt: skip
    print("|---|" + "---|" * len(tests))
    for name, method in methods.items():
        began = time.perf_counter()
        said = method()
        cells = []
        for number, (path, records) in enumerate(zip(options.tests, tests, strict=True)):
            given = said(number)
            labelled = Labelled(labels(records), given, np.array([r.group for r in records]))
            score, interval = macro_f1(labels(records), given), labelled.interval(macro_f1)
            stalking = f1(labels(records) == 0, given == 0)
            cells.append(f"{score:.3f} ({interval[0]:.3f} to {interval[1]:.3f})")
            results.setdefault(name, {})[path.stem] = {
                "macro_f1": round(score, 4),
                "interval": interval,
                "stalking_f1": round(stalking, 4),
            }
        results[name]["seconds"] = round(time.perf_counter() - began, 1)
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
