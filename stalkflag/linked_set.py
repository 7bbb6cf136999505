"""A set of linked reports with what was found in it, as it is written and handed about.

Nothing here reads a narrative: a process that only reads and writes files does without spaCy.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from stalkflag.assessment import Assessment
from stalkflag.escalation import Change
from stalkflag.narrative import MAX_CHARACTERS

SCHEMA = "stalkflag.linked/1"

MOST_REPORTS = 200
"""Sets with more reports than this are not judged as a whole: the key that links them is more
likely a stand-in for "not known" than one victim and one suspect."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report of a set: its narrative, its id, and when it happened, if that is known."""

    text: str
    id: str | None = None
    when: datetime | None = None

    @property
    def day(self) -> date | None:
        """The day it happened."""
        return self.when.date() if self.when else None


@dataclass(frozen=True, slots=True)
class LinkedAssessment:
    """A set of reports, each assessed alone and all assessed together.

    ``reports`` and ``alone`` are in the order of the dates, reports without a date last.
    ``together`` has offsets into the narratives joined; ``starts`` says where each begins in them.
    It is ``None``, and ``note`` says why, if the set is too large to be one victim and suspect.
    """

    reports: tuple[Report, ...]
    alone: tuple[Assessment, ...]
    showing: tuple[int, ...]
    together: Assessment | None
    starts: tuple[int, ...]
    escalation: tuple[Change, ...] = ()
    note: str | None = None

    @property
    def raised(self) -> tuple[int, ...]:
        """The reports that alone are not stalking while the set is."""
        if self.together is None or self.together.suggestion != "stalking":
            return ()
        return tuple(i for i, one in enumerate(self.alone) if one.suggestion != "stalking")

    def place(self, start: int) -> tuple[int, int]:
        """The report in which an offset into the joined narratives lies, and the offset in it."""
        report = bisect.bisect_right(self.starts, start) - 1
        return report, start - self.starts[report]

    def to_dict(self) -> dict[str, Any]:
        """The set as nested plain data; every piece of evidence names its report.

        ``start`` and ``end`` are offsets into the narrative of that ``report``, which is a place
        in ``reports``.
        """
        first, last = self._dates()
        together = {} if self.together is None else self.together.to_dict()
        for name in ("schema", "id"):
            together.pop(name, None)
        return {
            "schema": SCHEMA,
            "reports": [
                {
                    "id": report.id,
                    "date": report.day.isoformat() if report.day else None,
                    "suggestion": one.suggestion,
                    "refer": one.refer,
                    "probabilities": one.probabilities,
                    "occasions": one.course_of_conduct.occasions,
                    "shows_conduct": index in self.showing,
                    "raised": index in self.raised,
                }
                for index, (report, one) in enumerate(zip(self.reports, self.alone, strict=True))
            ],
            "first_date": first,
            "last_date": last,
            "escalation": [
                {"kind": c.kind, "says": c.says, "reports": list(c.reports)}
                for c in self.escalation
            ],
            "note": self.note,
            **self._placed(together),
        }

    def _placed(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._placed(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "start" in value and "end" in value:
            report, start = self.place(value["start"])
            moved = {"start": start, "end": start + value["end"] - value["start"]}
            return {"report": report, **value, **moved}
        return {key: self._placed(item) for key, item in value.items()}

    def _dates(self) -> tuple[str | None, str | None]:
        dates = [report.day.isoformat() for report in self.reports if report.day]
        return (dates[0], dates[-1]) if dates else (None, None)


def too_large(reports: int, most: int = MOST_REPORTS) -> str:
    """Why a set of so many reports is not judged as a whole."""
    return (
        f"{reports:,} reports are linked by this key, more than {most} reports or "
        f"{MAX_CHARACTERS:,} characters: it may stand for 'not known'. Not judged as a whole."
    )
