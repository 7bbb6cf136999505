"""A narrative as a whole: who did what to whom, in which order, which single sentences do not say.

A small transformer trained on the shipped corpus (see ``experiments/narrative-encoder``) scores
each label, indicator, act and relationship, and of each word how much it is evidence of an
indicator; the heads weigh its scores beside those of rules and words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.encoder import FOLDER, load_pieces

LONGEST = 318
"""Word pieces read of a narrative, as in its training; of a longer one the most telling sentences."""

LEAST = -8.0
"""The logit of evidence where there are no words."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What the narrative encoder says of one narrative, in logits.

    ``targets`` of shape ``(targets,)`` is in the order of ``stalkflag.model.WHOLE_TARGETS``;
    ``evidence`` has for each sentence a row for each word piece and a column for each indicator,
    with no rows for a sentence that was not read.
    """

    targets: NDArray[np.float32]
    evidence: list[NDArray[np.float32]]


class NarrativeEncoder:
    """Scores a narrative from the word pieces of its sentences."""

    def __init__(self) -> None:
        pieces = load_pieces()
        self._open, self._close = pieces["[CLS]"], pieces["[SEP]"]

    @cached_property
    def _session(self):  # type: ignore[no-untyped-def]
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(
            str(FOLDER / "narrative.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def scores(
        self, sentences: Sequence[Sequence[int]], importance: NDArray[np.floating[Any]]
    ) -> Whole:
        """Read one narrative.

        Parameters
        ----------
        sentences
            The word pieces of each sentence.
        importance
            How telling each sentence is, shape ``(len(sentences),)``: decides which are read of a
            narrative longer than ``LONGEST``, and none at minus infinity.
        """
        ids = [self._open]
        chosen = fitting([len(pieces) for pieces in sentences], importance)
        for number in chosen:
            ids += sentences[number]
        ids = [*ids[: LONGEST + 1], self._close]
        logits, pieces = self._session.run(None, {"ids": np.array(ids, dtype=np.int64)})
        inside = pieces[1:-1]
        evidence = [inside[:0]] * len(sentences)
        start = 0
        for number in chosen:
            evidence[number] = inside[start : start + len(sentences[number])]
            start += len(sentences[number])
        return Whole(with_most(logits, inside), evidence)


def with_most(logits: NDArray[np.float32], pieces: NDArray[np.float32]) -> NDArray[np.float32]:
    """The narrative's logits, and after them the most that any word piece has of each indicator."""
    most = pieces.max(axis=0) if len(pieces) else np.full(pieces.shape[1], LEAST)
    result: NDArray[np.float32] = np.concatenate((logits, most.astype(np.float32)))
    return result


def fitting(lengths: Sequence[int], importance: NDArray[np.floating[Any]]) -> list[int]:
    """The sentences that are read, in order: all, or the most telling that fit together."""
    if sum(lengths) <= LONGEST:
        return list(range(len(lengths)))
    left = LONGEST
    kept: list[int] = []
    for number in np.argsort(-importance, kind="stable").tolist():
        if left <= 0 or importance[number] == -np.inf:
            break
        if lengths[number] <= left or not kept:
            kept.append(number)
            left -= lengths[number]
    return sorted(kept)


def text_key(text: str) -> np.uint64:
    """What a training narrative is known by in ``held-out.npz``."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "big"))


@cache
def held_out_scores() -> dict[int, NDArray[np.float32]]:
    """For each narrative that the encoder was trained on, by ``text_key``: what an encoder that
    was not trained on it says. Models trained on the corpus learn from these how far to trust it.
    """
    with np.load(FOLDER / "held-out.npz", allow_pickle=False) as arrays:
        keys, scores = arrays["keys"].tolist(), arrays["scores"].astype(np.float32)
    return dict(zip(keys, scores, strict=True))
