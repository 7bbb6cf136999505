"""Rows from CSV, TSV and JSONL files, streamed; what cannot be read is rejected, never dropped."""

from __future__ import annotations

import codecs
import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from stalkflag.errors import InputError
from stalkflag.narrative import KEEP_UNDEFINED

TEXT_COLUMNS: tuple[str, ...] = (
    "text",
    "narrative",
    "summary",
    "mo",
    "description",
    "incident_text",
    "comments",
)
"""Where the narrative is looked for, in this order, ignoring case."""

SUFFIXES: tuple[str, ...] = (".csv", ".tsv", ".jsonl", ".ndjson")

LONGEST_NAME = 60

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True, slots=True)
class Row:
    """One input row. ``number`` is 1 for the first row of data in its file."""

    source: str
    number: int
    values: dict[str, Any]
    text: str
    id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """An input row that could not be read, and why; its content is not repeated."""

    source: str
    number: int
    reason: str


@dataclass(slots=True)
class Source:
    """One input file: its columns, which of them is the narrative, and its rows."""

    path: Path
    text_column: str
    id_column: str | None
    columns: list[str]
    encoding: str
    lines: int
    """Line ends in the file: about the number of rows, to show progress by."""

    def rows(self) -> Iterator[Row | Rejected]:
        """All rows in order, read one at a time."""
        raw = _csv_rows if self.path.suffix.lower() in (".csv", ".tsv") else _json_rows
        for number, found in enumerate(raw(self.path, self.encoding, self.columns), start=1):
            if isinstance(found, str):
                yield Rejected(str(self.path), number, found)
                continue
            text = found.get(self.text_column)
            if text is None:
                text = ""
            if not isinstance(text, str):
                yield Rejected(str(self.path), number, f"'{self.text_column}' is not text")
                continue
            given = found.get(self.id_column) if self.id_column else None
            id = str(given) if given not in (None, "") else str(number)
            yield Row(str(self.path), number, found, text, id)


def find_inputs(inputs: list[Path]) -> list[Path]:
    """The files meant: each file, and each file of a known kind in a folder, sorted."""
    found: list[Path] = []
    for path in inputs:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise InputError(f"{path} holds no file ending in {', '.join(SUFFIXES)}.")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"There is no file or folder {path}: check the path.")
    for path in found:
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path}: files ending in {', '.join(SUFFIXES)} can be scored.")
    return found


def open_source(
    path: Path, *, text_column: str | None = None, id_column: str | None = None
) -> Source:
    """Find out a file's encoding and columns.

    Raises
    ------
    InputError
        If there is no such column, or no column that looks like the narrative.
    """
    encoding, lines = _scan(path)
    if path.suffix.lower() in (".csv", ".tsv"):
        with _open(path, encoding) as stream:
            columns = next(csv.reader(stream, delimiter=_delimiter(path)), [])
    else:
        columns = _json_columns(path, encoding)
    if not columns:
        raise InputError(f"{path} is empty: there is nothing to score.")
    columns = _distinct(columns)
    return Source(
        path=path,
        text_column=_column(path, columns, text_column, TEXT_COLUMNS, "--text-column") or "",
        id_column=_column(path, columns, id_column, ("id",), "--id-column", needed=False),
        columns=columns,
        encoding=encoding,
        lines=lines,
    )


def _column(
    path: Path,
    columns: list[str],
    asked: str | None,
    usual: tuple[str, ...],
    option: str,
    *,
    needed: bool = True,
) -> str | None:
    by_lower = {column.strip().lower(): column for column in reversed(columns)}
    for name in (asked,) if asked else usual:
        if name and name.strip().lower() in by_lower:
            return by_lower[name.strip().lower()]
    if asked or needed:
        what = f"no column {asked!r}" if asked else "no column that looks like the narrative"
        raise InputError(f"{path} has {what}: name one of {shown_names(columns)} with {option}.")
    return None


def shown_names(columns: list[str]) -> str:
    """Column names for a message. What is too long for a name may be a narrative: not shown."""
    return ", ".join(c if len(c) <= LONGEST_NAME else "(no name, a long text)" for c in columns)


def _distinct(columns: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    names: list[str] = []
    for index, column in enumerate(columns, start=1):
        name = column or f"column_{index}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return names


def _scan(path: Path) -> tuple[str, int]:
    """The encoding of a file and the number of its line ends, in one pass."""
    utf8 = True
    lines = 0
    with path.open("rb") as stream:
        start = stream.read(4096)
        stream.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        while block := stream.read(1 << 20):
            lines += block.count(b"\n")
            if utf8:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    utf8 = False
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            utf8 = False
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", lines
    if len(start) >= 4 and start.count(0) > len(start) // 3:
        little = start[1::2].count(0) >= start[0::2].count(0)
        return "utf-16-le" if little else "utf-16-be", lines
    return "utf-8-sig" if utf8 else "cp1252", lines


def _open(path: Path, encoding: str) -> TextIO:
    errors = KEEP_UNDEFINED if encoding == "cp1252" else "replace"
    return path.open(encoding=encoding, errors=errors, newline="")


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _csv_rows(path: Path, encoding: str, columns: list[str]) -> Iterator[dict[str, Any] | str]:
    with _open(path, encoding) as lines:
        rows = csv.reader(lines, delimiter=_delimiter(path))
        next(rows, None)
        while True:
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield f"the row cannot be read as CSV: {error}"
                continue
            if not cells:
                continue
            if len(cells) > len(columns):
                yield f"the row has {len(cells)} cells, the header {len(columns)}"
                continue
            yield dict(zip(columns, cells + [""] * (len(columns) - len(cells)), strict=True))


def _json_columns(path: Path, encoding: str) -> list[str]:
    for found in _json_rows(path, encoding, []):
        if isinstance(found, dict):
            return [str(name) for name in found]
    return []


def _json_rows(path: Path, encoding: str, columns: list[str]) -> Iterator[dict[str, Any] | str]:
    with _open(path, encoding) as lines:
        for line in lines:
            if not line.strip():
                continue
            try:
                plain = json.loads(line)
            except ValueError:
                yield "the line is not JSON"
                continue
            yield plain if isinstance(plain, dict) else "the line is not a JSON object"
