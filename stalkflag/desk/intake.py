"""Several reports at once: pasted with separators, or dropped as a file, read in memory only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from stalkflag.batch.delimited import DelimitedTable
from stalkflag.batch.reading import TEXT_COLUMNS, Rejected, Source, id_column_of, text_column_of
from stalkflag.errors import InputError
from stalkflag.narrative import decode, whole_characters

SEPARATOR = re.compile(r"^[ \t]*={3,}[ \t]*$", re.MULTILINE)
"""A line of equals signs alone: logs hardly hold one, other than lines of dashes."""

MOST_REPORTS = 200
"""Reports listed at once; more is work for ``stalkflag score``."""

SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl", ".ndjson")

NOT_TEXT = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"PAR1")
"""What workbooks, archives, compressed and Parquet files begin with, whatever they are called."""


@dataclass(frozen=True, slots=True)
class Report:
    """One of several narratives, with its id in the file or its number."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that could not be read, and why; its content is not repeated. ``id`` is its place."""

    id: str
    reason: str


def tidy(text: str) -> str:
    """Line ends as one character, however the browser sent them, and no character lost."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")


def split_pasted(text: str) -> list[Report | Unread]:
    """The narratives between lines of ``===``; blank ones are left out."""
    parts = [part.strip("\n") for part in SEPARATOR.split(text)]
    return [
        Report(str(number), part)
        for number, part in enumerate((part for part in parts if part.strip()), start=1)
    ]


def read_file(name: str, data: bytes) -> list[Report | Unread]:
    """The narratives of a dropped file, every row accounted for.

    Raises
    ------
    InputError
        If its kind cannot be read, it holds no narrative, or more than ``MOST_REPORTS``.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in SUFFIXES or data.startswith(NOT_TEXT):
        raise InputError(
            f"The desk reads files ending in {', '.join(SUFFIXES)}: save it as one of these "
            "(a workbook's sheet as CSV), or use 'stalkflag score' for .xlsx and .parquet files."
        )
    if suffix == ".txt":
        found = split_pasted(tidy(decode(data)))
    elif suffix in (".csv", ".tsv"):
        found = list(_table(suffix, data))
    else:
        found = list(_json_lines(decode(data)))
    if not found:
        raise InputError("The file holds no narrative: choose another.")
    return checked(found)


def checked(found: list[Report | Unread]) -> list[Report | Unread]:
    """The same; :class:`InputError` if there are more than can be listed."""
    if len(found) > MOST_REPORTS:
        raise InputError(
            f"There are {len(found):,} reports; the desk lists up to {MOST_REPORTS}: "
            "use 'stalkflag score' for a file like this."
        )
    return found


def _table(suffix: str, data: bytes) -> Iterator[Report | Unread]:
    """The rows as ``stalkflag score`` tells them apart."""
    file = Path(f"file{suffix}")
    try:
        table = DelimitedTable(file, data)
    except InputError:
        raise InputError(
            "The file's first row cannot be read as column names: "
            "look for a quotation mark that is never closed, or export the file again."
        ) from None
    column = _text_column(table.columns)
    if column is None:
        raise InputError(
            "The file has no column that looks like the narrative: "
            f"call it one of {', '.join(TEXT_COLUMNS)}."
        )
    id_column = id_column_of(table.name, table.columns, asked=None)
    for row in Source(file, table, column, id_column).rows():
        if isinstance(row, Rejected):
            yield Unread(f"row {row.number}", row.reason)
        else:
            yield Report(row.id, tidy(row.text))


def _text_column(columns: list[str]) -> str | None:
    try:
        return text_column_of("", columns, asked=None)
    except InputError:
        return None


def _json_lines(text: str) -> Iterator[Report | Unread]:
    lines = [line for line in text.split("\n") if line.strip()]
    for number, line in enumerate(lines, start=1):
        try:
            plain: Any = json.loads(line)
        except (ValueError, RecursionError):
            plain = None
        if not isinstance(plain, dict):
            yield Unread(f"line {number}", "the line is not a JSON object")
            continue
        column = _text_column(list(plain))
        value = plain.get(column) if column else None
        if not isinstance(value, str):
            yield Unread(f"line {number}", "the line has no narrative")
            continue
        given = plain.get("id")
        id = str(number if given in (None, "") else given)
        yield Report(whole_characters(id), tidy(whole_characters(value)))
