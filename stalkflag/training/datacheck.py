"""Checking a labelled corpus: the guide, the splits, the composition, the agreement of readers."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from stalkflag.assessment import INDICATORS, LABELS, RELATIONSHIPS
from stalkflag.errors import MissingExtra
from stalkflag.training.records import (
    NAMES_OFFENCE,
    REGISTERS,
    Columns,
    Record,
    problems,
    read_labelled,
)
from stalkflag.training.sources import REREAD, SECOND_READER, SETTLED, parse_source, read_lines

NEAR_DUPLICATE = 0.7
"""Jaccard similarity of word 5-grams above which two narratives of different cases are too alike."""

MOST_NAMES_OFFENCE = 0.15
MOST_SAME_OPENING = 0.01
MOST_LEAK = 0.12
"""How far above the largest label's share a guess from length and register alone may come."""

CHECKED_AS_CORPUS = 500
"""From this many records on, all labelled in full, the composition rules of the corpus apply; a
force's own cases are as they are."""


@dataclass(slots=True)
class Report:
    """What to print: tables, and what is wrong. Never a narrative's text."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def check_data(data: Sequence[str | Path], columns: Columns | None = None) -> Report:
    """Check labelled files: schema and evidence always; composition for a whole corpus."""
    read = read_labelled(data, columns)
    records = read.records
    report = Report(lines=list(read.notes))
    for record in records:
        report.problems += [f"{record.id}: {problem}" for problem in problems(record)]
    counted = Counter(record.id for record in records)
    report.problems += [f"{name}: the id is used {n} times" for name, n in counted.items() if n > 1]
    splits: dict[str, set[str]] = {}
    for record in records:
        splits.setdefault(record.group, set()).add(record.split or "")
    report.problems += [
        f"group {group} is in several splits: {', '.join(sorted(found))}"
        for group, found in splits.items()
        if len(found) > 1
    ]
    report.lines.append(f"{len(records)} narratives of {len(splits)} cases.")
    for name, values in (
        ("split", [r.split for r in records]),
        ("label", [r.label for r in records]),
        ("register", [r.register for r in records]),
        ("relationship", [r.relationship for r in records]),
        ("difficulty", [r.difficulty for r in records]),
    ):
        tally = ", ".join(f"{k or 'not told'} {n}" for k, n in Counter(values).most_common())
        report.lines.append(f"by {name}: {tally}")
    _near_duplicates(records, report)
    if len(records) >= CHECKED_AS_CORPUS and all(r.difficulty and r.register for r in records):
        _composition(records, report)
        _leak(records, report)
    report.lines += agreement(data, records)
    return report


def _near_duplicates(records: Sequence[Record], report: Report) -> None:
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        raise MissingExtra("train", "Looking for near-duplicates") from None
    index = MinHashLSH(threshold=NEAR_DUPLICATE - 0.1, num_perm=64)
    grams = [_five_grams(record.text) for record in records]
    pairs = 0
    for number, words in enumerate(grams):
        if not words:
            continue
        sketch = MinHash(num_perm=64)
        sketch.update_batch([" ".join(gram).encode() for gram in words])
        for other in index.query(sketch):
            same = len(words & grams[other]) / len(words | grams[other])
            if same > NEAR_DUPLICATE and records[number].group != records[other].group:
                pairs += 1
                report.problems.append(
                    f"{records[number].id} and {records[other].id} are near-duplicates "
                    f"({same:.2f}) of different cases"
                )
        index.insert(number, sketch)
    report.lines.append(f"near-duplicates across cases (Jaccard over {NEAR_DUPLICATE}): {pairs}")


def _five_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def _composition(records: Sequence[Record], report: Report) -> None:
    lengths = np.array([len(record.text.split()) for record in records])
    quartiles = np.percentile(lengths, [25, 50, 75]).astype(int).tolist()
    report.lines.append(
        f"words a narrative: quartiles {quartiles}, from {lengths.min()} to {lengths.max()}"
    )
    names = [bool(NAMES_OFFENCE.search(record.text)) for record in records]
    shares = {
        label: float(np.mean([n for n, r in zip(names, records, strict=True) if r.label == label]))
        for label in LABELS
    }
    report.lines.append(
        f"name the offence (stalk*, harass*): {np.mean(names):.1%}; "
        + ", ".join(f"{label} {share:.1%}" for label, share in shares.items())
    )
    if np.mean(names) > MOST_NAMES_OFFENCE or min(shares.values()) == 0:
        report.problems.append("too many narratives name the offence, or a label never does")
    openings = Counter(" ".join(r.text.lower().split()[:5]) for r in _one_a_group(records))
    most = openings.most_common(1)[0][1]
    report.lines.append(f"the commonest first five words open {most} cases")
    if most > MOST_SAME_OPENING * len(records):
        report.problems.append(f"{most} narratives open with the same five words")
    seen: set[str] = set()
    growth = []
    for number, record in enumerate(records, start=1):
        seen.update(re.findall(r"[a-z']+", record.text.lower()))
        if number in (100, 300, 1000, 2000, 3000) or number == len(records):
            growth.append(f"{number}: {len(seen):,}")
    report.lines.append("different words after so many narratives: " + ", ".join(growth))
    for kind, values in (("relationship", RELATIONSHIPS), ("register", REGISTERS)):
        cells = Counter((record.label, getattr(record, kind)) for record in records)
        report.lines.append(f"label by {kind}:")
        for value in values:
            row = ", ".join(f"{label} {cells[label, value]}" for label in LABELS)
            report.lines.append(f"  {value}: {row}")


def _one_a_group(records: Sequence[Record]) -> list[Record]:
    """The first record of each case: contrasts of one case open alike by design."""
    return list({record.group: record for record in reversed(records)}.values())


def _leak(records: Sequence[Record], report: Report) -> None:
    """How well length and register alone tell the label, by held-out cases."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

    x = np.array(
        [
            [np.log1p(len(r.text.split())), *(float(r.register == name) for name in REGISTERS)]
            for r in records
        ]
    )
    y = np.array([LABELS.index(record.label) for record in records])
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=1997)
    forest = RandomForestClassifier(200, min_samples_leaf=20, random_state=1997)
    groups = [record.group for record in records]
    score = float(cross_val_score(forest, x, y, groups=groups, cv=folds).mean())
    chance = float(np.bincount(y).max() / len(y))
    report.lines.append(
        f"label guessed from length and register alone: {score:.1%} right "
        f"(the largest label: {chance:.1%})"
    )
    if score > chance + MOST_LEAK:
        report.problems.append("length and register tell the label too well")


