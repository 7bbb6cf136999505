"""The desk's pages: paste, read, ask, edit, read again, decide.

A page is complete in itself: what the next step needs travels in its form. The script in
``static/desk.js`` sends the same forms and puts the same pages' parts in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from stalkflag.assessment import Assessment
from stalkflag.desk.forms import LONGEST_LINE, LONGEST_REASON, Filled, read_form
from stalkflag.desk.guard import Problem
from stalkflag.desk.intake import (
    SEPARATOR,
    Report,
    Unread,
    checked,
    read_file,
    split_pasted,
)
from stalkflag.desk.session import Session
from stalkflag.desk.state import MOST_CHARACTERS, Desk
from stalkflag.desk.view import (
    BY,
    CHOICES,
    LETTERS,
    RELATIONSHIPS,
    STATEMENT,
    STATUS,
    SUGGESTS,
    Shown,
    chances,
    differences,
    read_before,
    summary_of,
)
from stalkflag.desk.what_if import what_would_change
from stalkflag.errors import InputError

PURPOSES = ("Call in progress", "Crime recording", "Supervisor's review", "Training or testing")
"""Reasons for a check that the page proposes where an audit log asks for one."""

_WORDS: dict[str, Any] = {
    "BY": BY,
    "CHOICES": CHOICES,
    "LETTERS": LETTERS,
    "MOST_REASON": LONGEST_REASON,
    "PURPOSES": PURPOSES,
    "RELATIONSHIPS": RELATIONSHIPS,
    "STATEMENT": STATEMENT,
    "STATUS": STATUS,
    "SUGGESTS": SUGGESTS,
    "chances": chances,
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to tell the person; ``field`` is the id of what to mend."""

    says: str
    field: str | None = None
    good: bool = False


class _Turn:
    """One request to the page: the desk, the person, the form, and what is to be said."""

    def __init__(self, desk: Desk, session: Session, filled: Filled) -> None:
        self.desk = desk
        self.session = session
        self.filled = filled
        self.alerts: list[Alert] = []

    def page(self, filled: Filled, shown: Shown | None = None) -> Response:
        """The page with this form and, where there is one, this assessment."""
        wrong = any(not alert.good for alert in self.alerts)
        return self.desk.render(
            "desk.html",
            status=422 if wrong else 200,
            filled=filled,
            shown=shown,
            alerts=self.alerts,
            token=self.desk.seals.form_token(self.session),
            user=self.session.user,
            signed_in=self.desk.settings.tokens is not None,
            **_WORDS,
        )

    def has_seen(self) -> bool:
        """Whether this person has been shown the suggestion for the text as checked."""
        filled = self.filled
        return bool(filled.checked) and self.desk.seals.fits(
            filled.seen, *self._seen(filled.checked, filled.first)
        )

    def seen(self, text: str, first: str) -> str:
        return self.desk.seals.seal(*self._seen(text, first))

    def _seen(self, text: str, first: str) -> tuple[str, ...]:
        return ("seen", self.session.nonce, text, first)

    def mistakes(self, *, deciding: bool) -> list[Alert]:
        """What is missing from the form."""
        found = []
        if self.desk.audit is not None and not self.filled.purpose:
            found.append(Alert("Say why you check this: the audit log asks for it.", "purpose"))
        if not deciding:
            return found
        if self.filled.choice not in CHOICES:
            found.append(Alert("Choose one: nothing is chosen for you.", "choice-stalking"))
        if not self.filled.reason:
            found.append(Alert("Give your reason in a few words.", "reason"))
        if len(self.filled.reason) > LONGEST_REASON:
            found.append(Alert(f"Keep the reason below {LONGEST_REASON} characters.", "reason"))
        return found

    async def log(self, assessment: Assessment, action: str, **more: object) -> None:
        await self.desk.record_consultation(
            assessment,
            text=self.filled.checked or self.filled.text,
            user=self.session.user,
            action=action,
            purpose=self.filled.purpose,
            reference=self.filled.reference,
            **more,  # type: ignore[arg-type]
        )


@router.get("/")
async def blank(request: Request) -> Response:
    """An empty page."""
    desk: Desk = request.app.state.desk
    turn = _Turn(desk, request.state.session, Filled())
    return turn.page(Filled())


