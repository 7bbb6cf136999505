"""A watched place to run in, one a test, and small labelled files with planted sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from privacy.sandbox import PLANTED, Sandbox

MakeSandbox = Callable[..., Sandbox]


@pytest.fixture
def sandbox(tmp_path: Path) -> MakeSandbox:
    """Make a sandbox; ``leak`` plants one."""

    def make(*, leak: str = "") -> Sandbox:
        root = tmp_path / (leak or "clean")
        root.mkdir()
        return Sandbox(root, leak=leak)

    return make


def labelled(path: Path, *, split: str, every: int) -> Path:
    """A part of a corpus file as JSONL, a planted sentence at the end of each narrative."""
    lines = (ROOT / "data" / "corpus" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines[::every]]
    for row in rows:
        row["text"] += f" {PLANTED}"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
