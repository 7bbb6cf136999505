"""Desks for the tests: real processes as people start them, and the application itself."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from stalkflag.assessment import ModelInfo
from stalkflag.desk.app import create_app
from stalkflag.desk.journal import Journal
from stalkflag.desk.session import AccessTokens
from stalkflag.desk.state import Desk, DeskSettings
from stalkflag.desk.workers import AssessorPool
from stalkflag.law import load_profile

STALKED = (
    "My ex keeps sitting outside my work in his car. I have told him to stop and blocked his number "
    "but he makes new accounts to message me. He followed me home on Tuesday and again on Friday."
)
BICYCLE = "Cycle left locked to railings outside the library between 1400 and 1610, gone on return."
ORIGIN = "http://desk.test:8765"


@dataclass(frozen=True, slots=True)
class Running:
    """A desk in a process of its own."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def printed(self) -> str:
        return (self.folder / "printed").read_text(encoding="utf-8")


Start = Callable[..., Running]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start ``stalkflag desk`` with some options on a free port, and wait until it is ready."""
    running: list[Running] = []

    def start_one(*options: str | Path) -> Running:
        folder = tmp_path_factory.mktemp("desk")
        command = [sys.executable, "-m", "stalkflag", "desk", "--port", "0", "--workers", "1"]
        with (folder / "printed").open("wb") as printed:
            process = subprocess.Popen(
                [*command, *map(str, options)], cwd=folder, stdout=printed, stderr=printed
            )
        one = Running("", folder, process)
        running.append(one)
        for _ in range(600):
            if ready := re.search(r"ready at (\S+)/ ", one.printed):
                running[-1] = Running(ready[1], folder, process)
                return running[-1]
            assert process.poll() is None, one.printed
            time.sleep(0.1)
        raise AssertionError(one.printed)

    yield start_one
    for one in running:
        one.process.terminate()
    for one in running:
        one.process.wait(timeout=20)


@pytest.fixture(scope="session")
def plain_desk(start: Start) -> Running:
    """A desk as it starts without options: nothing is stored."""
    return start()


@pytest.fixture(scope="session")
def pool() -> Iterator[tuple[AssessorPool, ModelInfo]]:
    pool = AssessorPool("bundled", workers=1)
    yield pool, pool.start()
    pool.close()


class Client:
    """One browser or program that talks to an application, with its own cookies."""

    def __init__(self, desk: Desk) -> None:
        self._app = create_app(desk)
        self._cookies = httpx.Cookies()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send one request; its host and, for a form, origin are the desk's own if not given."""

        async def once() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self._app),
                base_url=ORIGIN,
                cookies=self._cookies,
            ) as client:
                answer = await client.request(method, path, **more)
                self._cookies = client.cookies
                return answer

        return asyncio.run(once())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def api(self, path: str, body: object, **more: Any) -> httpx.Response:
        return self.ask("POST", f"/api/{path}", json=body, **more)

    def form(
        self, path: str, fields: dict[str, Any], *, file: tuple[str, bytes] | None = None
    ) -> httpx.Response:
        """Send a form as the page does: every field a part, none in the address."""
        parts = [
            (name, (None, value))
            for name, values in fields.items()
            for value in (values if isinstance(values, list) else [values])
        ]
        files: list[Any] = [*parts, ("file", file or ("", b""))]
        return self.ask("POST", path, files=files, headers={"Origin": ORIGIN})

    def check(self, text: str, **fields: Any) -> httpx.Response:
        """Open the page, type and check."""
        page = self.get("/")
        return self.form("/check", {**carried(page), "text": text, **fields})

    def then(self, page: httpx.Response, path: str, **fields: Any) -> httpx.Response:
        """Send a page's own form on, with some fields changed."""
        return self.form(path, {**carried(page), **fields})


def carried(page: httpx.Response) -> dict[str, Any]:
    """The fields of a page's form with the values it came with, as a browser would send them."""
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input\b[^>]*>", page.text):
        name, value, kind = (
            re.search(rf'\b{key}="([^"]*)"', tag) for key in ("name", "value", "type")
        )
        ticks = kind is not None and kind[1] in ("checkbox", "radio")
        if name and not (ticks and " checked" not in tag) and not (kind and kind[1] == "file"):
            found.setdefault(name[1], unescape(value[1]) if value else "")
    for name, value in re.findall(
        r'<textarea[^>]*\bname="(\w+)"[^>]*>\n?(.*?)</textarea>', page.text, re.DOTALL
    ):
        found[name] = unescape(value)
    return found


MakeClient = Callable[..., Client]


@pytest.fixture
def client(pool: tuple[AssessorPool, ModelInfo], tmp_path: Path) -> MakeClient:
    """The application of a desk with some settings, and a client of it."""

    def make(
        *,
        decisions: bool = False,
        audit: bool = False,
        tokens: dict[str, str] | None = None,
        **more: Any,
    ) -> Client:
        settings = DeskSettings(
            origins=frozenset({ORIGIN}),
            cookie="desk",
            tokens=AccessTokens({token: name for name, token in tokens.items()})
            if tokens
            else None,
            **more,
        )
        return Client(
            Desk(
                settings,
                pool=pool[0],
                model=pool[1],
                profile=load_profile(),
                decisions=Journal(tmp_path / "decisions.jsonl") if decisions else None,
                audit=Journal(tmp_path / "audit.jsonl", chained=True) if audit else None,
            )
        )

    return make
