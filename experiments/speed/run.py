"""What each stage costs, as ratios to a blank spaCy tokenizer and sentencizer in the same run.

python experiments/speed/run.py TEXTS.jsonl [--number 500]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import spacy

import stalkflag
from stalkflag.reading import Reader
from stalkflag.training.sources import read_lines


def rate(work: Callable[[], Iterable[object]], number: int) -> float:
    """Items a second, the best of two runs."""
    best = 0.0
    for _ in range(2):
        start = time.perf_counter()
        for _item in work():
            pass
        best = max(best, number / (time.perf_counter() - start))
    return best


def main() -> None:
    import json

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("texts", type=Path)
    parser.add_argument("--number", type=int, default=500)
    options = parser.parse_args()
    texts = [json.loads(line)["text"] for _, line in read_lines(options.texts)][: options.number]
    blank = spacy.blank("en")
    blank.add_pipe("sentencizer")
    assessor = stalkflag.load()
    reader = Reader(assessor.model.rules)
    tokens = rate(lambda: map(blank, texts), len(texts))
    words = np.mean([len(text.split()) for text in texts])
    print(f"{len(texts)} texts of {words:.0f} words on average; one process")
    print(f"blank tokenizer and sentencizer: {tokens:,.0f} a second")
    for name, work in (
        ("rules, context and counting", lambda: reader.read(texts)),
        ("whole assessment", lambda: assessor.assess_many(texts)),
    ):
        found = rate(work, len(texts))
        print(f"{name}: {found:,.0f} a second, {found / tokens:.1%} of the tokenizer")
    single = []
    for text in texts:
        start = time.perf_counter()
        assessor.assess(text)
        single.append(time.perf_counter() - start)
    print(f"one narrative, warm: median {1000 * np.median(single):.1f} ms")


if __name__ == "__main__":
    main()
