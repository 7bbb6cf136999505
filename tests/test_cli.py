"""The command line as its users meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Run

STALKED = (
    "My ex sits outside my house every night and I have told him to stop. He followed me on Friday."
)


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys\nsys.argv = ['stalkflag', '--help']\nfrom stalkflag.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'spacy', 'sklearn', 'mlflow', 'numpy', 'onnxruntime', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_check_prints_words_reasons_and_questions(run: Run) -> None:
    done = run("check", "--text", STALKED)
    assert done.returncode == 0
    assert "Suggests review as STALKING" in done.stdout
    assert "sits outside my house" in done.stdout
    assert "Ask" in done.stdout
    assert "it does not make it" in done.stdout


def test_check_prints_json_alone_on_standard_output(run: Run) -> None:
    done = run("check", "-", "--format", "json", input=STALKED.encode("utf-16"))
    assert json.loads(done.stdout)["suggestion"] == "stalking"
    assert done.stderr == ""


def test_a_narrative_cannot_write_to_the_terminal(run: Run) -> None:
    done = run("check", "-", input=f"\x1b[2J\x07{STALKED}\u202e\u200b".encode())
    assert "\x1b" not in done.stdout and "\x07" not in done.stdout
    assert "[U+001B][2J[U+0007]" in done.stdout
    assert "[U+202E][U+200B]" in done.stdout


def test_bytes_that_are_no_text_on_the_command_line_are_shown_as_such(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    words = os.fsdecode(b"He fol\xfflowed me home every night.")
    done = run("check", "--text", words, "--format", "json")
    assert done.returncode == 0, done.stderr
    indicators = json.loads(done.stdout)["indicators"].values()
    evidence = [e for one in indicators for e in one["evidence"]]
    text = "He fol\ufffdlowed me home every night."
    assert evidence and all(text[e["start"] : e["end"]] == e["text"] for e in evidence)
    assert run("rules", "explain", words).returncode == 0


def test_check_reads_windows_1252(run: Run, tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    report.write_bytes(("He said “you’ll be sorry” – £20. " + STALKED).encode("cp1252"))
    done = run("check", report, "--format", "json")
    assert json.loads(done.stdout)["suggestion"] == "stalking"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "nowhere.txt"], "cannot be read"),
        (["check", "x.txt", "--text", "y"], "not both"),
        (["check", "--text", "y", "--model", "nowhere"], "There is no model at nowhere"),
        (["check", "--text", "y", "--model", "tests"], "is not a model bundle"),
        (["train", "nowhere"], "no file or folder"),
        (["rules", "show", "nowhere"], "There is no rule"),
    ],
)
def test_mistakes_are_one_sentence(run: Run, arguments: list[str], says: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_changed_bundle_is_refused(run: Run, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for path in (ROOT / "stalkflag" / "bundled").iterdir():
        (bundle / path.name).write_bytes(path.read_bytes())
    rules = bundle / "rules.json"
    rules.write_text(rules.read_text(encoding="utf-8").replace("{", "{ ", 1), encoding="utf-8")
    done = run("check", "--text", "x", "--model", bundle)
    assert done.returncode == 2
    assert "hash differs" in done.stderr


def test_rules_are_listed_and_explained(run: Run) -> None:
    assert len(run("rules", "list").stdout.splitlines()) > 50
    explained = run("rules", "explain", "He has never followed her.").stdout
    assert "set aside" in explained
