"""Output of every kind: the same assessments, typed, safe in a spreadsheet, whole or not there."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Run

from stalkflag import Assessor
from stalkflag.batch.parquet import assessment_fields
from stalkflag.batch.score import ADDED_COLUMNS

TEXTS = [
    "My ex keeps ringing me although I blocked him, and he sits outside my work every night.",
    '=HYPERLINK("http://example.invalid") he sent a link',
    "",
    "Bike stolen from outside the library between 2pm and 4pm.\r\nNUL \x00 and ESC \x1b here.",
    "x" * 40_000,
]


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet file with columns of several types."""
    path = tmp_path_factory.mktemp("typed") / "in.parquet"
    table = pa.table(
        {
            "id": [f"r{n}" for n in range(5)],
            "narrative": TEXTS,
            "when": [datetime.date(2020, 1, n + 1) for n in range(5)],
            "at": pa.array([datetime.datetime(2020, 1, 1, 9, 30)] * 5, pa.timestamp("us", "UTC")),
            "cost": pa.array([Decimal("1.50")] * 4 + [None], pa.decimal128(8, 2)),
            "reference": [2**60] * 5,
            "=cmd": ["+44 7700", "-5", "@x", "\tx", None],
            "suggestion": ["theirs"] * 5,
            "rate": [1.5, float("nan"), 2.0, None, 0.1],
            "tags": [["a"], [], None, ["b", "c"], ["d"]],
        }
    )
    pq.write_table(table, path)
    return path


ENDINGS = ("parquet", "jsonl.gz", "csv.gz", "xlsx")


@pytest.fixture(scope="module")
def outputs(run: Run, typed: Path) -> dict[str, tuple[Path, str]]:
    """The file scored to every kind of output, and what was said."""
    made = {}
    for ending in ENDINGS:
        output = typed.with_name(f"out.{ending}")
        done = run("score", typed, "-o", output, "--recorded-as", "tags")
        assert done.returncode == 0, done.stderr
        made[ending] = output, done.stderr
    return made


Outputs = dict[str, tuple[Path, str]]


