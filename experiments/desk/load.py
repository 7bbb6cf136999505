"""Many clients at once on one desk: how long each waits, how many fail, and whether memory grows.

python experiments/desk/load.py [--clients 20] [--requests 4000] [--words N] [--page] [--output results.json]

Starts a desk of its own on a free loopback port and sends it the example reports, each with a
number of its own, from clients that ask again as soon as they are answered. Every answer is
checked to be the one that was asked for; memory is that of all the desk's processes.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

ROOT = Path(__file__).parents[2]
BOUNDARY = "desk-load-boundary"


@dataclass
class Measured:
    """What was seen so far."""

    waits: list[float] = field(default_factory=list)
    errors: int = 0
    mixed: int = 0
    memory: list[tuple[int, float]] = field(default_factory=list)


class Client:
    """One keep-alive connection that sends one request after another."""

    def __init__(self, url: str) -> None:
        self._at = urlsplit(url)
        self._cookie = ""
        self._token = ""

    async def open(self) -> None:
        """Connect, and fetch the page for its cookie and its form's token."""
        self._reader, self._writer = await asyncio.open_connection(self._at.hostname, self._at.port)
        _, head, page = await self._ask("GET", "/")
        self._cookie = head.split("set-cookie: ")[1].split(";")[0]
        self._token = page.decode().split('name="token" value="')[1].split('"')[0]

    async def assess(self, text: str, id: str) -> tuple[int, bytes]:
        """Ask the API."""
        body = json.dumps({"text": text, "id": id}).encode()
        status, _, answer = await self._ask("POST", "/api/assess", body, "application/json")
        return status, answer

    async def check(self, text: str) -> tuple[int, bytes]:
        """Send the page's form."""
        parts = {"token": self._token, "text": text}
        body = "".join(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in parts.items()
        )
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        body += f"--{BOUNDARY}--\r\n"
        status, _, answer = await self._ask("POST", "/check", body.encode(), kind)
        return status, answer

    async def _ask(
        self, method: str, path: str, body: bytes = b"", kind: str = ""
    ) -> tuple[int, str, bytes]:
        head = {
            "Host": self._at.netloc,
            "Origin": f"http://{self._at.netloc}",
            "Content-Length": str(len(body)),
            **({"Content-Type": kind} if kind else {}),
            **({"Cookie": self._cookie} if self._cookie else {}),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        told = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        length = int(told.lower().split("content-length: ")[1].split("\r")[0])
        return int(told.split()[1]), told, await self._reader.readexactly(length)


async def run_client(
    client: Client,
    todo: asyncio.Queue[int],
    texts: list[str],
    seen: Measured,
    *,
    page: bool,
) -> None:
    await client.open()
    while not todo.empty():
        number = todo.get_nowait()
        start = time.perf_counter()
        text = f"{texts[number % len(texts)]} Ref {number}q."
        if page:
            status, answer = await client.check(text)
        else:
            status, answer = await client.assess(text, str(number))
        seen.waits.append(time.perf_counter() - start)
        if status != 200:
            seen.errors += 1
        elif page:
            seen.mixed += f"Ref {number}q." not in answer.decode()
        else:
            seen.mixed += json.loads(answer)["id"] != str(number)


async def watch_memory(pid: int, requests: int, seen: Measured) -> None:
    while True:
        if len(seen.waits) >= len(seen.memory) * requests / 20:
            seen.memory.append((len(seen.waits), resident(pid)))
        await asyncio.sleep(0.05)


def resident(pid: int) -> float:
    """Resident memory in MB of a process and its children, shared pages counted once each."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True
    ).stdout.split()
    total = 0
    for one in [str(pid), *listed]:
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1])  # type: ignore[index]
    return total / 1024


def start_desk(folder: Path, *options: str) -> tuple[subprocess.Popen[bytes], str]:
    """A desk on a free port, once it is ready, and its address."""
    printed = folder / "printed"
    process = subprocess.Popen(
        [sys.executable, "-m", "stalkflag", "desk", "--port", "0", *options],
        cwd=folder,
        stderr=printed.open("wb"),
    )
    while not (ready := re.search(r"ready at (\S+)/ ", printed.read_text())):
        if process.poll() is not None:
            sys.exit(printed.read_text())
        time.sleep(0.1)
    return process, ready[1]


async def load(
    url: str, pid: int, *, clients: int, requests: int, words: int, page: bool
) -> Measured:
    with (ROOT / "data/examples/reports.csv").open(encoding="utf-8", newline="") as rows:
        texts = [" ".join(row["summary"].split()[:words]) for row in csv.DictReader(rows)]
    todo: asyncio.Queue[int] = asyncio.Queue()
    for number in range(requests):
        todo.put_nowait(number)
    seen = Measured()
    watch = asyncio.create_task(watch_memory(pid, requests, seen))
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(run_client(Client(url), todo, texts, seen, page=page))
    watch.cancel()
    seen.memory.append((requests, resident(pid)))
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--words", type=int, default=1000, help="of each report, at most")
    parser.add_argument("--page", action="store_true", help="the page's form instead of the API")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        process, url = start_desk(Path(folder))
        start = time.perf_counter()
        try:
            asked = {key: getattr(options, key) for key in ("clients", "requests", "words", "page")}
            seen = asyncio.run(load(url, process.pid, **asked))
        finally:
            took = time.perf_counter() - start
            process.terminate()
            process.wait()
    waits = 1000 * np.array(seen.waits)
    result = {
        **asked,
        "cores": len(os.sched_getaffinity(0)),
        "a_second": round(options.requests / took, 1),
        **{f"p{p}_ms": round(float(np.percentile(waits, p)), 1) for p in (50, 95, 99, 100)},
        "errors": seen.errors,
        "answers_to_another": seen.mixed,
        "memory_mb": [[number, round(mb)] for number, mb in seen.memory],
    }
    print(json.dumps(result, indent=1))
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
