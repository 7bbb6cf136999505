"""Macro-F1 on held-out narratives after training on 100, 300, 1,000 and all training narratives.

    python experiments/learning-curve/run.py data/corpus/test.jsonl [MORE.jsonl ...]

Whole cases are drawn with a fixed seed. Prints a table and writes results.json beside this file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from stalkflag.assessor import Assessor
from stalkflag.rules import load_packs
from stalkflag.training.fit import fit
from stalkflag.training.metrics import measure
from stalkflag.training.records import Record, read_records

HERE = Path(__file__).parent


def draw(records: list[Record], number: int, seed: int = 1997) -> list[Record]:
    """Whole cases until there are at least ``number`` narratives."""
    groups = sorted({record.group for record in records})
    np.random.default_rng(seed).shuffle(groups)
    kept: set[str] = set()
    size = 0
    for group in groups:
        if size >= number:
            break
        kept.add(group)
        size += sum(record.group == group for record in records)
    return [record for record in records if record.group in kept]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tests", nargs="+", type=Path)
    parser.add_argument("--train", type=Path, default=Path("data/corpus/train.jsonl"))
    options = parser.parse_args()
    train = read_records([options.train])
    rules = load_packs()
    results: dict[str, dict[str, object]] = {}
    for number in (100, 300, 1000, len(train)):
        part = draw(train, number)
        assessor = Assessor(fit(part, rules=rules).model)
        for path in options.tests:
            records = read_records([path])
            result = measure(records, list(assessor.assess_many(r.text for r in records)))
            row = {key: result[key] for key in ("macro_f1", "macro_f1_interval", "accuracy")}
            results.setdefault(path.stem, {})[str(len(part))] = row
            low, high = row["macro_f1_interval"]
            print(f"{len(part):5d} {path.stem:14s} {row['macro_f1']:.3f} ({low:.3f} to {high:.3f})")
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