def read_csv(path: Path) -> list[dict[str, str]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_parquet_is_typed_and_opens_elsewhere(
    outputs: Outputs, typed: Path, assessor: Assessor
) -> None:
    output, _ = outputs["parquet"]
    schema = pq.read_schema(output)
    inside = schema.field("input").type
    assert [inside.field(name).type for name in ("when", "cost", "reference", "rate")] == [
        pa.date32(),
        pa.decimal128(8, 2),
        pa.int64(),
        pa.float64(),
    ]
    assert inside.field("tags").type == pa.string()
    rows = pq.read_table(output).to_pylist()
    given = pq.read_table(typed).to_pylist()
    for row, was in zip(rows, given, strict=True):
        expected = json.loads(assessor.assess(was["narrative"], id=was["id"]).to_json())
        assert {name: row[name] for name in expected} == expected
        for name in ("when", "at", "cost", "reference", "suggestion"):
            assert row["input"][name] == was[name]
    counted = duckdb.sql(
        f"SELECT suggestion, count(*), max(probabilities.stalking) FROM '{output}' "
        "WHERE indicators.fixated.present IS NOT NULL GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert sum(number for _, number, _ in counted) == 5
    frame = pd.read_parquet(output)
    assert list(frame["row"]) == [1, 2, 3, 4, 5]


def test_json_lines_hold_what_parquet_holds(outputs: Outputs) -> None:
    table = pq.read_table(outputs["parquet"][0]).to_pylist()
    with gzip.open(outputs["jsonl.gz"][0], "rt", encoding="utf-8") as stream:
        lines = [json.loads(line) for line in stream]
    assert [list(line) for line in lines] == [list(row) for row in table]
    for line, row in zip(lines, table, strict=True):
        assert {**line, "input": None} == {**row, "input": None}
    assert lines[1]["input"]["rate"] is None and lines[0]["input"]["when"] == "2020-01-01"
    assert "narrative" not in lines[0]["input"]


@pytest.mark.parametrize("ending", ["parquet", "xlsx", "csv.gz"])
def test_the_same_run_gives_the_same_bytes(
    run: Run, tmp_path: Path, typed: Path, outputs: Outputs, ending: str
) -> None:
    again = tmp_path / f"again.{ending}"
    run("score", typed, "-o", again, "--recorded-as", "tags")
    assert again.read_bytes() == outputs[ending][0].read_bytes()


def test_no_spreadsheet_runs_a_cell(outputs: Outputs) -> None:
    rows = read_csv(outputs["csv.gz"][0])
    assert all(not name.startswith("=") for name in rows[0])
    assert [row["'=cmd"] for row in rows] == ["'+44 7700", "-5", "'@x", "'\tx", ""]
    assert rows[1]["narrative"].startswith("'=HYPERLINK")
    assert {row["input_suggestion"] for row in rows} == {"theirs"}
    workbook, said = outputs["xlsx"]
    assert "1 cell was cut" in said
    sheet = openpyxl.load_workbook(workbook).worksheets[0]
    cells = [cell for line in sheet.iter_rows() for cell in line if cell.value is not None]
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
    formula = next(cell for cell in cells if str(cell.value).startswith("=HYPER"))
    assert formula.data_type == "s" and formula.quotePrefix
    header, first, *_ = sheet.iter_rows(values_only=True)
    row: dict[str, Any] = dict(zip(header, first, strict=True))
    assert set(ADDED_COLUMNS) <= set(row)
    assert row["when"] == datetime.datetime(2020, 1, 1) and row["reference"] == str(2**60)
    assert isinstance(row["refer"], bool) and isinstance(row["p_stalking"], float)


def test_a_workbook_can_be_scored_again(run: Run, tmp_path: Path, outputs: Outputs) -> None:
    done = run("score", outputs["xlsx"][0], "-o", tmp_path / "two.csv")
    assert done.returncode == 0, done.stderr
    rows = read_csv(tmp_path / "two.csv")
    assert rows[3]["narrative"] == TEXTS[3]
    assert [row["suggestion"] for row in rows] == [row["input_input_suggestion"] for row in rows]


def test_schema_follows_the_assessment(assessor: Assessor) -> None:
    plain = assessor.assess("He rang.").to_dict()
    assert {field.name for field in assessment_fields()} == set(plain)


def test_several_files_say_where_a_row_came_from(run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"narrative,{name}\nhe rang,1\n", encoding="utf-8")
    done = run("score", tmp_path / "*.csv", "-o", tmp_path / "out.tsv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [(Path(row["file"]).name, row["row"]) for row in rows] == [
        ("a.csv", "1"),
        ("b.csv", "1"),
    ]
    assert [(row["a"], row["b"]) for row in rows] == [("1", ""), ("", "1")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["in.csv", "-o", "in.csv"], "one of the inputs"),
        (["in.csv", "-o", "out.csv", "--rejects", "in.csv"], "one of the inputs"),
        (["in.csv", "-o", "out.csv", "--rejects", "out.csv"], "same file"),
        (["in.csv", "-o", "out.csv", "--rejects", "bad.xlsx"], "must end in .csv"),
        (["in.csv", "-o", "out.parquet.gz"], "must end in"),
        (["in.csv", "-o", "out.csv", "--master", "local"], "--engine spark"),
        (["in.csv", "-o", "folder.csv"], "it is a folder"),
    ],
)
def test_mistakes_are_one_sentence(
    run: Run, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "in.csv").write_text("text\nhe rang\n", encoding="utf-8")
    (tmp_path / "folder.csv").mkdir()
    done = run("score", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "in.csv").read_text(encoding="utf-8") == "text\nhe rang\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.csv", "in.csv"]


def test_a_narrative_alone_and_no_rows_at_all(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\nhe rang\n", encoding="utf-8")
    (tmp_path / "none.csv").write_text("id,text\n", encoding="utf-8")
    for name, rows in (("in", 1), ("none", 0)):
        output = tmp_path / f"{name}.parquet"
        done = run("score", tmp_path / f"{name}.csv", "-o", output)
        assert done.returncode == 0, done.stderr
        assert pq.read_table(output).num_rows == rows
    assert "input" not in pq.read_schema(tmp_path / "in.parquet").names
    missing = run("score", tmp_path / "in.csv", "-o", tmp_path / "x.csv", "--model", "nowhere")
    assert missing.returncode == 2 and "no model" in missing.stderr
    assert not list(tmp_path.glob("x.csv*"))


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("pyarrow", ["in.csv", "-o", "out.parquet"], "files"),
        ("pyarrow", ["in.csv", "-o", "out.csv.zst"], "files"),
        ("python_calamine", ["in.xlsx", "-o", "out.csv"], "files"),
        ("pyspark", ["in.parquet", "-o", "out.parquet", "--engine", "spark"], "spark"),
    ],
)
def test_a_missing_extra_is_named(
    tmp_path: Path, package: str, arguments: list[str], extra: str
) -> None:
    for name in ("in.csv", "in.xlsx", "in.parquet"):
        (tmp_path / name).write_text("text\nhe rang\n", encoding="utf-8")
    absent = tmp_path / "absent" / package
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ImportError", encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(absent.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "stalkflag", "score", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert f"pip install 'stalkflag[{extra}]'" in done.stderr and "Traceback" not in done.stderr
