"""``stalkflag learning-curve``: whether more labelled cases would help."""

from __future__ import annotations

from contextlib import ExitStack
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
from stalkflag.errors import InputError


def learning_curve_cli(
    data: Data,
    sizes: Annotated[
        str, typer.Option(help="Numbers of narratives to train on; all of them come last.")
    ] = "100,300,1000,3000,10000",
    with_shipped: Annotated[
        bool,
        typer.Option(
            "--with-shipped", help="Train on the shipped corpus too, first without any case given."
        ),
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file of training settings.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A new folder for the table and the picture.", show_default=False),
    ] = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    id_column: IdColumn = None,
    group_column: GroupColumn = None,
    label_map: LabelMap = None,
) -> None:
    """Train on more and more cases and measure each model on the same held-out ones.

    Cases of a test split are measured on; without one, a fifth of the cases is held out.
    """
    try:
        numbers = [int(number) for number in sizes.split(",")]
    except ValueError:
        raise InputError(f"--sizes is {sizes!r}: give whole numbers such as 100,300.") from None
    from stalkflag.training import needs_extra

    needs_extra("A learning curve")
    from rich.table import Table

    from stalkflag.cli.progress import steps
    from stalkflag.cli.tables import console
    from stalkflag.rules.schema import load_packs
    from stalkflag.training.folders import new_folder
    from stalkflag.training.learning_curve import hold_out, learning_curve
    from stalkflag.training.pictures import learning_curve_picture
    from stalkflag.training.records import in_splits, read_labelled, read_records
    from stalkflag.training.settings import read_settings
    from stalkflag.training.shipped import shipped_corpus
    from stalkflag.training.tracking import csv_text

    columns = columns_from(
        text_column, label=label_column, id=id_column, group=group_column, label_map=label_map
    )
    settings = read_settings(config)
    read = read_labelled(data, columns)
    for note in read.notes:
        typer.echo(note, err=True)
    learn, splits = in_splits(read.records)
    test = splits.get("test") or splits.get("dev")
    if test is None:
        learn, test = hold_out(learn, seed=settings.seed)
    beside = in_splits(read_records([shipped_corpus()]))[0] if with_shipped else []
    with ExitStack() as stack:
        folder = None if out is None else stack.enter_context(new_folder(out))
        progress = stack.enter_context(steps())
        rows = list(
            learning_curve(
                learn,
                test,
                beside=beside,
                sizes=numbers,
                rules=load_packs(),
                settings=settings,
                progress=progress,
            )
        )
        if folder is not None:
            (folder / "learning-curve.csv").write_text(csv_text(rows), encoding="utf-8")
            learning_curve_picture(rows, title="learning curve").savefig(
                folder / "learning-curve.png", dpi=120
            )
    table = Table("narratives", "cases", "macro-F1", "stalking recall", "calibration error")
    for row in rows:
        table.add_row(
            f"{row['narratives']:,}",
            f"{row['cases']:,}",
            *(
                f"{row[name]:.3f} ({row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f})"
                for name in ("macro_f1", "stalking_recall")
            ),
            f"{row['calibration_error']:.3f}",
        )
    console().print(table)
    typer.echo(f"Measured on {len(test)} narratives held out.")
    if out is not None:
        typer.echo(f"Table and picture written to {out}.", err=True)
