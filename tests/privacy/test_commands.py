"""After each command, what a narrative said is found only where the user asked for it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from privacy.conftest import MakeSandbox, labelled
from privacy.sandbox import STALKED, Done, Sandbox
from stalkflag.cli.app import app

FOUND_BY_CHECK = ("stderr", "log", "home", "temporary", "elsewhere", "network")
COMMANDS: dict[str, object] = vars(get_command(app))["commands"]


def check(place: Sandbox) -> list[str]:
    """What ``check`` leaks: words in a file, on standard input, and as JSON."""
    report = place.work / "report.txt"
    report.write_text(STALKED, encoding="utf-8")
    as_text = place.run("check", "report.txt")
    as_json = place.run("check", "-", "--format", "json", input=STALKED.encode())
    assert as_text.returncode == as_json.returncode == 0, "check failed"
    assert json.loads(as_json.stdout)["suggestion"] == "stalking"
    return place.leaks(as_text.stderr, as_json.stderr, named=[report])


def test_check_leaves_nothing(sandbox: MakeSandbox) -> None:
    place = sandbox()
    assert check(place) == []
    assert [w for w in place.noted("write") if not w.startswith("/dev/null")] == []


@pytest.mark.parametrize("how", FOUND_BY_CHECK)
def test_a_leak_planted_in_check_is_found(sandbox: MakeSandbox, how: str) -> None:
    assert check(sandbox(leak=how))


def batch(place: Sandbox) -> Path:
    """A file of reports, some of which cannot be read."""
    source = place.work / "reports.csv"
    rows = [["id", "summary", "offence"], *([str(n), STALKED, "8/30"] for n in range(6))]
    rows[4] = ["4", STALKED, "8/30", "one cell too many", STALKED]
    with source.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return source


def score(place: Sandbox, *, output: str) -> list[str]:
    """What ``score`` leaks, its output and input aside; the rejects file must hold no words."""
    source = batch(place)
    done = place.run(
        *("score", source, "-o", output, "--recorded-as", "offence", "--rejects", "rejects.csv")
    )
    assert done.returncode == 1, "a row was to be rejected, and the others scored"
    # Kept when renamed or deleted: an output is first written aside.
    return place.leaks(done.stdout, done.stderr, named=[source, place.work / output])


@pytest.mark.parametrize("output", ["scored.csv", "scored.jsonl"])
def test_score_leaves_only_its_output(sandbox: MakeSandbox, output: str) -> None:
    place = sandbox()
    assert score(place, output=output) == []
    rejects = (place.work / "rejects.csv").read_text(encoding="utf-8")
    assert len(rejects.splitlines()) == 2


@pytest.mark.parametrize("how", ["stdout", "stderr", "home", "temporary"])
def test_a_leak_planted_in_score_is_found(sandbox: MakeSandbox, how: str) -> None:
    assert score(sandbox(leak=how), output="scored.csv")


@pytest.mark.skipif("report" not in COMMANDS, reason="this version has no 'report' command")
def test_report_leaves_only_its_page(sandbox: MakeSandbox) -> None:
    place = sandbox()
    source = batch(place)
    scored, page = place.work / "scored.csv", place.work / "report.html"
    assert place.run("score", source, "-o", scored, "--rejects", "rejects.csv").returncode == 1
    done = place.run("report", scored, "-o", page)
    assert done.returncode == 0, "report failed"
    assert page.exists()
    assert place.leaks(done.stdout, done.stderr, named=[source, scored, page]) == []


def test_monitor_repeats_no_word_of_what_it_compares(sandbox: MakeSandbox) -> None:
    place = sandbox()
    scored = []
    for name in ("before.csv", "after.csv"):
        source = place.work / name
        with source.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["id", "summary"], *([n, STALKED] for n in range(120))])
        scored.append(place.work / f"scored-{name}")
        assert place.run("score", source, "-o", scored[-1]).returncode == 0
    done = place.run("monitor", *scored)
    as_json = place.run("monitor", *scored, "--format", "json")
    assert done.returncode == as_json.returncode == 0, "monitor failed"
    named = [*(place.work / name for name in ("before.csv", "after.csv")), *scored]
    assert place.leaks(done.stdout, done.stderr, as_json.stdout, named=named) == []


def evaluate(place: Sandbox) -> list[str]:
    """What ``evaluate`` leaks, of a JSONL file and of a data set saved by ``datasets``."""
    data = labelled(place.work / "cases.jsonl", split="dev", every=12)
    saved = place.work / "saved"
    code = (
        "import datasets, json, sys\n"
        "rows = [json.loads(line) for line in open(sys.argv[1], encoding='utf-8')]\n"
        "keep = [{k: r[k] for k in ('id', 'text', 'label')} for r in rows]\n"
        "datasets.Dataset.from_list(keep).save_to_disk(sys.argv[2])\n"
    )
    own_home = {**os.environ, "HF_HOME": str(place.work / "saved-by")}
    subprocess.run([sys.executable, "-c", code, data, saved], check=True, env=own_home)
    done = place.run("evaluate", data, "--out", "tables")
    again = place.run("evaluate", saved, "--format", "json")
    assert done.returncode == again.returncode == 0, "evaluate failed"
    named = [data, saved, place.work / "saved-by"]
    return place.leaks(done.stdout, done.stderr, again.stdout, again.stderr, named=named)


def test_evaluate_prints_numbers_and_keeps_no_text(sandbox: MakeSandbox) -> None:
    place = sandbox()
    assert evaluate(place) == []
    assert (place.work / "tables" / "measures.json").exists()


def test_a_leak_planted_in_evaluate_is_found(sandbox: MakeSandbox) -> None:
    assert evaluate(sandbox(leak="home"))


def train(place: Sandbox) -> list[str]:
    """What ``train`` leaks: MLflow's store and artifacts, caches, temporary files, the bundle."""
    data = [
        labelled(place.work / "train.jsonl", split="train", every=24),
        labelled(place.work / "test.jsonl", split="test", every=16),
    ]
    pairs = place.work / "pairs.yaml"
    pairs.write_text(PAIRS, encoding="utf-8")
    done = place.run("train", *data, "--register", "--output", "bundle", "--pairs", pairs)
    assert done.returncode == 0, "train failed"
    return place.leaks(done.stdout, done.stderr, named=[*data, pairs])


