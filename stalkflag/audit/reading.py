"""Reading what ``stalkflag score`` wrote, one report at a time, from any of its formats."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from stalkflag.assessment import INDICATORS, LABELS
from stalkflag.errors import InputError, MissingExtra

SUFFIXES: tuple[str, ...] = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".xlsx")

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
    "schema id suggestion refer refer_reasons probabilities indicators acts course_of_conduct"
    " relationship impact orders risk_cues counter_evidence reasons missing model prompts not_found"
    " recorded_as disagrees row file input".split()
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

    def value(self, column: str) -> Any:
        """What the input has in a column; ``None`` if it has none of that name."""
        if column in self.values:
            return self.values[column]
        return self.values.get(f"input_{column}")


def read_scored(path: Path) -> Iterator[ScoredReport]:
    """The reports of a scored file, in order, in constant memory.

    Raises
    ------
    InputError
        If there is no such file, or it is not one that ``stalkflag score`` wrote.
    """
    for number, plain in enumerate(read_table(path), start=1):
        try:
            yield _report(number, plain)
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
        has = f"name one of {', '.join(columns)}" if columns else "score again with --keep"
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
        id=str(plain["id"] if plain["id"] is not None else plain.get("row", number)),
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
        id=str(values.get("id") or number),
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
    kind = path.suffix.lower()
    packed = kind == ".gz"
    if packed:
        kind = Path(path.stem).suffix.lower()
    if kind not in SUFFIXES or (packed and kind in (".parquet", ".xlsx")):
        raise InputError(f"{path}: give a file that ends in {', '.join(SUFFIXES)}.")
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
            with _open(path, packed=packed) as stream:
                yield from (_json_rows if kind in (".jsonl", ".ndjson") else _csv_rows)(
                    path, stream
                )
        except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, csv.Error):
            raise InputError(f"{path} is damaged: score the reports again.") from None


def _open(path: Path, *, packed: bool) -> IO[str]:
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _json_rows(path: Path, stream: IO[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(stream, start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                raise InputError(f"{path}: line {number} is not JSON.") from None


def _csv_rows(path: Path, stream: IO[str]) -> Iterator[dict[str, Any]]:
    tabs = ".tsv" in (suffix.lower() for suffix in path.suffixes)
    yield from csv.DictReader(stream, delimiter="\t" if tabs else ",")


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
    try:
        import python_calamine as calamine
    except ImportError:
        raise MissingExtra("files", "An XLSX file") from None
    try:
        rows = calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0).iter_rows()
    except calamine.CalamineError:
        raise InputError(f"{path} is not an XLSX file, or is damaged: score again.") from None
    header = [str(cell) for cell in next(rows, [])]
    for row in rows:
        yield dict(zip(header, row, strict=False))
