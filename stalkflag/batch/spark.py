"""Scoring Parquet files on a Spark cluster: the same assessments, row for row, as on one machine.

Without linking nothing is shuffled, so that Spark writes narratives to no disk but where the output
goes.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stalkflag.assessment import LABELS, Assessment
from stalkflag.batch import spark_linking
from stalkflag.batch.linking import LINKED
from stalkflag.batch.parquet import output_batch, output_schema
from stalkflag.batch.reading import (
    Row,
    find_inputs,
    id_column_of,
    narrative_of,
    row_id,
    text_column_of,
    when_of,
)
from stalkflag.batch.recorded import Offences, load_offences
from stalkflag.batch.score import Options, Tally, flatten, recorded, with_columns
from stalkflag.batch.streams import file_kind, path_of
from stalkflag.batch.writing import RECORDED, Scored
from stalkflag.bundle import bundle_folder
from stalkflag.errors import InputError, MissingExtra, StalkflagError

if TYPE_CHECKING:
    import pyarrow as pa

    from stalkflag.assessor import Assessor

MODEL = "stalkflag-model"
"""What the model is called among the files that Spark hands to its workers."""

KEPT = "stalkflag_kept"
"""A column that says whether the filter lets a row through; it is not written."""

HELPING = (KEPT, spark_linking.STATE)

SETTINGS: dict[str, bool | float | int | str | None] = {
    # A row takes milliseconds: small tasks, each of a row group or a few, share out the work.
    "spark.sql.files.maxPartitionBytes": "4m",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "256",
    # Spark's own way to write times is known to few other programs.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "true",
}
"""What differs from Spark's defaults; ``--spark-conf`` overrides it."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker has to know to assess a batch of rows."""

    text_column: str
    id_column: str | None
    options: Options
    offences: Offences

    @property
    def beside(self) -> dict[str, type]:
        """Columns beside the assessment that are written, and those that are not (``HELPING``)."""
        return {
            **({**LINKED, spark_linking.STATE: str} if self.options.link else {}),
            **(RECORDED if self.options.recorded_as else {}),
            KEPT: bool,
        }


