"""The assessment of one narrative: plain records that every front end shows alike."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA = "stalkflag.assessment/1"

Label = Literal["stalking", "harassment", "neither"]
LABELS: tuple[Label, ...] = ("stalking", "harassment", "neither")

INDICATORS: tuple[str, ...] = ("fixated", "obsessive", "unwanted", "repeated")
"""FOUR, as in police guidance in England and Wales (not an element of the offence)."""

ACTS: tuple[str, ...] = (
    "following",
    "contacting",
    "publishing",
    "monitoring",
    "loitering",
    "interfering",
    "watching",
)
"""The examples in s.2A(3)(a)-(g) Protection from Harassment Act 1997, in the Act's order."""

RELATIONSHIPS: tuple[str, ...] = (
    "ex_intimate",
    "current_partner",
    "family",
    "acquaintance",
    "colleague",
    "neighbour",
    "professional",
    "stranger",
    "unknown",
)


LEARNED = "learned"
"""The rule name of evidence that the trained model, and no rule, points to."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words of the narrative that a rule or the trained model points to.

    ``text == narrative[start:end]``; offsets are Python string offsets.
    """

    start: int
    end: int
    text: str
    rule: str
    says: str


@dataclass(frozen=True, slots=True)
class SetAside(Evidence):
    """Evidence that does not count, with the words that decided it."""

    because: str
    cue: str


@dataclass(frozen=True, slots=True)
class Act:
    """An act that the text shows and the law names, such as one of s.2A(3)."""

    act: str
    start: int
    end: int
    text: str
    rule: str
    provision: str = ""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One of the four indicators: whether it is present, how probable, and by which words."""

    present: bool
    probability: float
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Basis:
    """A phrase from which occasions or time were counted, and what it counts for."""

    start: int
    end: int
    text: str
    counts: str


@dataclass(frozen=True, slots=True)
class CourseOfConduct:
    """Lower bound on separate occasions and, where the text tells it, their span in days."""

    occasions: int
    span_days: int | None
    basis: tuple[Basis, ...] = ()


@dataclass(frozen=True, slots=True)
class Relationship:
    """The suspect's relationship to the victim, as the text tells it."""

    value: str
    evidence: tuple[Evidence, ...] = ()


PointStatus = Literal["shown", "not_shown", "to_ask"]
"""Words bear on the point; they speak against it, or nothing leads to it; or it must be asked."""


@dataclass(frozen=True, slots=True)
class PointToProve:
    """Something that must be proved for some offences, and the words that bear on it.

    ``shown`` never means proved: that is for a person, on all the evidence.
    """

    point: str
    prove: str
    offences: tuple[str, ...]
    status: PointStatus
    evidence: tuple[Evidence, ...]
    against: tuple[Evidence, ...]
    ask: str | None
    source: str


@dataclass(frozen=True, slots=True)
class NeighbouringOffence:
    """Another offence that the words may bear on, to be considered with the suggestion."""

    offence: str
    name: str
    why: str
    evidence: tuple[Evidence, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Direction:
    """Conduct by one of two people, where the text tells of conduct by both.

    ``by`` is "suspect", "reporting person" (by their own words or as the other alleges) or "both".
    """

    by: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class PresentDanger:
    """Words that suggest danger now, and what is to be said first."""

    says: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class LawInfo:
    """Which law profile was applied, and as of which day (when it was last checked, if none)."""

    profile: str
    name: str
    sha256: str
    on: str | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model, rules and data produced an assessment."""

    name: str
    version: str
    rules_sha256: str
    data_sha256: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """What stalkflag reads in one narrative; a suggestion to a person, never a decision."""

    id: str | None
    suggestion: Label
    refer: bool
    refer_reasons: tuple[str, ...]
    probabilities: dict[str, float]
    indicators: dict[str, Indicator]
    acts: tuple[Act, ...]
    course_of_conduct: CourseOfConduct
    relationship: Relationship
    impact: tuple[Evidence, ...]
    orders: tuple[Evidence, ...]
    risk_cues: tuple[Evidence, ...]
    counter_evidence: tuple[SetAside, ...]
    reasons: tuple[str, ...]
    missing: tuple[str, ...]
    model: ModelInfo
    prompts: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()
    danger: PresentDanger | None = None
    points_to_prove: tuple[PointToProve, ...] = ()
    neighbouring_offences: tuple[NeighbouringOffence, ...] = ()
    directions: tuple[Direction, ...] = ()
    law: LawInfo | None = None
    schema: str = field(default=SCHEMA)

    def to_dict(self) -> dict[str, Any]:
        """The assessment as nested plain dicts and lists, ``schema`` and ``id`` first."""
        plain = _plain(asdict(self))
        assert isinstance(plain, dict)
        return {"schema": plain.pop("schema"), "id": plain.pop("id"), **plain}

    def to_json(self, *, indent: int | None = None) -> str:
        """The assessment as one JSON document."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    def shown_acts(self) -> tuple[str, ...]:
        """The acts that the text shows, each once, in the order of s.2A(3), then any others."""
        shown = dict.fromkeys(act.act for act in self.acts)
        return (*(act for act in ACTS if act in shown), *(act for act in shown if act not in ACTS))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
