"""``stalkflag evaluate``: measure models on labelled narratives."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from stalkflag.cli.check import Format
from stalkflag.cli.labelled import (
    Data,
    GroupColumn,
    IdColumn,
    LabelColumn,
    LabelMap,
    TextColumn,
    columns_from,
)


def evaluate_cli(
    data: Data,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Model to measure; may be repeated: each is compared with the first.",
            show_default="bundled",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A new folder for tables and pictures.", show_default=False),
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(
            min=0.0001,
            max=0.9999,
            help="The share of stalking in the files that will be scored, for the referral table.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[Format, typer.Option(help="For a person, or for a program.")] = Format.text,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    id_column: IdColumn = None,
    group_column: GroupColumn = None,
    label_map: LabelMap = None,
) -> None:
    """Measure one or more models on labelled narratives. Prints numbers, never a text."""
    from stalkflag.training import needs_extra

    needs_extra("Measuring models")
    from stalkflag.cli.progress import steps
    from stalkflag.training.evaluation import differences, evaluate, write_folder
    from stalkflag.training.folders import new_folder
    from stalkflag.training.records import read_labelled
    from stalkflag.training.registry import model_ref

    columns = columns_from(
        text_column, label=label_column, id=id_column, group=group_column, label_map=label_map
    )
    read = read_labelled(data, columns)
    for note in read.notes:
        typer.echo(note, err=True)
    refs = [model_ref(ref) for ref in model or ["bundled"]]
    with ExitStack() as stack:
        folder = None if out is None else stack.enter_context(new_folder(out))
        progress = stack.enter_context(steps())
        found = evaluate(read.records, refs, stalking_share=prevalence, progress=progress)
        if folder is not None:
            progress("writing tables and pictures")
            write_folder(found, folder)
    against = differences(found)
    if format is Format.json:
        import json

        plain: dict[str, dict[str, Any]] = {ref: one.measures for ref, one in found.items()}
        for ref, one in found.items():
            plain[ref]["coverage"] = one.coverage
        for ref, rows in against.items():
            plain[ref]["against_first"] = rows
        sys.stdout.write(json.dumps(plain, indent=1) + "\n")
        return
    from stalkflag.cli.tables import print_compared, print_coverage

    for ref, one in found.items():
        _print(ref, one.measures)
        print_coverage(one.coverage, title=ref, stalking_share=prevalence)
    for ref, rows in against.items():
        print_compared(rows, first=refs[0], second=ref)
    if out is not None:
        typer.echo(f"Tables and pictures written to {out}.", err=True)


def _print(ref: str, result: dict[str, Any]) -> None:
    from rich.table import Table

    from stalkflag.cli import tables

    console = tables.console()
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
