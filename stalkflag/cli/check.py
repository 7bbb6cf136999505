"""``stalkflag check``: one narrative, assessed while the caller is on the line."""

from __future__ import annotations

import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stalkflag.errors import InputError


class Format(StrEnum):
    """How an assessment is printed."""

    text = "text"
    json = "json"


def check_cli(
    file: Annotated[
        Path | None,
        typer.Argument(help="A text file, or - for standard input.", show_default=False),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(help="The narrative itself, instead of a file.", show_default=False),
    ] = None,
    format: Annotated[Format, typer.Option(help="For a person, or for a program.")] = Format.text,
    model: Annotated[
        str, typer.Option(help="'bundled', a bundle folder, or models:/stalkflag@champion.")
    ] = "bundled",
    law: Annotated[
        str,
        typer.Option(help="'england-wales', 'scotland', or a profile file of your own (.toml)."),
    ] = "england-wales",
    day: Annotated[
        str | None,
        typer.Option(
            "--date",
            help="When it happened (YYYY-MM-DD): the law in force then is applied.",
            show_default="the law when the profile was last checked",
        ),
    ] = None,
) -> None:
    """Assess one narrative. Nothing leaves this machine and nothing is stored."""
    narrative = _narrative(file, text)
    on = None if day is None else _date(day)
    from stalkflag.assessor import load

    assessment = load(model, law=law).assess(narrative, on=on)
    if format is Format.json:
        sys.stdout.write(assessment.to_json(indent=2) + "\n")
        return
    from stalkflag.cli.render import print_assessment

    print_assessment(narrative, assessment)


def _date(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise InputError(f"{given!r} is no date: write it as 2024-05-31.") from None


def _narrative(file: Path | None, text: str | None) -> str:
    if text is not None and file is not None:
        raise InputError("Give a file or --text, not both.")
    from stalkflag.narrative import decode, whole_characters

    if text is not None:
        return whole_characters(text)
    if file is None or str(file) == "-":
        if file is None and sys.stdin.isatty():
            raise InputError("Give a file, --text, or - and the narrative on standard input.")
        return decode(sys.stdin.buffer.read())
    try:
        return decode(file.read_bytes())
    except OSError as error:
        if len(str(file).split()) > 5:
            # More likely the narrative than a file's name: its words are not repeated.
            raise InputError(
                "There is no such file: give a narrative on standard input or with --text."
            ) from None
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None
