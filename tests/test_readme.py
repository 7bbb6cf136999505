"""The README tells the truth: its commands run, and its worked example is what is printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from conftest import ROOT, Run

README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line
    for block in SHELL
    for line in block.strip().splitlines()
    # What needs a reader's own files or a trained model is run in training/test_train.py.
    if line.startswith("stalkflag ")
    and not any(own in line for own in ("my-", "report.txt", "models:/"))
]


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_runs(run: Run, line: str, tmp_path: Path) -> None:
    words = [word.replace("scored.", f"{tmp_path}/scored.") for word in shlex.split(line)[1:]]
    done = run(*words)
    assert done.returncode == 0, done.stderr


def test_the_worked_example_prints_what_the_readme_shows(run: Run) -> None:
    shown = re.search(
        r"```bash\n(stalkflag check --text .*?)\n```\n+```text\n(.*?)```", README, re.DOTALL
    )
    assert shown
    done = run(*shlex.split(shown[1])[1:])
    assert done.stdout.split() == shown[2].split()


def test_python_blocks_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
