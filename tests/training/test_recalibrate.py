"""Recalibration on own cases: it helps where the model is off, and is left alone where it is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Run, small_suite

from stalkflag import Assessor
from stalkflag.errors import InputError
from stalkflag.training.recalibrate import Scaling, apply_scaling, recalibrate
from stalkflag.training.records import Record, read_records

DEV = ROOT / "data" / "corpus" / "dev.jsonl"


def cases(number: int, seed: int, *, sure: float) -> tuple[np.ndarray, list[Record]]:
    """Probabilities that are ``sure`` times as sure as they should be, and labelled records."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(scale=1.5, size=(number, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [draw.choice(["stalking", "harassment", "neither"], p=row) for row in p]
    said = np.exp(logits * sure)
    example = read_records([DEV])[0]
    records = [
        Record(
            **{
                **{name: getattr(example, name) for name in Record.__dataclass_fields__},
                **{"id": f"r{n}", "group": f"r{n}", "label": str(label)},
            }
        )
        for n, label in enumerate(labels)
    ]
    return said / said.sum(axis=1, keepdims=True), records


def test_a_model_that_is_too_sure_is_tempered() -> None:
    found = recalibrate(*cases(200, 1, sure=3.0), missed_costs=1.5)
    assert found.helps
    assert found.scaling.scale < 0.7
    assert found.log_loss[1] < found.log_loss[0]
    assert found.calibration_error[1] < found.calibration_error[0]


def test_a_calibrated_model_is_left_alone() -> None:
    assert not recalibrate(*cases(150, 2, sure=1.0), missed_costs=1.5).helps


def test_held_out_probabilities_are_of_scalings_fitted_without_the_case() -> None:
    said, records = cases(150, 3, sure=3.0)
    found = recalibrate(said, records, missed_costs=1.5)
    fitted_with_all = found.scaling.apply(np.log(said))
    assert not np.allclose(found.held_out, fitted_with_all)
    assert np.allclose(found.held_out, fitted_with_all, atol=0.1)


def test_with_few_of_a_label_only_the_temperature_is_fitted() -> None:
    said, records = cases(150, 4, sure=3.0)
    kept = [i for i, record in enumerate(records) if record.label != "harassment" or i < 10]
    found = recalibrate(said[kept], [records[i] for i in kept], missed_costs=1.5)
    assert found.scaling.method == "temperature"
    assert set(found.scaling.bias) == {0.0}


def test_fewer_than_a_hundred_cases_or_one_label_are_refused() -> None:
    said, records = cases(99, 5, sure=3.0)
    with pytest.raises(InputError, match="at least 100"):
        recalibrate(said, records, missed_costs=1.5)
    said, records = cases(400, 5, sure=3.0)
    alike = [i for i, record in enumerate(records) if record.label == "neither"]
    with pytest.raises(InputError, match="same label"):
        recalibrate(said[alike], [records[i] for i in alike], missed_costs=1.5)


def test_a_scaled_model_gives_scaled_probabilities(assessor: Assessor) -> None:
    texts = ["My ex sits outside my house every night. I told him to stop.", "Bike stolen at 2pm."]
    scaling = Scaling("temperature and bias", 0.5, (0.4, -0.1, -0.3))
    scaled = Assessor(apply_scaling(assessor.model, scaling))
    before = np.array([list(one.label.values()) for one in assessor.scores(texts)])
    after = np.array([list(one.label.values()) for one in scaled.scores(texts)])
    assert np.allclose(after, scaling.apply(np.log(before)), atol=1e-5)


def own_cases(folder: Path, *, wrong: int) -> Path:
    """Labels only, as a force has them; every ``wrong``-th is another than the text shows."""
    rows = [json.loads(line) for line in DEV.read_text(encoding="utf-8").splitlines()[:360]]
    other = {"stalking": "harassment", "harassment": "neither", "neither": "harassment"}
    path = folder / "own.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {
                    "id": row["id"],
                    "group": row["group"],
                    "text": row["text"],
                    "label": other[row["label"]] if n % wrong == 0 else row["label"],
                }
            )
            + "\n"
            for n, row in enumerate(rows)
        ),
        encoding="utf-8",
    )
    return path


def test_the_command_recalibrates_where_it_helps(tmp_path: Path, run: Run) -> None:
    path = own_cases(tmp_path, wrong=3)
    done = run(
        *("train", "--recalibrate", path, "--output", "bundle"),
        *("--pairs", small_suite(tmp_path)),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "Recalibrated by temperature" in done.stderr
    info = json.loads((tmp_path / "bundle" / "bundle.json").read_text(encoding="utf-8"))
    assert info["recalibrated"]["scale"] < 1
    assert info["recalibrated"]["log_loss_gain_at_least"] > 0
    assert info["version"] != info["recalibrated"]["from"]
    answer = run("check", "--text", "Bike stolen.", "--model", "bundle", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr


def test_the_command_says_what_it_cannot_do(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "few.jsonl"
    rows = own_cases(tmp_path, wrong=3).read_text(encoding="utf-8").splitlines()[:50]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    for arguments, says in (
        (["--recalibrate", path], "at least 100"),
        (["--recalibrate", path, "--start", "both"], "leave --start out"),
        ([path, "--model", "bundled2"], "goes with --recalibrate"),
        ([path], "--start both"),
    ):
        done = run("train", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "mlflow.db").exists()
