"""Rows of CSV and TSV files, whatever is in them."""

from __future__ import annotations

import csv
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stalkflag.batch.reading import distinct_names
from stalkflag.batch.streams import DAMAGED, cut_off, file_kind, read_failure, scan, shown_path
from stalkflag.errors import InputError

LONGEST_CELL = 1 << 25
"""Characters of a cell. A longer one is what an open quotation mark swallows, not a narrative."""

csv.field_size_limit(min(sys.maxsize, LONGEST_CELL))

NEVER_CLOSED = "a quotation mark that opens in this row is never closed"
TOO_LONG = (
    f"a cell has more than {LONGEST_CELL:,} characters: perhaps a quotation mark is never closed"
)


REPEATED = "the row repeats the header: files may have been put together"

_SEPARATOR = re.compile(r'"?sep=(.)"?\s*')
"""A first line that tells Excel what stands between cells."""


class DelimitedTable:
    """A CSV or TSV file with a header line.

    The ending says what stands between cells, unless the header has only one cell then: a comma,
    tab, semicolon or bar that it holds is taken instead, or what a first line ``sep=;`` names.
    ``data`` are the file's bytes, if it is in memory only.
    """

    def __init__(self, path: Path, data: bytes | None = None) -> None:
        self._text = scan(path, data)
        self.name = shown_path(path)
        self.about = max(0, self._text.lines - 1)
        try:
            usual = "\t" if file_kind(path)[0] == ".tsv" else ","
            self._delimiter = self._named() or usual
            found = self._read_header(self._delimiter)
            if len(found) == 1 and self._delimiter == usual:
                self._delimiter = max(usual + ",\t;|", key=found[0].count)
                found = self._read_header(self._delimiter)
        except DAMAGED as error:
            raise read_failure(path, error) from None
        except csv.Error as error:
            raise InputError(f"{path}: the header cannot be read as CSV ({error}).") from None
        self._cells = found
        self.columns = distinct_names(found)

    def _named(self) -> str | None:
        """What the first line says that stands between cells, if it does."""
        with self._text.open() as lines:
            found = _SEPARATOR.fullmatch(lines.readline(12))
        return found[1] if found else None

    def _read_header(self, delimiter: str) -> list[str]:
        with self._text.open() as lines:
            return self._header(csv.reader(lines, delimiter=delimiter))

    @staticmethod
    def _header(rows: Iterator[list[str]]) -> list[str]:
        """The first line that is not empty and does not only name what stands between cells."""
        return next((cells for cells in rows if cells and not _is_separator(cells)), [])

    def records(self) -> Iterator[dict[str, Any] | str]:
        """Each row by column (a short row filled with empty cells), or why it cannot be read."""
        with self._text.open() as stream:
            lines = _Lines(stream)
            rows = csv.reader(lines, delimiter=self._delimiter)
            self._header(rows)
            while True:
                lines.begin_row()
                try:
                    cells = next(rows)
                except StopIteration:
                    return
                except csv.Error as error:
                    if "field limit" in str(error):
                        yield TOO_LONG
                        self._read_swallowed(lines)
                    else:
                        yield f"the row cannot be read as CSV: {error}"
                    continue
                except DAMAGED as error:
                    yield cut_off(self._text.path, error)
                    return
                if lines.ended:
                    yield NEVER_CLOSED
                    self._read_swallowed(lines)
                elif len(cells) > len(self.columns):
                    yield f"the row has {len(cells)} cells, the header {len(self.columns)}"
                elif cells and [cells[0].lstrip("\ufeff"), *cells[1:]] == self._cells:
                    yield REPEATED
                elif cells:
                    missing = [""] * (len(self.columns) - len(cells))
                    yield dict(zip(self.columns, cells + missing, strict=True))

    def _read_swallowed(self, lines: _Lines) -> None:
        """Read the lines after an open quotation mark again as rows, if there are rows in them.

        There are none where the file was cut off within the last row's narrative.
        """
        swallowed = lines.row[1:]
        whole = len(self.columns)
        if any(_cells(line, self._delimiter) == whole for line in swallowed):
            lines.read_again(swallowed)


def _is_separator(cells: list[str]) -> bool:
    return cells in (["sep=", ""], ["sep="])


def _cells(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


class _Lines:
    """Lines for the CSV reader; those of the current row are kept, to be read again if need be."""

    def __init__(self, stream: Iterable[str]) -> None:
        self._stream = iter(stream)
        self._again: deque[str] = deque()
        self.row: list[str] = []
        self.ended = False
        """The reader wanted more lines to complete the current row, and there were none."""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._again:
            line = self._again.popleft()
        else:
            try:
                line = next(self._stream)
            except StopIteration:
                self.ended = True
                raise
        self.row.append(line)
        return line

    def begin_row(self) -> None:
        self.row = []
        self.ended = False

    def read_again(self, lines: list[str]) -> None:
        self._again.extendleft(reversed(lines))
