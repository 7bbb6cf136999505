"""Training from an empty folder: reproducible, tracked, registered, and without a word leaked."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Run

PLANTED = "zebrafinch quillwort"


def corpus(folder: Path, every: int = 8) -> Path:
    """A small part of the corpus, with a word planted that must never come out again."""
    data = folder / "data"
    data.mkdir()
    for split, step in (("train", every), ("test", 8)):
        lines = (
            (ROOT / "data" / "corpus" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        )
        rows = [json.loads(line) for line in lines[::step]]
        for row in rows:
            row["text"] += f" {PLANTED}"
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (data / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return data


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    data = corpus(folder)
    done = run("train", data, "--register", "--output", "bundle", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_data_and_seed_give_the_same_weights(trained: Path, run: Run) -> None:
    again = run("train", "data", "--output", "again", cwd=trained)
    assert again.returncode == 0, again.stderr
    for name in ("weights.npz", "rules.json", "bundle.json"):
        assert digest(trained / "bundle" / name) == digest(trained / "again" / name), name


def test_the_registered_model_answers_like_its_bundle(trained: Path, run: Run) -> None:
    text = "My ex keeps texting me from new numbers after I told him to stop."
    answers = []
    for ref in ("bundle", "models:/stalkflag@challenger"):
        done = run("check", "--text", text, "--format", "json", "--model", ref, cwd=trained)
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    assert answers[0] == answers[1]


def test_mlflow_loads_it_without_pickle_and_answers_a_row_each(trained: Path) -> None:
    code = """
import mlflow, pandas as pd
mlflow.set_tracking_uri("sqlite:///mlflow.db")
model = mlflow.pyfunc.load_model("models:/stalkflag@challenger")
rows = model.predict(pd.DataFrame({"text": ["bike stolen from the shed", "", "he rang again"]}))
assert list(rows.index) == [0, 1, 2] and rows["suggestion"][0] == "neither", rows["suggestion"]
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=trained,
        env={**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_no_narrative_is_kept_anywhere(trained: Path) -> None:
    kept = [path for path in trained.rglob("*") if path.is_file() and path.parent.name != "data"]
    assert any(path.name == "mlflow.db" for path in kept)
    words = [word.encode() for word in PLANTED.split()]
    leaks = [str(p.name) for p in kept if any(word in p.read_bytes() for word in words)]
    assert leaks == []


def test_runs_hold_metrics_parameters_hashes_and_pictures(trained: Path) -> None:
    code = """
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
runs = mlflow.search_runs(experiment_names=["stalkflag"], output_format="list")
run = runs[-1]
assert run.data.metrics["test.macro_f1"] > 0
assert {"seed", "data_sha256", "rules_sha256"} <= set(run.data.params)
names = [a.path for a in mlflow.MlflowClient().list_artifacts(run.info.run_id, "pictures")]
assert "pictures/confusion-test.png" in names, names
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=trained, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_settings_come_from_a_file_and_unknown_ones_are_refused(trained: Path, run: Run) -> None:
    (trained / "bad.toml").write_text("sead = 3\n", encoding="utf-8")
    done = run("train", "data", "--config", "bad.toml", cwd=trained)
    assert done.returncode == 2
    assert "unknown setting 'sead'" in done.stderr


def test_too_few_records_are_refused(tmp_path: Path, run: Run) -> None:
    data = corpus(tmp_path, every=400)
    done = run("train", data, cwd=tmp_path)
    assert done.returncode == 2
    assert "at least 60" in done.stderr


def test_labels_that_break_the_guide_are_refused(tmp_path: Path, run: Run) -> None:
    data = corpus(tmp_path, every=20)
    path = data / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    stalking = next(row for row in rows if row["label"] == "stalking")
    stalking["evidence"]["unwanted"] = ["words that are not there"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = run("train", data, cwd=tmp_path)
    assert done.returncode == 2
    assert "does not stand in the text" in done.stderr
    assert PLANTED not in done.stderr
