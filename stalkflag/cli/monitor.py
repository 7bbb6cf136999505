"""``stalkflag monitor``: whether newly scored reports are still like those it was judged on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stalkflag.cli.check import Format

if TYPE_CHECKING:
    from stalkflag.audit.drift import Compared, Monitored


def monitor_cli(
    reference: Annotated[
        Path, typer.Argument(help="A scored file of the time when stalkflag was judged fit.")
    ],
    new: Annotated[Path, typer.Argument(help="A scored file of now.")],
    text_column: Annotated[
        str | None,
        typer.Option(
            help="The column with the narrative, for length and vocabulary.", show_default=False
        ),
    ] = None,
    decisions: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="BEFORE NOW",
            help="The desk's decisions files of the two times, to compare how people decide.",
            show_default=False,
        ),
    ] = None,
    limits: Annotated[
        Path | None,
        typer.Option(help="A TOML file with a force's own limits.", show_default=False),
    ] = None,
    format: Annotated[Format, typer.Option(help="For a person, or for a program.")] = Format.text,
) -> None:
    """Compare a newly scored file with a reference one, and say when to stop and review.

    Stores nothing. Exits with 1 if any figure says stop and review.
    """
    from stalkflag.audit.drift import Light, monitor, read_limits

    found = monitor(
        reference, new, limits=read_limits(limits), text_column=text_column, decisions=decisions
    )
    if format is Format.json:
        plain = {
            "before": found.before,
            "now": found.now,
            "light": found.light,
            "figures": [one.to_dict() for one in found.compared],
        }
        sys.stdout.write(json.dumps(plain, indent=1) + "\n")
    else:
        _print(found)
    raise typer.Exit(1 if found.light is Light.stop else 0)


def _print(found: Monitored) -> None:
    from rich.table import Table

    from stalkflag.audit.drift import Light
    from stalkflag.cli import tables

    console = tables.console()
    table = Table(
        "", f"before ({found.before:,})", f"now ({found.now:,})", "moved", "by chance", ""
    )
    for one in found.compared:
        table.add_row(
            one.what, _share(one.before), _share(one.now), *_moved(one), one.light.upper()
        )
    console.print(table)
    for light in (Light.stop, Light.watch):
        for one in found.compared:
            if one.light is light:
                console.print(f"{light.upper()}: {one.what}: {one.says}.", markup=False)
    console.print(
        {
            Light.stop: "STOP AND REVIEW: do not rely on suggestions until somebody has found out "
            "why, measured on own labelled cases ('stalkflag evaluate') and recorded the outcome.",
            Light.watch: "WATCH: find out why, and compare again with the next file.",
            Light.steady: "STEADY: nothing moved beyond the limits. That a figure is steady does "
            "not make it right: measure on own labelled cases too.",
            Light.few: "TOO FEW to tell.",
        }[found.light],
        markup=False,
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _moved(one: Compared) -> tuple[str, str]:
    if one.moved is None or one.by_chance is None:
        return "", ""
    return f"{one.measure} {one.moved:.2f}", f"{one.by_chance:.3f}"
