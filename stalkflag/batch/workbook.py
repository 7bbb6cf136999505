"""XLSX workbooks: rows in, and rows out that no spreadsheet runs as formulas."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stalkflag.batch.reading import distinct_names
from stalkflag.batch.streams import shown_path
from stalkflag.batch.writing import Layout, Scored, plain_cell, runs_as_formula
from stalkflag.errors import InputError, MissingExtra


class SheetTable:
    """One sheet of a workbook: the first row that is not empty is the header.

    The format keeps words apart from rows, so that a sheet is held in memory while it is read.
    """

    def __init__(self, path: Path, sheet: str, *, alone: bool) -> None:
        self._path = path
        self._sheet = sheet
        self.name = shown_path(path) if alone else f"{shown_path(path)}[{sheet}]"
        found = _open(path).get_sheet_by_name(sheet)
        header: list[Any] = next((row for row in found.iter_rows() if _filled(row)), [])
        self.columns = distinct_names([str(_value(cell) or "") for cell in header])
        self.about = max(0, int(found.height) - 1)

    def records(self) -> Iterator[dict[str, Any] | str]:
        """Each row that is not empty, by column; empty cells are ``None``."""
        rows = (row for row in _open(self._path).get_sheet_by_name(self._sheet).iter_rows())
        filled = (row for row in rows if _filled(row))
        next(filled, None)
        for row in filled:
            yield dict(zip(self.columns, map(_value, row), strict=False))


def sheets(path: Path) -> Iterator[SheetTable]:
    """Each sheet of a workbook."""
    names = _open(path).sheet_names
    for name in names:
        yield SheetTable(path, name, alone=len(names) == 1)


def _open(path: Path) -> Any:
    try:
        import python_calamine
    except ImportError:
        raise MissingExtra("files", "An XLSX file") from None
    try:
        return python_calamine.CalamineWorkbook.from_path(path)
    except (python_calamine.CalamineError, OSError):
        raise InputError(f"{path} is not a whole XLSX workbook: save or export it again.") from None


def _filled(row: Sequence[Any]) -> bool:
    return any(cell != "" for cell in row)


def _value(cell: Any) -> Any:
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)
    return cell


MOST_ROWS = 1_048_576
"""Of a sheet, its header among them."""

MOST_DIGITS = 10**15
"""Whole numbers from here on lose digits in a spreadsheet, so they are written as words."""


class WorkbookOutput:
    """An XLSX workbook written row by row; full sheets are followed by further ones.

    Every word is written as a string, never as a formula, link or number. One that would run as a
    formula when somebody edits its cell carries the mark of Excel's own leading quote.
    """

    def __init__(self, aside: Path, layout: Layout) -> None:
        import xlsxwriter

        self.rows = self.shortened = 0
        self._layout = layout
        # The format is put together from files; narratives may lie in none elsewhere.
        self._folder = aside.with_name(aside.name.removesuffix(".partial") + ".sheets.partial")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._book = xlsxwriter.Workbook(
            str(aside), {"constant_memory": True, "tmpdir": str(self._folder)}
        )
        self._book.set_properties({"created": datetime.datetime(2000, 1, 1)})
        self._quoted = self._book.add_format()
        self._quoted.set_quote_prefix()
        self._formats = {
            datetime.date: self._book.add_format({"num_format": "yyyy-mm-dd"}),
            datetime.datetime: self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        self._next_sheet()

    def _next_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._row = 0
        self._write_row(self._layout.header())

    def write(self, scored: Scored) -> None:
        """One row."""
        self.rows += 1
        if self._row == MOST_ROWS:
            self._next_sheet()
        self._write_row(self._layout.cells(scored))

    def _write_row(self, cells: Sequence[Any]) -> None:
        for column, value in enumerate(cells):
            if value is not None and value != "":
                self._write_cell(column, value)
        self._row += 1

    def _write_cell(self, column: int, value: Any) -> None:
        place = (self._row, column)
        if isinstance(value, bool):
            self._sheet.write_boolean(*place, value)
        elif isinstance(value, (int, float)) and abs(value) < MOST_DIGITS:
            self._sheet.write_number(*place, value)
        elif type(value) in self._formats and value.year >= 1900 and _is_naive(value):
            self._sheet.write_datetime(*place, value, self._formats[type(value)])
        else:
            words = str(plain_cell(value))
            style = self._quoted if runs_as_formula(words) else None
            if self._sheet.write_string(*place, words, style) == TOO_LONG:
                self.shortened += 1

    def close(self) -> None:
        """Put the workbook together."""
        try:
            self._book.close()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


TOO_LONG = -2
"""What xlsxwriter returns for a string that it cut."""


def _is_naive(value: datetime.date) -> bool:
    return getattr(value, "tzinfo", None) is None
