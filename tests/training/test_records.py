"""Labelled narratives from every kind of file: nothing is lost in silence, no text is repeated."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from conftest import Run
from pyarrow import parquet

from stalkflag.errors import InputError
from stalkflag.training.records import (
    Columns,
    check_apart,
    parse_label_map,
    read_labelled,
    read_records,
)

ROWS: list[dict[str, Any]] = [
    {
        "id": "one",
        "text": "He followed me home on Tuesday and again on Friday.",
        "label": "stalking",
        "fixated": True,
        "obsessive": False,
        "unwanted": True,
        "repeated": True,
        "evidence": {
            "fixated": ["He followed me home"],
            "unwanted": ["He followed me home"],
            "repeated": ["again on Friday"],
        },
        "acts": ["following"],
        "relationship": "stranger",
        "occasions": 2,
    },
    {"id": "two", "text": "Bike stolen from the shed.", "label": "neither", "acts": []},
    {"id": "three", "text": "Neighbour shouts about bins again.", "label": "harassment"},
]


def write(folder: Path, kind: str) -> Path:
    path = folder / f"cases.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    elif kind == "parquet":
        parquet.write_table(pa.Table.from_pylist(ROWS), path)
    elif kind == "folder":
        datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)}).save_to_disk(path)
    else:
        with path.open("w", encoding="utf-16", newline="") as stream:
            table = csv.DictWriter(
                stream, list(ROWS[0]), delimiter="," if kind == "csv" else "\t", restval=""
            )
            table.writeheader()
            for row in ROWS:
                flat = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()}
                if "acts" in flat:
                    flat["acts"] = "; ".join(row["acts"]) or "none"
                table.writerow(flat)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet", "folder"])
def test_every_kind_of_file_holds_the_same_records(tmp_path: Path, kind: str) -> None:
    first, second, third = read_records([write(tmp_path, kind)])
    assert (first.id, first.label, first.acts, first.occasions) == (
        *("one", "stalking", ("following",)),
        2,
    )
    assert first.indicators == {
        "fixated": True,
        "obsessive": False,
        "unwanted": True,
        "repeated": True,
    }
    assert first.evidence["repeated"] == ("again on Friday",)
    assert (second.label, second.acts, second.relationship) == ("neither", (), None)
    assert (third.indicators["fixated"], third.acts, third.occasions) == (None, None, None)
    assert [r.split for r in (first, second)] == ["train" if kind == "folder" else None] * 2


def own_cases(folder: Path) -> Path:
    path = folder / "own.csv"
    path.write_text(
        "Crime no,MO text,HO code,Nominal\n"
        'c1,"He waits outside, again.",8l,n1\n'
        "c2,Text messages every day.,8L,n1\n"
        "c3,Neighbours row.,8M,n2\n"
        "c4,Shop theft.,46,n3\n"
        "c5,,46,n4\n"
        "c6,Cancelled record.,99/99,n5\n"
        "c7,Not read yet.,,n6\n",
        encoding="utf-8",
    )
    return path


def test_own_columns_and_codes_are_mapped_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    columns = Columns(
        text="mo text",
        label="HO code",
        id="Crime no",
        group="nominal",
        labels=parse_label_map(["stalking=8L,harassment=8M", "skip=99/99,neither=*"]),
    )
    read = read_labelled([f"{own_cases(tmp_path)}:2.5"], columns)
    assert [(r.id, r.label, r.group, r.weight) for r in read.records] == [
        ("c1", "stalking", "n1", 2.5),
        ("c2", "stalking", "n1", 2.5),
        ("c3", "harassment", "n2", 2.5),
        ("c4", "neither", "n3", 2.5),
    ]
    assert len(read.notes) == 1
    assert (
        "3 of 7 rows left out: 1 with no text, 1 with a label mapped to skip, 1 with no label"
        in (read.notes[0])
    )


def test_codes_that_pandas_made_fractions_are_the_codes(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    rows = [
        {"text": row["text"], "label": code}
        for row, code in zip(ROWS, (8.0, None, 9.0), strict=True)
    ]
    parquet.write_table(pa.Table.from_pylist(rows), path)
    codes = parse_label_map(["stalking=8,harassment=9,neither=*"])
    read = read_labelled([path], Columns(labels=codes))
    assert [record.label for record in read.records] == ["stalking", "harassment"]


def test_a_saved_dataset_names_its_own_labels(tmp_path: Path) -> None:
    names = ["neither", "stalking", "harassment"]
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)}
    )
    rows = [{"text": row["text"], "label": row["label"]} for row in ROWS]
    rows.append({"text": "She rang.", "label": None})
    datasets.Dataset.from_list(rows, features=features).save_to_disk(tmp_path / "cases")
    read = read_labelled([tmp_path / "cases"])
    assert [record.label for record in read.records] == [row["label"] for row in ROWS]
    assert "1 with no label" in read.notes[0]


def test_a_case_is_not_both_learned_from_and_measured(tmp_path: Path) -> None:
    first, second, third = read_records([write(tmp_path, "jsonl")])
    check_apart([first, second], [[third]])
    # Running numbers may be the same in two files.
    check_apart([first], [[replace(third, id=first.id, group=first.id)]])
    for other in (
        replace(third, text=f" {first.text.upper()}"),
        replace(third, group="case 7"),
    ):
        with pytest.raises(InputError, match="1 of the narratives to measure on"):
            check_apart([replace(first, group="case 7")], [[other]])


def test_options_for_one_file_do_not_spoil_another(tmp_path: Path) -> None:
    columns = Columns(text="MO text", label="HO code", labels=parse_label_map(["neither=*"]))
    records = read_labelled(
        [write(tmp_path, "csv"), write(tmp_path, "parquet"), own_cases(tmp_path)], columns
    ).records
    assert [r.label for r in records[:3]] == ["stalking", "neither", "harassment"]
    assert len(records) == 3 + 3 + 5


def test_decisions_of_the_desk_are_read_and_the_last_one_counts(tmp_path: Path) -> None:
    decided = [
        {"id": "d1", "text_hash": "h1", "decision": "neither", "text": "He rang once."},
        {"id": "d2", "text_hash": "h2", "decision": "stalking"},
        {"id": "d3", "text_hash": "h3", "decision": "need_more", "text": "He rang."},
        {"id": "d1", "text_hash": "h1", "decision": "harassment", "text": "He rang once."},
        {
            **{"id": "d4", "stage": "first", "decision": "neither", "label": "neither"},
            "text_hmac_sha256": "h4",
        },
        {
            **{"id": "d4", "stage": "final", "decision": "stalking", "label": "stalking"},
            **{"text_hmac_sha256": "h4", "text": "He follows me daily."},
        },
        {"id": "d5", "decision": "need more", "label": None, "text": "He rang.", "reason": ""},
        {"id": "d6", "text_hash": "h6", "decision": "neither", "text": "She sent one card."},
        {"id": "d6", "text_hash": "h6", "decision": "need more", "text": "She sent one card."},
    ]
    path = tmp_path / "decisions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in decided), encoding="utf-8")
    read = read_labelled([path])
    assert [(r.id, r.label, r.group) for r in read.records] == [
        ("d1", "harassment", "h1"),
        ("d4", "stalking", "h4"),
    ]
    (note,) = read.notes
    assert "7 of 9 rows left out" in note
    assert "1 that were a first impression" in note
    assert "1 without the text" in note
    assert "3 where the decision was to find out more" in note
    assert "2 overtaken by a later decision" in note


SECRET = "He sat in the willow tree watching her window for an hour on Sunday."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f'"{SECRET}"\n', "not a JSON object"),
        (f"{SECRET}\n", "not JSON"),
        (json.dumps({"text": SECRET}) + "\n", "--label-column"),
        (json.dumps({"text": SECRET, "label": SECRET}) + "\n", "--label-map"),
        (json.dumps({"text": 3, "label": "neither"}) + "\n", "not text"),
        (json.dumps({"text": SECRET, "label": "neither", "fixated": SECRET}), "give true, false"),
        (json.dumps({"text": SECRET, "label": "neither", "evidence": SECRET}), "JSON object"),
        (json.dumps({"text": SECRET, "label": "neither", "occasions": SECRET}), "whole number"),
        (json.dumps({"text": SECRET, "label": "neither", "weight": -1}), "above 0"),
        ("", "it is empty"),
    ],
)
def test_what_cannot_be_read_is_said_without_repeating_it(
    tmp_path: Path, content: str, says: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as raised:
        read_records([path])
    assert says in str(raised.value)
    assert "willow" not in str(raised.value)


@pytest.mark.parametrize("given", ["stalking", "stalking=", "theft=8L", "stalking=1,neither=1"])
def test_a_label_map_that_says_nothing_clear_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="label-map"):
        parse_label_map([given])


def test_a_damaged_parquet_file_and_a_weight_of_nothing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cases.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_records([path])
    with pytest.raises(InputError, match="above 0"):
        read_records([f"{path}:0"])


def test_the_check_takes_the_same_options(tmp_path: Path, run: Run) -> None:
    path = own_cases(tmp_path)
    refused = run("data", "check", path, "--text-column", "MO text", "--label-column", "HO code")
    assert refused.returncode == 2
    assert "'8L' (2)" in refused.stderr or "'8l' (1)" in refused.stderr
    done = run(
        *("data", "check", f"{path}:2", "--text-column", "MO text", "--label-column", "HO code"),
        *("--label-map", "stalking=8L,harassment=8M,skip=99/99,neither=*"),
    )
    assert done.returncode == 0, done.stderr
    assert "3 of 7 rows left out" in done.stdout
    assert "by label: stalking 2" in done.stdout