def agreement(data: Sequence[str | Path], records: Sequence[Record]) -> list[str]:
    """Cohen's kappa between the first label and the blind second one, before settling.

    Where *obsessive* and the acts were read anew, says so, and that the labels rest on that.
    """
    from sklearn.metrics import cohen_kappa_score

    second = {row["id"]: row for row in _companions(data, SECOND_READER)}
    settled = {row["id"]: row for row in _companions(data, SETTLED)}
    both = [(first_label(r, settled.get(r.id)), second[r.id]) for r in records if r.id in second]
    if not both:
        return ["no second reader's labels"]
    anew = _reread(list(_companions(data, REREAD)), records, both)
    lines = [f"second reader: {len(both)} narratives read blind"]
    kappa = cohen_kappa_score([r.label for r, _ in both], [row["label"] for _, row in both])
    lines.append(f"  label: kappa {kappa:.3f}, {_same(both, 'label'):.1%} the same")
    for name in INDICATORS:
        same = float(np.mean([r.indicators[name] == row[name] for r, row in both]))
        line = f"  {name}: kappa {_kappa(both, name):.3f}, {same:.1%} the same"
        if name == "obsessive" and anew:
            line += "; not what the labels rest on: most were read anew, see the third reader"
        lines.append(line)
    ties = [(r.relationship, row["relationship"]) for r, row in both if row.get("relationship")]
    if ties:
        kappa = cohen_kappa_score(*zip(*ties, strict=True))
        lines.append(f"  relationship: kappa {kappa:.3f}")
    lines.append(f"  changed afterwards, when the readings were compared: {len(settled)}")
    return lines + anew


