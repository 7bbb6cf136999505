"""The web application put together: pages, API, and how mistakes are told."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from stalkflag import __version__
from stalkflag.desk import api, docs, entrance, pages
from stalkflag.desk.guard import Guard, Problem
from stalkflag.desk.journal import JournalError
from stalkflag.desk.state import Desk
from stalkflag.desk.workers import Busy

SCHEMA_PATH = "/api/openapi.json"


def create_app(desk: Desk) -> ASGIApp:
    """The desk's application, behind its checks."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        desk.pool.close()

    app = FastAPI(
        title="stalkflag desk",
        version=__version__,
        summary="Reads narratives for stalking; supports a person's decision and never makes it.",
        openapi_url=SCHEMA_PATH,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.desk = desk
    app.include_router(pages.router)
    app.include_router(entrance.router)
    app.include_router(docs.router)
    app.include_router(api.router)
    app.add_exception_handler(Problem, _told)
    app.add_exception_handler(Busy, _told)
    app.add_exception_handler(JournalError, _told)
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _told)
    return Guard(app, desk)


_SAID = {
    400: Problem(400, "Not readable", "The request is not the JSON that is asked for."),
    404: Problem(404, "Not found", "There is nothing at this address: start at the desk's page."),
    405: Problem(405, "Not possible", "This address does not take such a request."),
}


async def _told(request: Request, error: Exception) -> Response:
    """A problem as a page or as JSON, without a word of what was sent."""
    desk: Desk = request.app.state.desk
    if isinstance(error, Problem):
        problem = error
    elif isinstance(error, Busy):
        problem = Problem(
            503,
            "The desk is busy",
            "Many narratives are waiting: send this again in a moment (F5).",
            headers={"Retry-After": "2"},
        )
    elif isinstance(error, JournalError):
        problem = Problem(
            503,
            "Not recorded",
            f"{error} Nothing is shown or decided that cannot be recorded: free space or mend the "
            "file, then send this again (F5).",
        )
    elif isinstance(error, HTTPException) and error.status_code in _SAID:
        known = _SAID[error.status_code]
        headers = dict(error.headers or {})
        problem = Problem(known.status, known.title, known.message, headers=headers)
    else:
        problem = Problem(500, "Something failed", "Nothing was stored. Please try again.")
    return desk.problem_response(request.url.path, problem)


async def _invalid(request: Request, error: Exception) -> Response:
    """Which parts of a request cannot be used; their content is left out."""
    assert isinstance(error, RequestValidationError)
    details = [
        {"where": ".".join(_named(part) for part in item["loc"]), "problem": item["msg"]}
        for item in error.errors()
    ]
    return JSONResponse(
        {"error": "The request cannot be used as it is: see details.", "details": details},
        status_code=422,
    )


def _named(part: int | str) -> str:
    """A part of a request by its name, unless that may be text that was sent as a name."""
    return str(part) if re.fullmatch(r"\w{1,40}", str(part)) else "(unknown)"
