"""The narrative cut where evidence begins and ends, so that its words can be marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import pairwise
from typing import Protocol

from stalkflag.assessment import INDICATORS, Act, Assessment, Basis, Evidence
from stalkflag.narrative import HIDDEN, hidden_name

ASIDE = "aside"


class Span(Protocol):
    """Anything that quotes the narrative."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Piece:
    """Some characters as they are shown; ``hidden`` ones are shown by their number."""

    shown: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the narrative within which nothing begins or ends.

    ``indicators`` are those that it is evidence for, in FOUR's order; ``paint`` is the one whose
    evidence is the shortest here, or ``aside`` for words that do not count, or empty; ``ends``
    are the kinds whose words end with it, so that their letters are written here. ``anchors``
    name the evidence that begins here, ``within`` all evidence that it lies in.
    """

    text: str
    indicators: tuple[str, ...] = ()
    paint: str = ""
    ends: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    within: tuple[str, ...] = ()


def anchor(span: Span) -> str:
    """The name under which a page finds these words again."""
    return f"w{span.start}-{span.end}"


def pieces(text: str) -> Iterator[Piece]:
    """A text for display: plain runs, and hidden characters made visible."""
    start = 0
    for found in HIDDEN.finditer(text):
        if found.start() > start:
            yield Piece(text[start : found.start()])
        yield Piece(hidden_name(found[0]), hidden=True)
        start = found.end()
    if start < len(text):
        yield Piece(text[start:])


@dataclass(frozen=True, slots=True)
class _Open:
    """A piece of evidence that has begun and not yet ended."""

    end: int
    kind: str
    length: int
    anchor: str

    def order(self) -> tuple[int, int]:
        return self.length, INDICATORS.index(self.kind)


def _quotations(part: object) -> Iterator[Span]:
    """Every quotation anywhere in an assessment."""
    if isinstance(part, (Act, Basis, Evidence)):
        yield part
    elif isinstance(part, (tuple, dict)):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _quotations(inner)
    elif is_dataclass(part):
        for field in fields(part):
            yield from _quotations(getattr(part, field.name))


def segments(text: str, assessment: Assessment) -> list[Segment]:
    """The whole narrative, cut at the bounds of everything that the assessment quotes."""
    quoted: list[tuple[Span, str]] = []
    for name in INDICATORS:
        kind = name if assessment.indicators[name].present else ""
        quoted += [(evidence, kind) for evidence in assessment.indicators[name].evidence]
    quoted += [(evidence, ASIDE) for evidence in assessment.counter_evidence]
    quoted += [(words, "") for words in _quotations(assessment)]
    starting: dict[int, set[_Open]] = {}
    bounds = {0, len(text)}
    for span, kind in quoted:
        starting.setdefault(span.start, set()).add(
            _Open(span.end, kind, span.end - span.start, anchor(span))
        )
        bounds |= {span.start, span.end}
    cuts = sorted(bounds)
    found: list[Segment] = []
    within: set[_Open] = set()
    for start, end in pairwise(cuts):
        beginning = starting.get(start, set())
        within = {item for item in within if item.end > start} | beginning
        kinds = {item.kind for item in within}
        counted = [item for item in within if item.kind in INDICATORS]
        found.append(
            Segment(
                text=text[start:end],
                indicators=tuple(name for name in INDICATORS if name in kinds),
                paint=min(counted, key=_Open.order).kind
                if counted
                else ASIDE
                if ASIDE in kinds
                else "",
                anchors=tuple(sorted({item.anchor for item in beginning})),
                within=tuple(sorted({item.anchor for item in within})),
            )
        )
    return [
        replace(one, ends=tuple(kind for kind in _kinds(one) if kind not in _kinds(then)))
        for one, then in zip(found, [*found, Segment("")][1:], strict=True)
    ]


def _kinds(segment: Segment) -> tuple[str, ...]:
    return segment.indicators or ((ASIDE,) if segment.paint == ASIDE else ())