PAIRS = f"""
- id: one
  capability: negation
  a: "{STALKED}"
  b: "A bicycle was stolen from the rack outside the library between two and four."
  expect:
    a: {{label: stalking}}
    b: {{label: neither}}
"""


def test_train_and_mlflow_keep_no_text(sandbox: MakeSandbox) -> None:
    place = sandbox()
    assert train(place) == []
    assert (place.work / "mlflow.db").exists() and list(place.work.glob("mlruns/**/weights.npz"))


@pytest.mark.parametrize("how", ["mlflow", "temporary"])
def test_a_leak_planted_in_training_is_found(sandbox: MakeSandbox, how: str) -> None:
    assert train(sandbox(leak=how))


LABELLED_WRONG = {
    "label": {"text": STALKED, "label": STALKED},
    "evidence": {
        **{"id": "x", "text": STALKED, "label": "stalking"},
        **{"evidence": {"unwanted": [f"{STALKED} not in it"]}},
    },
    "text": {"text": [STALKED], "label": "stalking"},
}


@pytest.mark.parametrize("wrong", LABELLED_WRONG)
@pytest.mark.parametrize("command", ["evaluate", "train", "data check"])
def test_mistakes_in_labelled_files_are_told_without_their_words(
    sandbox: MakeSandbox, command: str, wrong: str
) -> None:
    place = sandbox()
    data = place.work / "cases.jsonl"
    data.write_text((json.dumps(LABELLED_WRONG[wrong]) + "\n") * 3, encoding="utf-8")
    done = place.run(*command.split(), data)
    # Evidence that is not in its text is no obstacle to measuring a label.
    assert done.returncode in ((0, 2) if (command, wrong) == ("evaluate", "evidence") else (1, 2))
    assert place.leaks(done.stdout, done.stderr, named=[data]) == []


def headerless(place: Sandbox) -> Done:
    """A file whose first row is a narrative where the names of columns should be."""
    (place.work / "headerless.csv").write_text(f'"1","{STALKED}"\n' * 3, encoding="utf-8")
    return place.run("score", "headerless.csv", "-o", "scored.csv")


def narrative_as_file(place: Sandbox) -> Done:
    """Somebody who forgets --text."""
    return place.run("check", STALKED)


def broken_lines(place: Sandbox) -> Done:
    """Lines that are no JSON, with no file for rejects."""
    (place.work / "broken.jsonl").write_text(
        json.dumps({"text": STALKED}) + f'\n{{"text": "{STALKED}\n' * 2, encoding="utf-8"
    )
    return place.run("score", "broken.jsonl", "-o", "scored.jsonl")


def not_an_overlay(place: Sandbox) -> Done:
    """A narrative where a rule file was meant."""
    (place.work / "rules.yaml").write_text(STALKED, encoding="utf-8")
    return place.run("rules", "check", "--rules", "rules.yaml")


@pytest.mark.parametrize("mistake", [headerless, narrative_as_file, broken_lines, not_an_overlay])
def test_a_mistake_is_told_without_the_words(sandbox: MakeSandbox, mistake: object) -> None:
    place = sandbox()
    done = mistake(place)  # type: ignore[operator]
    assert done.returncode == 2
    assert b"stalkflag: " in done.stderr and b"Traceback" not in done.stderr
    # What is assessed stays beside the output that was named, to be continued.
    own = [
        place.work / n
        for n in ("headerless.csv", "broken.jsonl", "scored.jsonl.partial", "rules.yaml")
    ]
    assert place.leaks(done.stdout, done.stderr, named=own) == []


def test_a_fault_of_the_program_is_told_without_its_message(sandbox: MakeSandbox) -> None:
    place = sandbox(leak="message")
    done = place.run("check", "-", input=STALKED.encode())
    assert done.returncode == 3
    assert b"RuntimeError" in done.stderr and b"sitecustomize.py" in done.stderr
    assert place.leaks(done.stdout, done.stderr, named=[]) == []


def test_a_row_that_the_program_fails_on_is_rejected_without_its_words(
    sandbox: MakeSandbox,
) -> None:
    place = sandbox(leak="message")
    source = batch(place)
    done = place.run("score", source, "-o", "scored.csv", "--rejects", "rejects.csv")
    assert done.returncode == 1
    rejects = (place.work / "rejects.csv").read_text(encoding="utf-8")
    assert "RuntimeError" in rejects
    assert "zebrafinch" not in rejects
    # Only the output that was named holds the rows that could be read.
    named = [source, place.work / "scored.csv"]
    assert place.leaks(done.stdout, done.stderr, named=named) == []
