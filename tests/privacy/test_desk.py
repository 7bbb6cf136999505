"""A desk that was worked at keeps no narrative: not in its logs, files, errors or memory on disk."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from desk.conftest import carried

from privacy.conftest import MakeSandbox
from privacy.sandbox import STALKED, Sandbox


@contextmanager
def desk(place: Sandbox) -> Iterator[tuple[httpx.Client, Path]]:
    """A desk with decisions and an audit log, and a client that talks to it."""
    printed = place.work / "printed"
    command = place.command(
        *("desk", "--port", "0", "--workers", "1"),
        *("--decisions", "decisions.jsonl", "--audit-log", "audit.jsonl"),
    )
    with printed.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=place.work, env=place.environment, stdout=stream, stderr=stream
        )
    try:
        for _ in range(900):
            if ready := re.search(r"ready at (\S+)/ ", printed.read_text(encoding="utf-8")):
                break
            assert process.poll() is None, "the desk ended"
            time.sleep(0.1)
        assert ready, "the desk did not start"
        with httpx.Client(base_url=ready[1], headers={"Origin": ready[1]}, timeout=60) as client:
            yield client, printed
    finally:
        process.terminate()
        process.wait(timeout=30)


def work(place: Sandbox) -> list[str]:
    """Check, upload, decide and go wrong, then stop; what was leaked."""
    with desk(place) as (client, _):
        purpose = "quality audit"
        page = client.get("/")
        fields = {**carried(page), "text": STALKED, "purpose": purpose}
        parts = [(name, (None, str(value))) for name, value in fields.items()]
        answer = client.post("/check", files=[*parts, ("file", ("", b""))])
        assert answer.status_code == 200, "the page did not answer"
        client.post("/check", files=[*parts, ("file", ("r.csv", f'text\n"{STALKED}"\n'.encode()))])
        decided = {**carried(answer), "choice": "stalking", "reason": "as suggested"}
        parts = [(name, (None, str(value))) for name, value in decided.items()]
        client.post("/decide", files=[*parts, ("file", ("", b""))])
        told = client.post("/api/assess", json={"text": STALKED, "reason": purpose})
        assert told.status_code == 200, "the API did not answer"
        client.post("/api/assess", json={"text": [STALKED], "more": STALKED})
        client.post("/api/assess", content=STALKED, headers={"Content-Type": "application/json"})
        client.get("/nowhere")
    return place.leaks()


def test_the_desk_keeps_no_narrative(sandbox: MakeSandbox) -> None:
    place = sandbox()
    assert work(place) == []
    assert (place.work / "audit.jsonl").stat().st_size > 0
    assert (place.work / "decisions.jsonl").stat().st_size > 0


@pytest.mark.parametrize("how", ["log", "temporary"])
def test_a_leak_planted_in_the_desk_is_found(sandbox: MakeSandbox, how: str) -> None:
    assert work(sandbox(leak=how))


def test_a_fault_in_the_desk_is_told_without_its_message(sandbox: MakeSandbox) -> None:
    place = sandbox(leak="message")
    with desk(place) as (client, printed):
        answer = client.post("/api/assess", json={"text": STALKED, "reason": "quality audit"})
        assert answer.status_code == 500
        assert "zebrafinch" not in answer.text
    assert "RuntimeError" in printed.read_text(encoding="utf-8")
    assert place.leaks() == []
