"""stalkflag works without a network, and asks for none."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from privacy.conftest import MakeSandbox, labelled
from privacy.sandbox import STALKED

CUT_OFF = ("unshare", "--net", "--map-root-user", "--")
"""Puts a process into a network namespace of its own, where not even loopback is up."""


def can_be_cut_off() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*CUT_OFF, "true"], capture_output=True, check=False).returncode == 0


cut_off = pytest.mark.skipif(
    not can_be_cut_off(), reason="this machine lets no process make a network namespace (unshare)"
)


@cut_off
def test_a_cut_off_process_reaches_nothing(sandbox: MakeSandbox) -> None:
    code = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)"
    done = subprocess.run([*CUT_OFF, "python3", "-c", code], capture_output=True, check=False)
    assert b"unreachable" in done.stderr


@cut_off
def test_narratives_are_read_in_a_process_without_network(sandbox: MakeSandbox) -> None:
    place = sandbox()
    done = place.run("check", "-", "--format", "json", input=STALKED.encode(), before=CUT_OFF)
    assert done.returncode == 0, "check failed without a network"
    assert json.loads(done.stdout)["suggestion"] == "stalking"
    data = labelled(place.work / "cases.jsonl", split="dev", every=12)
    for arguments in (
        ("score", data, "-o", "scored.csv", "--workers", "2"),
        ("evaluate", data),
        ("rules", "check"),
        ("law", "list"),
    ):
        done = place.run(*arguments, before=CUT_OFF)
        assert done.returncode == 0, f"{arguments[0]} failed without a network"
    assert place.noted("network") == []


@cut_off
def test_a_model_is_trained_and_used_without_network(sandbox: MakeSandbox) -> None:
    place = sandbox()
    data = labelled(place.work / "train.jsonl", split="train", every=24)
    done = place.run("train", data, "--register", before=CUT_OFF)
    assert done.returncode == 0, "train failed without a network"
    done = place.run(
        *("check", "-", "--model", "models:/stalkflag@challenger"),
        input=STALKED.encode(),
        before=CUT_OFF,
    )
    assert done.returncode == 0, "the registered model was not found without a network"
    # Each try to connect is noted, also one that nobody would have seen to fail.
    assert place.noted("network") == []
