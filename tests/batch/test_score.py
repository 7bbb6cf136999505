"""Files scored: every row accounted for, in order, whatever the file looks like."""

from __future__ import annotations

import csv
import json
import os
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import Run
from python_calamine import CalamineWorkbook

from stalkflag import Assessor
from stalkflag.batch.recorded import recorded_label
from stalkflag.batch.score import ADDED_COLUMNS

ROWS = [
    (
        "a",
        "My ex keeps ringing me although I blocked him, and he sits outside my work every night.",
    ),
    ("b", 'Quoted "text", with a comma\nand a second line about a stolen bicycle.'),
    ("c", ""),
    ("d", '=HYPERLINK("http://example.invalid") he sent a link'),
    ("e", "café receipt £20 – “sorry” 😀"),
]


def write(path: Path, *, encoding: str = "utf-8", delimiter: str = ",") -> Path:
    with path.open("w", encoding=encoding, newline="", errors="replace") as stream:
        table = csv.writer(stream, delimiter=delimiter)
        table.writerow(["id", "narrative", "offence"])
        table.writerows([*row, "8/30 Harassment"] for row in ROWS)
    return path


def read(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_each_encoding_gives_every_row_in_order(run: Run, tmp_path: Path, encoding: str) -> None:
    source = write(tmp_path / "in.csv", encoding=encoding)
    done = run("score", source, "-o", tmp_path / "out.csv", "--recorded-as", "offence")
    assert done.returncode == 0, done.stderr
    rows = read(tmp_path / "out.csv")
    assert [row["id"] for row in rows] == [row[0] for row in ROWS]
    assert set(ADDED_COLUMNS) | {"recorded_as", "disagrees"} <= set(rows[0])
    assert rows[0]["suggestion"] == "stalking"
    assert rows[0]["disagrees"] == "true"
    assert rows[1]["narrative"] == ROWS[1][1]
    assert rows[2]["refer"] == "true"
    assert rows[3]["narrative"].startswith("'=")


def test_json_lines_hold_the_same_assessments_as_flat_files(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "in.tsv", delimiter="\t")
    assert run("score", source, "-o", tmp_path / "out.jsonl").returncode == 0
    assert run("score", source, "-o", tmp_path / "out.tsv").returncode == 0
    nested = [json.loads(line) for line in (tmp_path / "out.jsonl").open(encoding="utf-8")]
    flat = read(tmp_path / "out.tsv", "\t")
    assert [n["suggestion"] for n in nested] == [f["suggestion"] for f in flat]
    for (_, text), item in zip(ROWS, nested, strict=True):
        for name in item["indicators"]:
            for evidence in item["indicators"][name]["evidence"]:
                assert text[evidence["start"] : evidence["end"]] == evidence["text"]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet", "xlsx"])
def test_characters_that_no_file_holds_lose_no_row_and_no_offset(
    run: Run, tmp_path: Path, ending: str
) -> None:
    # Half a surrogate pair in the words, the id and a name; NUL, U+FFFF; a file's name in Latin-1.
    lines = [
        rb'{"id": "a\ud800", "text": "He fol\ud83dlowed her home every night \ud83d\ude00", "\udc00": 1}',
        rb'{"id": "b", "text": "\u0000\uffff\ufffe\u000b He followed her home every night."}',
        rb'{"id": "c", "text": "\udfff"}',
    ]
    source = os.fsdecode(os.fsencode(tmp_path) + b"/in\xe9.jsonl")
    Path(source).write_bytes(b"\n".join(lines))
    output, nested = tmp_path / f"out.{ending}", tmp_path / "nested.jsonl"
    for place in (output, nested):
        done = run("score", source, "-o", place)
        assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in nested.open(encoding="utf-8")]
    assert [row["id"] for row in found] == ["a\ufffd", "b", "c"]
    assert found[0]["file"] == f"{tmp_path}/in\ufffd.jsonl"
    texts = ["He fol\ufffdlowed her home every night 😀", json.loads(lines[1])["text"], "\ufffd"]
    for row, text in zip(found, texts, strict=True):
        pieces = [e for one in row["indicators"].values() for e in one["evidence"]] + row["acts"]
        assert pieces or len(text) == 1
        assert all(text[e["start"] : e["end"]] == e["text"] for e in pieces)
    if ending == "csv":
        assert [row["text"] for row in read(output)] == texts
    if ending == "xlsx":
        rows = CalamineWorkbook.from_path(output).get_sheet_by_index(0).to_python()
        # No XML holds these two: they are written as Excel writes them.
        texts[1] = texts[1].replace("\uffff\ufffe", "_xFFFF__xFFFE_")
        assert [row[rows[0].index("text")] for row in rows[1:]] == texts
    if ending == "parquet":
        table = pq.read_table(output)
        assert table.column("id").to_pylist() == [row["id"] for row in found]
        assert table.column("probabilities").to_pylist() == [r["probabilities"] for r in found]


