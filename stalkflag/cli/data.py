"""``stalkflag data``: labelled narratives, checked and described."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(help="Labelled narratives.", no_args_is_help=True)


@data_app.callback()
def _only() -> None:
    pass


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
