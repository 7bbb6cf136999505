"""Forms that reviewers fill in, and the design that turns them into estimates.

A form for review without bias shows nothing of what stalkflag suggests: neither the suggestion nor
the stratum or weight, which give it away. The design is then a file of its own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stalkflag.assessment import LABELS
from stalkflag.audit.estimate import LEVEL, Reviewed, Stratum
from stalkflag.audit.reading import read_table
from stalkflag.audit.sample import Unit, recorded_value
from stalkflag.batch.writing import plain_cell, safe_cell, written_aside
from stalkflag.errors import InputError, MissingExtra
from stalkflag.narrative import decode

REVIEW_COLUMNS: tuple[str, ...] = ("reviewed_label", "reviewed_by", "reviewed_on", "note")
"""What the reviewer fills in; ``reviewed_label`` is one of the labels, or empty if not settled."""

SUGGESTED_COLUMNS: tuple[str, ...] = ("suggestion", "refer", "acts", "reasons")

DESIGN_COLUMNS: tuple[str, ...] = (
    "sample_id",
    "id",
    "source",
    "recorded_as",
    "recorded_label",
    "suggestion",
    "p_stalking",
    "stratum",
    "stratum_size",
    "stratum_drawn",
    "stratum_expected",
    "inclusion_probability",
    "weight",
    "seed",
)

FORM_SUFFIXES: tuple[str, ...] = (".csv", ".xlsx")
NOT_SETTLED = frozenset(("", "unsure", "unclear", "cannot tell", "can't tell", "?", "n/a"))
_SHORT = {label[0]: label for label in LABELS}
MOST_NAMED = 10
"""Rows with an unclear label that are named."""


@dataclass(frozen=True, slots=True)
class ReviewedUnit:
    """One report of a sample as a person labelled it; ``None`` if they did not settle it.

    ``p_stalking`` is ``None`` if the narrative could not be read.
    """

    label: str | None
    recorded: str | None
    suggested: str
    p_stalking: float | None
    stratum: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Review:
    """A sample with its reviews: all units drawn, and the strata they were drawn from."""

    units: tuple[ReviewedUnit, ...]
    strata: tuple[Stratum, ...]

    @property
    def settled(self) -> tuple[ReviewedUnit, ...]:
        """The units that a person labelled."""
        return tuple(unit for unit in self.units if unit.label is not None)

    def sample(self, *, level: float = LEVEL) -> Reviewed:
        """The settled units as a sample to estimate from; outcomes are in the same order."""
        places = {stratum.name: place for place, stratum in enumerate(self.strata)}
        where = np.array([places[unit.stratum] for unit in self.settled], dtype=np.int64)
        return Reviewed(self.strata, where, level)


def design_path(form: Path) -> Path:
    """Where a form's design is kept unless another name is given."""
    return form.with_name(f"{form.stem}.design.csv")


def write_form(
    path: Path,
    units: Sequence[Unit],
    *,
    design: Path,
    seed: int,
    blind: bool,
    show: Sequence[str] = (),
    text_column: str | None = None,
    recorded_as: str | None = None,
) -> None:
    """Write the form to fill in and its design.

    Parameters
    ----------
    blind
        Leave out everything that stalkflag says.
    show
        Columns of the input that the reviewer sees.
    text_column
        The input column with the narrative, if the reviewer is to read it in the form.
    """
    known = [_design_row(unit, seed, recorded_as) for unit in units]
    shown = [*show, *((text_column,) if text_column else ())]
    rows = []
    for unit, row in zip(units, known, strict=True):
        own = {column: unit.report.value(column) for column in shown}
        said = {} if blind else {**_suggested(unit), **row}
        rows.append(
            {
                **{key: row[key] for key in ("sample_id", "id", "source")},
                **own,
                **dict.fromkeys(REVIEW_COLUMNS, ""),
                **{key: value for key, value in said.items() if key not in own},
            }
        )
    for row, unit in zip(known, units, strict=True):
        row.update({c: unit.report.value(c) for c in show if c not in row})
    _write_csv(design, known)
    if path.suffix.lower() == ".xlsx":
        _write_xlsx(path, rows)
    else:
        _write_csv(path, rows)


def read_review(form: Path, design: Path | None = None) -> Review:
    """A form that came back, with its design from a file or from the form itself.

    Units of the design that the form lacks count as not reviewed.

    Raises
    ------
    InputError
        If the design is not found, does not fit the form, or a label is none.
    """
    filled = _read_form(form)
    if not filled or "sample_id" not in filled[0] or "reviewed_label" not in filled[0]:
        raise InputError(
            f"{form} is not a form: it needs the columns sample_id and reviewed_label, as "
            "'stalkflag audit sample' writes them."
        )
    labels: dict[str, str | None] = {}
    for row in filled:
        name = str(row["sample_id"] or "").strip()
        if name in labels:
            raise InputError(f"{form}: {name} is in the form twice: keep one of the rows.")
        labels[name] = _label(row["reviewed_label"])
    known = _design(form, design, filled)
    strange = labels.keys() - {row["sample_id"] for row in known}
    if strange:
        raise InputError(
            f"{form} has rows that its design lacks (such as {min(strange)}): name the design that "
            "was drawn with it with --design."
        )
    _check_labels(form, labels)
    shown = {str(row["sample_id"]).strip(): row for row in filled}
    units = tuple(
        ReviewedUnit(
            label=labels.get(row["sample_id"]),
            recorded=row["recorded_label"] or None,
            suggested=row["suggestion"],
            p_stalking=float(row["p_stalking"]) if row["p_stalking"] not in (None, "") else None,
            stratum=row["stratum"],
            values={**row, **shown.get(row["sample_id"], {})},
        )
        for row in known
    )
    return Review(units, _strata(known))


