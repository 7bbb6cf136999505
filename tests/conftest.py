"""Shared fixtures: the bundled assessor, built once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import stalkflag
from stalkflag import Assessor

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def assessor() -> Assessor:
    return stalkflag.load()


SMALL_SUITE = """
- id: plain
  capability: plain
  a: "My ex sits outside my house every night and I have told him to stop. He followed me on Friday."
  b: "Bike stolen from outside the library between 2pm and 4pm, no suspect seen."
  expect:
    a: {label: stalking}
    b: {label: neither}
- id: swap
  capability: swap
  a: "Bike stolen from outside the library between 2pm and 4pm, no suspect seen."
  b: "Bike stolen from outside the station between 3pm and 5pm, no suspect seen."
  expect:
    same: true
    a: {label: neither}
"""


def small_suite(folder: Path) -> Path:
    """A behavioural suite of two pairs, so that a training in a test need not take the whole one."""
    path = folder / "pairs.yaml"
    path.write_text(SMALL_SUITE, encoding="utf-8")
    return path


def children_of(pid: int) -> dict[int, bytes]:
    """Process ids of the children that a process has now, with their command lines."""
    found = {}
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):  # a thread that ended meanwhile
            for child in map(int, children.read_text().split()):
                with contextlib.suppress(FileNotFoundError):
                    found[child] = Path(f"/proc/{child}/cmdline").read_bytes()
    return found


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run() -> Run:
    """Run ``stalkflag`` as a user does, in its own process."""

    def command(
        *arguments: str | Path, cwd: Path = ROOT, input: bytes | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "stalkflag", *map(str, arguments)],
            cwd=cwd,
            input=input,
            capture_output=True,
            env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
            timeout=600,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return command
