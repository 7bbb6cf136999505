"""From an empty folder: train, promote, check, serve, a worse challenger, rollback, export."""

from __future__ import annotations

import json
import os
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

from stalkflag.errors import InputError, ModelError
from stalkflag.training import registry
from stalkflag.training.gate import gate

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
    corpus(folder, "good.jsonl", 16)
    corpus(folder, "spoilt.jsonl", 16, spoilt=True)
    lines = (ROOT / "data" / "corpus" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    (folder / "test.jsonl").write_text("\n".join(lines[::8]) + "\n", encoding="utf-8")
    small_suite(folder)
    for command in (
        ("train", "good.jsonl", "test.jsonl", "--register", "--pairs", "pairs.yaml"),
        ("models", "promote"),
        ("train", "spoilt.jsonl", "test.jsonl", "--register", "--pairs", "pairs.yaml"),
    ):
        done = run(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def there(bench: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the registry, as the working folder of this process too."""
    monkeypatch.chdir(bench)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return bench


def champion() -> str:
    found = registry.champion()
    assert found is not None
    return found.number


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
    there: Path, run: Run
) -> None:
    refused = run("models", "promote", cwd=there)
    assert refused.returncode == 2
    assert "does not pass the gate" in refused.stderr
    assert "macro-F1" in refused.stderr
    assert champion() == "1"
    with pytest.raises(InputError, match="needs a reason"):
        registry.promote(registry.find_version("2"), None, force=" ")

    forced = run("models", "promote", "--force", "tried on a copy", cwd=there)
    assert forced.returncode == 0, forced.stderr
    assert champion() == "2"
    tags = registry.find_version("champion").tags
    assert (tags["gate"], tags["promoted_over"]) == ("forced", "1")
    assert tags["forced_because"] == "tried on a copy"
    assert "macro-F1" in tags["gate_found"]

    back = run("models", "rollback", "--reason", "it was worse", cwd=there)
    assert back.returncode == 0, back.stderr
    assert champion() == "1"
    assert registry.find_version("2").tags["rolled_back_because"] == "it was worse"
    with pytest.raises(ModelError, match="first champion"):
        registry.rollback()


def test_rollback_goes_back_through_every_champion(there: Path) -> None:
    one, two = registry.find_version("1"), registry.find_version("2")
    registry.promote(two, None, force="there")
    registry.promote(one, None, force="and back")
    assert champion() == "1"
    assert [registry.rollback()[1].number for _ in range(2)] == ["2", "1"]
    assert "forced_because" in registry.find_version("1").tags
    with pytest.raises(ModelError, match="first champion"):
        registry.rollback()


def test_models_are_compared_on_other_narratives(there: Path, run: Run) -> None:
    done = run(
        *("models", "compare", "champion", "2", "--data", "test.jsonl", "--format", "json"),
        *("--pairs", "pairs.yaml"),
        cwd=there,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["what"]: row for row in json.loads(done.stdout)}
    assert rows["macro-F1"]["verdict"] == "worse"
    assert rows["behavioural suite"]["number"] == 2
    one = registry.find_version("1")
    alike = gate(one.uri, one.uri, runs=(one.run_id, one.run_id))
    assert alike.passes
    assert {row.to_dict()["verdict"] for row in alike.compared} == {"level"}
    # Each attribute on its own: one that got worse must not drown among the others.
    judged = {row.what for row in alike.compared}
    assert {f"kept when words are swapped: {name}" for name in ("sexes", "age")} <= judged
    with pytest.raises(ModelError, match="--data"):
        gate("bundled", one.uri, runs=("", one.run_id))


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
    tmp_path: Path, there: Path, run: Run
) -> None:
    done = run("models", "promote", cwd=tmp_path)
    assert done.returncode == 2
    assert "no mlflow.db in this folder" in done.stderr
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ModelError, match="no registered version '9'; there are 1"):
        registry.find_version("9")
