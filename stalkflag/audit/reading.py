"""Reading what ``stalkflag score`` wrote, one report at a time, from any of its formats."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import IO, Any, cast

from stalkflag.assessment import INDICATORS, LABELS, Assessment
from stalkflag.batch.reading import FORMATS, TEXT_FORMATS, value_of
from stalkflag.batch.review import was_read
from stalkflag.batch.streams import COMPRESSIONS, DAMAGED, file_kind, open_bytes
from stalkflag.batch.workbook import sheets
from stalkflag.errors import InputError, MissingExtra

DATE_COLUMNS: tuple[str, ...] = tuple(
    "occurred_on occurred date_occurred occurrence_date offence_date incident_date committed_on"
    " date reported_on date_reported reported recorded_on date_recorded created_on".split()
)
PLACE_COLUMNS: tuple[str, ...] = tuple(
    "station police_station bcu district division area borough lpa lpu team beat ward".split()
)
TEXT_COLUMNS: tuple[str, ...] = tuple(
    "text narrative summary mo description incident_text comments".split()
)
"""Where the date, the place and the narrative are looked for, in this order, ignoring case."""

_NESTED = frozenset(
    (*(f.name for f in fields(Assessment)), "recorded_as", "disagrees", "row", "file", "input")
)

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that show an indicator, and what the rule that found them says."""

    indicator: str
    rule: str
    says: str
    text: str


@dataclass(frozen=True, slots=True)
class ScoredReport:
    """One scored report: what is suggested, how it was recorded, and the input's own columns.

    ``quotes`` are empty for flat files, which hold no evidence.
    """

    number: int
    id: str
    source: str
    suggestion: str
    refer: bool
    probabilities: dict[str, float]
    relationship: str
    occasions: int
    acts: tuple[str, ...]
    indicators: tuple[str, ...]
    reasons: str
    quotes: tuple[Quote, ...]
    recorded_as: str | None
    linked: dict[str, Any]
    values: dict[str, Any]

    @property
    def p_stalking(self) -> float:
        """The calibrated probability of stalking."""
        return self.probabilities["stalking"]

    @property
    def read(self) -> bool:
        """Whether its narrative could be read; if not, its probabilities say nothing."""
        return was_read(self.probabilities.values())

    def value(self, column: str) -> Any:
        """What the input has in a column; ``None`` if it has none of that name."""
        if column in self.values:
            return self.values[column]
        return self.values.get(f"input_{column}")


def read_scored(path: Path, id_column: str | None = None) -> Iterator[ScoredReport]:
    """The reports of a scored file, in order, in constant memory.

    Parameters
    ----------
    id_column
        The input column that names a report; else the name it was scored with or, in flat files,
        the column ``id`` in any case, else its row.

    Raises
    ------
    InputError
        If there is no such file, or it is not one that ``stalkflag score`` wrote.
    """
    for number, plain in enumerate(read_table(path), start=1):
        try:
            report = _report(number, plain)
            if id_column:
                report = replace(report, id=_id(report.value(id_column), plain, number))
            yield report
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InputError(
                f"{path}: row {number} is not a scored report: give a file that 'stalkflag score' "
                "wrote."
            ) from None


def find_column(path: Path, asked: str | None, usual: Sequence[str], option: str) -> str | None:
    """The input column asked for, or the first of the usual names that the file has.

    Raises
    ------
    InputError
        If a column is asked for that the file does not have.
    """
    first = next(read_scored(path), None)
    columns = [] if first is None else [c.removeprefix("input_") for c in first.values]
    known = {column.casefold(): column for column in reversed(columns)}
    for name in (asked,) if asked else usual:
        if name and name.casefold() in known:
            return known[name.casefold()]
    if asked and first is not None:
        has = (
            f"name one of {', '.join(columns)}"
            if columns
            else "it keeps none of the input's, so add the column there and score again"
        )
        raise InputError(f"{path} has no column {asked!r}: {has} ({option}).")
    return None


def _report(number: int, plain: dict[str, Any]) -> ScoredReport:
    nested = isinstance(plain.get("probabilities"), Mapping)
    report = (_from_nested if nested else _from_flat)(number, plain)
    if report.suggestion not in LABELS or not 0 <= report.p_stalking <= 1:
        raise ValueError
    return report


