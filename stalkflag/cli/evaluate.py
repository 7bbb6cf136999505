"""``stalkflag evaluate``: measure models on labelled narratives."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from stalkflag.errors import InputError

if TYPE_CHECKING:
    from stalkflag.training.records import Record


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
    swaps: Annotated[
        bool,
        typer.Option(
            "--swaps",
            help="Instead: swap names, sexes, origin, religion, sexuality, age and occupation, and "
            "count the suggestions that change.",
        ),
    ] = False,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            help="Instead: write the narratives more roughly, longer and with words hidden, and "
            "count the suggestions that change.",
        ),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="So many narratives, drawn by the seed, for --swaps and --robustness.",
            show_default="all",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides what is drawn and exchanged.")] = 1997,
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
    if swaps or robustness:
        if out is not None:
            raise InputError("--out goes with the ordinary measures: use --format json instead.")
        _what_must_not_matter(
            read.records, refs, swaps=swaps, robustness=robustness, limit=limit, seed=seed,
            format=format,
        )  # fmt: skip
        return
    if limit is not None:
        raise InputError("--limit goes with --swaps or --robustness.")
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


def _what_must_not_matter(
    records: Sequence[Record],
    refs: Sequence[str],
    *,
    swaps: bool,
    robustness: bool,
    limit: int | None,
    seed: int,
    format: Format,
) -> None:
    from stalkflag.assessor import load
    from stalkflag.cli.invariance import print_invariance, print_slices
    from stalkflag.cli.progress import steps
    from stalkflag.training.invariance import measure_robustness, measure_swaps, sample
    from stalkflag.training.predictions import Predictions
    from stalkflag.training.slices import by_sexes

    records = sample(records, limit, seed)
    plain: dict[str, dict[str, Any]] = {}
    for ref in refs:
        assessor = load(ref)
        plain[ref] = {}
        with steps() as progress:
            swapped = (
                measure_swaps(assessor, records, seed=seed, progress=progress) if swaps else []
            )
            said = list(assessor.assess_many(r.text for r in records)) if swaps else []
            rough = (
                measure_robustness(assessor, records, seed=seed, progress=progress)
                if robustness
                else []
            )
        slices = by_sexes(Predictions.of(records, said)) if swaps else []
        if format is Format.json:
            for name, rows in (("swaps", swapped), ("robustness", rough)):
                if rows:
                    plain[ref][name] = [row.to_dict() for row in rows]
            if slices:
                plain[ref]["sexes_as_written"] = [asdict(row) for row in slices]
            continue
        if swaps:
            print_invariance(swapped, title="Words swapped that must not matter", ref=ref)
            print_slices(slices, ref=ref)
        if robustness:
            print_invariance(rough, title="Rougher writing", ref=ref)
    if format is Format.json:
        import json

        sys.stdout.write(json.dumps(plain, indent=1) + "\n")


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