@router.get("/check")
@router.get("/choose")
@router.get("/decide")
@router.get("/what-would-change")
async def start_again() -> Response:
    """Addresses that only take forms lead back to the empty page."""
    return RedirectResponse("/", 303)


async def arrived(request: Request) -> _Turn | Response:
    """The form of a request, or the page again where its token is out of date."""
    desk: Desk = request.app.state.desk
    turn = _Turn(desk, request.state.session, await read_form(request))
    if desk.seals.fits(turn.filled.token, "form", turn.session.nonce):
        return turn
    turn.alerts.append(
        Alert("The page was open too long, or the desk was restarted: please check again.", "text")
    )
    return turn.page(turn.filled.next(file=None, seen="", checked="", first=""))


@router.post("/check")
async def check(request: Request) -> Response:
    """Read a narrative, or list several."""
    turn = await arrived(request)
    if isinstance(turn, Response):
        return turn
    try:
        several = _several(turn.filled)
    except InputError as error:
        turn.alerts.append(Alert(str(error), "file" if turn.filled.file else "text"))
        return turn.page(turn.filled.next(file=None))
    if len(several) > 1 or any(isinstance(one, Unread) for one in several):
        return await _list(turn, several)
    if several and turn.filled.file and isinstance(several[0], Report):
        # A file with one narrative is put into the page as if it had been pasted.
        turn.filled = turn.filled.next(text=several[0].text, file=None)
    return await _read(turn)


def _several(filled: Filled) -> list[Report | Unread]:
    if filled.file:
        return read_file(filled.file.name, filled.file.data)
    if filled.whole or not SEPARATOR.search(filled.text):
        return []
    return checked(split_pasted(filled.text))


async def _read(turn: _Turn, *, edited: bool = False) -> Response:
    """Read the narrative as it stands and show what was found."""
    filled = turn.filled
    turn.alerts += turn.mistakes(deciding=False)
    if not filled.text.strip():
        turn.alerts.append(Alert("Paste or type what was reported first.", "text"))
    if len(filled.text) > MOST_CHARACTERS:
        turn.alerts.append(
            Alert(
                f"This is {len(filled.text):,} characters long; the desk reads up to "
                f"{MOST_CHARACTERS:,} as one narrative. Split it into single reports with a line "
                "of === between them, or use 'stalkflag score'.",
                "text",
            )
        )
    if turn.alerts:
        return turn.page(filled.next(file=None, seen="", checked="", first=""))
    desk = turn.desk
    assessment = await desk.pool.assess(filled.text)
    revealed = not desk.settings.decide_first or (filled.checked == filled.text and turn.has_seen())
    first = filled.first if revealed and desk.settings.decide_first else ""
    turn.filled = filled.next(checked=filled.text)
    await turn.log(assessment, "check", shown=revealed)
    if edited:
        turn.alerts.append(
            Alert("You changed the narrative after it was checked. Look again, then decide.")
        )
    return _answer(turn, assessment, revealed=revealed, first=first, again=True)


def _answer(
    turn: _Turn, assessment: Assessment, *, revealed: bool, first: str, again: bool = False
) -> Response:
    """The page with an assessment of ``checked``; ``again`` tells what changed since the last."""
    filled = turn.filled
    shown = Shown(filled.checked, assessment, turn.desk.profile, revealed=revealed)
    now = summary_of(assessment)
    before = read_before(filled.before) if filled.before else None
    if revealed:
        if before is not None and again:
            shown.changes = differences(before, now)
        # While the page checks on its own, changes are told against the last check asked for.
        carried = before if filled.auto and before is not None else now
        filled = filled.next(before=carried.to_json(), seen=turn.seen(filled.checked, first))
    else:
        filled = filled.next(seen="")
    return turn.page(filled.next(first=first, file=None), shown)


@router.post("/choose")
async def choose(request: Request) -> Response:
    """Take the person's own choice, then show the suggestion."""
    turn = await arrived(request)
    if isinstance(turn, Response):
        return turn
    filled = turn.filled
    if not filled.checked or filled.text != filled.checked:
        return await _read(turn, edited=bool(filled.checked))
    assessment = await turn.desk.pool.assess(filled.checked)
    turn.alerts += turn.mistakes(deciding=True)
    if turn.alerts:
        return _answer(turn, assessment, revealed=False, first="")
    if turn.desk.decisions is not None:
        await _record(turn, assessment, stage="first")
    await turn.log(assessment, "choose", choice=filled.choice)
    return _answer(turn, assessment, revealed=True, first=filled.choice)


