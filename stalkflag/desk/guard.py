"""Every request passes here first: host, origin, person, rate and size; every answer leaves here
with the headers that keep it out of caches, frames and other sites."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stalkflag.desk.session import Session, this_user

if TYPE_CHECKING:
    from stalkflag.desk.state import Desk

MOST_BYTES = 4 * 1024 * 1024
"""The largest request: a narrative as typed and as checked, or a file of reports."""

MOST_DISCARDED = 64 * 1024 * 1024
"""A larger request is read to its end up to here, so that a browser shows the answer to it."""

BODY_SECONDS = 30

SIGN_IN_TRIES = 30
"""Attempts to sign in a minute from one address."""

HEADERS: dict[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    # 'no-referrer' would make browsers send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Problem(Exception):
    """A request that is not served, and the sentence that says why and what to do."""

    def __init__(
        self, status: int, title: str, message: str, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.message = message
        self.headers = headers or {}


class Rate:
    """Token buckets: so many requests a minute from each caller, with room for a burst."""

    MOST_CALLERS = 10_000

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._room = max(20.0, per_minute / 10)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Count one request; how many seconds to wait if there were too many, else 0."""
        now = time.monotonic()
        left, since = self._buckets.pop(caller, (self._room, now))
        left = min(self._room, left + (now - since) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._buckets[caller] = (left - 1 if wait == 0 else left, now)
        if len(self._buckets) > self.MOST_CALLERS:
            self._buckets.popitem(last=False)
        return wait


class Guard:
    """The application behind its checks."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk
        self._rate = Rate(desk.settings.rate_limit)
        self._sign_in = Rate(SIGN_IN_TRIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or say why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        state = scope.setdefault("state", {})
        leaving = _Leaving(send, state, secure=self._desk.settings.secure)
        try:
            headers = Headers(scope=scope)
            answer = self._admit(scope, headers, state)
            if answer is None:
                body = await _body(headers, receive)
                await self._app(scope, _replayed(body, receive), leaving)
                return
        except Problem as problem:
            answer = self._desk.problem_response(scope["path"], problem)
        except _Gone:
            return
        except Exception as error:
            report(error)
            if leaving.started:
                return
            answer = self._desk.problem_response(
                scope["path"],
                Problem(500, "Something failed", "Nothing was stored. Please try again."),
            )
        await answer(scope, receive, leaving)

    def _admit(
        self, scope: Scope, headers: Headers, state: MutableMapping[str, Any]
    ) -> Response | None:
        """Let a request in and note whose it is, or answer it here."""
        settings = self._desk.settings
        path: str = scope["path"]
        address = (scope.get("client") or ("unknown", 0))[0]
        if headers.get("host", "").lower() not in settings.hosts:
            raise Problem(
                421,
                "Wrong address",
                f"This desk answers at {sorted(settings.origins)[0]} only: open it there.",
            )
        if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            _check_origin(headers, settings.origins, api=_is_api(path))
        open_to_all = path in ("/login", "/api/health") or path.startswith("/static/")
        session = self._desk.seals.read_session(_cookie(headers, settings.cookie))
        user = session.user if session else None
        if settings.tokens is None:
            if session is None and not _is_api(path) and not open_to_all:
                session = self._start_session(this_user(), state)
            user = this_user()
        elif _is_api(path):
            scheme, _, token = headers.get("authorization", "").partition(" ")
            user = settings.tokens.user(token) if scheme.lower() == "bearer" else None
        if path == "/login" and scope["method"] == "POST":
            _wait(self._sign_in.take(address))
        _wait(self._rate.take(user or address))
        if user is None and not open_to_all:
            return self._unknown(path, scope["method"])
        state["user"] = user
        state["session"] = session
        return None

    def _start_session(self, user: str, state: MutableMapping[str, Any]) -> Session:
        cookie = self._desk.seals.open_session(user)
        state["set_cookie"] = f"{self._desk.settings.cookie}={cookie}"
        session = self._desk.seals.read_session(cookie)
        assert session is not None
        return session

    def _unknown(self, path: str, method: str) -> Response:
        if _is_api(path):
            raise Problem(
                401,
                "No access",
                "Send your token in the header 'Authorization: Bearer TOKEN'.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if method in ("GET", "HEAD"):
            return RedirectResponse("/login", 303)
        raise Problem(
            401,
            "You are signed out",
            "Sign in again in another tab, then come back here and send this page again (F5): "
            "what you typed is sent with it.",
        )


class _Leaving:
    """Adds the headers that every answer has."""

    def __init__(self, send: Send, state: MutableMapping[str, Any], *, secure: bool) -> None:
        self._send = send
        self._state = state
        self._secure = secure
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            if self._secure:
                headers["Strict-Transport-Security"] = "max-age=31536000"
            if "set_cookie" in self._state:
                attributes = f"; Path=/; HttpOnly; SameSite=Strict{'; Secure' * self._secure}"
                headers.append("Set-Cookie", self._state["set_cookie"] + attributes)
        await self._send(message)


class _Gone(Exception):
    """The client has left before it had sent everything."""


async def _body(headers: Headers, receive: Receive) -> bytes:
    """The whole request body, within the limits of size and time."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size <= MOST_BYTES:
                    chunks.append(chunk)
                else:
                    chunks.clear()
                if size > MOST_DISCARDED or not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Problem(
            408, "Too slow", f"The request took over {BODY_SECONDS} seconds: send it again."
        ) from None
    if size > MOST_BYTES:
        raise Problem(
            413,
            "Too much text",
            f"This is {size / 2**20:.1f} MB; the desk takes up to {MOST_BYTES // 2**20} MB at "
            "once. Send fewer reports, or use 'stalkflag score' for a large file.",
        )
    return b"".join(chunks)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _check_origin(headers: Headers, origins: frozenset[str], *, api: bool) -> None:
    """Refuse what another site's page sends; programs, which send no origin, may use the API."""
    origin = headers.get("origin")
    fetched = headers.get("sec-fetch-site")
    own = origin is not None and origin.lower() in origins
    if not own and (origin is not None or not api or fetched not in (None, "none", "same-origin")):
        raise Problem(
            403,
            "Refused",
            "The request did not come from this desk's own page: open the desk and try there.",
        )


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return found.value if found else None


def _wait(seconds: float) -> None:
    if seconds > 0:
        raise Problem(
            429,
            "Too many requests",
            "More requests came than one caller may send: wait a moment, then send this again.",
            headers={"Retry-After": str(int(seconds) + 1)},
        )


def _is_api(path: str) -> bool:
    return path.startswith("/api/")


def problem_json(problem: Problem) -> Response:
    """How a program is told."""
    return JSONResponse(
        {"error": f"{problem.title}. {problem.message}"},
        status_code=problem.status,
        headers=problem.headers,
    )


def report(error: BaseException) -> None:
    """Tell the terminal where something failed, without the message, which could hold words."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f"{last[0].filename}:{last[0].lineno}" if last else "an unknown place"
    print(f"stalkflag desk: {type(error).__name__} at {where}", file=sys.stderr, flush=True)
