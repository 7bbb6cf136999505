"""What is each part of the reading worth? Methods and ablations on the same narratives.

    python experiments/parts/run.py data/corpus/test.jsonl [MORE.jsonl ...] [--only NAME ...]

Every method is trained on the train split alone. Ablations take the named inputs from the heads
(set to nothing in training and in measuring) and fit the heads anew. Each method runs in a process
of its own: its memory is how much that grew. The rate is that of saying the labels of texts; for
heads, whose inputs were read before, see ``experiments/speed``. Prints a table, with 95 % bootstrap intervals over cases, and writes results.json beside
this file: numbers, never a text.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch
from thinc.api import get_current_ops
from thinc.types import Ragged

from stalkflag.assessment import INDICATORS, LABELS
from stalkflag.features import COUNTS, SIZE, WordFeatures
from stalkflag.model import BAG_TARGETS, DENSE, POOLED, WHOLE_TARGETS, label_inputs, softmax
from stalkflag.reading import Reader, Reading
from stalkflag.rules import load_packs
from stalkflag.training import fit as fitting
from stalkflag.training.bootstrap import Labelled, f1, macro_f1
from stalkflag.training.records import Record, read_records

HERE = Path(__file__).parent
Said = Callable[[int], NDArray[np.int64]]
"""The labels that a method gives the narratives of a test file, by the file's number."""

