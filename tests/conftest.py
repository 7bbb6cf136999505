"""Shared fixtures: the bundled assessor, built once."""

from __future__ import annotations

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
