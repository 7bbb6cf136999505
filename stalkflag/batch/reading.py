"""Rows from files of any kind, streamed; what cannot be read is rejected, never dropped."""

from __future__ import annotations

import csv
import glob
import io
import json
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, Protocol, cast

from stalkflag.assessment import LABELS
from stalkflag.batch.dates import read_when
from stalkflag.batch.streams import COMPRESSIONS, DAMAGED, file_kind, open_bytes
from stalkflag.errors import InputError, StalkflagError
from stalkflag.narrative import decode

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

TEXT_FORMATS: tuple[str, ...] = (".csv", ".tsv", ".jsonl", ".ndjson")
"""Formats that may be compressed (``.csv.gz``)."""

FORMATS: tuple[str, ...] = (*TEXT_FORMATS, ".parquet", ".xlsx")

OWN_COLUMNS: tuple[frozenset[str], ...] = (
    frozenset({"suggestion", "refer", *(f"p_{label}" for label in LABELS)}),
    frozenset({"schema", "suggestion", "refer", "probabilities"}),
    frozenset({"linked_set", "report_ids"}),
    frozenset({"schema", "linked_on"}),
)
"""Columns that only files written by stalkflag have: output and linked sets, flat and nested."""

REJECTS: tuple[str, ...] = ("file", "row", "reason")
"""The columns of the list of rejected rows."""

LONGEST_NAME = 60
"""A column's name that is longer is no name: the file may have no header line."""


@dataclass(frozen=True, slots=True)
class Row:
    """One input row. ``number`` is 1 for the first row of data in its file.

    ``when`` is the date and time in the row, where a column for it is named and can be read.
    """

    source: str
    number: int
    values: dict[str, Any]
    text: str
    id: str
    when: datetime | None = None

    @property
    def day(self) -> date | None:
        """The day of the conduct, for the law in force then."""
        return self.when.date() if self.when else None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An input row that could not be read or assessed, and why; its content is not repeated."""

    source: str
    number: int
    reason: str


class Table(Protocol):
    """One table of an input file. ``about`` is its number of rows, in text files a guess."""

    columns: list[str]
    about: int
    name: str

    def records(self) -> Iterator[dict[str, Any] | str]:
        """Each row by column, or the reason why it cannot be read."""


@dataclass(frozen=True, slots=True)
class Source:
    """A table to score: which of its columns is the narrative, and its rows."""

    path: Path
    table: Table
    text_column: str
    id_column: str | None
    date_column: str | None = None

    @property
    def columns(self) -> list[str]:
        """Names of its columns, in order."""
        return self.table.columns

    def rows(self) -> Iterator[Row | Rejected]:
        """All rows in order, read one at a time."""
        name = self.table.name
        for number, found in enumerate(self.table.records(), start=1):
            if isinstance(found, str):
                yield Rejected(name, number, found)
                continue
            text = narrative_of(found, self.text_column)
            if text is None:
                yield Rejected(name, number, f"'{self.text_column}' is not text")
                continue
            id = row_id(found, self.id_column, number)
            yield Row(name, number, found, text, id, when_of(found, self.date_column))


def narrative_of(values: dict[str, Any], text_column: str) -> str | None:
    """The narrative of a row, empty where there is none; ``None`` if it is not text."""
    text = values.get(text_column)
    if isinstance(text, bytes):
        return decode(text)
    if text is None:
        return ""
    return text if isinstance(text, str) else None


def row_id(values: dict[str, Any], id_column: str | None, number: int) -> str:
    """What names a row: its ``id_column``, else its number."""
    given = values.get(id_column) if id_column else None
    return str(number if given is None or given == "" else given)


def when_of(values: dict[str, Any], date_column: str | None) -> datetime | None:
    """When it happened, if a column says so and can be read."""
    return read_when(value_of(values, date_column)) if date_column else None


def value_of(values: Mapping[str, Any], column: str) -> Any:
    """What a row holds in a column, ignoring the case of its name; ``None`` if nothing."""
    if column in values:
        return values[column]
    found = _find_column(list(values), (column,))
    return None if found is None else values[found]


def find_inputs(
    inputs: list[str], tell: Callable[[str], None] = lambda message: None
) -> list[Path]:
    """The files meant: files, folders' files of a known kind, and patterns such as ``20*.csv``.

    Each file once, a folder's and a pattern's sorted by name. Of folders and patterns, files that
    stalkflag wrote are named to ``tell`` and left out.

    Raises
    ------
    InputError
        If nothing is there, or a file is of no known kind.
    """
    found: dict[Path, Path] = {}
    own: dict[Path, Path] = {}
    for given in inputs:
        named = Path(given).is_file()
        for path in _find(given):
            (found if named or not _is_own(path) else own).setdefault(path.resolve(), path)
    if not found and own:
        raise InputError(
            "Nothing but files that stalkflag wrote is there: name a file itself to score it again."
        )
    for place, path in own.items():
        if place not in found:
            tell(f"Left out: {path} was written by stalkflag; name the file itself to score it.")
    return list(found.values())


def _is_own(path: Path) -> bool:
    """Whether stalkflag wrote a file, by its header. One that cannot be read is told of later."""
    try:
        return any(
            tuple(columns) == REJECTS or any(own <= set(columns) for own in OWN_COLUMNS)
            for columns in _headers(path)
        )
    except (StalkflagError, ValueError, RecursionError, csv.Error, *DAMAGED):
        return False


def _headers(path: Path) -> Iterator[Iterable[str]]:
    """The columns of each table of a file, of JSON lines the first one's, with little read."""
    kind = file_kind(path)[0]
    if kind not in TEXT_FORMATS:
        yield from (table.columns for table in _tables(path))
        return
    with io.TextIOWrapper(
        cast(IO[bytes], open_bytes(path)), encoding="utf-8-sig", errors="replace", newline=""
    ) as lines:
        if kind in (".csv", ".tsv"):
            cells = next(csv.reader(lines, delimiter="\t" if kind == ".tsv" else ","), [])
            # A program that saved it again may have put something else between the cells.
            yield re.split(r"[,;\t|]", ",".join(cells))
            return
        first = json.loads(lines.readline())
        if isinstance(first, dict):
            yield first


