"""``stalkflag score``: files of narratives, every row accounted for."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Engine(StrEnum):
    """Where the work is done."""

    local = "local"


def score_cli(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="CSV, TSV or JSONL files, or folders.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to write: .csv, .tsv or .jsonl.")
    ],
    text_column: Annotated[
        str | None, typer.Option(help="The column with the narrative.", show_default=False)
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(help="The column that names a row.", show_default="id")
    ] = None,
    recorded_as: Annotated[
        str | None,
        typer.Option(help="The column with the recorded offence.", show_default=False),
    ] = None,
    offences: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file of your own recorded offences, added to the shipped mapping.",
            show_default=False,
        ),
    ] = None,
    link_on: Annotated[
        str | None,
        typer.Option(
            help="Columns, with commas between, that name victim and suspect: their reports are "
            "assessed together too.",
            show_default=False,
        ),
    ] = None,
    date_column: Annotated[
        str | None,
        typer.Option(help="With --link-on: the column that says when.", show_default=False),
    ] = None,
    link_limit: Annotated[
        int, typer.Option(min=2, help="Larger sets are not judged: the key may mean 'not known'.")
    ] = 200,
    links: Annotated[
        Path | None,
        typer.Option(help="Where to write the linked sets: .jsonl or .csv.", show_default=False),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where to list rows that cannot be read.", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 for one for each core.")] = 0,
    engine: Annotated[Engine, typer.Option(help="Only 'local' in this version.")] = Engine.local,
    model: Annotated[
        str, typer.Option(help="'bundled', a bundle folder, or models:/stalkflag@champion.")
    ] = "bundled",
) -> None:
    """Assess every row of some files. The output appears only when it is complete."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from stalkflag.batch.linking import Link
    from stalkflag.batch.score import score_files

    link = None
    if link_on:
        names = tuple(dict.fromkeys(name.strip() for name in link_on.split(",")))
        link = Link(names, date_column, link_limit)
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("Assessing", total=None, rate="")

        def advance(done: int, total: int) -> None:
            speed = progress.tasks[task].speed
            rate = f"{speed:,.0f} a second" if speed else ""
            progress.update(task, completed=done, total=max(done, total), rate=rate)

        def follow(done: int, total: int) -> None:
            progress.update(task, description="Linking", completed=done, total=total)
            if done == total:
                progress.reset(task, description="Assessing", total=None)

        tally = score_files(
            inputs,
            output,
            model=model,
            text_column=text_column,
            id_column=id_column,
            recorded_as=recorded_as,
            offences=offences,
            link=link,
            links=links,
            rejects=rejects,
            workers=workers or len(os.sched_getaffinity(0)),
            progress=advance,
            linking=follow,
        )
        progress.update(task, total=tally.rows, completed=tally.rows)
    console.print(
        f"{tally.rows} rows: {tally.rows - tally.rejected} assessed into {output}, "
        f"{tally.rejected} rejected" + (f" into {rejects}." if tally.rejected else "."),
        highlight=False,
    )
    suggested = ", ".join(f"{number} {label}" for label, number in tally.suggestions.items())
    console.print(
        f"Suggested: {suggested}; {tally.referred} referred to a person.", highlight=False
    )
    for line in tally.linked.lines() if tally.linked else ():
        console.print(line, highlight=False, soft_wrap=True)
    if recorded_as:
        console.print(
            f"{tally.disagree} rows were recorded as something else than is suggested.",
            highlight=False,
        )
    raise typer.Exit(1 if tally.rejected else 0)
