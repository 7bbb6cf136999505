"""A Spark standalone master with two workers gives what one machine gives, row for row."""

from __future__ import annotations

import csv
import datetime
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
import pytest
from conftest import Run

from stalkflag import Assessor

pytestmark = pytest.mark.skipif(
    not (os.environ.get("JAVA_HOME") or shutil.which("java")), reason="Spark needs Java"
)
LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example reports in a folder of three Parquet files, with typed columns beside them."""
    folder = tmp_path_factory.mktemp("reports")
    with Path("data/examples/reports.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[3]["summary"] = "NUL \x00 and 😀, he rang again."
    for part in range(3):
        some = rows[part::3]
        table = {name: [row[name] for row in some] for name in rows[0]}
        whole = pa.table(
            {
                **table,
                "date": [datetime.date.fromisoformat(row["date"]) for row in some],
                "at": pa.array(
                    [datetime.datetime(2024, 7, 1)] * len(some), pa.timestamp("us", "UTC")
                ),
                "beat.code": [part * 100] * len(some),
            }
        )
        pq.write_table(whole, folder / f"part {part}% [é].parquet", row_group_size=3)
    pq.write_table(
        pa.table({"id": ["empty"], "summary": pa.array([None], pa.string())}),
        folder / "rest.parquet",
    )
    return folder


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a standalone master with two workers of one core each."""
    folder = tmp_path_factory.mktemp("spark")
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    address = f"spark://{LOOPBACK}:{port}"
    command = str(Path(pyspark.__path__[0]) / "bin" / "spark-class")
    own = ("--host", LOOPBACK, "--webui-port", "0")
    worker = ("--cores", "1", "--memory", "700m", "--work-dir", str(folder), address)
    env = {**os.environ, "SPARK_LOCAL_IP": LOOPBACK, "SPARK_DAEMON_MEMORY": "200m"}
    with (folder / "log").open("wb") as log:
        running = [
            subprocess.Popen(
                [command, f"org.apache.spark.deploy.{kind}", *own, *more],
                env=env,
                stdout=log,
                stderr=log,
            )
            for kind, more in (
                ("master.Master", ("--port", str(port))),
                ("worker.Worker", worker),
                ("worker.Worker", worker),
            )
        ]
        try:
            for _ in range(1800):
                if (folder / "log").read_text().count("Successfully registered with master") == 2:
                    break
                time.sleep(0.1)
            else:
                pytest.fail("Spark's workers found no master:\n" + (folder / "log").read_text())
            yield address
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait(20)


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows = []
    for part in [path] if path.is_file() else sorted(path.glob("part-*.parquet")):
        rows += pq.read_table(part).to_pylist()
    return sorted(rows, key=lambda row: (row["file"], row["row"]))


def test_a_cluster_gives_the_same_rows_as_one_machine(
    run: Run, tmp_path: Path, reports: Path, master: str
) -> None:
    one, many = tmp_path / "one.parquet", tmp_path / "many.parquet"
    column = ("--recorded-as", "recorded_offence", "--text-column", "summary")
    done = run("score", reports / "part *.parquet", "-o", one, "--workers", "2", *column)
    assert done.returncode == 0, done.stderr
    done = run(
        *("score", reports / "part *.parquet", "-o", many, *column),
        *("--engine", "spark", "--master", master),
        *(
            "--spark-conf",
            "spark.executor.memory=512m",
            "--spark-conf",
            f"spark.driver.host={LOOPBACK}",
        ),
    )
    assert done.returncode == 0, done.stderr
    assert "24 rows: 24 assessed" in done.stderr
    assert rows_of(many) == rows_of(one)
    assert len(list(many.glob("part-*.parquet"))) == 3
    assert not list(tmp_path.glob("*.partial"))
    ((count,),) = duckdb.sql(f"SELECT count(*) FROM '{many}/*.parquet' WHERE disagrees").fetchall()
    assert count and f"{count} rows were recorded as something else" in done.stderr
    again = run("score", reports, "-o", many, "--engine", "spark")
    assert again.returncode == 2 and "exists" in again.stderr


def test_filters_and_missing_columns_on_spark(run: Run, tmp_path: Path, reports: Path) -> None:
    output = tmp_path / "some.parquet"
    done = run(
        *("score", reports, "-o", output, "--engine", "spark", "--master", "local[1]"),
        *("--only", "stalking", "--min-probability", "0.6"),
    )
    assert done.returncode == 0, done.stderr
    some = rows_of(output)
    assert some and all(
        row["suggestion"] == "stalking" and row["probabilities"]["stalking"] >= 0.6 for row in some
    )
    assert f"25 rows: {len(some)} assessed into {output}, {25 - len(some)} left out" in done.stderr


def test_spark_leaves_out_earlier_output_and_finds_columns_ignoring_case(
    run: Run, tmp_path: Path
) -> None:
    folder = linked_reports(tmp_path / "reports")
    told, found = [], []
    for number, names in enumerate((("victim", "suspect", "when"), ("VICTIM", "Suspect", "When"))):
        output = folder / f"out{number}.parquet"
        done = run(
            *("score", folder, "-o", output, "--engine", "spark", "--master", "local[1]"),
            *("--link-on", ",".join(names[:2]), "--date-column", names[2]),
            *("--recorded-as", names[0]),
        )
        assert done.returncode == 0, done.stderr
        told.append("was written by stalkflag" in done.stderr)
        found.append(sorted(rows_of(output), key=lambda row: str(row["id"])))
    assert told == [False, True]
    assert found[0] == found[1] and len(found[0]) == 75


