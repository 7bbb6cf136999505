"""Several reports at once: pasted with separators, or dropped as a file, read in memory only."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from stalkflag.batch.reading import TEXT_COLUMNS
from stalkflag.errors import InputError
from stalkflag.narrative import decode, whole_characters

SEPARATOR = re.compile(r"^[ \t]*={3,}[ \t]*$", re.MULTILINE)
"""A line of equals signs alone: logs hardly hold one, other than lines of dashes."""

MOST_REPORTS = 200
"""Reports listed at once; more is work for ``stalkflag score``."""

# The csv module's own limit on a cell is smaller than a long narrative.
csv.field_size_limit(max(csv.field_size_limit(), 1 << 24))

SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class Report:
    """One of several narratives, with its id in the file or its number."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that could not be read, and why; its content is not repeated."""

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
    if suffix not in SUFFIXES:
        raise InputError(
            f"The desk reads files ending in {', '.join(SUFFIXES)}: save it as one of these, "
            "or paste the text."
        )
    text = decode(data)
    if suffix == ".txt":
        found = split_pasted(tidy(text))
    elif suffix in (".csv", ".tsv"):
        found = list(_table(text, "\t" if suffix == ".tsv" else ","))
    else:
        found = list(_json_lines(text))
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


def _column(columns: list[str], names: tuple[str, ...]) -> str | None:
    by_lower = {column.strip().lower(): column for column in reversed(columns)}
    return next((by_lower[name] for name in names if name in by_lower), None)


def _text_column(columns: list[str]) -> str:
    column = _column(columns, TEXT_COLUMNS)
    if column is None:
        raise InputError(
            "The file has no column that looks like the narrative: "
            f"call it one of {', '.join(TEXT_COLUMNS)}."
        )
    return column


def _table(text: str, delimiter: str) -> Iterator[Report | Unread]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = next(rows, [])
    except csv.Error:
        raise InputError("The file's first row cannot be read as column names.") from None
    at = columns.index(_text_column(columns))
    id_column = _column(columns, ("id",))
    number = 0
    while True:
        number += 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield Unread(str(number), "the row cannot be read")
            continue
        if not cells:
            number -= 1
        elif len(cells) > len(columns):
            yield Unread(str(number), f"it has {len(cells)} cells, the first row {len(columns)}")
        else:
            cells += [""] * (len(columns) - len(cells))
            given = cells[columns.index(id_column)] if id_column else ""
            yield Report(given or str(number), tidy(cells[at]))


def _json_lines(text: str) -> Iterator[Report | Unread]:
    lines = [line for line in text.split("\n") if line.strip()]
    for number, line in enumerate(lines, start=1):
        try:
            plain = json.loads(line)
        except (ValueError, RecursionError):
            plain = None
        if not isinstance(plain, dict):
            yield Unread(str(number), "the line is not a JSON object")
            continue
        column = _column([str(name) for name in plain], TEXT_COLUMNS)
        value = plain.get(column) if column else None
        if not isinstance(value, str):
            yield Unread(str(number), "the line has no narrative")
            continue
        given = plain.get("id")
        id = str(number if given in (None, "") else given)
        yield Report(whole_characters(id), tidy(whole_characters(value)))
