"""Words as word pieces, and a small transformer that reads a narrative of them.

Its embeddings and first layers are those of a public sentence encoder, the others trained on the
shipped corpus (see ``experiments/narrative-encoder``); onnxruntime runs it on this machine.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def load_pieces() -> dict[str, int]:
    """The encoder's word pieces with their numbers: whole common words among them."""
    pieces = (FOLDER / "pieces.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    return {piece: number for number, piece in enumerate(pieces)}


class WordPieces:
    """The numbers of the word pieces of words; keeps a bounded table of words already seen."""

    MOST_WORDS = 20_000

    def __init__(self) -> None:
        self.numbers = load_pieces()
        self._unknown = (self.numbers["[UNK]"],)
        self._table: dict[str, tuple[int, ...]] = {}

    def of(self, word: str) -> tuple[int, ...]:
        """The pieces of a word in lookup form."""
        return self._table.get(word) or self._look_up(word)

    def _look_up(self, word: str) -> tuple[int, ...]:
        """A word's pieces: the longest known piece first, as the encoder was trained to read."""
        found: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else f"##{word[start:end]}"
                if piece in self.numbers:
                    found.append(self.numbers[piece])
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
    for name in ("narrative.onnx", "pieces.txt"):
        digest.update((FOLDER / name).read_bytes())
    return digest.hexdigest()
