"""Training from an empty folder: reproducible, tracked, registered, and without a word leaked."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Run, small_suite

from stalkflag.assessment import LABELS
from stalkflag.errors import InputError
from stalkflag.rules.compiled import compile_rules
from stalkflag.rules.schema import load_packs
from stalkflag.training.fit import Settings, fit
from stalkflag.training.records import read_records
from stalkflag.training.settings import read_settings

PLANTED = "zebrafinch quillwort"


def corpus(folder: Path, every: int = 12) -> Path:
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
    small_suite(folder)
    done = run(
        *("train", data, "--register", "--output", "bundle", "--pairs", "pairs.yaml"),
        *("--most-missed", "0.3", "--prevalence", "0.2"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    (folder / "printed.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return folder


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_data_and_seed_give_the_same_weights(trained: Path, run: Run) -> None:
    again = run(
        *("train", "data", "--output", "again", "--pairs", "pairs.yaml"),
        *("--most-missed", "0.3", "--prevalence", "0.2"),
        cwd=trained,
    )
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
metrics, parameters = run.data.metrics, run.data.params
for name in ("test.macro_f1.low", "test.macro_f1.high", "held_out.calibration_error",
             "test.slices.names_offence.no.accuracy.low", "behaviour.right"):
    assert name in metrics, name
assert {"code_sha256", "python", "package.scikit-learn", "start", "most_missed"} <= set(parameters)
client = mlflow.MlflowClient()
def names(folder):
    return {a.path.split("/")[-1] for a in client.list_artifacts(run.info.run_id, folder)}
for data in ("held_out", "test"):
    for picture in ("confusion", "reliability", "precision-recall", "referral"):
        assert f"{picture}-{data}.png" in names("pictures")
    assert f"{data}.csv" in names("coverage") & names("errors")
    assert f"{data}.json" in names("metrics") & names("predictions")
assert {"model-card.md", "config.json", "behaviour.json", "bundle.json"} <= names("")
config = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/config.json")
assert config["most_missed"] == 0.3 and config["data"] == ["data"] and config["seed"] == 1997
card = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/model-card.md")
for part in ("Trained on", "95 % bootstrap intervals", "Not for", "With 95 % confidence"):
    assert part in card, part
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=trained, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_what_was_asked_for_stands_in_the_bundle(trained: Path) -> None:
    info = json.loads((trained / "bundle" / "bundle.json").read_text(encoding="utf-8"))
    assert info["prevalence"]["stalking"] == 0.2
    assert info["promises"] == {"most_missed": 0.3}
    assert 0 < info["thresholds"]["refer_stalking_from"] <= 1
    assert info["settings"]["prevalence"] == info["prevalence"]
    assert sum(info["label_shares"].values()) == pytest.approx(1, abs=1e-5)
    printed = (trained / "printed.txt").read_text(encoding="utf-8")
    assert "Referral (held_out, for files with 20.0% stalking" in printed
    assert "at most 30.0% with 95 % confidence" in printed
    assert "fitting the heads" in printed
    assert "zebrafinch" not in printed


def test_settings_come_from_a_file_and_unknown_ones_are_refused(trained: Path, run: Run) -> None:
    (trained / "bad.toml").write_text("sead = 3\n", encoding="utf-8")
    done = run("train", "data", "--config", "bad.toml", cwd=trained)
    assert done.returncode == 2
    assert "unknown setting 'sead'" in done.stderr


def test_too_few_records_are_refused(tmp_path: Path, run: Run) -> None:
    data = corpus(tmp_path, every=400)
    done = run("train", data, cwd=tmp_path)
    assert done.returncode == 2
    assert "at least 60" in done.stderr or "--start both" in done.stderr


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


def test_labels_alone_teach_no_indicator_and_the_remedy_is_said(tmp_path: Path, run: Run) -> None:
    data = corpus(tmp_path, every=20)
    for path in data.iterdir():
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        bare = [{key: row[key] for key in ("id", "text", "label", "group")} for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in bare), encoding="utf-8")
    done = run("train", data, cwd=tmp_path)
    assert done.returncode == 2
    assert "fixated, obsessive, unwanted, repeated, relationship" in done.stderr
    assert "--start both" in done.stderr


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("folds = 1", "at least 2"),
        ("characters = 1", "wrong kind"),
        ("most_missed = 1.5", "most_missed is a share"),
        ("class_weight = {theft = 2}", "names 'theft'"),
        ("class_weight = {stalking = -1}", "above 0"),
        ("prevalence = {stalking = 0.7, harassment = 0.7}", "sum to"),
        ("seed = ", "cannot be read as TOML"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, setting: str, says: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(setting + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=says):
        read_settings(path)


def test_weights_of_cases_and_labels_move_the_model(tmp_path: Path) -> None:
    data = corpus(tmp_path, every=24)
    records = read_records([data / "train.jsonl"])
    rules = load_packs()
    rules = replace(rules, compiled=compile_rules(rules))
    plain = fit(records, rules=rules)
    stalking = LABELS.index("stalking")
    heavier = fit(
        [replace(r, weight=5.0) if r.label == "stalking" else r for r in records], rules=rules
    )
    by_label = fit(records, rules=rules, settings=Settings(class_weight={"stalking": 5.0}))
    before = plain.held_out_label[:, stalking].mean()
    assert heavier.held_out_label[:, stalking].mean() > before
    assert by_label.held_out_label[:, stalking].mean() > before
    # Class weights leave the words as they are.
    assert np.array_equal(plain.model.bag_words.hashed, by_label.model.bag_words.hashed)
    assert not np.array_equal(plain.model.bag_words.hashed, heavier.model.bag_words.hashed)


def test_an_interrupted_training_registers_nothing(tmp_path: Path, run: Run) -> None:
    data = corpus(tmp_path, every=16)
    small_suite(tmp_path)
    command = [sys.executable, "-m", "stalkflag", "train", str(data), "--register"]
    process = subprocess.Popen(
        [*command, "--pairs", "pairs.yaml", "--output", "bundle"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if b"logging to MLflow" in line:
            break
    process.send_signal(signal.SIGINT)
    process.stderr.close()
    assert process.wait(300) == 130
    listed = run("models", "list", cwd=tmp_path)
    assert listed.returncode == 2
    assert "mlflow.db" in listed.stderr or "No model is registered" in listed.stderr
