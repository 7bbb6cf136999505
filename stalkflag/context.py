"""Whether words count: denied, negated, feared, about somebody else, or done by the reporter.

Made for coercion: "did not stop" continues, "she did not reply" is itself evidence, "he did not
follow" is none, and a fear of what he may do is not what he did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spacy.tokens import Doc

from stalkflag.rules.engine import Match
from stalkflag.rules.schema import Rule

BECAUSE: dict[str, str] = {
    "negated": "the text says that this did not happen",
    "hypothetical": "this is supposed or asked about, not reported as done",
    "feared": "this is feared, not reported as done",
    "denied": "this is somebody's denial or counter-claim",
    "other_person": "this is about other people or another time",
    "reporter": "the reporting person did this",
    "general": "this is advice, definition or general talk",
    "look_alike": "these words mean something else here",
    "official": "police or another service did this",
}
"""Why evidence is set aside, by axis, in words for the desk."""

_PRIORITY = (
    "look_alike",
    "general",
    "other_person",
    "official",
    "reporter",
    "denied",
    "negated",
    "hypothetical",
    "feared",
)
_ALL = frozenset(BECAUSE)
_OVERLAPPING = frozenset({"official", "other_person", "denied", "general"})
"""Axes whose cues may share words with what they set aside ("SUSP DENIES LOITERING O/S"). A
negation may not: "did not stop" is evidence in itself."""

_APPLIES: dict[str, frozenset[str]] = {
    "impact": frozenset({"negated", "other_person", "general", "look_alike"}),
    "boundary": frozenset({"negated", "hypothetical", "other_person", "general", "look_alike"}),
    "risk": _ALL - {"official"},
    "relationship": frozenset({"general"}),
    "dispute": frozenset({"negated", "general"}),
    "authority": frozenset({"negated", "general"}),
    "one_off": frozenset({"negated", "general"}),
    "other_crime": frozenset({"negated", "general"}),
    "order": frozenset({"negated", "hypothetical", "other_person", "general", "look_alike"}),
    "police_response": frozenset(
        {"negated", "hypothetical", "other_person", "general", "look_alike"}
    ),
    "wanted": frozenset(
        {"negated", "hypothetical", "other_person", "denied", "general", "look_alike"}
    ),
}


@dataclass(frozen=True, slots=True)
class Cue:
    """A context cue at its place: the axis it decides and the tokens in its reach."""

    axis: str
    rule: Rule
    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Evidence found by a rule; it counts unless a cue decided otherwise."""

    rule: Rule
    start: int
    end: int
    sentence: int
    cue: Cue | None = None

    @property
    def counts(self) -> bool:
        """Whether nothing speaks against these words."""
        return self.cue is None


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Findings without those that overlap a longer one, in order of place."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (f.start - f.end, f.start)):
        if all(finding.end <= other.start or finding.start >= other.end for other in kept):
            kept.append(finding)
    return sorted(kept, key=lambda f: f.start)


def read_context(
    matches: Iterable[Match], bounds: list[tuple[int, int]], words: Sequence[str] = ()
) -> tuple[list[Finding], list[Cue], list[Match]]:
    """Part matches into findings, each with the cue that sets it aside if any, the cues, and all
    context marks (cues and words such as "but" that only bound them)."""
    evidence: list[Match] = []
    marks: list[Match] = []
    for match in matches:
        (marks if match.rule.axis else evidence).append(match)
    denied, affirmed = read_answers(words, bounds) if words else ([], set())
    asked = {
        mark for mark in marks if mark.sentence in affirmed and mark.rule.axis == "hypothetical"
    }
    cues = _place_cues([mark for mark in marks if mark not in asked], bounds) + denied
    findings = [
        Finding(m.rule, m.start, m.end, m.sentence, _deciding_cue(m, cues) if cues else None)
        for m in evidence
    ]
    return findings, cues, marks


