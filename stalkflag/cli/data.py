"""``stalkflag data``: labelled narratives, checked and described."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(help="Labelled narratives.", no_args_is_help=True)


@data_app.command("check")
def check_cli(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Labelled JSONL files, or folders of them."),
    ],
) -> None:
    """Check labelled narratives against the labelling guide; prints tables, never a text."""
    from stalkflag.training.datacheck import check_data

    report = check_data(data)
    for line in report.lines:
        typer.echo(line)
    for problem in report.problems:
        typer.echo(problem, err=True)
    typer.echo(f"{len(report.problems)} problems.")
    if report.problems:
        raise typer.Exit(2)


@data_app.command("coverage")
def coverage_cli(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Labelled JSONL files, or folders of them."),
    ],
) -> None:
    """Print the matrix of label, relationship, register, act and difficulty as CSV."""
    import csv
    import sys

    from stalkflag.training.datacheck import coverage
    from stalkflag.training.records import read_records

    rows = coverage(read_records(data))
    table = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