def _reread(
    rows: list[dict[str, Any]],
    records: Sequence[Record],
    both: Sequence[tuple[Record, dict[str, Any]]],
) -> list[str]:
    """What the labels of *obsessive* and of the acts rest on, and how far those readers agree.

    ``both`` holds each record as it was first labelled, with the second reader's labels.
    """
    from sklearn.metrics import cohen_kappa_score

    by_reader: dict[int, dict[str, dict[str, Any]]] = {3: {}, 4: {}}
    for row in rows:
        by_reader[row["reader"]][row["id"]] = row
    third, fourth = by_reader[3], by_reader[4]
    now = [(record, third[record.id]) for record in records if record.id in third]
    if not now:
        return []
    obsessive = np.mean([r.indicators["obsessive"] == row["obsessive"] for r, row in now])
    acts = np.mean([set(r.acts or ()) == set(row["acts"]) for r, row in now])
    lines = [
        f"third reader: {len(now)} narratives read anew, blind, for obsessive and the acts, by "
        "rulings 19 and 20; the labels rest on this reading",
        f"  the label is the third reader's: obsessive in {obsessive:.1%}, the acts in {acts:.1%}",
    ]
    shared = [(third[key], fourth[key]) for key in third if key in fourth]
    if shared:
        kappa = cohen_kappa_score(
            *zip(*((a["obsessive"], b["obsessive"]) for a, b in shared), strict=True)
        )
        same = sum(len(set(a["acts"]) & set(b["acts"])) for a, b in shared)
        named = sum(len(a["acts"]) + len(b["acts"]) for a, b in shared)
        lines.append(
            f"  against a fourth reader of {len(shared)}: obsessive kappa {kappa:.3f}, "
            f"acts micro-F1 {2 * same / max(named, 1):.3f}"
        )
    others = [(record, row) for record, row in both if record.id not in third]
    if others:
        lines.append(
            f"  the {len(others)} others: obsessive kappa {_kappa(others, 'obsessive'):.3f} "
            "between the first and the second reader"
        )
    return lines


def _kappa(both: Sequence[tuple[Record, dict[str, Any]]], name: str) -> float:
    """Agreement on an indicator."""
    from sklearn.metrics import cohen_kappa_score

    pairs = [(record.indicators[name], row[name]) for record, row in both]
    return float(cohen_kappa_score(*zip(*pairs, strict=True)))


def _same(both: Sequence[tuple[Record, dict[str, Any]]], name: str) -> float:
    return float(np.mean([getattr(record, name) == row[name] for record, row in both]))


def first_label(record: Record, settled: dict[str, Any] | None) -> Record:
    """The record as it was first labelled: what settling changed is put back."""
    if settled is None:
        return record
    first = settled["first"]
    return replace(
        record,
        label=first.get("label", record.label),
        relationship=first.get("relationship", record.relationship),
        indicators={name: first.get(name, record.indicators[name]) for name in INDICATORS},
    )


def _companions(data: Sequence[str | Path], name: str) -> Iterator[dict[str, Any]]:
    for source in data:
        path = parse_source(source).path / name
        if path.is_file():
            for number, line in read_lines(path):
                row = json.loads(line)
                if not isinstance(row, dict) or "id" not in row:
                    raise ValueError(f"{path}:{number}: no id")
                yield row


def coverage(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The corpus's matrix: narratives in each filled cell, in a fixed order.

    A narrative with several acts counts in the cell of each; ``none`` stands for no act.
    """
    cells: Counter[tuple[str, ...]] = Counter()
    for record in records:
        for act in record.acts or ("none",):
            cells[
                record.label,
                record.relationship or "",
                record.register or "",
                act,
                record.difficulty or "",
            ] += 1
    names = ("label", "relationship", "register", "act", "difficulty")
    return [
        {**dict(zip(names, cell, strict=True)), "narratives": number}
        for cell, number in sorted(cells.items())
    ]
