"""What is written: flat rows (CSV, TSV, XLSX) or whole assessments (JSONL, Parquet)."""

from __future__ import annotations

import contextlib
import csv
import datetime
import importlib.util
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from stalkflag.batch.reading import FORMATS, REJECTS, TEXT_FORMATS, Rejected, Row
from stalkflag.batch.streams import COMPRESSIONS, arrow, compressing, file_kind
from stalkflag.errors import InputError, MissingExtra

FLAT_FORMATS: tuple[str, ...] = (".csv", ".tsv", ".xlsx")

RECORDED: dict[str, type] = {"recorded_as": str, "disagrees": bool}
"""Columns that are added where the recorded offence is known, with their types."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One row with its assessment.

    Attributes
    ----------
    flat
        The columns of flat output by name.
    nested
        The whole assessment as JSON, where the output is nested.
    beside
        Columns that are no part of the assessment, such as the recorded offence.
    """

    row: Row
    flat: dict[str, Any]
    nested: str | None
    beside: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of an output.

    Attributes
    ----------
    own
        The input's columns, with the names that flat output gives them.
    flat
        Columns of the assessment in flat output.
    beside
        Columns of :attr:`Scored.beside` and their types.
    narratives
        Those of the input's columns that nested output leaves out: it quotes the words that count.
    """

    own: dict[str, str]
    flat: tuple[str, ...]
    beside: dict[str, type]
    narratives: frozenset[str]

    @classmethod
    def of(
        cls,
        columns: Sequence[str],
        *,
        flat: tuple[str, ...],
        beside: dict[str, type],
        narratives: frozenset[str],
    ) -> Layout:
        """A layout in which an input's column whose name is taken is called ``input_<name>``."""
        added = {*flat, *beside}
        taken = {*added, *columns}
        own = {}
        for column in columns:
            name = column
            while name in added or (name != column and name in taken):
                name = f"input_{name}"
            own[column] = name
            taken.add(name)
        return cls(own, flat, beside, narratives)

    @property
    def nested(self) -> list[str]:
        """The input's columns that nested output keeps."""
        return [column for column in self.own if column not in self.narratives]

    def header(self) -> list[str]:
        """Names of all columns of flat output."""
        return [*self.own.values(), *self.flat, *self.beside]

    def cells(self, scored: Scored) -> list[Any]:
        """One row of flat output."""
        values = scored.row.values
        return [
            *(values.get(column) for column in self.own),
            *(scored.flat[name] for name in self.flat),
            *(scored.beside.get(name) for name in self.beside),
        ]


class Output(Protocol):
    """A file that scored rows are written to; what it holds counts once it is closed."""

    rows: int
    """Rows written to it."""
    shortened: int
    """Cells that were cut to what the format holds."""

    def write(self, scored: Scored) -> None: ...

    def close(self) -> None: ...


def check_output(path: Path) -> None:
    """See that such a file can be written, before work begins.

    Raises
    ------
    InputError
        If its ending or place will not do.
    MissingExtra
        If writing its kind needs a package that is not installed.
    """
    kind, compression = file_kind(path)
    if kind not in (TEXT_FORMATS if compression else FORMATS):
        raise InputError(
            f"{path}: the output must end in {', '.join(FORMATS)} "
            f"(text also with {', '.join(COMPRESSIONS)} after it)."
        )
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {path.parent}.")
    if path.is_dir():
        raise InputError(f"{path} cannot be written: it is a folder.")
    if kind == ".parquet" or compression == ".zst":
        arrow(f"A file ending in {compression or kind}")
    if kind == ".xlsx" and not importlib.util.find_spec("xlsxwriter"):
        raise MissingExtra("files", "A file ending in .xlsx")