_NO = ("no", "none", "nil", "never", "negative", "n/a", "nope", "n", "not", "nothing")
_YES = ("yes", "y", "yeah", "yep", "affirmative")
_ANSWERED = Rule(
    id="context.answered_no", says="A question answered with no.", match=(), hit=(), axis="negated"
)


def read_answers(words: Sequence[str], bounds: list[tuple[int, int]]) -> tuple[list[Cue], set[int]]:
    """Questions and their answers: "Any threats? No" says that there were none.

    Parameters
    ----------
    words
        The lookup forms of all tokens.

    Returns
    -------
    denied
        A cue for each question that is answered with no.
    affirmed
        The sentences that are questions answered with yes.
    """
    denied: list[Cue] = []
    affirmed: set[int] = set()
    for number, (start, end) in enumerate(bounds[:-1]):
        last = end - 1
        while last > start and not words[last].strip():
            last -= 1
        if not words[last].startswith("?"):
            continue
        first, stop = bounds[number + 1]
        spoken = [w for w in words[first : min(stop, first + 4)] if w.strip(" :-.\n")]
        answer = next((w for w in spoken if w not in ("a", "answer", "ans", "reply")), "")
        if answer in _YES:
            affirmed.add(number)
        elif answer in _NO:
            denied.append(Cue("negated", _ANSWERED, last, last + 1, start, last))
    return denied, affirmed


def _place_cues(marks: list[Match], bounds: list[tuple[int, int]]) -> list[Cue]:
    kept: list[Match] = []
    for mark in sorted(marks, key=lambda m: (m.start - m.end, m.rule.axis != "continues", m.start)):
        if all(mark.end <= other.start or mark.start >= other.end for other in kept):
            kept.append(mark)
    ends = sorted(m.start for m in kept if m.rule.axis == "ends")
    cues: list[Cue] = []
    for mark in sorted(kept, key=lambda m: m.start):
        axis = mark.rule.axis
        if axis is None or axis in ("continues", "ends"):
            continue
        first, last = bounds[mark.sentence]
        if axis == "look_alike":
            first, last = mark.start, mark.end
        elif mark.rule.direction == "forward":
            first = mark.end
            last = min([last, mark.end + mark.rule.reach, *(e for e in ends if e >= mark.end)])
        elif mark.rule.direction == "backward":
            last = mark.start
            first = max([first, mark.start - mark.rule.reach, *(e for e in ends if e < mark.start)])
        cues.append(Cue(axis, mark.rule, mark.start, mark.end, first, last))
    return cues


def _deciding_cue(match: Match, cues: list[Cue]) -> Cue | None:
    applies = _APPLIES.get(match.rule.category or "", _ALL)
    if match.rule.by == "victim":
        applies = applies - {"reporter", "denied", "feared"}
    best: Cue | None = None
    for cue in cues:
        if cue.axis not in applies or not _reaches(cue, match):
            continue
        if cue.rule.shows and not set(cue.rule.shows) & set(match.rule.shows):
            continue  # a cue that names indicators speaks of them only
        if best is None or _PRIORITY.index(cue.axis) < _PRIORITY.index(best.axis):
            best = cue
    return best


def _reaches(cue: Cue, match: Match) -> bool:
    overlaps = cue.start < match.end and match.start < cue.end
    if cue.axis == "look_alike":
        return overlaps
    if cue.axis == "reporter":
        return cue.start < match.start < cue.last
    if overlaps:
        return cue.axis in _OVERLAPPING
    return cue.first <= match.start < cue.last


def token_axes(doc: Doc, cues: list[Cue]) -> list[str | None]:
    """For each token the axis in whose reach it lies, if any; the features of words use it."""
    axes: list[str | None] = [None] * len(doc)
    for axis in reversed(_PRIORITY):
        for cue in cues:
            if cue.axis == axis:
                axes[cue.first : cue.last] = [axis] * (cue.last - cue.first)
    return axes
