"""``stalkflag data``: labelled narratives, checked and described."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stalkflag.cli.labelled import (
    Data,
    GroupColumn,
    IdColumn,
    LabelColumn,
    LabelMap,
    TextColumn,
    columns_from,
)

data_app = typer.Typer(help="Labelled narratives.", no_args_is_help=True)


@data_app.command("check")
def check_cli(
    data: Data,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    id_column: IdColumn = None,
    group_column: GroupColumn = None,
    label_map: LabelMap = None,
) -> None:
    """Check labelled narratives against the labelling guide; prints tables, never a text."""
    from stalkflag.training.datacheck import check_data

    columns = columns_from(
        text_column, label=label_column, id=id_column, group=group_column, label_map=label_map
    )
    report = check_data(data, columns)
    for line in report.lines:
        typer.echo(line)
    for problem in report.problems:
        typer.echo(problem, err=True)
    typer.echo(f"{len(report.problems)} problems.")
    if report.problems:
        raise typer.Exit(2)


@data_app.command("coverage")
def coverage_cli(data: Data) -> None:
    """Print the matrix of label, relationship, register, act and difficulty as CSV."""
    import csv
    import sys

    from stalkflag.training.datacheck import coverage
    from stalkflag.training.records import read_records

    rows = coverage(read_records(data))
    table = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)


@data_app.command("suggest")
def suggest_cli(
    unlabelled: Annotated[
        list[Path],
        typer.Argument(
            metavar="UNLABELLED...", help="JSONL, CSV, TSV or Parquet files, or folders of them."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to write: .csv, .tsv or .jsonl.")
    ],
    number: Annotated[int, typer.Option(min=1, help="How many to choose.")] = 100,
    model: Annotated[
        str, typer.Option(help="'bundled', a bundle folder, or models:/stalkflag@champion.")
    ] = "bundled",
    labelled: Annotated[
        list[str] | None,
        typer.Option(help="Labelled files: their narratives are not chosen.", show_default=False),
    ] = None,
    text_column: TextColumn = None,
) -> None:
    """Choose which narratives to label next: the most doubtful, each unlike the others.

    The file holds narratives: keep it as safe as the ones it came from.
    """
    from stalkflag.training import needs_extra

    needs_extra("Choosing narratives")
    from stalkflag.assessor import load
    from stalkflag.cli.progress import steps
    from stalkflag.training.sources import read_texts
    from stalkflag.training.suggest import check_output, suggest, write_for_labelling

    check_output(output)
    known = read_texts(labelled, text_column=text_column) if labelled else ()
    with steps() as progress:
        chosen, passed = suggest(
            read_texts(unlabelled, text_column=text_column),
            load(model),
            number=number,
            labelled=(text for _, text in known),
            progress=progress,
        )
        write_for_labelling(chosen, output)
    typer.echo(
        f"{len(chosen)} of {passed.rows} narratives written to {output}; not considered: "
        f"{passed.thin} too thin, {passed.same} doubled, {passed.labelled} labelled already.",
        err=True,
    )
