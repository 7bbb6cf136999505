"""Who did what: the conduct that a narrative tells of in each direction.

The reading sets aside what the reporting person did themselves and what the other person alleges.
Where there is such conduct besides the suspect's, both are shown and a person is asked.
"""

from __future__ import annotations

import re

from stalkflag.assessment import ACTS, Direction, Evidence
from stalkflag.context import Cue, Finding
from stalkflag.quotes import quotes
from stalkflag.reading import Reading

_PURSUIT = frozenset(ACTS) - {"contacting"}
_ALLEGES = re.compile(r"accus|alleg|counter|claim", re.IGNORECASE)
_FALSELY = re.compile(r"\b(?:den\w+|false\w*|refut\w+|disput\w+|reject\w+)\b", re.IGNORECASE)
_SUBJECT = re.compile(r"\b(he|she)\b", re.IGNORECASE)
_BOTH_ALLEGE = re.compile(
    r"\b(?:counter|cross)[ -]?(?:allegations?|complaints?|claims?|accusations?)\b"
    r"|\beach (?:\w+ )?(?:accus|alleg|blam|complain|report)\w* (?:of |about |that )?the other\b"
    r"|\bboth (?:parties |sides |of them )?(?:have |are |were |now )?(?:allege|accuse|complain|report)\w* "
    r"(?:\w+ )?(?:each other|one another|the other|harassment|being)",
    re.IGNORECASE,
)


def read_directions(reading: Reading) -> tuple[Direction, ...]:
    """Conduct in each direction, if the text tells of more than one; else nothing."""
    told_off = {f.sentence for f in reading.counted() if f.rule.category == "boundary"}
    suspect = [f for f in reading.counted() if _is_conduct(f)]
    reporter = [
        f
        for f in reading.findings
        if f.cue is not None
        and _is_conduct(f)
        and (
            (f.cue.axis == "reporter" and f.sentence not in told_off)
            or (f.cue.axis == "denied" and _other_alleges(reading, f, f.cue))
        )
    ]
    allege = [
        Evidence(m.start(), m.end(), m.group(), "both_allege", "Both people make allegations.")
        for m in _BOTH_ALLEGE.finditer(reading.text)
    ]
    if not suspect or not (reporter or allege):
        return ()
    found = (
        ("suspect", quotes(reading, suspect)),
        ("reporting person", quotes(reading, reporter)),
        ("both", tuple(allege)),
    )
    return tuple(Direction(by, evidence) for by, evidence in found if evidence)


def _is_conduct(finding: Finding) -> bool:
    """Whether a rule tells of pursuit: more than that one person once wrote to another."""
    rule = finding.rule
    if rule.by != "suspect" or rule.category not in ("conduct", "proxy", "technology"):
        return False
    shows = set(rule.shows)
    return (
        rule.act in _PURSUIT
        or bool(shows & {"fixated", "obsessive"})
        or (rule.act == "contacting" and "repeated" in shows)
    )


def _other_alleges(reading: Reading, finding: Finding, cue: Cue) -> bool:
    """Whether a claim is of what the other person did ("he claims she follows him")."""
    said = reading.text[slice(*reading.span(cue.start, cue.end))]
    if _FALSELY.search(said) or not _ALLEGES.search(said):
        return False
    speaker = _SUBJECT.search(said)
    if speaker is None or finding.start < cue.end:
        return True
    between = reading.text[
        reading.span(cue.start, cue.end)[1] : reading.span(finding.start, finding.end)[1]
    ]
    subject = _SUBJECT.search(between)
    return subject is not None and subject[1].lower() != speaker[1].lower()
