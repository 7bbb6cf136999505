"""Word vectors, so that words never seen in training lie near those that were.

Distilled once from a small sentence encoder (``experiments/word-vectors``); at run time they are an
array of bytes. Names, sexes, kin and origins have no vector: see ``MASKED`` in
:mod:`stalkflag.features`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from spacy.strings import hash_string

FILE = Path(__file__).with_name("vectors.npz")


@dataclass(frozen=True, slots=True)
class Vectors:
    """``table`` has one row a word and a last row of zeros for all others."""

    row_of: dict[int, int]
    table: NDArray[np.float32]
    sha256: str

    @property
    def dimensions(self) -> int:
        """Numbers a word."""
        return int(self.table.shape[1])

    def row(self, norm: int) -> int:
        """The row of a word by its spaCy hash; the row of zeros if it has none."""
        return self.row_of.get(norm, -1)


def save_vectors(words: Sequence[str], vectors: NDArray[np.float32], path: Path = FILE) -> None:
    """Write vectors rounded to bytes, each dimension with its own scale."""
    scale = np.abs(vectors).max(axis=0) / 127
    np.savez_compressed(
        path,
        words=np.frombuffer("\n".join(words).encode(), dtype=np.uint8),
        vectors=np.rint(vectors / scale).astype(np.int8),
        scale=scale.astype(np.float32),
    )


@cache
def load_vectors(path: Path = FILE) -> Vectors:
    """The shipped vectors, read once."""
    with np.load(path, allow_pickle=False) as arrays:
        words = arrays["words"].tobytes().decode().split("\n")
        table = arrays["vectors"].astype(np.float32) * arrays["scale"]
    return Vectors(
        row_of={hash_string(word): row for row, word in enumerate(words)},
        table=np.vstack((table, np.zeros((1, table.shape[1]), dtype=np.float32))),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
