"""What a running desk holds: its settings, assessors and journals, and no narrative."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import jinja2
from starlette.responses import HTMLResponse, Response

from stalkflag import __version__
from stalkflag.assessment import Assessment, ModelInfo
from stalkflag.desk.guard import Problem, problem_json
from stalkflag.desk.journal import Journal
from stalkflag.desk.marked import anchor, pieces
from stalkflag.desk.session import AccessTokens, Seals
from stalkflag.desk.workers import AssessorPool
from stalkflag.law import Profile

DECISION = "stalkflag.decision/1"
"""What each line of the decisions file says it is."""


MOST_CHARACTERS = 200_000
"""A longer narrative (about 40,000 words) is many reports: it is not read at the desk."""

CONSULTATION = "stalkflag.consultation/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSettings:
    """How a desk was started.

    ``origins`` are the addresses that browsers reach it under (``http://127.0.0.1:8765``),
    ``hosts`` what stands in them after the scheme. ``tokens`` is ``None`` where whoever reaches
    it may use it. ``rate_limit`` is in requests a minute from one caller.
    """

    origins: frozenset[str]
    cookie: str
    secure: bool = False
    tokens: AccessTokens | None = None
    rate_limit: float = 60_000
    decide_first: bool = False
    keep_text: bool = False

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(origin.partition("://")[2] for origin in self.origins)


class Desk:
    """One running desk."""

    MOST_TICKETS = 10_000

    def __init__(
        self,
        settings: DeskSettings,
        *,
        pool: AssessorPool,
        model: ModelInfo,
        profile: Profile,
        decisions: Journal | None = None,
        audit: Journal | None = None,
    ) -> None:
        self.settings = settings
        self.pool = pool
        self.model = model
        self.profile = profile
        self.decisions = decisions
        self.audit = audit
        self.seals = Seals()
        self._tickets: OrderedDict[str, str] = OrderedDict()
        self._templates = _templates()

    @property
    def versions(self) -> dict[str, str]:
        """What an assessment rests on."""
        return {
            "stalkflag": __version__,
            "model": self.model.name,
            "model_version": self.model.version,
            "rules_sha256": self.model.rules_sha256,
            "data_sha256": self.model.data_sha256,
            "law": self.profile.id,
            "law_sha256": self.profile.sha256,
        }

    def render(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page; everything put into it is escaped."""
        page = self._templates.get_template(template).render(desk=self, **values)
        return HTMLResponse(page, status_code=status)

    def problem_response(self, path: str, problem: Problem) -> Response:
        """A problem as the caller can read it: a page, or JSON from the API."""
        if path.startswith("/api/"):
            return problem_json(problem)
        page = self.render("problem.html", status=problem.status, problem=problem)
        page.headers.update(problem.headers)
        return page

    async def record_consultation(
        self,
        assessment: Assessment,
        *,
        text: str,
        user: str,
        action: str,
        purpose: str,
        reference: str | None,
        shown: bool = True,
        choice: str | None = None,
    ) -> None:
        """Add a line to the audit log, if there is one; without it nothing may be shown."""
        if self.audit is None:
            return
        line = {
            "schema": CONSULTATION,
            "at": _now(),
            "user": user,
            "action": action,
            "reason": purpose,
            "reference": reference or None,
            "suggestion": assessment.suggestion,
            "refer": assessment.refer,
            "shown": shown,
            "choice": choice,
            "text_hmac_sha256": self.audit.text_hash(text),
            "versions": self.versions,
        }
        await asyncio.to_thread(self.audit.append, line)

    async def record_decision(
        self,
        assessment: Assessment,
        *,
        id: str,
        text: str,
        user: str,
        stage: str,
        choice: str,
        reason: str,
        reference: str | None,
        first_choice: str | None,
        asked: tuple[str, ...],
    ) -> Literal["new", "further", "known"]:
        """Add a decision to the file, unless it is what this very form said last.

        ``id`` is the form's. One that comes again with another choice or reason adds a further
        line with the same ``id``: the earlier one stays, and the last counts.
        """
        assert self.decisions is not None
        # A seal, so that neither the narrative nor the reason is held.
        said = (user, text, stage, choice, reason, reference or "", first_choice or "", *asked)
        seal, last = self.seals.seal("decision", *said), self._tickets.get(id)
        if seal == last:
            return "known"
        self._tickets[id] = seal
        if len(self._tickets) > self.MOST_TICKETS:
            self._tickets.popitem(last=False)
        keep = self.settings.keep_text and stage == "final"
        line = {
            "schema": DECISION,
            "id": id,
            "at": _now(),
            "user": user,
            "stage": stage,
            "decision": choice,
            "label": None if choice == "need more" else choice,
            "reason": reason,
            "first_choice": first_choice or None,
            "suggestion": assessment.suggestion,
            "refer": assessment.refer,
            "probabilities": assessment.probabilities,
            "agrees": choice == assessment.suggestion,
            "questions_asked": list(asked),
            "reference": reference or None,
            "text_hmac_sha256": self.decisions.text_hash(text),
            **({"text": text} if keep else {}),
            "versions": self.versions,
        }
        try:
            await asyncio.to_thread(self.decisions.append, line)
        except BaseException:
            if last is None:
                self._tickets.pop(id, None)
            else:
                self._tickets[id] = last
            raise
        return "new" if last is None else "further"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pieces"] = pieces
    environment.filters["anchor"] = anchor
    return environment
