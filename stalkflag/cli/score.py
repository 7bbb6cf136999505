"""``stalkflag score``: files of narratives, every row accounted for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stalkflag.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from stalkflag.batch.score import Tally


class Engine(StrEnum):
    """Where the work is done."""

    local = "local"
    spark = "spark"


class Suggested(StrEnum):
    """The suggestions, to filter rows by."""

    stalking = "stalking"
    harassment = "harassment"
    neither = "neither"


class Order(StrEnum):
    """The order of the rows in the output."""

    input = "input"
    review = "review"


def score_cli(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="CSV, TSV, JSONL, Parquet or XLSX files, folders, or patterns such as '20*.csv'.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", help="Where to write: .csv, .tsv, .jsonl, .parquet or .xlsx."
        ),
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
        typer.Option(
            help="The column that says when it happened: the law of that day is applied, and "
            "linked sets are read in its order.",
            show_default=False,
        ),
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
    only: Annotated[
        list[Suggested] | None,
        typer.Option(help="Write only rows with this suggestion; may be repeated."),
    ] = None,
    min_probability: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Write only rows at least so probable: of the suggestion named with --only, "
            "else of stalking.",
        ),
    ] = 0.0,
    sort: Annotated[
        Order, typer.Option(help="The order of the output: of the input, or by need of review.")
    ] = Order.input,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run that was interrupted.")
    ] = False,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 for one for each core.")] = 0,
    engine: Annotated[
        Engine, typer.Option(help="'spark' reads and writes Parquet on many machines.")
    ] = Engine.local,
    master: Annotated[
        str | None,
        typer.Option(help="Spark's master, such as spark://HOST:7077.", show_default="local[*]"),
    ] = None,
    spark_conf: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A setting of Spark; may be repeated."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="'bundled', a bundle folder, or models:/stalkflag@champion.")
    ] = "bundled",
    law: Annotated[
        str,
        typer.Option(help="'england-wales', 'scotland', or a profile file of your own (.toml)."),
    ] = "england-wales",
) -> None:
    """Assess every row of some files. The output appears only when it is complete."""
    from rich.console import Console

    from stalkflag.batch.linking import Link
    from stalkflag.batch.review import Filter
    from stalkflag.batch.score import Options, score_files

    link = None
    if link_on is not None:
        names = [name.strip() for name in link_on.split(",") if name.strip()]
        if not names:
            raise InputError(
                "--link-on names no column: name those of victim and suspect, commas between."
            )
        link = Link(tuple(dict.fromkeys(names)), link_limit)
    options = Options(
        model=model,
        law=law,
        text_column=text_column,
        id_column=id_column,
        date_column=date_column,
        recorded_as=recorded_as,
        offences=offences,
        link=link,
        links=links,
        rows=Filter(frozenset(label.value for label in only or ()), min_probability),
        by_need=sort is Order.review,
    )
    console = Console(stderr=True, highlight=False)

    def tell(message: str) -> None:
        console.print(message, markup=False, soft_wrap=True)

    began = time.monotonic()
    if engine is Engine.spark:
        if resume or rejects or options.by_need or links:
            raise InputError(
                "--resume, --rejects, --sort and --links are for --engine local: Spark does lost "
                "work again by itself, rejects no row of a Parquet file, and can sort and group "
                "what it wrote."
            )
        from stalkflag.batch.spark import score_on_spark

        tally = score_on_spark(
            inputs, output, options, master=master, settings=spark_conf, tell=tell
        )
    else:
        if master or spark_conf:
            raise InputError("--master and --spark-conf need --engine spark.")
        try:
            with _progress(console) as progress:
                tally = score_files(
                    inputs,
                    Path(output),
                    options,
                    rejects=rejects,
                    workers=workers or _cores(),
                    resume=resume,
                    progress=progress,
                    tell=tell,
                )
        except KeyboardInterrupt:
            partial = Path(f"{output}.partial")
            kept = f" {partial} keeps what is assessed: continue with --resume, or delete it."
            console.print(f"stalkflag: stopped.{kept if partial.exists() else ''}", markup=False)
            raise typer.Exit(130) from None
    _summarise(console, tally, output=output, rejects=rejects, seconds=time.monotonic() - began)
    raise typer.Exit(1 if tally.rejected else 0)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A bar with rate and time left on standard error."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    tasks: dict[str, TaskID] = {}
    shown = 0.0

    def advance(what: str, done: int, total: int) -> None:
        nonlocal shown
        if what in tasks and done < total and time.monotonic() - shown < 0.2:
            return
        shown = time.monotonic()
        if what not in tasks:
            for task in tasks.values():
                bars.update(task, total=bars.tasks[task].completed)
            tasks[what] = bars.add_task(what, completed=done, rate="")
            bars.start()
        speed = bars.tasks[tasks[what]].speed
        rate = f"{speed:,.0f} a second" if speed else ""
        bars.update(tasks[what], completed=done, total=max(done, total), rate=rate)

    try:
        yield advance
    finally:
        if tasks:
            bars.stop()


def _summarise(
    console: Console, tally: Tally, *, output: str, rejects: Path | None, seconds: float
) -> None:
    """What became of the rows, so that they add up."""

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    left_out = f"{tally.left_out:,} left out by the filter, " if tally.left_out else ""
    say(
        f"{tally.rows:,} rows: {tally.written:,} assessed into {output}, {left_out}"
        f"{tally.rejected:,} rejected" + (f" into {rejects}." if tally.rejected else ".")
    )
    suggested = ", ".join(f"{number:,} {label}" for label, number in tally.suggestions.items())
    say(f"Suggested: {suggested}; {tally.referred:,} referred to a person.")
    if tally.disagree is not None:
        say(f"{tally.disagree:,} rows were recorded as something else than is suggested.")
    if tally.without_date:
        say(
            f"{tally.without_date:,} rows have no date that can be read: the law was applied to them "
            "as it was when the profile was last checked."
        )
    for line in tally.linked.lines() if tally.linked else ():
        say(line)
    if tally.shortened:
        cells = "1 cell was" if tally.shortened == 1 else f"{tally.shortened:,} cells were"
        say(
            f"{cells} cut to the 32,767 characters that XLSX holds: "
            "write .csv or .parquet to keep them whole."
        )
    before = f", {tally.resumed:,} of the rows by an earlier run" if tally.resumed else ""
    say(f"Took {seconds:,.1f} seconds{before}.")
