"""Rows of labelled files as they are found: JSONL, CSV, TSV, Parquet and saved ``datasets`` folders.

Nothing is interpreted here; :mod:`stalkflag.training.records` makes records of the rows.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stalkflag.batch.reading import TEXT_COLUMNS, Rejected, open_sources
from stalkflag.batch.reading import Source as OpenedTable
from stalkflag.errors import InputError, MissingExtra

SPLITS: tuple[str, ...] = ("train", "dev", "test")
SUFFIXES: tuple[str, ...] = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")

SECOND_READER = "second-reader.jsonl"
"""Beside a corpus: the labels of a reader who had not seen the first ones."""

SETTLED = "settled.jsonl"
"""Beside a corpus: for each record that was changed when readers were compared, its first labels."""

REREAD = "reread.jsonl"
"""Beside a corpus: later blind readings of *obsessive* and of the acts, by readers 3 and 4."""

COMPANIONS: tuple[str, ...] = (SECOND_READER, SETTLED, REREAD)

ROWS_AT_A_TIME = 1000


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or a folder saved by ``datasets``, and how much each of its cases counts."""

    path: Path
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as found, numbered from 1 in its file or part of a data set."""

    source: Source
    number: int
    split: str | None
    values: dict[str, Any]
    part: str = ""

    @property
    def where(self) -> str:
        """File and row for a message, never what the row holds."""
        return f"{self.source.path / self.part}:{self.number}"

    @property
    def name(self) -> str:
        """What the row is called where it has no id of its own."""
        return f"{Path(self.source.path.name) / self.part}:{self.number}"

    def value(self, asked: str | None, *usual: str) -> Any:
        """What stands in the column asked for or else in one of a usual name, ignoring case.

        A file without the column asked for is read by the usual names, so that options meant for
        one file do not spoil another.
        """
        names = {name.strip().lower(): name for name in reversed(self.values)}
        for name in (asked, *usual) if asked else usual:
            if (own := names.get(name.strip().lower())) is not None:
                return self.values[own]
        return None


def parse_source(given: str | Path) -> Source:
    """A path, or a path and a weight: ``cases.csv:2`` counts each case twice.

    Raises
    ------
    InputError
        If the weight is not above zero.
    """
    path, colon, number = str(given).rpartition(":")
    if not colon or Path(given).exists():
        return Source(Path(given))
    try:
        weight = float(number)
    except ValueError:
        return Source(Path(given))
    if not 0 < weight < float("inf"):
        raise InputError(f"{given}: the weight after the colon must be a number above 0.")
    return Source(Path(path), weight)


def find_files(given: Iterable[str | Path]) -> list[Source]:
    """Labelled files among files and folders, in a fixed order.

    Raises
    ------
    InputError
        If a path does not exist, a folder holds no labelled file, or a file is of another kind.
    """
    found: list[Source] = []
    for item in given:
        source = parse_source(item)
        path = source.path
        if path.is_dir() and not _is_saved_dataset(path):
            inside = sorted(
                p
                for p in path.iterdir()
                if p.suffix.lower() in SUFFIXES and p.name not in COMPANIONS
            )
            if not inside:
                raise InputError(f"{path} holds no file ending in {', '.join(SUFFIXES)}.")
            found += [Source(p, source.weight) for p in inside]
        elif path.is_dir() or (path.is_file() and path.suffix.lower() in SUFFIXES):
            found.append(source)
        elif path.is_file():
            raise InputError(
                f"{path}: labelled narratives are read from files ending in {', '.join(SUFFIXES)} "
                "and folders saved by datasets."
            )
        else:
            raise InputError(f"There is no file or folder {path}: check the path.")
    return found


def read_rows(source: Source, *, text_column: str | None = None) -> Iterator[RawRow]:
    """All rows of one source, in order.

    ``text_column`` is where a narrative stands that is in no column of a usual name.

    Raises
    ------
    InputError
        If a row cannot be read: nothing is left out in silence.
    """
    if source.path.is_dir():
        yield from _saved_dataset(source)
        return
    suffix = source.path.suffix.lower()
    split = _split(source.path.stem)
    if suffix in (".csv", ".tsv"):
        for row in _open_table(source.path, text_column).rows():
            if isinstance(row, Rejected):
                raise InputError(f"{source.path}, row {row.number}: {row.reason}.")
            yield RawRow(source, row.number, split, row.values)
    elif suffix == ".parquet":
        for number, values in enumerate(_parquet(source.path), start=1):
            yield RawRow(source, number, split, values)
    else:
        for number, line in read_lines(source.path):
            try:
                values = json.loads(line)
            except ValueError:
                raise InputError(
                    f"{source.path}:{number}: this line is not JSON: mend it or take it out."
                ) from None
            if not isinstance(values, dict):
                raise InputError(f"{source.path}:{number}: this line is not a JSON object.")
            yield RawRow(source, number, split, values)


def _open_table(path: Path, text_column: str | None) -> OpenedTable:
    try:
        return open_sources(path, text_column=text_column)[0]
    except InputError as error:
        if text_column is None:
            raise
        try:
            return open_sources(path)[0]
        except InputError:
            raise error from None


def read_texts(
    given: Iterable[str | Path], *, text_column: str | None = None
) -> Iterator[tuple[str, str]]:
    """The name and the text of each unlabelled narrative; the text is empty where there is none.

    Raises
    ------
    InputError
        If a file holds no narrative at all.
    """
    for source in find_files(given):
        found = False
        for row in read_rows(source, text_column=text_column):
            text = row.value(text_column, *TEXT_COLUMNS)
            text = text if isinstance(text, str) and text.strip() else ""
            found = found or bool(text)
            name = row.value(None, "id")
            yield row.name if name in (None, "") else str(name), text
        if not found:
            raise InputError(
                f"{source.path} holds no narrative: name its column with --text-column."
            )


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a JSONL file that are not blank, with their numbers from 1."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None


def _split(name: str) -> str | None:
    """The split that a file or a part of a data set is called after; ``validation`` is ``dev``."""
    found = re.fullmatch(r"(train|dev|validation|test)(-\d+-of-\d+)?", name)
    return None if found is None else found[1].replace("validation", "dev")


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise MissingExtra("train", "Reading Parquet files") from None
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_A_TIME):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError):
        raise InputError(
            f"{path} cannot be read as Parquet: it is damaged or unfinished."
        ) from None


def _is_saved_dataset(path: Path) -> bool:
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def _saved_dataset(source: Source) -> Iterator[RawRow]:
    # Read when datasets is imported: it asks no server for anything.
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ[name] = "1"
    try:
        import datasets
    except ImportError:
        raise MissingExtra("train", "Reading a folder saved by datasets") from None
    try:
        # Read where they lie: no copy of a narrative goes into the home folder's cache.
        loaded = datasets.load_from_disk(str(source.path))
    except Exception as error:
        raise InputError(
            f"{source.path} cannot be read as a folder saved by datasets: "
            f"{type(error).__name__}. Save it again with save_to_disk()."
        ) from None
    parts = loaded if isinstance(loaded, dict) else {"": loaded}
    for name, part in parts.items():
        classes = {
            column: feature
            for column, feature in part.features.items()
            if isinstance(feature, datasets.ClassLabel)
        }
        for number, values in enumerate(part, start=1):
            for column, feature in classes.items():
                at = values[column]
                # ClassLabel has -1 where there is none.
                values[column] = None if at is None or at < 0 else feature.int2str(at)
            yield RawRow(source, number, _split(name), values, name)
