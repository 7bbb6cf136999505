"""Signing in and out where tokens are asked for, and the page's own style and script."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from stalkflag.desk.forms import read_form
from stalkflag.desk.guard import Problem
from stalkflag.desk.pages import arrived
from stalkflag.desk.session import SHIFT
from stalkflag.desk.state import Desk

_STATIC = Path(__file__).parent / "static"
_KINDS = {
    "desk.css": "text/css; charset=utf-8",
    "desk.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
router = APIRouter(include_in_schema=False)


@router.get("/login")
async def ask_token(request: Request) -> Response:
    """The form to sign in with."""
    desk: Desk = request.app.state.desk
    if desk.settings.tokens is None or request.state.session:
        return RedirectResponse("/", 303)
    return desk.render("login.html", wrong=False)


@router.post("/login")
async def sign_in(request: Request) -> Response:
    """Let in whoever has a token."""
    desk: Desk = request.app.state.desk
    given = await read_form(request)
    user = desk.settings.tokens.user(given.token) if desk.settings.tokens else None
    if user is None:
        return desk.render("login.html", status=401, wrong=True)
    request.state.set_cookie = (
        f"{desk.settings.cookie}={desk.seals.open_session(user)}; Max-Age={SHIFT}"
    )
    return RedirectResponse("/", 303)


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    """Forget the browser's session."""
    turn = await arrived(request)
    if not isinstance(turn, Response):
        request.state.set_cookie = f"{turn.desk.settings.cookie}=; Max-Age=0"
    return RedirectResponse("/login", 303)


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """The page's own style, script and icon."""
    if name not in _KINDS:
        raise Problem(404, "Not found", "There is no such file.")
    return Response((_STATIC / name).read_bytes(), headers={"Content-Type": _KINDS[name]})
