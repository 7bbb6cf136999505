"""Sentences as vectors, so that what was never seen in training lies near what was.

The first three layers of a small public sentence encoder, rounded to bytes and run by onnxruntime
on this machine (see ``experiments/sentence-encoder``). It is never trained here: the models over
it are linear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
SIZE = 384
"""Numbers a sentence."""

LONGEST_SENTENCE = 120
"""Word pieces of a sentence that are read; the rest of an endless one is left to the rules."""

ROW = 64
"""Word pieces read in one go (whole sentences of one narrative, never of two): few enough that
attention, which grows with their square, costs little."""


@cache
def load_pieces() -> dict[str, int]:
    """The encoder's word pieces with their numbers: whole common words among them."""
    pieces = (FOLDER / "pieces.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    return {piece: number for number, piece in enumerate(pieces)}


class SentenceEncoder:
    """Reads the words of a narrative, a sentence at a time.

    The vectors of a narrative do not depend on what else is read before, after or beside it.
    """

    MOST_WORDS = 50_000

    def __init__(self) -> None:
        self._ids = load_pieces()
        self._unknown = (self._ids["[UNK]"],)
        self._open, self._close = self._ids["[CLS]"], self._ids["[SEP]"]
        self._table: dict[str, tuple[int, ...]] = {}

    @cached_property
    def _session(self):  # type: ignore[no-untyped-def]
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(
            str(FOLDER / "encoder.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def pieces(self, word: str) -> tuple[int, ...]:
        """The numbers of the word pieces of a word in lookup form."""
        return self._table.get(word) or self._look_up(word)

    def encode(self, sentences: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Vectors of unit length, shape ``(len(sentences), SIZE)``, from word pieces."""
        vectors = np.zeros((len(sentences), SIZE), dtype=np.float32)
        for first, rows in self._rows(sentences):
            lengths = np.array([len(row) for row in rows])
            starts = np.cumsum(lengths) - lengths
            tokens = self._session.run(
                None,
                {
                    "ids": np.concatenate(rows).astype(np.int64),
                    "places": np.concatenate([np.arange(n) for n in lengths]),
                    "sentences": np.repeat(np.arange(len(rows)), lengths),
                },
            )[0]
            sums = np.add.reduceat(tokens, starts, axis=0)
            sums /= np.linalg.norm(sums, axis=1, keepdims=True)
            vectors[first : first + len(rows)] = sums
        return vectors

    def _rows(self, sentences: Sequence[Sequence[int]]) -> Iterator[tuple[int, list[list[int]]]]:
        """Runs of sentences that fit in a row together, each with the number of its first."""
        first, size = 0, 0
        rows: list[list[int]] = []
        for number, pieces in enumerate(sentences):
            ids = [self._open, *pieces[: LONGEST_SENTENCE - 1], self._close]
            if rows and size + len(ids) > ROW:
                yield first, rows
                first, size, rows = number, 0, []
            rows.append(ids)
            size += len(ids)
        if rows:
            yield first, rows

    def _look_up(self, word: str) -> tuple[int, ...]:
        """A word's pieces: the longest known piece first, as the encoder was trained to read."""
        found: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else f"##{word[start:end]}"
                if piece in self._ids:
                    found.append(self._ids[piece])
                    start = end
                    break
            else:
                found = list(self._unknown)
                break
        if len(self._table) >= self.MOST_WORDS:
            self._table.clear()
        self._table[word] = tuple(found[:12])
        return self._table[word]


def sha256() -> str:
    """Hash of the encoder's files: a bundle only fits the encoder it was trained over."""
    digest = hashlib.sha256()
    for name in ("encoder.onnx", "narrative.onnx", "pieces.txt"):
        digest.update((FOLDER / name).read_bytes())
    return digest.hexdigest()
