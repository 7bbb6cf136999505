"""Reports of one victim and one suspect read together: a pattern that no single report shows.

Each report is read on its own, so that no denial or question reaches into another, and the
readings are then joined in the order of their dates and assessed as one narrative. What the words
of a one-off report cannot say, the set shows: that it happened more than once. Section 7(3)
Protection from Harassment Act 1997 asks for conduct on at least two occasions.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from stalkflag.assessment import Assessment, Basis
from stalkflag.conduct import Conduct
from stalkflag.context import Cue, Finding
from stalkflag.errors import InputError
from stalkflag.escalation import escalation
from stalkflag.linked_set import MOST_REPORTS, LinkedAssessment, Report, too_large
from stalkflag.model import Scores
from stalkflag.narrative import MAX_CHARACTERS
from stalkflag.reading import Reading
from stalkflag.rules import Rule

if TYPE_CHECKING:
    from stalkflag.assessor import Assessor

LEAST_REPEATED = 0.2
"""How improbable the model may hold repetition, at the least, when the set shows it all the same:
the words of one-off reports speak against repetition, and so against every course of conduct."""

MOST_SURE = 0.95
"""A course of conduct is held no surer than this on the number of reports alone: both parts of
the quotient are estimates."""

AGAIN = Rule(
    id="linked.again",
    says="Conduct in another report of the same linked set.",
    match=(),
    hit=(),
    category="conduct",
    shows=("repeated",),
)


def assess_linked(
    assessor: Assessor, reports: Sequence[Report], *, most: int = MOST_REPORTS
) -> LinkedAssessment:
    """Assess reports of one victim and one suspect, each alone and all as one course of conduct.

    Each report is assessed by the law of its day, the set by that of its last day.
    A single report gives exactly its own assessment. The lower bound on occasions is the largest
    of what one report says and the number of reports that show conduct on different occasions:
    reports of the same text, or with the same date and time, count once. A set of more than
    ``most`` reports is not judged as a whole.

    Raises
    ------
    InputError
        If there is no report.
    """
    if not reports:
        raise InputError("A linked set has no report: give at least one.")
    ordered = tuple(sorted(reports, key=lambda r: (r.when is None, r.when or datetime.min)))
    characters = sum(len(report.text) for report in ordered)
    if len(ordered) > most or characters > MAX_CHARACTERS:
        names = (report.id for report in ordered)
        texts, days = (r.text for r in ordered), (r.day for r in ordered)
        alone = tuple(assessor.assess_many(texts, ids=names, on=days))
        note = too_large(len(ordered), most)
        return LinkedAssessment(ordered, alone, (), None, (0,) * len(ordered), note=note)
    with assessor.reader.forgetting():
        readings = [assessor.reader.read_doc(assessor.reader.make_doc(r.text)) for r in ordered]
        alone = tuple(
            assessor.decide(reading, report.id, day=report.day)
            for reading, report in zip(readings, ordered, strict=True)
        )
        if len(ordered) == 1:
            return LinkedAssessment(ordered, alone, _showing(ordered, alone), alone[0], (0,))
        showing = _showing(ordered, alone)
        joined, starts = _join(readings, ordered, alone, showing)
        scores = assessor.score(joined)
        if len(showing) >= assessor.profile.least_occasions:
            scores = _given_repeated(scores)
        last = max((report.day for report in ordered if report.day), default=None)
        together = assessor.decide(joined, None, scores, day=last)
    apart = [i for i, one in enumerate(alone) if one.suggestion == "stalking"]
    if apart and together.suggestion != "stalking":
        reason = (
            f"{len(apart)} of the {len(alone)} reports read like stalking alone, the set together "
            f"like {together.suggestion}: read them in full."
        )
        together = replace(together, refer=True, refer_reasons=(*together.refer_reasons, reason))
    return LinkedAssessment(
        reports=ordered,
        alone=alone,
        showing=showing,
        together=together,
        starts=tuple(starts),
        escalation=tuple(escalation([report.day for report in ordered], alone, showing)),
    )


def _showing(reports: Sequence[Report], alone: Sequence[Assessment]) -> tuple[int, ...]:
    """The reports that show conduct, one for each occasion that can be told apart."""
    seen: set[object] = set()
    found = []
    for index, (report, one) in enumerate(zip(reports, alone, strict=True)):
        if not (one.acts or one.indicators["unwanted"].present):
            continue
        marks = {" ".join(report.text.split()).casefold(), report.when} - {None}
        if not marks & seen:
            found.append(index)
        seen |= marks
    return tuple(found)


def _join(
    readings: Sequence[Reading],
    reports: Sequence[Report],
    alone: Sequence[Assessment],
    showing: Sequence[int],
) -> tuple[Reading, list[int]]:
    """One reading of all narratives, and where each begins in the joined text."""
    bounds: list[tuple[int, int]] = []
    tokens: tuple[list[int], list[int]] = ([], [])
    axes: list[str | None] = []
    findings: list[Finding] = []
    cues: list[Cue] = []
    basis: list[Basis] = []
    starts: list[int] = []
    at = 0
    for index, reading in enumerate(readings):
        starts.append(at)
        first, sentences = len(tokens[0]), len(bounds)
        bounds += [(start + first, end + first) for start, end in reading.bounds]
        tokens[0].extend(start + at for start in reading.starts)
        tokens[1].extend(end + at for end in reading.ends)
        axes += reading.axes
        cues += [_moved_cue(cue, first) for cue in reading.cues]
        for finding in reading.findings:
            findings.append(
                replace(
                    finding,
                    start=finding.start + first,
                    end=finding.end + first,
                    sentence=finding.sentence + sentences,
                    cue=finding.cue and _moved_cue(finding.cue, first),
                )
            )
        basis += [replace(b, start=b.start + at, end=b.end + at) for b in reading.conduct.basis]
        if index in showing and len(showing) > 1:
            start, end = _conduct_words(alone[index])
            day = reports[index].day
            when = f" ({day.isoformat()})" if day else ""
            counts = f"one of {len(showing)} reports that show conduct{when}"
            basis.append(Basis(start + at, end + at, reading.text[start:end], counts))
            if index != showing[0]:
                words = _tokens(reading, start, end)
                sentence = next(n for n, b in enumerate(reading.bounds) if words[0] < b[1])
                findings.append(
                    Finding(AGAIN, words[0] + first, words[1] + first, sentence + sentences)
                )
        at += len(reading.text) + len(_BETWEEN)
    stated = [one.course_of_conduct.occasions for one in alone]
    doubts = list(dict.fromkeys(doubt for reading in readings for doubt in reading.doubts))
    joined = Reading(
        text=_BETWEEN.join(reading.text for reading in readings),
        bounds=bounds,
        starts=tokens[0],
        ends=tokens[1],
        norms=np.concatenate([reading.norms for reading in readings]),
        is_title=np.concatenate([reading.is_title for reading in readings]),
        is_word=np.concatenate([reading.is_word for reading in readings]),
        axes=axes,
        findings=findings,
        cues=cues,
        marks=[],
        conduct=Conduct(
            counted=max(len(showing), max((n for n in stated if n >= 2), default=0)),
            pattern=len(showing) > 1 or any(reading.conduct.pattern for reading in readings),
            dates=max(reading.conduct.dates for reading in readings),
            burst=len(showing) < 2 and any(reading.conduct.burst for reading in readings),
            span_days=_span(readings, [reports[index] for index in showing]),
            basis=tuple(basis),
        ),
        doubts=doubts if all(reading.doubts for reading in readings) else [],
    )
    return joined, starts


_BETWEEN = "\n\n"


def _moved_cue(cue: Cue, by: int) -> Cue:
    return replace(
        cue,
        start=cue.start + by,
        end=cue.end + by,
        first=cue.first + by,
        last=cue.last + by,
    )


def _conduct_words(one: Assessment) -> tuple[int, int]:
    shown = one.acts or one.indicators["unwanted"].evidence
    return shown[0].start, shown[0].end


def _tokens(reading: Reading, start: int, end: int) -> tuple[int, int]:
    """The tokens that hold the characters ``start`` to ``end``."""
    first = max(0, bisect.bisect_right(reading.starts, start) - 1)
    return first, max(first + 1, bisect.bisect_left(reading.starts, end))


def _span(readings: Sequence[Reading], showing: Sequence[Report]) -> int | None:
    """Days from the first to the last report that shows conduct, or what one of them says."""
    spans = [r.conduct.span_days for r in readings if r.conduct.span_days is not None]
    dates = [report.day for report in showing if report.day]
    if len(dates) > 1:
        spans.append((max(dates) - min(dates)).days)
    return max(spans, default=None)


def _given_repeated(scores: Scores) -> Scores:
    """The scores when it is known that the conduct is repeated.

    Without repetition there is no course of conduct and the label is *neither*, so that
    P(label | repeated) = P(label) / P(repeated) for stalking and harassment.
    """
    course = 1.0 - scores.label["neither"]
    if course <= 0:
        return scores
    repeated = max(scores.indicators["repeated"], LEAST_REPEATED)
    given = max(course, min(course / repeated, MOST_SURE))
    label = {name: share * given / course for name, share in scores.label.items()}
    label["neither"] = 1.0 - given
    return replace(scores, label=label, indicators={**scores.indicators, "repeated": 1.0})
