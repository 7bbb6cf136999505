"""``stalkflag evaluate``: measure models on labelled narratives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from stalkflag.cli.check import Format


def evaluate_cli(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Labelled JSONL files, or folders of them."),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model to measure; may be repeated.", show_default="bundled"),
    ] = None,
    format: Annotated[Format, typer.Option(help="For a person, or for a program.")] = Format.text,
) -> None:
    """Measure one or more models on labelled narratives. Prints numbers, never a text."""
    from stalkflag.assessor import load
    from stalkflag.training.metrics import measure
    from stalkflag.training.records import read_records

    records = read_records(data)
    results = {}
    for ref in model or ["bundled"]:
        assessor = load(ref)
        results[ref] = measure(records, list(assessor.assess_many(r.text for r in records)))
    if format is Format.json:
        import json

        sys.stdout.write(json.dumps(results, indent=1) + "\n")
        return
    for ref, result in results.items():
        _print(ref, result)


def _print(ref: str, result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    low, high = result["macro_f1_interval"]
    console.print(
        f"{ref}: {result['narratives']} narratives of {result['groups']} cases. "
        f"Macro-F1 {result['macro_f1']:.3f} (95 % interval {low:.3f} to {high:.3f}), "
        f"accuracy {result['accuracy']:.3f}, calibration error {result['calibration_error']:.3f}.",
        markup=False,
    )
    console.print(
        f"Referred to a person: {result['referred']:.1%}; accuracy of the others "
        f"{result['accuracy_not_referred'] or 0:.3f}.",
        markup=False,
    )
    table = Table("", "F1", "precision", "recall", "true", title=None)
    for name, row in {**result["labels"], **result["indicators"]}.items():
        table.add_row(
            name,
            *(f"{row[key]:.3f}" for key in ("f1", "precision", "recall")),
            str(row["true"]),
        )
    console.print(table)
    for name, text in (
        ("acts_micro_f1", "acts micro-F1"),
        ("relationship_accuracy", "relationship accuracy"),
        ("two_or_more_accuracy", "two or more occasions right"),
        ("evidence_overlapped", "labelled evidence overlapped"),
    ):
        if result.get(name) is not None:
            console.print(f"{text}: {result[name]:.3f}")
    table = Table("slice", "narratives", "accuracy", "95 % interval")
    for kind, slices in result["slices"].items():
        for value, row in slices.items():
            low, high = row["accuracy_interval"]
            table.add_row(
                f"{kind}: {value}",
                str(row["narratives"]),
                f"{row['accuracy']:.3f}",
                f"{low:.3f} to {high:.3f}",
            )
    console.print(table)
