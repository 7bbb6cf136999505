"""stalkflag against keywords and TF-IDF + logistic regression, trained on the same narratives.

    python experiments/baselines/run.py data/corpus/test.jsonl [MORE.jsonl ...]

Prints a table and writes results.json beside this file: numbers only, never a text.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import stalkflag
from stalkflag.assessment import LABELS
from stalkflag.training.bootstrap import Labelled, f1, macro_f1
from stalkflag.training.records import Record, read_records

HERE = Path(__file__).parent
STALKING = re.compile(
    r"stalk|obsess|follow(ed|ing|s) (me|her|him|them|ip|victim)|turn(s|ed|ing) up|outside (my|her|his)"
    r"|track(er|ing)|airtag|spyware|watch(es|ed|ing) (me|her|him)|won'?t leave (me|her|him) alone"
    r"|\bex\b|ex-(partner|boyfriend|girlfriend|husband|wife)",
    re.IGNORECASE,
)
HARASSMENT = re.compile(
    r"harass|abus(e|ive)|unwanted|repeated|nuisance|neighbour|threat|bully|constant", re.IGNORECASE
)


def keywords(texts: list[str]) -> list[str]:
    """What a word search finds: a stalking word, else a harassment word, else neither."""
    return [
        "stalking" if STALKING.search(t) else "harassment" if HARASSMENT.search(t) else "neither"
        for t in texts
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tests", nargs="+", type=Path)
    parser.add_argument("--train", type=Path, default=Path("data/corpus/train.jsonl"))
    parser.add_argument("--model", default="bundled")
    options = parser.parse_args()
    train = read_records([options.train])
    linear = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        LogisticRegression(C=10, class_weight="balanced", max_iter=2000),
    ).fit([r.text for r in train], [r.label for r in train])
    assessor = stalkflag.load(options.model)
    methods = {
        "keywords": keywords,
        "TF-IDF + logistic regression": lambda texts: list(linear.predict(texts)),
        "stalkflag": lambda texts: [a.suggestion for a in assessor.assess_many(texts)],
    }
    results: dict[str, dict[str, dict[str, object]]] = {}
    print(
        "| data | method | macro-F1 (95 % interval) | accuracy | stalking F1 | harassment F1 | neither F1 |"
    )
    print("|---|---|---|---|---|---|---|")
    for path in options.tests:
        records = read_records([path])
        for name, method in methods.items():
            row = _measure(records, method([r.text for r in records]))
            results.setdefault(path.stem, {})[name] = row
            low, high = row["macro_f1_interval"]
            print(
                f"| {path.stem} ({len(records)}) | {name} | {row['macro_f1']:.3f} ({low:.3f} to {high:.3f})"
                f" | {row['accuracy']:.3f} | " + " | ".join(f"{row[x]:.3f}" for x in LABELS) + " |"
            )
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def _measure(records: list[Record], suggested: list[str]) -> dict[str, object]:
    labelled = Labelled(
        np.array([LABELS.index(r.label) for r in records]),
        np.array([LABELS.index(label) for label in suggested]),
        np.array([r.group for r in records]),
    )
    true, said = labelled.true, labelled.suggested
    return {
        "narratives": len(records),
        "macro_f1": round(macro_f1(true, said), 4),
        "macro_f1_interval": labelled.interval(macro_f1),
        "accuracy": round(float((true == said).mean()), 4),
        **{label: round(f1(true == k, said == k), 4) for k, label in enumerate(LABELS)},
    }


if __name__ == "__main__":
    main()