def _from_nested(number: int, plain: dict[str, Any]) -> ScoredReport:
    shown = {name: plain["indicators"][name] for name in INDICATORS}
    extra = {
        key: value
        for key, value in plain.items()
        if key not in _NESTED and not key.startswith("linked_")
    }
    return ScoredReport(
        number=number,
        id=_id(plain["id"], plain, number),
        source=_source(plain, number),
        suggestion=plain["suggestion"],
        refer=bool(plain["refer"]),
        probabilities={label: float(plain["probabilities"][label]) for label in LABELS},
        relationship=plain["relationship"]["value"],
        occasions=int(plain["course_of_conduct"]["occasions"]),
        acts=tuple(dict.fromkeys(act["act"] for act in plain["acts"])),
        indicators=tuple(name for name in INDICATORS if shown[name]["present"]),
        reasons=" ".join((*plain["reasons"], *plain["refer_reasons"])),
        quotes=tuple(
            Quote(name, evidence["rule"], evidence["says"], evidence["text"])
            for name in INDICATORS
            if shown[name]["present"]
            for evidence in shown[name]["evidence"]
        ),
        recorded_as=_text(plain["recorded_as"], "") if "recorded_as" in plain else None,
        linked={key: value for key, value in plain.items() if key.startswith("linked_")},
        values={**extra, **(plain.get("input") or {})},
    )


_FLAT = frozenset(
    ("suggestion refer occasions relationship acts reasons recorded_as disagrees").split()
) | {*INDICATORS, *(f"p_{label}" for label in LABELS)}


def _from_flat(number: int, plain: dict[str, Any]) -> ScoredReport:
    linked = {key: value for key, value in plain.items() if key.startswith("linked_")}
    values = {key: value for key, value in plain.items() if key not in _FLAT and key not in linked}
    return ScoredReport(
        number=number,
        id=_id(value_of(values, "id"), plain, number),
        source=_source(plain, number),
        suggestion=plain["suggestion"],
        refer=_true(plain["refer"]),
        probabilities={label: float(plain[f"p_{label}"]) for label in LABELS},
        relationship=plain["relationship"],
        occasions=int(plain["occasions"]),
        acts=tuple(act for act in _text(plain["acts"], "").split("; ") if act),
        indicators=tuple(name for name in INDICATORS if _true(plain[name])),
        reasons=_text(plain["reasons"], ""),
        quotes=(),
        recorded_as=_text(plain["recorded_as"], "") if "recorded_as" in plain else None,
        linked={
            **{key: value for key, value in linked.items() if value not in ("", None)},
            "linked_raised": _true(linked.get("linked_raised")),
        }
        if linked
        else {},
        values=values,
    )


def _id(value: Any, plain: Mapping[str, Any], number: int) -> str:
    """What a report is called; by its row if it has no name."""
    return str(plain.get("row", number) if value in (None, "") else value)


def _source(plain: Mapping[str, Any], number: int) -> str:
    file = plain.get("file")
    row = plain.get("row", number)
    return f"{Path(str(file)).name}, row {row}" if file else f"row {row}"


def _text(value: Any, default: Any = None) -> Any:
    return default if value is None else str(value)


def _true(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).strip().lower() in ("true", "1")


def read_table(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file that stalkflag wrote and a spreadsheet may have saved again."""
    kind, compression = file_kind(path)
    if kind not in (TEXT_FORMATS if compression else FORMATS):
        raise InputError(
            f"{path}: give a file that ends in {', '.join(FORMATS)} "
            f"(text also with {', '.join(COMPRESSIONS)} after it)."
        )
    if not path.exists() or (path.is_dir() and kind != ".parquet"):
        raise InputError(f"There is no file {path}: check the path.")
    if kind == ".parquet":
        # Spark writes a folder of files.
        for part in sorted(path.glob("*.parquet")) if path.is_dir() else [path]:
            yield from _parquet_rows(part)
    elif kind == ".xlsx":
        yield from _xlsx_rows(path)
    else:
        try:
            with io.TextIOWrapper(
                cast(IO[bytes], open_bytes(path)), encoding="utf-8-sig", newline=""
            ) as stream:
                yield from (_json_rows if kind in (".jsonl", ".ndjson") else _csv_rows)(
                    path, stream
                )
        except (UnicodeDecodeError, csv.Error, *DAMAGED):
            raise InputError(f"{path} is damaged: score the reports again.") from None


def _json_rows(path: Path, stream: IO[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(stream, start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                raise InputError(f"{path}: line {number} is not JSON.") from None


def _csv_rows(path: Path, stream: IO[str]) -> Iterator[dict[str, Any]]:
    yield from csv.DictReader(stream, delimiter="\t" if file_kind(path)[0] == ".tsv" else ",")


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingExtra("files", "A Parquet file") from None
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                yield from batch.to_pylist()
    except pa.ArrowException:
        raise InputError(f"{path} is not a Parquet file, or is damaged: score again.") from None


def _xlsx_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of the first sheet and of those with its header, on which a long one goes on."""
    columns: list[str] | None = None
    for sheet in sheets(path):
        columns = columns or sheet.columns
        if sheet.columns == columns:
            for row in sheet.records():
                assert isinstance(row, dict)
                # An empty cell is read as in the other flat files.
                yield {name: "" if value is None else value for name, value in row.items()}
