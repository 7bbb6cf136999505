"""The options by which every command reads labelled narratives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stalkflag.training.records import Columns

Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="Labelled JSONL, CSV, TSV or Parquet files, the desk's decisions, folders of these, "
        "or folders saved by datasets. FILE:2 counts each of its cases twice in training.",
    ),
]
TextColumn = Annotated[
    str | None, typer.Option(help="The column with the narrative.", show_default=False)
]
LabelColumn = Annotated[
    str | None, typer.Option(help="The column with the label.", show_default="label")
]
IdColumn = Annotated[
    str | None, typer.Option(help="The column that names a row.", show_default="id")
]
GroupColumn = Annotated[
    str | None,
    typer.Option(
        help="The column that is the same for narratives of one case: these are never both "
        "trained on and measured.",
        show_default="group",
    ),
]
LabelMap = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL=VALUE,...",
        help="What your labels mean, such as stalking=8L,harassment=8M,neither=*; skip=VALUE "
        "leaves rows out; may be repeated.",
        show_default=False,
    ),
]


def columns_from(
    text: str | None,
    *,
    label: str | None,
    id: str | None,
    group: str | None,
    label_map: list[str] | None,
) -> Columns:
    """Where the labelled files hold what, as the options say."""
    from stalkflag.training.records import Columns, parse_label_map

    return Columns(
        text=text, label=label, id=id, group=group, labels=parse_label_map(label_map or [])
    )
