"""What the page says of an assessment, in a desk's words."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from stalkflag.assessment import INDICATORS, LABELS, Assessment, PointToProve, PresentDanger
from stalkflag.desk.marked import ASIDE, Segment, segments
from stalkflag.desk.what_if import Tried
from stalkflag.law import Profile
from stalkflag.narrative import HIDDEN, visible

SUGGESTS = {
    "stalking": "Review as stalking",
    "harassment": "Review as harassment, not stalking",
    "neither": "Neither stalking nor harassment",
}
CHOICES = {
    "stalking": "Stalking",
    "harassment": "Harassment, not stalking",
    "neither": "Neither",
    "need more": "Need more: ask before deciding",
}
RELATIONSHIPS = {
    "ex_intimate": "former partner",
    "current_partner": "current partner",
    "family": "family",
    "acquaintance": "acquaintance",
    "colleague": "colleague",
    "neighbour": "neighbour",
    "professional": "professional or client",
    "stranger": "stranger",
    "unknown": "not known",
}
LETTERS = {**dict(zip(INDICATORS, "FOUR", strict=True)), ASIDE: "×"}
STATUS = {"shown": "words bear on it", "not_shown": "not shown", "to_ask": "to ask"}
BY = {
    "suspect": "By the suspect",
    "reporting person": "By the reporting person, or alleged of them",
    "both": "By both",
}
STATEMENT = "stalkflag supports your decision; it does not make it."

_LAID_OUT = {
    *("schema", "id", "suggestion", "refer", "refer_reasons", "probabilities", "indicators"),
    *("acts", "course_of_conduct", "relationship", "impact", "orders", "risk_cues"),
    *("counter_evidence", "reasons", "missing", "model", "prompts", "not_found", "danger"),
    *("points_to_prove", "neighbouring_offences", "directions", "law"),
}
"""Fields of an assessment that the page has a place for; others are shown as they are."""


@dataclass(frozen=True, slots=True)
class Before:
    """What an earlier check of this narrative found, as the page carries it."""

    suggestion: str
    refer: bool
    indicators: tuple[str, ...]
    occasions: int
    relationship: str
    missing: tuple[str, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def summary_of(assessment: Assessment) -> Before:
    """What of this assessment is compared with the next one."""
    return Before(
        suggestion=assessment.suggestion,
        refer=assessment.refer,
        indicators=tuple(n for n in INDICATORS if assessment.indicators[n].present),
        occasions=assessment.course_of_conduct.occasions,
        relationship=assessment.relationship.value,
        missing=assessment.missing,
    )


def read_before(carried: str) -> Before | None:
    """The summary that a page sent back; ``None`` if it is not one."""
    try:
        plain = json.loads(carried)
        found = Before(
            suggestion=str(plain["suggestion"]),
            refer=bool(plain["refer"]),
            indicators=tuple(n for n in INDICATORS if n in plain["indicators"]),
            occasions=int(plain["occasions"]),
            relationship=str(plain["relationship"]),
            missing=tuple(str(question) for question in plain["missing"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    known = found.suggestion in LABELS and found.relationship in RELATIONSHIPS
    return found if known and 0 <= found.occasions < 10**6 else None


def differences(before: Before, now: Before) -> list[str]:
    """What changed between two checks, a sentence each."""
    found = []
    if before.suggestion != now.suggestion:
        found.append(f"Suggestion: {before.suggestion}, now {now.suggestion}.")
    if before.refer != now.refer:
        found.append("Now referred to a person." if now.refer else "No longer referred.")
    for name in INDICATORS:
        if (name in before.indicators) != (name in now.indicators):
            found.append(f"{'Now' if name in now.indicators else 'No longer'} found: {name}.")
    if before.occasions != now.occasions:
        found.append(f"Occasions: {before.occasions}, now {now.occasions}.")
    if before.relationship != now.relationship:
        was, is_ = RELATIONSHIPS[before.relationship], RELATIONSHIPS[now.relationship]
        found.append(f"Relationship: {was}, now {is_}.")
    found += [f"Answered: {q}" for q in before.missing if q not in now.missing]
    found += [f"New question: {q}" for q in now.missing if q not in before.missing]
    return found


@dataclass(frozen=True, slots=True)
class Chance:
    """One label's share of how sure the reading is."""

    label: str
    percent: int
    says: str


def chances(assessment: Assessment) -> list[Chance]:
    """How sure the reading is, in whole hundredths that never say 0 or 100."""
    found = []
    for label in LABELS:
        share = assessment.probabilities[label]
        percent = round(share * 100)
        says = "under 1%" if percent < 1 else "over 99%" if percent > 99 else f"{percent}%"
        found.append(Chance(label, percent, says))
    return found


