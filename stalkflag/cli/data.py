"""``stalkflag data``: labelled narratives, checked and described."""

from __future__ import annotations

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