def is_flat(path: Path) -> bool:
    """Whether a file of this ending holds flat rows, not whole assessments."""
    return file_kind(path)[0] in FLAT_FORMATS


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, renamed into place when all went well."""
    aside = path.with_name(path.name + ".new.partial")
    try:
        yield aside
        with aside.open("rb+") as stream:
            os.fsync(stream.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


class TextOutput:
    """Text written to a file, compressed if the name that it will have says so."""

    def __init__(self, aside: Path, path: Path) -> None:
        self._raw = aside.open("wb")
        self._bytes: IO[bytes] = compressing(self._raw, path)
        self.stream = io.TextIOWrapper(self._bytes, encoding="utf-8", newline="")

    def close(self) -> None:
        """Flush all and close; a compressor does not close what it writes to."""
        try:
            self.stream.close()
        finally:
            self._raw.close()


class DelimitedOutput(TextOutput):
    """CSV or TSV."""

    def __init__(self, aside: Path, path: Path, layout: Layout) -> None:
        super().__init__(aside, path)
        self.rows = self.shortened = 0
        self._layout = layout
        delimiter = "\t" if file_kind(path)[0] == ".tsv" else ","
        self._csv = csv.writer(self.stream, delimiter=delimiter)
        self._csv.writerow(map(safe_cell, layout.header()))

    def write(self, scored: Scored) -> None:
        """One row."""
        self.rows += 1
        self._csv.writerow([safe_cell(plain_cell(cell)) for cell in self._layout.cells(scored)])


class JsonLinesOutput(TextOutput):
    """JSON Lines: the assessment, and beside it the row, its file and the input's columns."""

    def __init__(self, aside: Path, path: Path, layout: Layout) -> None:
        super().__init__(aside, path)
        self.rows = self.shortened = 0
        self._layout = layout
        self._own = frozenset(layout.nested)

    def write(self, scored: Scored) -> None:
        """One line."""
        self.rows += 1
        assert scored.nested is not None
        beside = beside_assessment(scored, self._layout)
        if self._own:
            beside["input"] = {k: v for k, v in scored.row.values.items() if k in self._own}
        self.stream.write(f"{scored.nested[:-1]}, {to_json(beside)[1:]}\n")


def beside_assessment(scored: Scored, layout: Layout) -> dict[str, Any]:
    """What nested output holds beside the assessment: further columns, the row and its file."""
    beside = {name: scored.beside.get(name) for name in layout.beside}
    return {**beside, "row": scored.row.number, "file": scored.row.source}


class RejectsOutput(TextOutput):
    """A CSV list of the rows that could not be read, with their numbers and reasons."""

    def __init__(self, aside: Path, path: Path) -> None:
        super().__init__(aside, path)
        self._csv = csv.writer(self.stream)
        self._csv.writerow(REJECTS)

    def write(self, rejected: Rejected) -> None:
        """One rejected row."""
        self._csv.writerow([safe_cell(rejected.source), rejected.number, rejected.reason])


def open_output(
    aside: Path, path: Path, layout: Layout, *, types: Mapping[str, Any] | None = None
) -> Output:
    """The output of the kind that the ending of ``path`` says.

    Parameters
    ----------
    types
        Arrow types of the input's columns, where Parquet output is to keep them.
    """
    kind = file_kind(path)[0]
    if kind in (".csv", ".tsv"):
        return DelimitedOutput(aside, path, layout)
    if kind == ".xlsx":
        from stalkflag.batch.workbook import WorkbookOutput

        return WorkbookOutput(aside, layout)
    if kind == ".parquet":
        from stalkflag.batch.parquet import ParquetOutput

        return ParquetOutput(aside, layout, types or {})
    return JsonLinesOutput(aside, path, layout)


def to_json(plain: Any) -> str:
    """Standard JSON: dates in ISO 8601, and ``null`` for a number that is none."""
    try:
        return json.dumps(plain, ensure_ascii=False, default=plain_cell, allow_nan=False)
    except ValueError:
        kept = json.dumps(plain, ensure_ascii=False, default=plain_cell)
        return json.dumps(json.loads(kept, parse_constant=lambda name: None), ensure_ascii=False)


def plain_cell(value: Any) -> Any:
    """A value as a cell or as JSON: words, numbers, truth in lower case, dates in ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, (dict, list)):
        return to_json(value)
    if isinstance(value, (str, int, float)):
        return value
    return str(value)


def runs_as_formula(value: Any) -> bool:
    """Whether a spreadsheet would run this cell, which came from outside, as a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        try:
            float(value)
        except ValueError:
            return True
    return False


def safe_cell(value: Any) -> Any:
    """The cell, quoted so that a spreadsheet shows it as words and does not run it."""
    return f"'{value}" if runs_as_formula(value) else value
