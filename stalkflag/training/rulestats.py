"""How often each rule is right on labelled narratives: delete what does not earn its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from stalkflag.reading import Reader
from stalkflag.rules.schema import RuleSet
from stalkflag.training.records import read_records


def print_stats(rules: RuleSet, data: Sequence[Path]) -> None:
    """Print, for each rule: narratives it counts in, set aside in, and its precision.

    Precision is the share of narratives it counts in whose labels hold every indicator that the
    rule shows (or its act, or its relationship); blank where a rule claims none of these.
    """
    hits: Counter[str] = Counter()
    aside: Counter[str] = Counter()
    right: Counter[str] = Counter()
    records = read_records(data)
    for record, reading in zip(
        records, Reader(rules).read(record.text for record in records), strict=True
    ):
        counted = {finding.rule.id: finding.rule for finding in reading.counted()}
        aside.update({f.rule.id for f in reading.findings if f.cue} - set(counted))
        aside.update({mark.rule.id for mark in reading.marks})
        hits.update(counted.keys())
        for rule in counted.values():
            claims = [record.indicators[name] is not False for name in rule.shows]
            if rule.act:
                claims.append(rule.act in (record.acts or ()))
            if rule.value:
                claims.append(record.relationship == rule.value)
            right[rule.id] += bool(claims) and all(claims)
    print(f"rule\thits of {len(records)}\tset aside or cue\tprecision")
    for rule in rules.rules:
        claims_any = bool(rule.shows or rule.act or rule.value)
        number = hits[rule.id]
        precision = f"{right[rule.id] / number:.2f}" if claims_any and number else ""
        print(f"{rule.id}\t{number}\t{aside[rule.id]}\t{precision}")
