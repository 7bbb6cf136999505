"""What a browser sends from the desk's page, read in memory."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Self

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from stalkflag.desk.guard import MOST_BYTES, Problem
from stalkflag.desk.intake import tidy

LONGEST_LINE = 200
LONGEST_REASON = 2_000


class _InMemory(MultiPartParser):
    """Never lets a file spill over into a temporary file."""

    spool_max_size = MOST_BYTES


@dataclass(frozen=True, slots=True)
class File:
    """A dropped file."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The form as it came; ``checked`` is the narrative that the page shows the reading of.

    ``seen`` is the seal that says this session has been shown the suggestion for ``checked``,
    after ``first`` was chosen if the desk asks for a choice first; ``before`` is what an earlier
    check found; ``auto`` says that the page checked on its own while the person typed.
    """

    text: str = ""
    checked: str = ""
    seen: str = ""
    first: str = ""
    before: str = ""
    auto: bool = False
    whole: bool = False
    file: File | None = None
    purpose: str = ""
    reference: str = ""
    asked: tuple[str, ...] = ()
    choice: str = ""
    reason: str = ""
    token: str = ""
    ticket: str = field(default_factory=lambda: secrets.token_hex(16))

    def next(self, **changes: object) -> Self:
        """The same form with a new ticket and some fields changed."""
        return replace(self, ticket=secrets.token_hex(16), **changes)  # type: ignore[arg-type]


async def read_form(request: Request) -> Filled:
    """The form of a request.

    Raises
    ------
    Problem
        If it is not a form that the desk's page sends.
    """
    form = await _form(request)
    file = form.get("file")
    named = isinstance(file, UploadFile) and bool(file.filename)
    ticket = _line(form, "ticket")
    return Filled(
        text=tidy(_string(form, "text")),
        checked=tidy(_string(form, "checked")),
        seen=_line(form, "seen"),
        first=_line(form, "first"),
        before=_string(form, "before"),
        auto=_string(form, "auto") == "1",
        whole=_string(form, "whole") == "1",
        file=(
            File(file.filename or "", await file.read())
            if named and isinstance(file, UploadFile)
            else None
        ),
        purpose=_line(form, "purpose"),
        reference=_line(form, "reference"),
        asked=tuple(dict.fromkeys(str(item)[:500] for item in form.getlist("asked")))[:50],
        choice=_line(form, "choice"),
        reason=tidy(_string(form, "reason")).strip(),
        token=_line(form, "token"),
        **({"ticket": ticket} if ticket.isalnum() and len(ticket) == 32 else {}),
    )


async def _form(request: Request) -> FormData:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Problem(415, "Not a form", "Send this from the desk's own page.")
    parser = _InMemory(
        request.headers,
        request.stream(),
        max_files=1,
        max_fields=200,
        max_part_size=MOST_BYTES,
    )
    try:
        return await parser.parse()
    except MultiPartException:
        raise Problem(
            400, "Not a form", "The form could not be read: send it from the desk's own page."
        ) from None


def _string(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _line(form: FormData, name: str) -> str:
    return " ".join(_string(form, name).split())[:LONGEST_LINE]
