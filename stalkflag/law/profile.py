"""What a law profile holds: a jurisdiction's offences, points to prove and recording rules.

Every part names its source, and what has not always been the law carries the days between which
it is: :meth:`Profile.on` gives the profile as of a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, TypeVar

from pydantic import ConfigDict

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """Something that is the law, or the rule, between two days (both included)."""

    __pydantic_config__ = _STRICT

    valid_from: date | None = None
    valid_to: date | None = None

    def in_force(self, day: date) -> bool:
        """Whether it is in force on a day."""
        return (self.valid_from or date.min) <= day <= (self.valid_to or date.max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a statement of the profile comes from."""

    __pydantic_config__ = _STRICT

    cite: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LawAct:
    """An act that the law gives as an example of stalking.

    An act that the model does not name itself (such as entering premises) has its ``evidence``.
    """

    __pydantic_config__ = _STRICT

    id: str
    says: str
    provision: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offence(InForce):
    """An offence whose points to prove are looked for in the words."""

    id: str
    name: str
    label: Literal["stalking", "harassment", "other"]
    source: tuple[str, ...]
    maximum: str
    defence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What must be proved, for which offences, and which words bear on it.

    ``evidence`` is a list of lists of selectors (see ``stalkflag.law.schema``): something of each list
    must be found. Words of the first list that hold one of ``unless`` do not count ("he threatened"
    is not fear). With ``sentences`` above 1, words of the last list must lie in so many sentences. With ``feared``, what is feared and not reported as done counts as well. ``against`` are words
    that speak against the point, ``denied`` the beginnings of words whose denial does.
    """

    __pydantic_config__ = _STRICT

    id: str
    prove: str
    offences: tuple[str, ...]
    source: tuple[str, ...]
    ask: str
    evidence: tuple[tuple[str, ...], ...]
    against: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    sentences: int = 1
    unless: tuple[str, ...] = ()
    feared: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic of a risk assessment: asked about unless the text covers or denies it."""

    __pydantic_config__ = _STRICT

    id: str
    says: str
    source: tuple[str, ...]
    ask: str
    evidence: tuple[str, ...]
    denied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour(InForce):
    """A neighbouring offence, offered where words bear on it.

    ``evidence`` is as in :class:`Point`; with ``words``, one of them must stand in a sentence of
    the evidence of the last list.
    """

    id: str
    name: str
    source: tuple[str, ...]
    why: str
    evidence: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRule(InForce):
    """A rule of crime recording.

    The one with the id ``former_partner`` decides: its ``reason`` is given where stalking is
    suggested, and ``refer`` where it is not.
    """

    id: str
    says: str
    source: tuple[str, ...]
    reason: str = ""
    refer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt(InForce):
    """Something to do, in answer to policy or to what inspectorates found."""

    id: str
    say: str
    source: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a jurisdiction's law and recording rules ask of a narrative.

    ``valid_from`` is the first day that the profile speaks of; ``checked`` the day on which it was
    last compared with its sources. The order of ``questions`` is their order of importance.
    """

    __pydantic_config__ = _STRICT

    id: str
    name: str
    valid_from: date
    checked: date
    least_occasions: int
    note: str
    reasons: dict[str, str]
    not_found: dict[str, str]
    questions: dict[str, str]
    sources: dict[str, Source]
    acts: tuple[LawAct, ...]
    offences: tuple[Offence, ...]
    points: tuple[Point, ...]
    topics: tuple[Topic, ...]
    neighbours: tuple[Neighbour, ...]
    recording: tuple[RecordingRule, ...]
    prompts: tuple[Prompt, ...]
    sha256: str = ""

    def on(self, day: date | None) -> Profile:
        """The profile with only what is in force on a day; without one, on the day of ``checked``."""
        day = day or self.checked
        offences = _in_force(self.offences, day)
        known = {offence.id for offence in offences}
        points = [
            replace(point, offences=tuple(o for o in point.offences if o in known))
            for point in self.points
        ]
        return replace(
            self,
            offences=offences,
            points=tuple(point for point in points if point.offences),
            neighbours=_in_force(self.neighbours, day),
            recording=_in_force(self.recording, day),
            prompts=_in_force(self.prompts, day),
        )

    def cite(self, sources: Iterable[str]) -> str:
        """How some sources are cited, in one line."""
        return "; ".join(self.sources[source].cite for source in sources)


_Dated = TypeVar("_Dated", bound=InForce)


def _in_force(items: Iterable[_Dated], day: date) -> tuple[_Dated, ...]:
    return tuple(item for item in items if item.in_force(day))
