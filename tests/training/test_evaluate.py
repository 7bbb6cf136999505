"""Measuring models on a labelled file: figures, differences, a folder of results, no text."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from conftest import ROOT, Run

PLANTED = "zebrafinch quillwort"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A force's own file: its columns, its codes, some rows without a label."""
    folder = tmp_path_factory.mktemp("evaluate")
    code = {"stalking": "8L", "harassment": "8M", "neither": "46"}
    lines = (ROOT / "data" / "corpus" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    with (folder / "own.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["Crime no", "MO text", "HO code", "Nominal"])
        for number, row in enumerate(map(json.loads, lines[::8])):
            label = "" if number % 10 == 7 else code[row["label"]]
            table.writerow([row["id"], f"{row['text']} {PLANTED}", label, row["group"]])
    return folder


COLUMNS = (
    *("--text-column", "MO text", "--label-column", "HO code", "--id-column", "Crime no"),
    *("--group-column", "Nominal", "--label-map", "stalking=8L,harassment=8M,neither=*"),
)


def test_models_are_compared_and_written_to_a_folder(own: Path, run: Run) -> None:
    bundled = ROOT / "stalkflag" / "bundled"
    done = run(
        *("evaluate", "own.csv", *COLUMNS, "--model", "bundled", "--model", bundled),
        *("--out", "results", "--prevalence", "0.02"),
        cwd=own,
    )
    assert done.returncode == 0, done.stderr
    assert "with no label" in done.stderr
    assert "level" in done.stdout and "worse" not in done.stdout.split("against bundled")[1]
    assert "for files with 2.0% stalking" in done.stdout
    results = own / "results"
    names = {path.name for path in results.iterdir()}
    assert {"models.csv", "slices.csv", "differences.csv", "measures.json"} <= names
    for picture in ("confusion", "reliability", "precision-recall", "referral"):
        assert (results / f"{picture}-1-bundled.png").read_bytes().startswith(b"\x89PNG")
    differences = list(csv.DictReader((results / "differences.csv").open(encoding="utf-8")))
    assert {row["what"] for row in differences} >= {"macro-F1", "stalking recall"}
    assert {row["verdict"] for row in differences} == {"level"}
    errors = list(csv.DictReader((results / "errors-1-bundled.csv").open(encoding="utf-8")))
    assert errors and set(errors[0]) == {
        *("id", "label", "suggestion", "probability_of_label", "refer")
    }
    for path in results.iterdir():
        assert b"zebrafinch" not in path.read_bytes(), path.name
    assert "zebrafinch" not in done.stdout + done.stderr


def test_a_folder_that_holds_something_is_left_alone(own: Path, run: Run) -> None:
    (own / "taken").mkdir()
    (own / "taken" / "mine.txt").write_text("mine", encoding="utf-8")
    done = run("evaluate", "own.csv", *COLUMNS, "--out", "taken", cwd=own)
    assert done.returncode == 2
    assert "holds something already" in done.stderr
    assert [path.name for path in (own / "taken").iterdir()] == ["mine.txt"]


def test_figures_for_a_program_are_json_alone(own: Path, run: Run) -> None:
    done = run("evaluate", "own.csv", *COLUMNS, "--format", "json", cwd=own)
    found = json.loads(done.stdout)["bundled"]
    low, high = found["macro_f1_interval"]
    assert low <= found["macro_f1"] <= high
    assert 0 <= found["calibration_error"] <= 1
    assert {"sexes_as_written", "names_offence", "words"} <= set(found["slices"])
    assert found["coverage"][0]["referred"] <= found["coverage"][-1]["referred"]


def test_a_file_without_the_labels_says_how_to_map_them(own: Path, run: Run) -> None:
    done = run("evaluate", "own.csv", "--text-column", "MO text", cwd=own)
    assert done.returncode == 2
    assert "--label-column" in done.stderr
    assert "Traceback" not in done.stderr
