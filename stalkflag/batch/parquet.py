"""Parquet files: rows in, and assessments out with a typed, nested schema."""

from __future__ import annotations

import dataclasses
import io
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stalkflag.assessment import INDICATORS, LABELS, Assessment, Indicator
from stalkflag.batch.reading import distinct_names
from stalkflag.batch.streams import arrow, shown_path
from stalkflag.batch.writing import Layout, Scored, beside_assessment, plain_cell
from stalkflag.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

READ_ROWS = 512
"""Rows read at a time."""


class ParquetTable:
    """A Parquet file; ``types`` holds the Arrow type of each column."""

    def __init__(self, path: Path) -> None:
        arrow("A Parquet file")
        self._path = path
        self.name = shown_path(path)
        with self._open() as file:
            schema = file.schema_arrow
            self.about: int = file.metadata.num_rows
        self.columns = distinct_names(schema.names)
        self.types = dict(zip(self.columns, schema.types, strict=True))

    def records(self) -> Iterator[dict[str, Any] | str]:
        """Each row by column, or why it cannot be read."""
        import pyarrow as pa

        with self._open() as file:
            try:
                for batch in file.iter_batches(batch_size=READ_ROWS, use_threads=False):
                    yield from _plain(batch.rename_columns(self.columns))
            except (pa.ArrowException, OSError) as error:
                raise InputError(f"{self._path} is damaged ({error}): get it again.") from None

    def _open(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(self._path, pre_buffer=False)
        except (pa.ArrowException, OSError):
            raise InputError(
                f"{self._path} is not a whole Parquet file: get the file again."
            ) from None


def _plain(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | str]:
    """The rows of a batch; one by one if a value is none that Python or UTF-8 knows."""
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        if batch.num_rows > 1:
            for place in range(batch.num_rows):
                yield from _plain(batch.slice(place, 1))
        else:
            yield "a value cannot be read: a date outside the years 1 to 9999, or text not in UTF-8"


def assessment_fields() -> list[pa.Field]:
    """The Arrow fields of one assessment, as its classes define them, ``schema`` and ``id`` first."""
    fields: list[pa.Field] = list(_arrow_type(Assessment))
    fields.sort(key=lambda field: field.name != "schema")
    return fields


def _arrow_type(hint: Any) -> pa.DataType:
    """The Arrow type of what a type hint describes."""
    import pyarrow as pa

    simple = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    if hint in simple:
        return simple[hint]
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return pa.struct([(f.name, _arrow_type(hints[f.name])) for f in dataclasses.fields(hint)])
    kind, inner = typing.get_origin(hint), typing.get_args(hint)
    if kind is typing.Literal:
        return pa.string()
    if kind in (types.UnionType, typing.Union):
        return _arrow_type(next(one for one in inner if one is not type(None)))
    if kind is tuple:
        return pa.list_(_arrow_type(inner[0]))
    if kind is dict:
        keys = INDICATORS if inner[1] is Indicator else LABELS
        return pa.struct([(key, _arrow_type(inner[1])) for key in keys])
    raise TypeError(f"no Arrow type for {hint}")


def output_schema(input_type: pa.DataType, beside: Mapping[str, type]) -> pa.Schema:
    """The schema of nested output: an assessment, what stands beside it, and the input's columns.

    Parameters
    ----------
    input_type
        The struct of the input's columns; left out if it has no fields.
    beside
        Further columns and their types.
    """
    import pyarrow as pa

    return pa.schema(
        [
            *assessment_fields(),
            *((name, _arrow_type(kind)) for name, kind in beside.items()),
            ("row", pa.int64()),
            ("file", pa.string()),
            *([("input", input_type)] if input_type.num_fields else []),
        ]
    )


def output_batch(
    schema: pa.Schema, nested: Sequence[str], beside: Mapping[str, pa.Array]
) -> pa.RecordBatch:
    """Assessments given as JSON, and columns beside them, as one batch of ``schema``."""
    import pyarrow as pa
    from pyarrow import json as arrow_json

    lines = "\n".join(nested).encode()
    wanted = pa.schema([field for field in schema if field.name not in beside])
    table = arrow_json.read_json(
        io.BytesIO(lines),
        read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=wanted, unexpected_field_behavior="ignore"
        ),
    ).combine_chunks()
    columns = [
        beside[name] if name in beside else table.column(name).chunk(0) for name in schema.names
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


BATCH_CHARACTERS = 1 << 23
BATCH_ROWS = 256
GROUP_BYTES = 1 << 26
GROUP_ROWS = 8192
"""Rows are gathered to batches and batches to row groups of at most about so much."""


class ParquetOutput:
    """One Parquet file with a typed, nested schema."""

    def __init__(self, aside: Path, layout: Layout, kinds: Mapping[str, pa.DataType]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.rows = self.shortened = 0
        self._layout = layout
        self._kinds = {column: kinds.get(column) or pa.string() for column in layout.nested}
        self._schema = output_schema(pa.struct(list(self._kinds.items())), layout.beside)
        self._rows: list[Scored] = []
        self._characters = 0
        self._batches: list[pa.RecordBatch] = []
        self._file = pq.ParquetWriter(aside, self._schema, compression="zstd")

    def write(self, scored: Scored) -> None:
        """One row."""
        self.rows += 1
        assert scored.nested is not None
        self._rows.append(scored)
        self._characters += len(scored.nested)
        if len(self._rows) >= BATCH_ROWS or self._characters >= BATCH_CHARACTERS:
            self._gather()

    def _gather(self) -> None:
        import pyarrow as pa

        if self._rows:
            plain = [beside_assessment(scored, self._layout) for scored in self._rows]
            beside = {
                name: pa.array([row[name] for row in plain], self._schema.field(name).type)
                for name in plain[0]
            }
            if self._kinds:
                beside["input"] = self._input([scored.row.values for scored in self._rows])
            nested = [scored.nested or "" for scored in self._rows]
            self._batches.append(output_batch(self._schema, nested, beside))
            self._rows, self._characters = [], 0
        rows = sum(batch.num_rows for batch in self._batches)
        if rows >= GROUP_ROWS or sum(batch.nbytes for batch in self._batches) >= GROUP_BYTES:
            self._write_group()

    def _input(self, rows: list[dict[str, Any]]) -> pa.Array:
        import pyarrow as pa

        arrays = []
        for column, kind in self._kinds.items():
            values = [row.get(column) for row in rows]
            if kind == pa.string():
                values = [None if v is None else str(plain_cell(v)) for v in values]
            arrays.append(pa.array(values, kind))
        fields = [pa.field(*item) for item in self._kinds.items()]
        return pa.StructArray.from_arrays(arrays, fields=fields)

    def _write_group(self) -> None:
        import pyarrow as pa

        if self._batches:
            self._file.write_table(pa.Table.from_batches(self._batches), GROUP_ROWS)
            self._batches = []

    def close(self) -> None:
        """Write what is gathered, and the footer."""
        self._gather()
        self._write_group()
        self._file.close()


def kept_types(tables: Sequence[Mapping[str, pa.DataType] | None]) -> dict[str, pa.DataType]:
    """Types of the inputs' columns that output keeps: simple ones on which all inputs agree."""
    import pyarrow as pa

    found: dict[str, set[Any]] = {}
    for types_of in tables:
        for column, kind in (types_of or {}).items():
            if pa.types.is_dictionary(kind):
                kind = kind.value_type
            found.setdefault(column, set()).add(kind)
    return {
        column: next(iter(kinds))
        for column, kinds in found.items()
        if len(kinds) == 1 and _is_kept(next(iter(kinds))) and None not in tables
    }


def _is_kept(kind: pa.DataType) -> bool:
    import pyarrow as pa

    is_ = pa.types
    return bool(
        is_.is_integer(kind)
        or is_.is_floating(kind)
        or is_.is_boolean(kind)
        or is_.is_date(kind)
        or is_.is_timestamp(kind)
        or is_.is_time(kind)
        or is_.is_decimal(kind)
        or is_.is_large_string(kind)
    )
