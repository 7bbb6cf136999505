"""Which unlabelled narratives to label next: those the model doubts most, each unlike the others.

The most doubtful are gathered first, by the entropy of the label's probabilities; these are grouped
by their topics (latent semantic analysis), doubtful ones weighing more, and the most doubtful of each group is
taken (Zhdanov, "Diverse mini-batch active learning", arXiv:1901.05954, 2019).
"""

from __future__ import annotations

import csv
import heapq
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from stalkflag.assessor import Assessor
from stalkflag.errors import InputError
from stalkflag.narrative import THIN_WORDS
from stalkflag.training.records import text_digest

GATHERED = 10
"""Doubtful narratives gathered for each one that is asked for."""

TOPICS = 50
"""Dimensions in which narratives are compared."""

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet takes for a formula."""

SUFFIXES: tuple[str, ...] = (".csv", ".tsv", ".jsonl")
SEED = 1997


@dataclass(frozen=True, slots=True, order=True)
class Doubtful:
    """A narrative and how much the model doubts: 0 is sure, 1 is no idea."""

    doubt: float
    name: str
    text: str


@dataclass(slots=True)
class Passed:
    """What was not considered, and why."""

    rows: int = 0
    thin: int = 0
    same: int = 0
    labelled: int = 0


def suggest(
    narratives: Iterable[tuple[str, str]],
    assessor: Assessor,
    *,
    number: int,
    labelled: Iterable[str] = (),
    progress: Callable[[str], None] = lambda step: None,
) -> tuple[list[Doubtful], Passed]:
    """Choose narratives to label, the most doubtful first.

    Parameters
    ----------
    narratives
        Names and texts, read one at a time; memory does not grow with them.
    labelled
        Texts that are labelled already and not chosen again.
    """
    passed = Passed()
    seen = dict.fromkeys((text_digest(without_guard(text)) for text in labelled), True)
    gathered: list[Doubtful] = []
    asked: deque[tuple[str, str]] = deque()

    def texts() -> Iterator[str]:
        for name, text in narratives:
            if passed.rows % 200 == 0:
                progress(f"reading narratives: {passed.rows:,}")
            passed.rows += 1
            key = text_digest(text)
            if len(text.split()) < THIN_WORDS:
                passed.thin += 1
            elif (of_labelled := seen.get(key)) is not None:
                passed.labelled += of_labelled
                passed.same += not of_labelled
            else:
                seen[key] = False
                asked.append((name, text))
                yield text

    for scores in assessor.scores(texts()):
        p = np.array(list(scores.label.values()))
        doubt = float(-(p * np.log(p + 1e-12)).sum() / np.log(len(p)))
        heapq.heappush(gathered, Doubtful(doubt, *asked.popleft()))
        if len(gathered) > number * GATHERED:
            heapq.heappop(gathered)
    if not gathered:
        raise InputError("There is no narrative to label that is not thin, doubled or labelled.")
    progress("choosing narratives unlike each other")
    return _unlike(sorted(gathered, reverse=True), number), passed


def _unlike(gathered: list[Doubtful], number: int) -> list[Doubtful]:
    """The most doubtful of each group of narratives alike, the most doubtful first."""
    if len(gathered) <= number:
        return gathered
    words = TfidfVectorizer(sublinear_tf=True).fit_transform(one.text for one in gathered)
    topics = TruncatedSVD(min(TOPICS, *(size - 1 for size in words.shape)), random_state=SEED)
    vectors = normalize(topics.fit_transform(words))
    weights = np.array([one.doubt for one in gathered]) + 1e-6
    groups = KMeans(number, n_init=3, random_state=SEED).fit(vectors, sample_weight=weights).labels_
    _, first = np.unique(groups, return_index=True)
    chosen = set(first.tolist())
    for row in range(len(gathered)):
        if len(chosen) >= number:
            break
        chosen.add(row)
    return [gathered[row] for row in sorted(chosen)]


def without_guard(text: str) -> str:
    """A text as it was before it was written to a table to be labelled."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULAS) else text


def check_output(path: Path) -> None:
    """Raise :class:`InputError` if the file to be written has an ending that is not known."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: the file must end in {', '.join(SUFFIXES)}.")


def write_for_labelling(chosen: Iterable[Doubtful], path: Path) -> None:
    """Write a file with an empty column ``label`` to fill in; ``train`` takes it when filled.

    What the model suggests is left out, so that it does not sway who labels. The file appears only
    when it is complete.

    Raises
    ------
    InputError
        If its ending is not known, or it cannot be written.
    """
    suffix = path.suffix.lower()
    aside = path.with_name(path.name + ".partial")
    try:
        with aside.open(
            "w", encoding="utf-8-sig" if suffix == ".csv" else "utf-8", newline=""
        ) as f:
            _write_jsonl(chosen, f) if suffix == ".jsonl" else _write_table(chosen, f, suffix)
        aside.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None


def _write_jsonl(chosen: Iterable[Doubtful], stream: IO[str]) -> None:
    for one in chosen:
        plain = {"id": one.name, "text": one.text, "label": None}
        stream.write(json.dumps(plain, ensure_ascii=False) + "\n")


def _write_table(chosen: Iterable[Doubtful], stream: IO[str], suffix: str) -> None:
    table = csv.writer(stream, delimiter="\t" if suffix == ".tsv" else ",")
    table.writerow(["id", "label", "text"])
    for one in chosen:
        # A spreadsheet must not run a text that came from outside as a formula.
        table.writerow([one.name, "", "'" * one.text.startswith(FORMULAS) + one.text])
