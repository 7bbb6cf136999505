"""Quoting the words of a narrative that a finding points to."""

from __future__ import annotations

from collections.abc import Iterable

from stalkflag.assessment import Evidence
from stalkflag.context import Finding, distinct
from stalkflag.reading import Reading

LOOSE = frozenset(
    "and but or so then as he she i they we it has had have is was were be been am are to the a an"
    " 's 've 'd 'm 're , . ; : -".split()
)
"""Words at the end of a rule's match that say nothing once the words after them are gone."""


def quote(reading: Reading, finding: Finding) -> Evidence:
    """The words of one finding as they stand in the narrative, without loose words at its end."""
    last = finding.end
    while last - finding.start > 1 and reading.word(last - 1) in LOOSE:
        last -= 1
    start, end = reading.span(finding.start, last)
    return Evidence(start, end, reading.text[start:end], finding.rule.id, finding.rule.says)


def quotes(reading: Reading, findings: Iterable[Finding]) -> tuple[Evidence, ...]:
    """The words of some findings, without those that overlap longer ones, in order of place."""
    return tuple(quote(reading, finding) for finding in distinct(findings))