def score_on_spark(
    inputs: list[str],
    output: str,
    options: Options,
    *,
    master: str | None = None,
    settings: list[str] | None = None,
    tell: Callable[[str], None] = lambda message: None,
) -> Tally:
    """Assess every row of some Parquet files and write a folder of Parquet files.

    Parameters
    ----------
    inputs, output
        Paths that every machine of the cluster can reach, or URIs such as ``hdfs://…``.
    master
        Spark's master; by default all cores of this machine.
    settings
        Spark's settings as ``KEY=VALUE``.
    tell
        Called with what a person should know of the inputs, such as files left out.

    Raises
    ------
    InputError
        If an input or column is missing, or the output exists.
    StalkflagError
        If Spark cannot be started or the work fails; nothing is written then.
    MissingExtra
        If PySpark is not installed.
    """
    paths = find_inputs([given for given in inputs if "://" not in given], tell)
    sources = [given for given in inputs if "://" in given] + _uris(paths)
    order = {str(path.resolve()): place for place, path in enumerate(paths)}
    place = _place(output)
    session = _session(master, settings or [], linking=options.link is not None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            # Only the model: Spark takes folders to other machines as archives.
            model = shutil.make_archive(f"{folder}/model", "zip", bundle_folder(options.model))
            session.sparkContext.addArchive(f"{model}#{MODEL}")
            tally = _score(session, sources, place, options, order)
    except _spark_errors() as error:
        raise StalkflagError(_in_one_sentence(error)) from None
    finally:
        session.stop()
        if place.aside:
            shutil.rmtree(place.aside, ignore_errors=True)
    return tally


@dataclass(frozen=True, slots=True)
class Place:
    """Where the output goes: a URI, or first a folder aside and then the folder itself."""

    uri: str
    aside: Path | None = None
    folder: Path | None = None


def _uris(paths: list[Path]) -> list[str]:
    """The URIs of Parquet files."""
    for path in paths:
        if file_kind(path)[0] != ".parquet":
            raise InputError(
                f"{path}: --engine spark reads and writes Parquet. Convert it first, as with "
                "DuckDB: COPY (FROM 'reports.csv') TO 'reports.parquet' (ROW_GROUP_SIZE 10000)."
            )
    return [re.sub(r"([*?\[\]{}\\])", r"\\\1", _uri(path.resolve())) for path in paths]


def _uri(path: Path) -> str:
    """The URI of a path as Hadoop wants it: with nothing encoded."""
    return f"file://{path}"


def _place(output: str) -> Place:
    if file_kind(output)[0] != ".parquet":
        raise InputError(f"{output}: --engine spark writes a folder that must end in .parquet.")
    if "://" in output:
        return Place(output)
    folder = Path(output).absolute()
    if folder.exists():
        raise InputError(f"{output} exists: choose another name for the output.")
    if not folder.parent.is_dir():
        raise InputError(f"{output} cannot be written: there is no folder {folder.parent}.")
    aside = folder.with_name(folder.name + ".partial")
    if aside.is_file():
        raise InputError(
            f"{aside} holds an unfinished run of --engine local: continue it there with --resume, "
            "or delete that file."
        )
    shutil.rmtree(aside, ignore_errors=True)
    return Place(_uri(aside), aside, folder)


def _session(master: str | None, settings: list[str], *, linking: bool) -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingExtra("spark", "--engine spark") from None
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise StalkflagError(
            "Spark needs Java 17 or later, which is not installed: install it, on Debian with "
            "apt-get install default-jre-headless, and try again."
        )
    master = master or "local[*]"
    builder = SparkSession.builder.appName("stalkflag").master(master).config(map=SETTINGS)
    if linking:
        builder = builder.config(map=spark_linking.SETTINGS)
    if master.startswith("local"):
        # Its parts talk to each other only: nothing listens on the network.
        builder = builder.config("spark.driver.host", "127.0.0.1")
        builder = builder.config("spark.driver.bindAddress", "127.0.0.1")
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise InputError(f"--spark-conf {setting}: give it as KEY=VALUE.")
        builder = builder.config(key, value)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise StalkflagError(
            f"Spark cannot be started on {master} ({_first_line(error)}): check --master, "
            "--spark-conf and JAVA_HOME."
        ) from None
    session.sparkContext.setLogLevel("ERROR")
    return session


def _score(
    session: Any, sources: list[str], place: Place, options: Options, order: dict[str, int]
) -> Tally:
    from pyspark.sql import Observation
    from pyspark.sql import functions as f

    frame = session.read.option("mergeSchema", "true").parquet(*sources)
    options = with_columns("The input", frame.columns, options)
    task = Task(
        text_column_of("The input", frame.columns, asked=options.text_column),
        id_column_of("The input", frame.columns, asked=options.id_column),
        options,
        load_offences(options.offences),
    )
    asked = frame.select(
        f.struct(*(f.col(_quoted(name)) for name in frame.columns)).alias("input"),
        f.col("_metadata.file_path").alias("file"),
        (f.col("_metadata.row_index") + 1).alias("row"),
    )
    schema = _schema(asked, task)
    if options.link:
        asked = spark_linking.grouped(
            asked,
            options.link,
            text_column=task.text_column,
            date_column=options.date_column,
            order=order,
        )
    rows = asked.mapInArrow(partial(assess_batches, task), schema)
    counts = [f.count(f.lit(1)).alias("rows"), f.count_if(KEPT).alias("written")]
    counts += [f.count_if(f.col("suggestion") == label).alias(label) for label in LABELS]
    counts.append(f.count_if("refer").alias("referred"))
    if options.recorded_as:
        counts.append(f.count_if("disagrees").alias("disagree"))
    if options.date_column:
        counts.append(f.count_if(f.col("law.on").isNull()).alias("without_date"))
    if options.link:
        counts += spark_linking.counts()
    seen = Observation("rows")
    kept = rows.observe(seen, *counts).filter(KEPT).drop(*HELPING)
    kept.write.parquet(place.uri)
    if place.aside and place.folder:
        place.aside.rename(place.folder)
    found: dict[str, int] = seen.get
    return Tally(
        rows=found["rows"],
        written=found["written"],
        left_out=found["rows"] - found["written"],
        referred=found["referred"],
        disagree=found.get("disagree"),
        without_date=found.get("without_date", 0),
        linked=spark_linking.tally(found) if options.link else None,
        suggestions={label: found[label] for label in LABELS},
    )


def _quoted(name: str) -> str:
    """A column's name in which a dot is no path into it."""
    return f"`{name.replace('`', '``')}`"


def _schema(asked: Any, task: Task) -> Any:
    """Spark's schema of what :func:`assess_batches` gives back."""
    import pyarrow as pa
    from pyspark.sql.pandas.types import from_arrow_schema
    from pyspark.sql.types import StructField, StructType

    plain = from_arrow_schema(output_schema(pa.struct([]), task.beside))
    kept = [c for c in asked.schema["input"].dataType.fields if c.name != task.text_column]
    own = [StructField("input", StructType(kept), nullable=False)] if kept else []
    return StructType([*plain.fields, *own])


def assess_batches(task: Task, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Assessments of batches of rows given as ``input``, ``file`` and ``row``; runs in a worker.

    Raises
    ------
    RuntimeError
        If a row cannot be assessed; the message says which, never what is in it.
    """
    assessor = _assessor(task.options.law)
    for batch in spark_linking.blocks(batches) if task.options.link else batches:
        yield _assess_batch(task, assessor, batch)


@cache
def _assessor(law: str) -> Assessor:
    from pyspark import SparkFiles

    from stalkflag.assessor import load

    return load(SparkFiles.get(MODEL), law=law)


def _assess_batch(task: Task, assessor: Assessor, batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    rows = []
    for plain in batch.to_pylist():
        values, number = plain["input"], plain["row"]
        when = when_of(values, task.options.date_column)
        text = narrative_of(values, task.text_column)
        if text is None:
            raise RuntimeError(f"'{task.text_column}' is not text")
        id = row_id(values, task.id_column, number)
        rows.append(Row(path_of(plain["file"]), number, values, text, id, when))
    scored: list[Scored] = []
    try:
        for one, beside in _assessed(task, assessor, rows, batch):
            row, flat = rows[len(scored)], flatten(one)
            if task.options.recorded_as:
                was = row.values.get(task.options.recorded_as)
                beside |= recorded(was, flat["suggestion"], task.offences)
            found = Scored(row, flat, one.to_json(), beside)
            beside[KEPT] = task.options.rows.keeps(found)
            scored.append(found)
    except Exception as error:
        row = rows[len(scored)]
        raise RuntimeError(
            f"row {row.number} of {row.source} cannot be assessed ({type(error).__name__})"
        ) from None
    given = batch.column("input")
    own = [field for field in given.type if field.name != task.text_column]
    schema = output_schema(pa.struct(own), task.beside)
    columns = {
        **{name: [one.beside[name] for one in scored] for name in task.beside},
        "row": [one.row.number for one in scored],
        "file": [one.row.source for one in scored],
    }
    arrays = {name: pa.array(values, schema.field(name).type) for name, values in columns.items()}
    if own:
        kept = [given.field(field.name) for field in own]
        arrays["input"] = pa.StructArray.from_arrays(kept, fields=own)
    return output_batch(schema, [one.nested or "" for one in scored], arrays)


def _assessed(
    task: Task, assessor: Assessor, rows: list[Row], batch: pa.RecordBatch
) -> Iterator[tuple[Assessment, dict[str, Any]]]:
    """Each row's assessment and what linking adds to it."""
    if task.options.link:
        yield from spark_linking.assessed(assessor, task.options.link, rows, batch)
        return
    texts, ids, days = (r.text for r in rows), (r.id for r in rows), (r.day for r in rows)
    for one in assessor.assess_many(texts, ids=ids, on=days):
        yield one, {}


def _spark_errors() -> tuple[type[Exception], ...]:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return (PySparkException, Py4JError)


def _in_one_sentence(error: Exception) -> str:
    said = str(error)
    if "No module named 'stalkflag'" in said:
        return (
            "stalkflag is not installed on Spark's workers: give them the same Python environment "
            "as this machine's (see docs/spark.md) and try again."
        )
    lines = [line.strip() for line in said.splitlines()]
    ours = [line for line in lines if line.startswith(("RuntimeError: ", "stalkflag."))]
    return f"Spark could not do the work: {ours[0] if ours else _first_line(error)}"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