Heads = Callable[[int], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Logits of the first heads and of the label for the narratives of a test file."""

Logits = Callable[[NDArray[np.float64]], NDArray[np.float64]]

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
    ten_passes(nlp, examples)

    def said(number: int) -> NDArray[np.int64]:
        docs = nlp.pipe(r.text for r in tests[number])
        return np.array([np.argmax([doc.cats[label] for label in LABELS]) for doc in docs])

    return said


def ten_passes(nlp: spacy.Language, examples: list[Example]) -> None:
    optimiser = nlp.initialize(lambda: examples)
    order = np.random.default_rng(1997)
    for _ in range(10):
        shuffled = [examples[n] for n in order.permutation(len(examples))]
        for batch in minibatch(shuffled, 32):
            nlp.update(batch, sgd=optimiser, drop=0.2)


def spancat(train: list[Record], tests: list[list[Record]]) -> Said:
    """spaCy's own span classifier from scratch: which sentences show which indicator, ten passes.

    The label follows from the indicators as in the labelling guide.
    """
    fix_random_seed(1997)
    nlp = spacy.blank("en")
    pipe = nlp.add_pipe("spancat", config={"suggester": {"@misc": "stalkflag.sentences"}})
    for name in INDICATORS:
        pipe.add_label(name)  # type: ignore[attr-defined]
    reader = Reader(load_packs())

    def made(text: str) -> Doc:
        doc = reader.make_doc(text)
        return Doc(
            nlp.vocab,
            words=[token.text for token in doc],
            spaces=[bool(token.whitespace_) for token in doc],
            sent_starts=[bool(token.is_sent_start) for token in doc],
        )

    examples = []
    for record in train:
        doc, gold = made(record.text), made(record.text)
        gold.spans["sc"] = [
            Span(gold, sentence.start, sentence.end, label=name)
            for name in INDICATORS
            for start, end in record.evidence_offsets(name)
            for sentence in gold.sents
            if start < sentence.end_char and sentence.start_char < end
        ]
        examples.append(Example(doc, gold))
    ten_passes(nlp, examples)

    def said(number: int) -> NDArray[np.int64]:
        found = []
        for record in tests[number]:
            doc = nlp(made(record.text))
            shown = {span.label_ for span in doc.spans["sc"]}
            course = {"unwanted", "repeated"} <= shown
            label = "stalking" if shown & {"fixated", "obsessive"} else "harassment"
            found.append(LABELS.index(label if course else "neither"))
        return np.array(found)

    return said


@spacy.registry.misc("stalkflag.sentences")
def sentences() -> Callable[..., Any]:
    """Each sentence as one span to be judged."""

    def suggest(docs: Iterable[Doc], *, ops: Any = None) -> Any:
        ops = ops or get_current_ops()
        spans = [[(s.start, s.end) for s in doc.sents] for doc in docs]
        rows = [span for found in spans for span in found]
        lengths = ops.asarray1i([len(found) for found in spans])
        return Ragged(ops.asarray2i(rows) if rows else ops.alloc2i(0, 2), lengths)

    return suggest


class WithoutContext(Reader):
    """Every finding counts, whoever did it and whether it happened."""

    def read(self, texts: Iterable[str]) -> Iterator[Reading]:
        for reading in super().read(texts):
            yield replace(
                reading,
                findings=[replace(finding, cue=None) for finding in reading.findings],
                axes=[None] * len(reading.axes),
                cues=[],
            )


class Parts:
    """The inputs of the heads: held out for the train split, as at run time for the tests."""

    def __init__(
        self,
        train: list[Record],
        tests: list[list[Record]],
        *,
        read_with: type[Reader] = Reader,
        characters: bool = True,
    ) -> None:
        self.settings = fitting.Settings(characters=characters)
        reader = read_with(load_packs())
        words = WordFeatures(
            reader.nlp.vocab.strings, known=reader.engine.words, characters=characters
        )

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

    def raw_words(self) -> Said:
        """A label head that reads the narrative's words and pairs of words as well."""
        inputs, logits = self.inputs(np.ones(len(DENSE), dtype=bool))
        whole = fitting._matrix(self.train.wholes, np.ones(SIZE, dtype=np.float32))
        scale = np.maximum(inputs.std(axis=0), 1e-6)
        model = LogisticRegression(C=0.1, max_iter=2000).fit(
            hstack([csr_matrix(inputs / scale), 5 * whole]), self.labels
        )

        def said(number: int) -> NDArray[np.int64]:
            test = self.tests[number]
            words = fitting._matrix(test.wholes, np.ones(SIZE, dtype=np.float32))
            read = label_inputs(self.test_dense[number], logits(self.test_dense[number]))
            return model.predict(hstack([csr_matrix(read / scale), 5 * words]).tocsr())

        return said

    def inputs(self, use: NDArray[np.bool_]) -> tuple[NDArray[np.float64], Logits]:
        """The label head's inputs for the train split, of those in use, and the first heads."""
        dense = self.dense * use
        records = list(self.train.records)
        first = np.zeros((len(dense), len(fitting.FIRST_HEADS)))
        for kept, held in self.folds:
            head = fitting._fit_first_heads(dense[kept], [records[i] for i in kept], self.settings)
            first[held] = head.logits(dense[held])
        first_head = fitting._fit_first_heads(dense, records, self.settings)
        return label_inputs(dense, first), first_head.logits

    def heads(self, names: tuple[str, ...]) -> Heads:
        """Both stages of heads, fitted without some of their inputs."""
        use = np.array([name not in names for name in DENSE])
        inputs, first_logits = self.inputs(use)
        label_head = fitting._fit_label_head(
            inputs, self.labels, list(self.train.records), self.settings
        )

        def logits(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            test = self.test_dense[number] * use
            first = first_logits(test)
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


def measured(method: Callable[[], Said], tests: list[list[Record]]) -> dict[str, Any]:
    """The labels that a method gives, what it took to train and to say them, in seconds, and MiB.

    Run in a forked process, so that memory is the method's own and is given back.
    """
    context = multiprocessing.get_context("fork")
    mine, other = context.Pipe(duplex=False)

    def work() -> None:
        before = resident()
        began = time.perf_counter()
        said = method()
        trained = time.perf_counter()
        given = [said(number).tolist() for number in range(len(tests))]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        other.send(
            {
                "given": given,
                "training_seconds": round(trained - began, 1),
                "narratives_a_second": round(
                    sum(map(len, tests)) / (time.perf_counter() - trained)
                ),
                "mebibytes": round(max(0.0, peak - before)),
            }
        )

    process = context.Process(target=work)
    process.start()
    other.close()
    try:
        result: dict[str, Any] = mine.recv()
    except EOFError:
        raise SystemExit("A method failed: see above.") from None
    process.join()
    return result


def resident() -> float:
    """Memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tests", nargs="+", type=Path)
    parser.add_argument("--train", type=Path, default=Path("data/corpus/train.jsonl"))
    parser.add_argument("--only", nargs="*", help="Measure these and keep the results of others.")
    options = parser.parse_args()
    train = read_records([options.train])
    tests = [read_records([path]) for path in options.tests]
    parts = Parts(train, tests)
    from_text: dict[str, Callable[[], Said]] = {
        "TF-IDF of words + logistic regression": lambda: tfidf(train, tests, ngram_range=(1, 2)),
        "TF-IDF of characters + logistic regression": lambda: tfidf(
            train, tests, analyzer="char_wb", ngram_range=(3, 5)
        ),
        "spaCy textcat, bag of words": lambda: textcat(train, tests, "spacy.TextCatBOW.v3"),
        "spaCy textcat, ensemble": lambda: textcat(train, tests, "spacy.TextCatEnsemble.v2"),
        "spaCy spancat of sentences, label by the guide": lambda: spancat(train, tests),
    }
    over_inputs: dict[str, Callable[[], Said]] = {
        "narrative encoder alone": parts.encoder_alone,
        "gradient boosting over all inputs": parts.boosted,
        "cascade: the narrative encoder only where the rest is in doubt": parts.cascade,
        **{name: (lambda n=names: parts.without(n)) for name, names in WITHOUT.items()},
        "with raw words in the label head": parts.raw_words,
        "without context": lambda: Parts(train, tests, read_with=WithoutContext).without(()),
        "without character n-grams": lambda: Parts(train, tests, characters=False).without(()),
    }
    target = HERE / "results.json"
    kept = json.loads(target.read_text(encoding="utf-8")) if options.only else {}
    results: dict[str, dict[str, Any]] = {
        name: kept[name] for name in {**from_text, **over_inputs} if name in kept
    }
    heads = [f"{p.stem} ({len(t)})" for p, t in zip(options.tests, tests, strict=True)]
    print(" | ".join(["| method", *heads, "training s", "narratives/s", "MiB |"]))
    print("|---" * (len(heads) + 4) + "|")
    for name, method in {**from_text, **over_inputs}.items():
        if options.only and name not in options.only:
            continue
        found = measured(method, tests)
        if name in over_inputs:
            found["narratives_a_second"] = None
        cells = []
        result: dict[str, Any] = {}
        for path, records, given in zip(options.tests, tests, found.pop("given"), strict=True):
            said, true = np.array(given), labels(records)
            labelled = Labelled(true, said, np.array([r.group for r in records]))
            score, interval = macro_f1(true, said), labelled.interval(macro_f1)
            cells.append(f"{score:.3f} ({interval[0]:.3f} to {interval[1]:.3f})")
            result[path.stem] = {
                "macro_f1": round(score, 4),
                "interval": interval,
                "stalking_f1": round(f1(true == 0, said == 0), 4),
            }
        results[name] = {**result, **found}
        print(" | ".join([f"| {name}", *cells, *map(str, found.values())]) + " |", flush=True)
        target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
