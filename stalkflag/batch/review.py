"""Which rows are written and in what order: filters, and the order of need of review."""

from __future__ import annotations

import heapq
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from stalkflag.assessment import LABELS, Label
from stalkflag.batch.journal import pack, unpack
from stalkflag.batch.reading import Row
from stalkflag.batch.recorded import Offences
from stalkflag.batch.writing import Scored

RUN_BYTES = 1 << 26
"""Packed rows that are sorted in memory at a time."""

PIECE = 32
"""Rows of a sorted run that are read back together."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows to write: of these suggestions, and at least so probable; all by default.

    A row whose narrative could not be read has no probability to be kept by.
    """

    only: frozenset[Label] = field(default_factory=frozenset)
    min_probability: float = 0.0

    def keeps(self, scored: Scored) -> bool:
        """Whether a row is written.

        The probability that counts is that of the suggestion, where suggestions are named, else
        that of stalking.
        """
        flat = scored.flat
        if self.only and flat["suggestion"] not in self.only:
            return False
        if not self.min_probability:
            return True
        label = flat["suggestion"] if self.only else "stalking"
        return _read(scored) and bool(flat[f"p_{label}"] >= self.min_probability)


def review_need(offences: Offences) -> Callable[[Scored], float]:
    """How much a row needs a person's review: higher first.

    The probability that it is stalking that was not recorded as such. Where the record says
    stalking, the row comes after those, the least sure first; after all others come those whose
    narrative could not be read.
    """

    def need(scored: Scored) -> float:
        if not _read(scored):
            return -2.0
        p: float = scored.flat["p_stalking"]
        recorded_as = scored.beside.get("recorded_as")
        return -p if recorded_as and offences.label(recorded_as) == "stalking" else p

    return need


def was_read(probabilities: Iterable[float]) -> bool:
    """Whether a narrative could be read: where there is none to read, all labels are as probable."""
    return len(set(probabilities)) > 1


def _read(scored: Scored) -> bool:
    return was_read(scored.flat[f"p_{label}"] for label in LABELS)


def sorted_by(
    need: Callable[[Scored], float], rows: Iterable[Scored], aside: Path
) -> Iterator[Scored]:
    """The rows from the highest need to the lowest, equal ones in the order given.

    What does not fit in memory is sorted in runs that are kept in the file ``aside`` and merged,
    so that memory grows by a few kilobytes for each thousand rows.
    """
    try:
        with aside.open("wb+") as stream:
            runs = [_keep(run, stream) for run in _runs(need, rows)]
            for _, _, packed in heapq.merge(*(_read_back(run, stream) for run in runs)):
                row, *rest = unpack(packed)
                yield Scored(Row(*row), *rest)
    finally:
        aside.unlink(missing_ok=True)


Packed = tuple[float, int, bytes]
"""What a row is sorted by (need, negative, then place), and the row."""

HEAD = struct.Struct("<dQI")


def _runs(need: Callable[[Scored], float], rows: Iterable[Scored]) -> Iterator[list[Packed]]:
    run: list[Packed] = []
    size = 0
    for place, scored in enumerate(rows):
        row = scored.row
        plain = [row.source, row.number, row.values, row.text, row.id]
        packed = pack([plain, scored.flat, scored.nested, scored.beside])
        run.append((-need(scored), place, packed))
        size += len(packed)
        if size >= RUN_BYTES:
            yield sorted(run)
            run, size = [], 0
    yield sorted(run)


def _keep(run: list[Packed], stream: BinaryIO) -> list[tuple[int, int]]:
    """Write a run; returns where in the file each piece of it begins and ends."""
    bounds = []
    for first in range(0, len(run), PIECE):
        begin = stream.tell()
        for need, place, packed in run[first : first + PIECE]:
            stream.write(HEAD.pack(need, place, len(packed)) + packed)
        bounds.append((begin, stream.tell()))
    return bounds


def _read_back(bounds: list[tuple[int, int]], stream: BinaryIO) -> Iterator[Packed]:
    for begin, end in bounds:
        stream.seek(begin)
        piece = stream.read(end - begin)
        at = 0
        while at < len(piece):
            need, place, size = HEAD.unpack_from(piece, at)
            at += HEAD.size
            yield need, place, piece[at : at + size]
            at += size
