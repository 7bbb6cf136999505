"""``stalkflag audit``: draw a sample of scored reports, and estimate from its reviews."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stalkflag.cli.check import Format
from stalkflag.errors import InputError

if TYPE_CHECKING:
    from stalkflag.audit.accuracy import Accuracy
    from stalkflag.audit.estimate import Interval

RecordedAs = Annotated[
    str | None,
    typer.Option(
        help="The input column with the recorded offence, if scored without --recorded-as.",
        show_default=False,
    ),
]
OwnOffences = Annotated[
    Path | None,
    typer.Option(
        help="A TOML file of your own recorded offences, added to the shipped mapping.",
        show_default=False,
    ),
]

IdColumn = Annotated[
    str | None,
    typer.Option(
        help="The input column that names a report, such as that of 'score --id-column'.",
        show_default="id",
    ),
]

audit_app = typer.Typer(help="Sample scored reports for review, and estimate recording accuracy.")


@audit_app.command("sample")
def sample_cli(
    scored: Annotated[Path, typer.Argument(help="A file that 'stalkflag score' wrote.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The form to fill in: .csv or .xlsx.")
    ],
    size: Annotated[int, typer.Option(min=1, help="About how many reports to review.")] = 300,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="The same seed draws the same sample.", show_default="random"),
    ] = None,
    blind: Annotated[
        bool,
        typer.Option("--blind", help="Leave all that stalkflag says out of the form."),
    ] = False,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Put the narrative into the form.")
    ] = False,
    text_column: Annotated[
        str | None,
        typer.Option(help="With --with-text: the column with the narrative.", show_default=False),
    ] = None,
    show: Annotated[
        str | None,
        typer.Option(help="Input columns for the reviewer, commas between.", show_default=False),
    ] = None,
    id_column: IdColumn = None,
    recorded_as: RecordedAs = None,
    offences: OwnOffences = None,
    design: Annotated[
        Path | None,
        typer.Option(help="Where to keep the design.", show_default="OUTPUT's name.design.csv"),
    ] = None,
) -> None:
    """Draw a stratified random sample with known weights, and write a form for its review."""
    import secrets

    from stalkflag.audit.forms import FORM_SUFFIXES, design_path, write_form
    from stalkflag.audit.reading import TEXT_COLUMNS, find_column
    from stalkflag.audit.sample import draw_sample
    from stalkflag.batch.recorded import load_offences

    if output.suffix.lower() not in FORM_SUFFIXES:
        raise InputError(f"{output}: the form must end in {', '.join(FORM_SUFFIXES)}.")
    if text_column and not with_text:
        raise InputError("--text-column goes with --with-text: add it, or leave both out.")
    design = design or design_path(output)
    check_places((output, design), (scored,))
    columns = [
        find_column(scored, name.strip(), (), "--show") for name in (show or "").split(",") if name
    ]
    if recorded_as:
        recorded_as = find_column(scored, recorded_as, (), "--recorded-as")
    if id_column:
        id_column = find_column(scored, id_column, (), "--id-column")
    text = find_column(scored, text_column, TEXT_COLUMNS, "--text-column") if with_text else None
    if with_text and text is None:
        raise InputError(
            f"{scored} holds no narratives: score to .csv or .xlsx, which keep them, or leave out "
            "--with-text and look the reports up by their ids."
        )
    seed = secrets.randbelow(2**32) if seed is None else seed
    units = draw_sample(
        scored,
        size,
        seed=seed,
        offences=load_offences(offences),
        recorded_as=recorded_as,
        id_column=id_column,
    )
    write_form(
        output,
        units,
        design=design,
        seed=seed,
        blind=blind,
        show=[column for column in columns if column],
        text_column=text,
        recorded_as=recorded_as,
    )
    strata = {unit.stratum.name: unit.stratum for unit in units}
    print(
        f"{len(units)} of {sum(s.size for s in strata.values()):,} reports drawn from "
        f"{len(strata)} strata with seed {seed}: form {output}, design {design}.",
        file=sys.stderr,
    )
    unread = sum(not unit.report.read for unit in units)
    if unread:
        print(
            f"{unread} of those drawn could not be read (no narrative, or not English): they are "
            "strata of their own, for people to look up.",
            file=sys.stderr,
        )
    if units[0].recorded is None:
        print(
            "How they were recorded is not known, so that recording accuracy cannot be estimated: "
            "name the column with --recorded-as.",
            file=sys.stderr,
        )


def check_places(written: tuple[Path, ...], read: tuple[Path, ...]) -> None:
    """Raise ``InputError`` if a file that is to be written is also read, or has no folder."""
    for path in written:
        if path.resolve() in {one.resolve() for one in read}:
            raise InputError(f"{path} is also read: choose another name for the output.")
        if not path.absolute().parent.is_dir():
            raise InputError(f"{path} cannot be written: there is no folder {path.parent}.")


@audit_app.command("estimate")
def estimate_cli(
    form: Annotated[Path, typer.Argument(help="The form, filled in.")],
    design: Annotated[
        Path | None,
        typer.Option(
            help="The design it was drawn with.",
            show_default="in the form, or FORM's name.design.csv",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="Columns to break missed stalking down by.", show_default=False),
    ] = None,
    level: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="The level of confidence.")
    ] = 0.95,
    format: Annotated[Format, typer.Option(help="For a person, or for a program.")] = Format.text,
) -> None:
    """Estimate how stalking is recorded from a reviewed sample, with confidence intervals."""
    from stalkflag.audit.accuracy import estimate_accuracy
    from stalkflag.audit.forms import read_review

    columns = tuple(name.strip() for name in (by or "").split(",") if name.strip())
    accuracy = estimate_accuracy(read_review(form, design), by=columns, level=level)
    if format is Format.json:
        import json
        from dataclasses import asdict

        sys.stdout.write(json.dumps(asdict(accuracy), indent=1) + "\n")
    else:
        _print(accuracy)
    for note in accuracy.notes:
        print(f"Note: {note}", file=sys.stderr)


def _print(accuracy: Accuracy) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(
        f"{accuracy.reviewed} of {accuracy.drawn} reports drawn were reviewed; they stand for "
        f"{accuracy.population:,}.",
        soft_wrap=True,
    )
    table = Table("", "estimate", f"{accuracy.level * 100:g} % interval")
    for one in accuracy.estimates:
        table.add_row(one.says, *in_words(one.interval, share=one.share))
    console.print(table)
    console.print(
        f"The probabilities alone expect {accuracy.expected:,.0f} reports to be stalking.",
        soft_wrap=True,
    )
    if not accuracy.recorded:
        console.print("How the reports were recorded is not known.", soft_wrap=True)
    for column, groups in accuracy.groups.items():
        table = Table(column, "reviewed", "missed stalking", "interval", "accuracy", "interval")
        for group in groups:
            table.add_row(
                group.value,
                str(group.reviewed),
                *in_words(group.missed, share=False),
                *in_words(group.accuracy, share=True),
            )
        console.print(table)


def in_words(interval: Interval | None, *, share: bool) -> tuple[str, str]:
    """An estimate and its interval as they are printed."""
    if interval is None:
        return "cannot be told", ""
    if share:
        return (
            f"{interval.value * 100:.1f} %",
            f"{interval.low * 100:.1f} to {interval.high * 100:.1f} %",
        )
    return f"{interval.value:,.0f}", f"{interval.low:,.0f} to {interval.high:,.0f}"
