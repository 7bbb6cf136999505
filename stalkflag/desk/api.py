"""The JSON API that a records system calls: the same assessments as everywhere else."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from starlette.responses import JSONResponse, Response

from stalkflag.assessment import Assessment, ModelInfo
from stalkflag.desk.guard import Problem
from stalkflag.desk.state import MOST_CHARACTERS, Desk
from stalkflag.narrative import whole_characters

MOST_NARRATIVES = 500

_Whole = BeforeValidator(lambda given: whole_characters(given) if isinstance(given, str) else given)
"""Half a character (``"\\ud800"`` alone) becomes U+FFFD, so that no report is turned away for it."""

Text = Annotated[
    str,
    Field(max_length=MOST_CHARACTERS, description="The narrative. Offsets are into it as sent."),
    _Whole,
]
Name = Annotated[
    str | None,
    Field(max_length=200, description="Your own id of the report; it comes back."),
    _Whole,
]


def _written_date(given: object) -> object:
    """Let a date through as it is written in JSON (2024-05-31), and no number of seconds."""
    if given is None or (isinstance(given, str) and re.fullmatch("[0-9]{4}(-[0-9]{2}){2}", given)):
        return given
    raise ValueError("write a date as 2024-05-31")


Day = Annotated[
    Annotated[date, Field(strict=False)] | None,
    BeforeValidator(_written_date),
    Field(description="When it happened; the law in force then is applied."),
]
Reason = Annotated[
    Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)] | None,
    Field(description="Why this is read; needed where the desk keeps an audit log."),
    _Whole,
]


class Narrative(BaseModel):
    """One narrative to assess."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Text
    id: Name = None
    date: Day = None


class OneNarrative(Narrative):
    """A request to assess one narrative."""

    reason: Reason = None


class Narratives(BaseModel):
    """A request to assess several narratives."""

    model_config = ConfigDict(extra="forbid", strict=True)

    narratives: Annotated[list[Narrative], Field(max_length=MOST_NARRATIVES)]
    reason: Reason = None


class Assessments(BaseModel):
    """One assessment for each narrative, in order."""

    assessments: list[Assessment]


class Health(BaseModel):
    """Whether the desk answers."""

    status: str


class Version(BaseModel):
    """What assessments rest on."""

    stalkflag: str
    model: ModelInfo
    law: str
    law_sha256: str


class Where(BaseModel):
    """A part of a request that cannot be used; what stood there is not repeated."""

    where: str
    problem: str


class Wrong(BaseModel):
    """Why a request was not served, and what to do."""

    error: str
    details: list[Where] = []


_COMMON: dict[int | str, dict[str, Any]] = {
    code: {"model": Wrong, "description": what}
    for code, what in {
        400: "The request cannot be read",
        401: "A token is needed (Authorization: Bearer)",
        403: "The request came from another site",
        413: "Too much text at once",
        421: "The desk does not answer under this host name",
        422: "A part of the request cannot be used",
        429: "Too many requests: wait as Retry-After says",
        500: "Something failed; nothing was stored",
        503: "Too many narratives are waiting, or the audit log cannot be written",
    }.items()
}

router = APIRouter(prefix="/api", responses=_COMMON)


@router.post("/assess", response_model=Assessment, summary="Assess one narrative")
async def assess(request: Request, asked: OneNarrative) -> Response:
    """The same assessment that `stalkflag check --format json` prints. Nothing is stored."""
    _need_reason(request, asked.reason)
    assessment = await _assess(request, asked, asked.reason)
    return Response(assessment.to_json(), media_type="application/json")


@router.post("/assess-many", response_model=Assessments, summary="Assess several narratives")
async def assess_many(request: Request, asked: Narratives) -> Response:
    """One assessment for each narrative, in the order given."""
    _need_reason(request, asked.reason)
    found = []
    for narrative in asked.narratives:
        found.append((await _assess(request, narrative, asked.reason)).to_dict())
        if await request.is_disconnected():
            break
    body = json.dumps({"assessments": found}, ensure_ascii=False)
    return Response(body, media_type="application/json")


@router.get("/health", response_model=Health, summary="Whether the desk answers")
async def health() -> Response:
    """Needs no token."""
    return JSONResponse({"status": "ok"})


@router.get("/version", response_model=Version, summary="Versions of program, model and law")
async def version(request: Request) -> Version:
    """What an assessment made now would rest on."""
    desk: Desk = request.app.state.desk
    versions = desk.versions
    return Version(
        stalkflag=versions["stalkflag"],
        model=desk.model,
        law=versions["law"],
        law_sha256=versions["law_sha256"],
    )


def _need_reason(request: Request, reason: str | None) -> None:
    desk: Desk = request.app.state.desk
    if desk.audit is not None and not reason:
        raise Problem(
            422, "No reason given", "The desk keeps an audit log: say in 'reason' why you ask."
        )


async def _assess(request: Request, narrative: Narrative, reason: str | None) -> Assessment:
    desk: Desk = request.app.state.desk
    assessment = await desk.pool.assess(narrative.text, id=narrative.id, on=narrative.date)
    await desk.record_consultation(
        assessment,
        text=narrative.text,
        user=request.state.user,
        action="api",
        purpose=reason or "",
        reference=narrative.id,
    )
    return assessment
