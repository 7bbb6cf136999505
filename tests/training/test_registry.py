"""From an empty folder: train, promote, check, serve, a worse challenger, rollback, export."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT, Run, small_suite

STALKED = (
    "My ex sits outside my house every night and I have told him to stop. He followed me on Friday."
)


def corpus(folder: Path, name: str, every: int, *, spoilt: bool = False) -> None:
    """Some of the corpus; spoilt, every label is another than the text shows."""
    lines = (ROOT / "data" / "corpus" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    other = {"stalking": "neither", "harassment": "stalking", "neither": "harassment"}
    rows = [json.loads(line) for line in lines[::every]]
    if spoilt:
        # Labels that say nothing of the indicators cannot be against the labelling guide.
        rows = [
            {
                **row,
                "label": other[row["label"]],
                "unwanted": None,
                "repeated": None,
                "evidence": {},
            }
            if n % 3
            else row
            for n, row in enumerate(rows)
        ]
        for row in rows:
            row.update(dict.fromkeys(("fixated", "obsessive"), None) if not row["evidence"] else {})
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """A folder with a registered, promoted model and a spoilt challenger."""
    folder = tmp_path_factory.mktemp("registry")
    corpus(folder, "good.jsonl", 8)
    corpus(folder, "spoilt.jsonl", 8, spoilt=True)
    lines = (ROOT / "data" / "corpus" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    (folder / "test.jsonl").write_text("\n".join(lines[::4]) + "\n", encoding="utf-8")
    small_suite(folder)
    for command in (
        ("train", "good.jsonl", "test.jsonl", "--register", "--pairs", "pairs.yaml"),
        ("models", "promote"),
        ("train", "spoilt.jsonl", "test.jsonl", "--register", "--pairs", "pairs.yaml"),
    ):
        done = run(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def champion(bench: Path, run: Run) -> str:
    listed = json.loads(run("models", "list", "--format", "json", cwd=bench).stdout)
    (number,) = [version["number"] for version in listed if "champion" in version["aliases"]]
    return str(number)


def test_the_champion_is_asked_by_its_alias(bench: Path, run: Run) -> None:
    done = run("check", "--text", STALKED, "--model", "models:/stalkflag@champion", cwd=bench)
    assert done.returncode == 0, done.stderr
    assert "Suggests review as STALKING" in done.stdout
    shown = run("models", "show", "champion", cwd=bench).stdout
    assert "gate: first champion" in shown
    assert "## How good it is" in shown


def test_mlflow_serves_the_champion_without_pickle(bench: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "models", "serve"),
            *("-m", "models:/stalkflag@champion", "-p", str(port), "--env-manager", "local"),
        ],
        cwd=bench,
        env={
            **os.environ,
            # MLflow starts uvicorn by its name, as in an activated environment.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db",
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            json.dumps({"dataframe_records": [{"text": STALKED}, {"text": ""}]}).encode(),
            {"Content-Type": "application/json"},
        )
        answer = _answer(request, server)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)
    first, second = answer["predictions"]
    assert first["suggestion"] == "stalking"
    assert json.loads(first["assessment"])["suggestion"] == "stalking"
    assert second["refer"] is True


def _answer(request: urllib.request.Request, server: subprocess.Popen[bytes]) -> dict[str, list]:
    for _ in range(240):
        assert server.poll() is None, "the server has stopped"
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.URLError:
            time.sleep(0.5)
    raise AssertionError("the server does not answer")


def test_a_worse_challenger_is_kept_out_by_the_gate_and_let_in_by_force(
    bench: Path, run: Run
) -> None:
    refused = run("models", "promote", cwd=bench)
    assert refused.returncode == 2
    assert "does not pass the gate" in refused.stderr
    assert "macro-F1" in refused.stderr
    assert champion(bench, run) == "1"
    assert "reason" in run("models", "promote", "--force", " ", cwd=bench).stderr

    forced = run("models", "promote", "--force", "tried on a copy", cwd=bench)
    assert forced.returncode == 0, forced.stderr
    assert champion(bench, run) == "2"
    shown = run("models", "show", "2", cwd=bench).stdout
    assert "gate: forced" in shown and "forced_because: tried on a copy" in shown
    assert "promoted_over: 1" in shown

    back = run("models", "rollback", "--reason", "it was worse", cwd=bench)
    assert back.returncode == 0, back.stderr
    assert champion(bench, run) == "1"
    assert "rolled_back_because: it was worse" in run("models", "show", "2", cwd=bench).stdout
    again = run("models", "rollback", cwd=bench)
    assert again.returncode == 2 and "first champion" in again.stderr


def test_models_are_compared_on_other_narratives(bench: Path, run: Run) -> None:
    done = run(
        *("models", "compare", "champion", "2", "--data", "test.jsonl", "--format", "json"),
        *("--pairs", "pairs.yaml"),
        cwd=bench,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["what"]: row for row in json.loads(done.stdout)}
    assert rows["macro-F1"]["verdict"] == "worse"
    assert rows["behavioural suite"]["number"] == 2
    alike = run("models", "compare", "champion", "1", "--format", "json", cwd=bench)
    assert {row["verdict"] for row in json.loads(alike.stdout)} == {"level"}
    missing = run("models", "compare", "bundled", "1", cwd=bench)
    assert missing.returncode == 2 and "--data" in missing.stderr


def test_an_exported_bundle_needs_no_registry(bench: Path, run: Run, tmp_path: Path) -> None:
    done = run("models", "export", "champion", "-o", tmp_path / "mine", cwd=bench)
    assert done.returncode == 0, done.stderr
    answers = [
        json.loads(run("check", "--text", STALKED, "--format", "json", "--model", m, cwd=c).stdout)
        for m, c in (("models:/stalkflag@champion", bench), ("mine", tmp_path))
    ]
    assert answers[0] == answers[1]
    taken = run("models", "export", "champion", "-o", tmp_path / "mine", cwd=bench)
    assert taken.returncode == 2 and "holds something already" in taken.stderr
    bundled = run("models", "export", "bundled", "-o", tmp_path / "shipped", cwd=bench)
    assert bundled.returncode == 0, bundled.stderr
    assert {path.name for path in (tmp_path / "shipped").iterdir()} == {
        path.name for path in (ROOT / "stalkflag" / "bundled").iterdir()
    }


def test_what_is_not_there_is_said_and_nothing_is_made(
    tmp_path: Path, bench: Path, run: Run
) -> None:
    for command in (("list",), ("promote",), ("rollback",), ("show", "1")):
        done = run("models", *command, cwd=tmp_path)
        assert done.returncode == 2
        assert "no mlflow.db in this folder" in done.stderr
    assert list(tmp_path.iterdir()) == []
    done = run("models", "promote", "9", cwd=bench)
    assert done.returncode == 2
    assert re.search(r"no registered version '9'; there are 1", done.stderr)
