"""Quoting the words of a narrative that a finding points to."""

from __future__ import annotations

from collections.abc import Iterable

from stalkflag.assessment import Evidence
from stalkflag.context import Finding, distinct
from stalkflag.reading import Reading


def quote(reading: Reading, finding: Finding) -> Evidence:
    """The words of one finding, exactly as they stand in the narrative."""
    start, end = reading.span(finding.start, finding.end)
    return Evidence(start, end, reading.text[start:end], finding.rule.id, finding.rule.says)


def quotes(reading: Reading, findings: Iterable[Finding]) -> tuple[Evidence, ...]:
    """The words of some findings, without those that overlap longer ones, in order of place."""
    return tuple(quote(reading, finding) for finding in distinct(findings))