@router.post("/decide")
async def decide(request: Request) -> Response:
    """Record what the person decides."""
    turn = await arrived(request)
    if isinstance(turn, Response):
        return turn
    filled = turn.filled
    if turn.desk.decisions is None:
        raise Problem(
            404,
            "Nothing is recorded here",
            "This desk was started without --decisions: record your decision in your own system.",
        )
    if filled.text != filled.checked or not turn.has_seen():
        return await _read(turn, edited=filled.text != filled.checked)
    assessment = await turn.desk.pool.assess(filled.checked)
    turn.alerts += turn.mistakes(deciding=True)
    if turn.alerts:
        return _answer(turn, assessment, revealed=True, first=filled.first)
    recorded = await _record(turn, assessment, stage="final")
    if recorded != "known":
        await turn.log(assessment, "decide", choice=filled.choice)
    agreed = (
        "as suggested"
        if filled.choice == assessment.suggestion
        else f"the suggestion was {assessment.suggestion}; both are kept"
    )
    says = {
        "new": f"Recorded: {CHOICES[filled.choice]} ({agreed}).",
        "further": f"Recorded as a further decision: {CHOICES[filled.choice]} ({agreed}). "
        "The earlier one is kept; the last one counts.",
        "known": "Already recorded.",
    }
    turn.alerts.append(Alert(says[recorded], good=True))
    turn.filled = filled.next(choice="", reason="")
    return _answer(turn, assessment, revealed=True, first=filled.first)


async def _record(
    turn: _Turn, assessment: Assessment, *, stage: str
) -> Literal["new", "further", "known"]:
    filled = turn.filled
    return await turn.desk.record_decision(
        assessment,
        id=filled.ticket,
        text=filled.checked,
        user=turn.session.user,
        stage=stage,
        choice=filled.choice,
        reason=filled.reason,
        reference=filled.reference,
        first_choice=filled.first,
        asked=filled.asked,
    )


@router.post("/what-would-change")
async def explore(request: Request) -> Response:
    """Try answers to the open questions on a narrative whose suggestion has been shown."""
    turn = await arrived(request)
    if isinstance(turn, Response):
        return turn
    filled = turn.filled
    if not turn.has_seen():
        return await _read(turn)
    desk = turn.desk
    assessment = await desk.pool.assess(filled.checked)
    shown = Shown(filled.checked, assessment, desk.profile)
    shown.tried = await what_would_change(
        filled.checked, assessment, profile=desk.profile, assess=desk.pool.assess
    )
    return turn.page(filled.next(file=None), shown)


async def _list(turn: _Turn, several: list[Report | Unread]) -> Response:
    """Several reports, each with what is suggested, to be opened one by one."""
    turn.alerts += turn.mistakes(deciding=False)
    if turn.alerts:
        return turn.page(turn.filled.next(file=None))
    rows: list[tuple[Report | Unread, Shown | None]] = []
    for one in several:
        if isinstance(one, Unread) or len(one.text) > MOST_CHARACTERS:
            too_long = Unread(one.id, f"it is over {MOST_CHARACTERS:,} characters long")
            rows.append((one if isinstance(one, Unread) else too_long, None))
            continue
        assessment = await turn.desk.pool.assess(one.text)
        revealed = not turn.desk.settings.decide_first
        await turn.desk.record_consultation(
            assessment,
            text=one.text,
            user=turn.session.user,
            action="list",
            purpose=turn.filled.purpose,
            reference=one.id[:LONGEST_LINE],
            shown=revealed,
        )
        rows.append((one, Shown(one.text, assessment, turn.desk.profile, revealed=revealed)))
    return turn.desk.render(
        "list.html",
        rows=rows,
        unread=[one.id for one, shown in rows if shown is None],
        filled=turn.filled,
        token=turn.desk.seals.form_token(turn.session),
        user=turn.session.user,
        signed_in=turn.desk.settings.tokens is not None,
        pasted=turn.filled.file is None,
        **_WORDS,
    )