def test_each_row_is_assessed_by_the_law_of_its_day(
    run: Run, tmp_path: Path, assessor: Assessor
) -> None:
    days = ["01/05/2011", "2021-05-01 23:10", "31/02/2021", "", "01/01/1900"]
    source = tmp_path / "in.csv"
    lines = [f'{day},"{ROWS[0][1]}"' for day in days]
    source.write_text("\n".join(["when,narrative", *lines]), encoding="utf-8")
    done = run("score", source, "-o", tmp_path / "out.jsonl", "--date-column", "when")
    assert done.returncode == 0, done.stderr
    assert "3 rows have no date that can be read" in done.stderr
    expected = [
        assessor.assess(ROWS[0][1], id=str(number), on=day)
        for number, day in enumerate(
            [date(2011, 5, 1), date(2021, 5, 1), None, None, None], start=1
        )
    ]
    assert expected[0].points_to_prove != expected[1].points_to_prove
    for line, one in zip((tmp_path / "out.jsonl").open(encoding="utf-8"), expected, strict=True):
        plain = json.loads(line)
        assert {key: plain[key] for key in one.to_dict()} == json.loads(one.to_json())


def test_two_workers_write_the_same_bytes_as_one(run: Run, tmp_path: Path) -> None:
    lines = [json.dumps({"id": i, "text": f"{ROWS[i % 5][1]} Ref {i}."}) for i in range(400)]
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(lines), encoding="utf-8")
    for workers in ("1", "2"):
        done = run("score", source, "-o", tmp_path / f"{workers}.jsonl", "--workers", workers)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def test_unreadable_rows_are_rejected_with_number_and_reason(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "he rang"}\nnot json\n{"text": 7}\n', encoding="utf-8")
    without = run("score", source, "-o", tmp_path / "out.jsonl")
    assert without.returncode == 2
    assert "--rejects" in without.stderr
    assert not (tmp_path / "out.jsonl").exists()
    done = run("score", source, "-o", tmp_path / "out.jsonl", "--rejects", tmp_path / "bad.csv")
    assert done.returncode == 1
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    assert [row["row"] for row in read(tmp_path / "bad.csv")] == ["2", "3"]
    assert "not json" not in (tmp_path / "bad.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.csv", "-o", "out.csv"], "no file or folder"),
        (["-", "-o", "out.csv"], "save it to a file"),
        (["data/examples/reports.csv", "-o", "out.docx"], "must end in"),
        (["data/examples/reports.csv", "-o", "x.csv", "--text-column", "zz"], "--text-column"),
        (["data/examples/reports.csv", "-o", "x.csv", "--recorded-as", "zz"], "--recorded-as"),
        (["data/examples/reports.csv", "-o", "no/such/folder/x.csv"], "cannot be written"),
    ],
)
def test_mistakes_are_one_sentence(run: Run, arguments: list[str], says: str) -> None:
    done = run("score", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("recorded", "label"),
    [
        ("8/66", "stalking"),
        ("008/65 Stalking involving fear of violence", "stalking"),
        ("Pursue course of conduct in breach of s.1(1) which amounts to stalking", "stalking"),
        ("8/30 Harassment", "harassment"),
        ("Malicious communications", "harassment"),
        ("47/009 Stalking", "stalking"),
        ("Scottish code 47/004", "harassment"),
        ("47/008 Threatening or abusive behaviour", "neither"),
        ("58D Criminal damage", "neither"),
        ("28/30 something else", "neither"),
        ("", "neither"),
    ],
)
def test_recorded_offences_are_mapped(recorded: str, label: str) -> None:
    assert recorded_label(recorded) == label
