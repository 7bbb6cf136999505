"""Linking on Spark: rows of one key are brought together by a shuffle, and judged as on one machine.

Each row first gets its key. Spark then counts the rows and characters of each key, so that sets
that are too large are known before any is gathered, and sorts the rows by key, date and place. A
worker reads them in blocks of whole sets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from stalkflag.batch.linking import (
    NO_DATE,
    Link,
    LinkTally,
    alone_columns,
    link_group,
    link_key,
    set_name,
)
from stalkflag.batch.reading import Row, narrative_of, when_of
from stalkflag.batch.streams import path_of
from stalkflag.narrative import MAX_CHARACTERS

if TYPE_CHECKING:
    import pyarrow as pa

    from stalkflag.assessment import Assessment
    from stalkflag.assessor import Assessor

SETTINGS: dict[str, bool | float | int | str | None] = {
    # What is shuffled holds narratives and lies on the workers' disks for a while.
    "spark.io.encryption.enabled": "true",
    # Spark puts small parts together again, and none should take hours.
    "spark.sql.adaptive.coalescePartitions.initialPartitionNum": "2000",
}
"""Spark's settings for a run that links."""

BLOCK = 128
"""Rows that are assessed at a time, at least; a set is never divided."""

STATE = "stalkflag_linked"
"""A column that says how a row is linked; it is not written."""

NO_KEY, ONE, SET, TOO_LARGE = "no key", "one", "set", "too large"

GROUPED: tuple[str, ...] = ("input", "file", "row", "key", STATE, "size")
"""Columns of the rows that are handed to :func:`blocks`."""


def grouped(
    asked: Any,
    link: Link,
    *,
    text_column: str,
    date_column: str | None,
    order: Mapping[str, int],
) -> Any:
    """The rows sorted by sets, each with its key and how it is linked.

    Parameters
    ----------
    asked
        A frame of ``input``, ``file`` and ``row``.
    order
        The place of each file among the inputs: reports without a date are read in that order.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as f
    from pyspark.sql.types import LongType, StringType, StructField, StructType

    added = [("key", StringType()), ("happened", StringType()), ("length", LongType())]
    added += [("place", LongType())]
    schema = StructType([*asked.schema.fields, *(StructField(*one) for one in added)])
    find = partial(find_keys, link, text_column, date_column, order)
    rows = asked.mapInArrow(find, schema)
    # Rows without a key are spread over all parts, not gathered in one.
    own = f.concat_ws(":", f.col("file"), f.col("row").cast("string"))
    rows = rows.withColumn("with", f.coalesce(f.col("key"), own))
    of_key = Window.partitionBy("with")
    rows = rows.withColumn("size", f.count(f.lit(1)).over(of_key))
    large = (f.col("size") > link.most) | (f.sum("length").over(of_key) > MAX_CHARACTERS)
    state = f.when(f.col("key").isNull(), NO_KEY).when(f.col("size") == 1, ONE)
    rows = rows.withColumn(STATE, state.when(large, TOO_LARGE).otherwise(SET))
    in_order = ("with", "happened", "place", "file", "row")
    return rows.sortWithinPartitions(*in_order).select(*GROUPED)


def find_keys(
    link: Link,
    text_column: str,
    date_column: str | None,
    order: Mapping[str, int],
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Each row's key as JSON, when it happened, its number of characters and its file's place."""
    import pyarrow as pa

    for batch in batches:
        added: list[list[Any]] = [[], [], [], []]
        for values, file in zip(
            batch.column("input").to_pylist(), batch.column("file").to_pylist(), strict=True
        ):
            key, when = link_key(values, link.columns), when_of(values, date_column)
            added[0].append(None if key is None else json.dumps(key))
            added[1].append(when.isoformat() if when else NO_DATE)
            added[2].append(len(narrative_of(values, text_column) or ""))
            added[3].append(order.get(path_of(file), len(order)))
        kinds = (pa.string(), pa.string(), pa.int64(), pa.int64())
        arrays = [pa.array(one, kind) for one, kind in zip(added, kinds, strict=True)]
        names = [*batch.schema.names, "key", "happened", "length", "place"]
        yield pa.RecordBatch.from_arrays([*batch.columns, *arrays], names)


def blocks(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The sorted rows again, in blocks that divide no set that is to be judged."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) < BLOCK:
            continue
        rows = _one_batch(pa.Table.from_batches(waiting))
        end = _last_end(rows)
        if end:
            yield rows.slice(0, end)
        waiting = [rows.slice(end)] if end < rows.num_rows else []
    if waiting:
        yield _one_batch(pa.Table.from_batches(waiting))


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    (batch,) = table.combine_chunks().to_batches()
    return batch


def _last_end(rows: pa.RecordBatch) -> int:
    """Where the rows end before the last set, of which more may follow."""
    states, keys = rows.column(STATE).to_pylist(), rows.column("key").to_pylist()
    end: int = rows.num_rows
    if states[-1] == SET:
        while end and (states[end - 1], keys[end - 1]) == (SET, keys[-1]):
            end -= 1
    return end


def assessed(
    assessor: Assessor, link: Link, rows: Sequence[Row], batch: pa.RecordBatch
) -> Iterator[tuple[Assessment, dict[str, Any]]]:
    """The assessment of each row of a block, and what linking adds to it."""
    from stalkflag.batch.score import flatten

    states, keys = batch.column(STATE).to_pylist(), batch.column("key").to_pylist()
    sizes = batch.column("size").to_pylist()
    start = 0
    while start < len(rows):
        end = start + 1
        if states[start] == SET:
            end = start + sizes[start]
            found = link_group(assessor, rows[start:end], link)
        else:
            row = rows[start]
            one = assessor.assess(row.text, id=row.id, on=row.day)
            added = alone_columns(flatten(one))
            if states[start] == TOO_LARGE:
                name = set_name(json.loads(keys[start]))
                added |= {"linked_set": name, "linked_reports": sizes[start]}
            found = [(one, added)]
        for state, (one, added) in zip(states[start:end], found, strict=True):
            yield one, {**added, STATE: state}
        start = end


def counts() -> list[Any]:
    """What Spark counts while it writes, for :func:`tally`."""
    from pyspark.sql import functions as f

    share = 1 / f.col("linked_reports")
    return [
        f.sum(f.when(f.col(STATE) == SET, share).otherwise(0.0)).alias("sets"),
        f.sum(f.when(f.col(STATE) == TOO_LARGE, share).otherwise(0.0)).alias("too_large"),
        f.count_if(f.col(STATE) == SET).alias("reports"),
        f.count_if(f.col(STATE) == NO_KEY).alias("without_key"),
        f.count_if("linked_raised").alias("raised"),
    ]


def tally(found: Mapping[str, Any]) -> LinkTally:
    """What became of the rows that were to be linked."""
    names = ("sets", "reports", "raised", "without_key", "too_large")
    return LinkTally(**{name: round(found[name] or 0) for name in names})
