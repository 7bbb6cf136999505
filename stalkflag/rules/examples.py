"""Rules tried out: their own examples executed, and one sentence explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stalkflag.context import BECAUSE
from stalkflag.reading import Reader, Reading
from stalkflag.rules.schema import Rule, RuleSet


@dataclass(frozen=True, slots=True)
class Failure:
    """An example that did not do what the pack says."""

    rule: Rule
    example: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.rule.origin}: {self.rule.id}: {self.wanted}: {self.example!r}"


def check_examples(rules: RuleSet) -> Iterator[Failure]:
    """Execute every ``hit`` and ``miss``.

    A ``hit`` must be found and count; a ``miss`` must not be found, or be set aside.
    """
    reader = Reader(rules)
    for rule in rules.rules:
        for wanted, examples in (("should hit", rule.hit), ("should miss", rule.miss)):
            for example, reading in zip(examples, reader.read(examples), strict=True):
                if _counts(rule, reading) is not (wanted == "should hit"):
                    yield Failure(rule, example, wanted)


def _counts(rule: Rule, reading: Reading) -> bool:
    if rule.axis in ("continues", "ends"):
        return any(match.rule is rule for match in reading.marks)
    if rule.axis:
        return any(cue.rule is rule for cue in reading.cues)
    return any(finding.rule is rule for finding in reading.counted())


@dataclass(frozen=True, slots=True)
class Explained:
    """What one rule did with a text."""

    rule: Rule
    words: str
    outcome: str


def explain(rules: RuleSet, text: str) -> list[Explained]:
    """Every rule that matched, in order of place, and what stopped it if anything did."""
    reader = Reader(rules)
    reading = reader.read_doc(reader.make_doc(text))
    found: list[tuple[int, Explained]] = []
    for finding in reading.findings:
        start, end = reading.span(finding.start, finding.end)
        outcome = "counts"
        if finding.cue is not None:
            first, last = reading.span(finding.cue.start, finding.cue.end)
            outcome = f"set aside: {BECAUSE[finding.cue.axis]} ({text[first:last]!r})"
        found.append((start, Explained(finding.rule, text[start:end], outcome)))
    for mark in reading.marks:
        start, end = reading.span(mark.start, mark.end)
        found.append(
            (start, Explained(mark.rule, text[start:end], f"context cue: {mark.rule.axis}"))
        )
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]