def linked_reports(folder: Path) -> Path:
    """Two files of reports in an order of their own, with keys and dates of every sort."""
    folder.mkdir()
    texts = [
        "A man she met at the gym followed her to her car in the car park. She felt uneasy.",
        "Letter put through her door by a man from the gym. He says he thinks about her.",
        "Man from the gym seen looking through her kitchen window at night. She shouted.",
        "Bike stolen from outside the library between 2pm and 4pm. No witnesses.",
    ]
    rows = [
        {
            "id": f"R{n}",
            "victim": ["V1", " V2 ", "V3", "unknown", "V5", "V6"][n % 6] if n else "alone",
            "suspect": 7.0 if n % 12 > 5 else 7,
            "when": None if n % 5 == 0 else datetime.date(2010 + n % 12, 1 + n % 12, 1 + n % 28),
            "text": f"{texts[n % 4]} Ref {n}." if n % 7 else texts[0],
        }
        for n in range(66)
    ]
    rows += [{**rows[1], "id": f"many {n}", "victim": "V9", "when": None} for n in range(9)]
    for part, some in (("b", rows[40:]), ("a", rows[:40])):
        table = {name: [row[name] for row in some] for name in some[0]}
        table["suspect"] = [float(number) for number in table["suspect"]]
        pq.write_table(pa.table(table), folder / f"{part} %.parquet", row_group_size=10)
    return folder


@pytest.mark.parametrize("limit", [10, 200])
def test_sets_linked_on_spark_are_those_of_one_machine(
    run: Run, tmp_path: Path, limit: int
) -> None:
    folder = linked_reports(tmp_path / "in")
    files = (folder / "b %.parquet", folder / "a %.parquet")
    asked = ("--link-on", "victim,suspect", "--date-column", "when", "--link-limit", str(limit))
    one, many = tmp_path / "one.parquet", tmp_path / "many.parquet"
    here = run("score", *files, "-o", one, *asked, "--recorded-as", "id")
    assert here.returncode == 0, here.stderr
    there = run(
        *("score", *files, "-o", many, *asked, "--recorded-as", "id"),
        *("--engine", "spark", "--master", "local[2]"),
        *("--spark-conf", "spark.sql.adaptive.coalescePartitions.initialPartitionNum=3"),
        *("--spark-conf", "spark.sql.execution.arrow.maxRecordsPerBatch=4"),
    )
    assert there.returncode == 0, there.stderr
    assert rows_of(many) == rows_of(one)
    assert len({row["linked_set"] for row in rows_of(one)}) == 7
    said = here.stderr.splitlines(), there.stderr.splitlines()
    for words in ("Linked: ", "no key to link on", "no date that can be read", "too large"):
        local, spark = ([line for line in lines if words in line] for lines in said)
        assert spark == local
        assert len(local) == (words != "too large" or limit == 10)


UDF = """
import sys
import mlflow
from pyspark.sql import SparkSession
from stalkflag.bundle import BUNDLED
from stalkflag.training import pyfunc, tracking

mlflow.set_tracking_uri(f"sqlite:///{sys.argv[1]}/mlflow.db")
mlflow.create_experiment("spark", f"{sys.argv[1]}/artifacts")
mlflow.set_experiment("spark")
with mlflow.start_run():
    logged = mlflow.pyfunc.log_model(
        name="model",
        python_model=pyfunc.__file__,
        artifacts={"bundle": str(BUNDLED)},
        pip_requirements=["stalkflag"],
        signature=tracking._signature(mlflow),
    )
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .getOrCreate()
)
assess = mlflow.pyfunc.spark_udf(spark, logged.model_uri, env_manager="local")
reports = spark.read.parquet(sys.argv[2])
reports.select("summary", assess(reports["summary"]).alias("found")).write.json(sys.argv[3])
"""


def test_the_registered_model_is_a_column_function(
    tmp_path: Path, reports: Path, assessor: Assessor
) -> None:
    env = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    env["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    source = shutil.copy(next(reports.glob("part 0*")), tmp_path / "in.parquet")
    subprocess.run(
        [sys.executable, "-c", UDF, str(tmp_path), str(source), str(tmp_path / "out")],
        env=env,
        capture_output=True,
        check=True,
    )
    lines = [
        json.loads(line)
        for part in (tmp_path / "out").glob("part-*")
        for line in part.read_text(encoding="utf-8").splitlines()
    ]
    assert len(lines) == 8
    for line in lines:
        expected = assessor.assess(line["summary"])
        assert json.loads(line["found"]["assessment"]) == json.loads(expected.to_json())
        assert line["found"]["suggestion"] == expected.suggestion


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["data/examples/reports.csv", "-o", "out.parquet"], "reads and writes Parquet"),
        (["REPORTS", "-o", "out.csv"], "must end in .parquet"),
        (["REPORTS", "-o", "out.parquet", "--resume"], "--engine local"),
        (["REPORTS", "-o", "out.parquet", "--sort", "review"], "--engine local"),
        (["REPORTS", "-o", "out.parquet", "--links", "sets.jsonl"], "--engine local"),
        (["REPORTS", "-o", "out.parquet", "--spark-conf", "x"], "KEY=VALUE"),
        (["REPORTS", "-o", "out.parquet", "--text-column", "zz", "--master", "local[1]"], "'zz'"),
        (["REPORTS", "-o", "out.parquet", "--master", "nonsense://x"], "cannot be started"),
    ],
)
def test_mistakes_are_one_sentence(
    run: Run, tmp_path: Path, reports: Path, arguments: list[str], says: str
) -> None:
    words = [word.replace("REPORTS", str(reports)) for word in arguments]
    words[2] = f"{tmp_path}/{words[2]}"
    done = run("score", *words, "--engine", "spark")
    assert done.returncode == 2
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("stalkflag: ")]
    assert says in said
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
