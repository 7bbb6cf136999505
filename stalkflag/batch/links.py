"""The file of linked sets: whole, or flat and without words of the narratives."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stalkflag.assessment import INDICATORS, LABELS
from stalkflag.batch.writing import plain_cell, safe_cell, to_json
from stalkflag.errors import InputError

SUFFIXES: tuple[str, ...] = (".jsonl", ".ndjson", ".csv", ".tsv")


def write_links(
    aside: Path, path: Path, linked_on: Sequence[str], records: Iterable[dict[str, Any]]
) -> None:
    """Write linked sets to ``aside``, of the kind that the ending of ``path`` says.

    JSON lines hold each set whole; CSV and TSV hold what can be said of it without any words of
    the narratives.
    """
    kind = path.suffix.lower()
    with aside.open("w", encoding="utf-8", newline="") as stream:
        if kind in (".jsonl", ".ndjson"):
            stream.writelines(to_json(record) + "\n" for record in records)
            return
        rows = csv.writer(stream, delimiter="\t" if kind == ".tsv" else ",")
        columns = _flat_columns(linked_on)
        rows.writerow(map(safe_cell, columns))
        for record in records:
            flat = flatten_link(record)
            rows.writerow([safe_cell(plain_cell(flat.get(name))) for name in columns])


def check_links(path: Path) -> None:
    """Raise ``InputError`` if no links can be written to a file of this ending."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: the links file must end in {', '.join(SUFFIXES)}.")


def _flat_columns(linked_on: Sequence[str]) -> list[str]:
    return [
        *(
            "linked_set",
            *linked_on,
            "reports",
            "report_ids",
            "raised_ids",
            "first_date",
            "last_date",
        ),
        *("span_days", "occasions", "alone_stalking", "suggestion", "refer"),
        *(f"p_{label}" for label in LABELS),
        *INDICATORS,
        *("relationship", "acts", "escalation", "reasons", "note"),
    ]


def flatten_link(record: Mapping[str, Any]) -> dict[str, Any]:
    """One set as a row of a flat links file, without any words of the narratives."""
    reports = record["reports"]
    flat = {
        "linked_set": record["id"],
        **record["linked_on"],
        "reports": record["size"],
        "report_ids": "; ".join(str(report["id"]) for report in reports),
        "note": record["note"],
    }
    if "suggestion" not in record:
        return flat
    conduct = record["course_of_conduct"]
    acts = dict.fromkeys(act["act"] for act in record["acts"])
    return {
        **flat,
        "raised_ids": "; ".join(str(report["id"]) for report in reports if report["raised"]),
        "first_date": record["first_date"],
        "last_date": record["last_date"],
        "span_days": conduct["span_days"],
        "occasions": conduct["occasions"],
        "alone_stalking": sum(report["suggestion"] == "stalking" for report in reports),
        "suggestion": record["suggestion"],
        "refer": record["refer"],
        **{f"p_{label}": record["probabilities"][label] for label in LABELS},
        **{name: record["indicators"][name]["present"] for name in INDICATORS},
        "relationship": record["relationship"]["value"],
        "acts": "; ".join(acts),
        "escalation": " ".join(change["says"] for change in record["escalation"]),
        "reasons": " ".join((*record["reasons"], *record["refer_reasons"])),
    }