@dataclass(frozen=True, slots=True)
class Quotation:
    """Words of the narrative with what is said of them."""

    start: int
    end: int
    text: str
    says: str


@dataclass(slots=True)
class Shown:
    """An assessment laid out for the page.

    ``revealed`` is false while the person has yet to make a first choice of their own: then
    only the narrative and a warning of danger are shown.
    """

    text: str
    assessment: Assessment
    profile: Profile
    revealed: bool = True
    changes: list[str] | None = None
    tried: Tried | None = None
    at: datetime = field(default_factory=datetime.now)

    @property
    def segments(self) -> list[Segment]:
        if self.revealed:
            return segments(self.text, self.assessment)
        return [Segment(self.text)] if self.text else []

    @property
    def danger(self) -> PresentDanger | None:
        """What comes before everything else, where the words suggest danger now."""
        return self.assessment.danger

    @property
    def prompts(self) -> list[str]:
        said = self.danger.says if self.danger else None
        return [prompt for prompt in self.assessment.prompts if prompt != said]

    @property
    def hidden_characters(self) -> int:
        return sum(1 for _ in HIDDEN.finditer(self.text))

    @property
    def acts(self) -> list[tuple[str, list[Quotation]]]:
        """Each act with its provision, in the law's order, and the words that show it."""
        says = {act.id: f"{act.provision} {act.says}" for act in self.profile.acts}
        return [
            (
                says.get(name, name),
                [
                    Quotation(act.start, act.end, act.text, "")
                    for act in self.assessment.acts
                    if act.act == name
                ],
            )
            for name in self.assessment.shown_acts()
        ]

    @property
    def points(self) -> tuple[PointToProve, ...]:
        """What must be proved, where the text gives cause to ask for it."""
        points = self.assessment.points_to_prove
        cause = self.assessment.suggestion != "neither" or any(p.status == "shown" for p in points)
        return points if cause else ()

    @property
    def occasions(self) -> list[Quotation]:
        """The words from which occasions were counted, with what each counts for."""
        return [
            Quotation(basis.start, basis.end, basis.text, basis.counts)
            for basis in self.assessment.course_of_conduct.basis
        ]

    @property
    def more(self) -> dict[str, Any]:
        """Fields of the assessment that the page has no place of its own for."""
        names = [f.name for f in fields(self.assessment) if f.name not in _LAID_OUT]
        plain = self.assessment.to_dict() if names else {}
        return {name.replace("_", " ").capitalize(): plain[name] for name in names if plain[name]}

    @property
    def announcement(self) -> str:
        """One sentence for those who hear the page rather than see it."""
        if not self.revealed:
            return "Choose first; the suggestion follows."
        found = sum(self.assessment.indicators[name].present for name in INDICATORS)
        parts = [
            *(["Danger: force policy applies now"] if self.danger else []),
            SUGGESTS[self.assessment.suggestion],
            *(["Refer to a person"] if self.assessment.refer else []),
            f"{found} of 4 indicators found",
            f"{len(self.assessment.missing)} questions to ask",
        ]
        return ". ".join(parts) + "."

    @property
    def note(self) -> str:
        """The assessment as plain text, to paste into a record."""
        return visible(note(self))


def note(shown: Shown) -> str:
    """The assessment in a few lines of plain text."""
    one = shown.assessment
    sure = ", ".join(f"{chance.label} {chance.says}" for chance in chances(one))
    lines = [
        f"stalkflag suggestion: {SUGGESTS[one.suggestion]} (how sure: {sure}).",
        *([f"DANGER: {shown.danger.says}"] if shown.danger else []),
        *(f"Refer: {reason}" for reason in one.refer_reasons),
        *(f"Why: {reason}" for reason in one.reasons),
    ]
    for name in INDICATORS:
        if one.indicators[name].present:
            quoted = "; ".join(
                f'"{" ".join(evidence.text.split())}"'
                for evidence in one.indicators[name].evidence[:4]
            )
            lines.append(f"{name.capitalize()}: {quoted}")
    conduct = one.course_of_conduct
    span = "" if conduct.span_days is None else f" over about {conduct.span_days} days"
    lines += [
        f"Occasions: at least {conduct.occasions}{span}. "
        f"Suspect to victim: {RELATIONSHIPS[one.relationship.value]}.",
        *(f"To ask: {question}" for question in one.missing),
        f"Model {one.model.name} {one.model.version}, {shown.at:%d %B %Y %H:%M}. {STATEMENT}",
    ]
    return "\n".join(lines)