def _find(given: str) -> list[Path]:
    path = Path(given)
    if path.is_dir():
        # "~$" and "." begin the names of what office programs and systems keep beside a file.
        inside = sorted(
            p
            for p in path.rglob("*")
            if _is_readable(p) and p.is_file() and not p.name.startswith(("~$", "."))
        )
        if not inside:
            raise InputError(f"{path} holds no file ending in {_endings()}.")
        return inside
    if path.is_file():
        if not _is_readable(path):
            raise InputError(f"{path}: files ending in {_endings()} can be scored.")
        return [path]
    if glob.has_magic(given):
        matching = [Path(match) for match in sorted(glob.glob(given, recursive=True))]
        matching = [p for p in matching if p.is_file() and _is_readable(p)]
        if not matching:
            raise InputError(f"No file ending in {_endings()} matches {given}: check the pattern.")
        return matching
    if given == "-":
        # A stream cannot be read again, so an interrupted run could not go on.
        raise InputError(
            "Standard input cannot be scored, since --resume could not read it again: "
            "save it to a file, or use 'stalkflag check -' for one narrative."
        )
    raise InputError(f"There is no file or folder {path}: check the path.")


def _is_readable(path: Path) -> bool:
    kind, compression = file_kind(path)
    return kind in (TEXT_FORMATS if compression else FORMATS)


def _endings() -> str:
    return f"{', '.join(FORMATS)} (text also with {', '.join(COMPRESSIONS)} after it)"


def open_sources(
    path: Path,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    date_column: str | None = None,
    tell: Callable[[str], None] = lambda message: None,
) -> list[Source]:
    """The tables of a file: one, or in a workbook each sheet that has the narrative's column.

    Sheets without it are named to ``tell`` and left out.

    Raises
    ------
    InputError
        If there is no such column, no column that looks like the narrative, or the file is empty
        or damaged.
    MissingExtra
        If reading its kind needs a package that is not installed.
    """
    tables = [table for table in _tables(path) if table.columns]
    if not tables:
        raise InputError(f"{path} is empty: there is nothing to score.")
    sources = []
    problems = []
    for table in tables:
        try:
            text = text_column_of(table.name, table.columns, asked=text_column)
        except InputError as error:
            problems.append(error)
            continue
        id = id_column_of(table.name, table.columns, asked=id_column)
        sources.append(Source(path, table, text, id, date_column))
    if not sources:
        raise problems[0]
    for problem in problems:
        tell(f"Left out: {problem}")
    return sources


def _tables(path: Path) -> list[Table]:
    kind = file_kind(path)[0]
    if kind in (".csv", ".tsv"):
        from stalkflag.batch.delimited import DelimitedTable

        return [DelimitedTable(path)]
    if kind == ".parquet":
        from stalkflag.batch.parquet import ParquetTable

        return [ParquetTable(path)]
    if kind == ".xlsx":
        from stalkflag.batch.workbook import sheets

        return list(sheets(path))
    from stalkflag.batch.jsonlines import JsonLinesTable

    return [JsonLinesTable(path)]


def text_column_of(where: str, columns: list[str], *, asked: str | None) -> str:
    """The column with the narrative: the one asked for, or the first of the usual names.

    Raises
    ------
    InputError
        If there is none.
    """
    found = _find_column(columns, (asked,) if asked else TEXT_COLUMNS)
    if found is None:
        what = f"no column {asked!r}" if asked else "no column that looks like the narrative"
        names = shown_names(columns)
        raise InputError(f"{where} has {what}: name one of {names} with --text-column.")
    return found


def id_column_of(where: str, columns: list[str], *, asked: str | None) -> str | None:
    """The column that names a row: the one asked for, or ``id`` if there is one.

    Raises
    ------
    InputError
        If the one asked for is not there.
    """
    if asked:
        return column_of(where, columns, asked=asked, option="--id-column")
    return _find_column(columns, ("id",))


def column_of(where: str, columns: list[str], *, asked: str, option: str) -> str:
    """The column asked for, ignoring case.

    Raises
    ------
    InputError
        If it is not there.
    """
    found = _find_column(columns, (asked,))
    if found is None:
        raise InputError(
            f"{where} has no column {asked!r}: name one of {shown_names(columns)} with {option}."
        )
    return found


def _find_column(columns: list[str], names: tuple[str, ...]) -> str | None:
    by_lower = {column.strip(_BLANK).lower(): column for column in reversed(columns)}
    found = (n if n in columns else by_lower.get(n.strip(_BLANK).lower()) for n in names)
    return next((column for column in found if column is not None), None)


_BLANK = string.whitespace + "\u00a0\u200b\ufeff"


def shown_names(columns: list[str]) -> str:
    """Column names for a message. What is too long for a name may be a narrative: not shown."""
    return ", ".join(c if len(c) <= LONGEST_NAME else "(no name, a long text)" for c in columns)


def distinct_names(columns: list[str]) -> list[str]:
    """Column names as given, the nameless and the repeated ones numbered."""
    seen: set[str] = set()
    names: list[str] = []
    for index, column in enumerate(columns, start=1):
        name = wanted = column or f"column_{index}"
        number = 2
        while name in seen:
            name = f"{wanted}_{number}"
            number += 1
        seen.add(name)
        names.append(name)
    return names