def _read_form(path: Path) -> list[dict[str, Any]]:
    """The rows of a form or design, in whatever encoding a spreadsheet has saved it."""
    if path.suffix.lower() != ".csv":
        return list(read_table(path))
    try:
        text = decode(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _design(form: Path, design: Path | None, filled: list[dict[str, Any]]) -> list[dict[str, Any]]:
    path = design or design_path(form)
    if design is None and "stratum" in filled[0]:
        rows, path = filled, form
    elif path.is_file():
        rows = _read_form(path)
    else:
        raise InputError(
            f"{form} does not say how it was drawn, and there is no {path}: name the design that "
            "'stalkflag audit sample' wrote with --design."
        )
    needed = [column for column in DESIGN_COLUMNS if not rows or column not in rows[0]]
    if needed:
        raise InputError(f"{path} is not a design: it lacks the column {needed[0]}.")
    for row in rows:
        for column in ("sample_id", "recorded_label", "suggestion", "stratum"):
            row[column] = str("" if row[column] is None else row[column]).strip()
    return rows


def _strata(rows: list[dict[str, Any]]) -> tuple[Stratum, ...]:
    strata: dict[str, Stratum] = {}
    for row in rows:
        try:
            stratum = Stratum(
                name=row["stratum"],
                size=int(row["stratum_size"]),
                drawn=int(row["stratum_drawn"]),
                expected=float(row["stratum_expected"]),
                recorded=_recorded(row["recorded_label"]),
                suggested=row["suggestion"] == "stalking",
            )
        except (TypeError, ValueError):
            raise InputError(
                f"The design of {row['sample_id']} has been changed: get it again from where the "
                "sample was drawn."
            ) from None
        if strata.setdefault(stratum.name, stratum) != stratum:
            raise InputError(
                f"The design has two versions of the stratum {stratum.name!r}: get it again from "
                "where the sample was drawn."
            )
    return tuple(strata.values())


def _recorded(label: str) -> str | None:
    return None if not label else "stalking" if label == "stalking" else "other"


def _label(value: Any) -> str | None:
    text = str("" if value is None else value).strip().lower()
    return None if text in NOT_SETTLED else _SHORT.get(text, text)


def _check_labels(form: Path, labels: dict[str, str | None]) -> None:
    """Raise ``InputError`` with the sample ids of labels that are none; what they say is not told."""
    unclear = [name for name, label in labels.items() if label not in (None, *LABELS)]
    if unclear:
        more = len(unclear) - MOST_NAMED
        named = ", ".join(unclear[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        raise InputError(
            f"{form}: the reviewed_label of {named} is none of {', '.join(LABELS)}: correct it, or "
            "leave it empty where it is not settled."
        )


def _suggested(unit: Unit) -> dict[str, Any]:
    report = unit.report
    return {
        "suggestion": report.suggestion,
        "refer": str(report.refer).lower(),
        "acts": "; ".join(report.acts),
        "reasons": report.reasons,
    }


def _design_row(unit: Unit, seed: int, recorded_as: str | None) -> dict[str, Any]:
    return {
        "sample_id": unit.sample_id,
        "id": unit.report.id,
        "source": unit.report.source,
        "recorded_as": recorded_value(unit.report, recorded_as),
        "recorded_label": unit.recorded,
        "suggestion": unit.report.suggestion,
        "p_stalking": unit.report.p_stalking if unit.report.read else None,
        "stratum": unit.stratum.name,
        "stratum_size": unit.stratum.size,
        "stratum_drawn": unit.stratum.drawn,
        "stratum_expected": unit.stratum.expected,
        "inclusion_probability": round(unit.chance, 6),
        "weight": round(1 / unit.chance, 6),
        "seed": seed,
    }


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    # With a BOM, by which spreadsheets know the encoding.
    with written_aside(path) as aside, aside.open("w", encoding="utf-8-sig", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(map(safe_cell, rows[0]))
        table.writerows([safe_cell(plain_cell(cell)) for cell in row.values()] for row in rows)


def _write_xlsx(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """A workbook in which the label is chosen from a list and the header stays in sight."""
    try:
        import xlsxwriter
    except ImportError:
        raise MissingExtra("files", "An XLSX form") from None
    columns = list(rows[0])
    with written_aside(path) as aside:
        # In memory: the library's temporary files would hold narratives.
        book = xlsxwriter.Workbook(str(aside), {"in_memory": True})
        sheet = book.add_worksheet("Review")
        head = book.add_format({"bold": True, "bottom": 1})
        wrapped = book.add_format({"text_wrap": True, "valign": "top", "quote_prefix": True})
        for place, column in enumerate(columns):
            sheet.write_string(0, place, column, head)
            widest = max(len(str(plain_cell(row[column]))) for row in rows)
            sheet.set_column(place, place, min(80, max(len(column) + 2, min(widest, 80))))
        for line, row in enumerate(rows, start=1):
            for place, column in enumerate(columns):
                value = row[column]
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    sheet.write_number(line, place, value)
                elif column not in REVIEW_COLUMNS:
                    sheet.write_string(line, place, str(plain_cell(value)), wrapped)
        label = columns.index("reviewed_label")
        sheet.data_validation(
            *(1, label, len(rows), label),
            {
                "validate": "list",
                "source": list(LABELS),
                "error_message": f"Choose one of {', '.join(LABELS)}, or leave it empty.",
            },
        )
        sheet.freeze_panes(1, 1)
        book.close()
