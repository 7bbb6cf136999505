"""``stalkflag report``: the audit report over a scored file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stalkflag.cli.audit import IdColumn, OwnOffences, RecordedAs, check_places
from stalkflag.errors import InputError


def report_cli(
    scored: Annotated[Path, typer.Argument(help="A file that 'stalkflag score' wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write: .html.")],
    id_column: IdColumn = None,
    recorded_as: RecordedAs = None,
    offences: OwnOffences = None,
    date_column: Annotated[
        str | None,
        typer.Option(
            help="The input column with the date, for the years.", show_default="a usual name"
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Input columns to count by, commas between.", show_default="station, if there"
        ),
    ] = None,
    reviewed: Annotated[
        Path | None,
        typer.Option(
            help="A reviewed form of 'stalkflag audit sample', to estimate from.",
            show_default=False,
        ),
    ] = None,
    design: Annotated[
        Path | None,
        typer.Option(
            help="The design of that form.", show_default="in the form, or its name.design.csv"
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=0, help="Reports on the review list.")] = 100,
    with_text: Annotated[
        bool,
        typer.Option("--with-text", help="Show words of the narratives on the review list."),
    ] = False,
    text_column: Annotated[
        str | None,
        typer.Option(
            help="With --with-text: the column with the narrative.", show_default="a usual name"
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="The page's title.")] = "Stalking audit",
) -> None:
    """Write the audit report: one page that needs no network, and shows no narrative by default."""
    from stalkflag.audit.accuracy import estimate_accuracy
    from stalkflag.audit.counts import count_reports
    from stalkflag.audit.forms import read_review
    from stalkflag.audit.page import render_report
    from stalkflag.audit.reading import (
        DATE_COLUMNS,
        PLACE_COLUMNS,
        TEXT_COLUMNS,
        find_column,
        read_scored,
    )
    from stalkflag.batch.recorded import load_offences
    from stalkflag.batch.writing import written_aside

    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{output}: the report must end in .html.")
    if text_column and not with_text:
        raise InputError("--text-column goes with --with-text: add it, or leave both out.")
    check_places((output,), tuple(path for path in (scored, reviewed, design) if path))
    if recorded_as:
        recorded_as = find_column(scored, recorded_as, (), "--recorded-as")
    if id_column:
        id_column = find_column(scored, id_column, (), "--id-column")
    asked = [name.strip() for name in (by or "").split(",") if name.strip()]
    places = [find_column(scored, name, (), "--by") for name in asked]
    if by is None:
        places = [find_column(scored, None, PLACE_COLUMNS, "--by")]
    review = read_review(reviewed, design) if reviewed else None
    summary = count_reports(
        read_scored(scored, id_column),
        offences=load_offences(offences),
        recorded_as=recorded_as,
        date_column=find_column(scored, date_column, DATE_COLUMNS, "--date-column"),
        by=tuple(place for place in places if place),
        most_listed=most,
    )
    if not summary.all.reports:
        raise InputError(f"{scored} has no report: score some first.")
    page = render_report(
        summary,
        source=scored.name,
        title=title,
        accuracy=estimate_accuracy(review) if review else None,
        review=review,
        with_text=with_text,
        text_column=find_column(scored, text_column, TEXT_COLUMNS, "--text-column")
        if with_text
        else None,
    )
    with written_aside(output) as aside:
        aside.write_text(page, encoding="utf-8")
    print(f"{summary.all.reports:,} reports: {output}.", file=sys.stderr)
    if summary.all.unread:
        print(
            f"{summary.all.unread:,} of them could not be read (no narrative, or not English) and "
            "are counted apart.",
            file=sys.stderr,
        )
