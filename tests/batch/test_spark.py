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


UDF = """
import sys
import mlflow
from pyspark.sql import SparkSession
from stalkflag.model import BUNDLED
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
