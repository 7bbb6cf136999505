"""``stalkflag models``: the registered models, compared, promoted, put back and taken out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from stalkflag.cli.check import Format
from stalkflag.cli.labelled import (
    GroupColumn,
    IdColumn,
    LabelColumn,
    LabelMap,
    TextColumn,
    columns_from,
)

models_app = typer.Typer(
    help="The models registered in MLflow: 'champion' is in use, 'challenger' was registered last.",
    no_args_is_help=True,
)

Ref = Annotated[
    str,
    typer.Argument(metavar="VERSION", help="A version's number, 'champion' or 'challenger'."),
]
OnData = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help="Labelled narratives that neither model was trained on; may be repeated. Without it, "
        "what both predicted in training on the same test narratives is used.",
        show_default=False,
    ),
]
Pairs = Annotated[
    Path | None,
    typer.Option(help="A behavioural suite in place of the shipped one.", show_default=False),
]


@models_app.command("list")
def list_cli(
    format: Annotated[Format, typer.Option(help="For a person, or for a program.")] = Format.text,
) -> None:
    """List the registered versions, the oldest first."""
    from stalkflag.training import needs_extra

    needs_extra("The model registry")
    from stalkflag.training.registry import list_versions

    versions = list_versions()
    if format is Format.json:
        sys.stdout.write(json.dumps([v.to_dict() for v in versions], indent=1) + "\n")
        return
    from rich.table import Table

    from stalkflag.cli.tables import console

    table = Table("version", "alias", "bundle", "macro-F1", "gate", "promoted", "rolled back")
    for v in versions:
        judged = next(((name, value) for name, value in v.macro_f1.items()), None)
        table.add_row(
            v.number,
            ", ".join(v.aliases),
            v.bundle_version,
            f"{judged[1]:.3f} ({judged[0]})" if judged else "",
            v.tags.get("gate", ""),
            *(v.tags.get(f"{what}_at", "")[:10] for what in ("promoted", "rolled_back")),
        )
    console().print(table)


@models_app.command("show")
def show_cli(version: Ref = "champion") -> None:
    """Print a version's model card and what was decided about it."""
    from stalkflag.training import needs_extra

    needs_extra("The model registry")
    from stalkflag.training.registry import find_version

    found = find_version(version)
    alias = f" ({', '.join(found.aliases)})" if found.aliases else ""
    typer.echo(f"{found.uri}{alias}, registered {found.created}, MLflow run {found.run_id}")
    for name, value in sorted(found.tags.items()):
        typer.echo(f"{name}: {value}")
    typer.echo("")
    typer.echo(found.card)


@models_app.command("compare")
def compare_cli(
    first: Annotated[
        str,
        typer.Argument(help="The model to compare with: a version, 'bundled', a folder or a URI."),
    ],
    second: Annotated[str, typer.Argument(help="The model that is compared with it.")],
    data: OnData = None,
    pairs: Pairs = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    id_column: IdColumn = None,
    group_column: GroupColumn = None,
    label_map: LabelMap = None,
    format: Annotated[Format, typer.Option(help="For a person, or for a program.")] = Format.text,
) -> None:
    """Compare two models by every figure of the promotion gate."""
    from stalkflag.training import needs_extra

    needs_extra("The model registry")
    from stalkflag.cli.progress import steps
    from stalkflag.training.gate import gate
    from stalkflag.training.records import read_labelled
    from stalkflag.training.registry import model_ref, run_of

    columns = columns_from(
        text_column, label=label_column, id=id_column, group=group_column, label_map=label_map
    )
    refs = model_ref(first), model_ref(second)
    records = read_labelled(data, columns).records if data else []
    with steps() as progress:
        found = gate(
            *refs,
            runs=(run_of(refs[0]), run_of(refs[1])),
            records=records,
            pairs=pairs,
            progress=progress,
        )
    rows = [one.to_dict() for one in found.compared]
    if format is Format.json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return
    from stalkflag.cli.tables import print_compared

    print_compared(rows, first=first, second=second)
    typer.echo(f"{second} is {found.says()}.")


@models_app.command("promote")
def promote_cli(
    version: Ref = "challenger",
    data: OnData = None,
    pairs: Pairs = None,
    force: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Promote though the gate says no, for a reason that is recorded.",
            show_default=False,
        ),
    ] = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    id_column: IdColumn = None,
    group_column: GroupColumn = None,
    label_map: LabelMap = None,
) -> None:
    """Make a version the champion if it is not worse than the one in use.

    The first champion has none to be compared with. The champion before is kept: 'models
    rollback' puts it back.
    """
    from stalkflag.training import needs_extra

    needs_extra("The model registry")
    from stalkflag.cli.progress import steps
    from stalkflag.errors import ModelError
    from stalkflag.training.gate import gate
    from stalkflag.training.records import read_labelled
    from stalkflag.training.registry import champion, find_version, promote

    found = find_version(version)
    before = champion()
    columns = columns_from(
        text_column, label=label_column, id=id_column, group=group_column, label_map=label_map
    )
    records = read_labelled(data, columns).records if data else []
    judged = None
    if before is not None and before.number != found.number:
        try:
            with steps() as progress:
                judged = gate(
                    before.uri,
                    found.uri,
                    runs=(before.run_id, found.run_id),
                    records=records,
                    pairs=pairs,
                    progress=progress,
                )
        except ModelError as error:
            if force is None:
                raise
            typer.echo(f"Not compared: {error}", err=True)
    if judged is not None:
        from stalkflag.cli.tables import print_compared

        print_compared(
            [one.to_dict() for one in judged.compared],
            first=f"champion, version {before.number if before else ''}",
            second=f"version {found.number}",
        )
    done = promote(found, judged, force=force)
    how = (
        f"by force, {done.gate.says() if done.gate else 'not compared'}: {force}"
        if done.forced
        else done.gate.says()
        if done.gate
        else "there was no champion to compare it with"
    )
    typer.echo(f"Version {done.promoted.number} is the champion ({how}).")
    if done.before:
        typer.echo(f"'stalkflag models rollback' puts version {done.before.number} back.")


@models_app.command("rollback")
def rollback_cli(
    reason: Annotated[
        str | None, typer.Option(help="Why, which is recorded.", show_default=False)
    ] = None,
) -> None:
    """Put the champion before this one back."""
    from stalkflag.training import needs_extra

    needs_extra("The model registry")
    from stalkflag.training.registry import rollback

    down, back = rollback(reason)
    typer.echo(f"Version {back.number} is the champion again; version {down.number} is not.")


@models_app.command("export")
def export_cli(
    model: Annotated[
        str, typer.Argument(help="A version, 'champion', 'bundled', a folder or a URI.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")],
) -> None:
    """Write a model as a bundle folder of its own, which --model takes without MLflow."""
    from stalkflag.training import needs_extra

    needs_extra("The model registry")
    from stalkflag.training.registry import export

    export(model, output)
    typer.echo(f"Bundle written to {output}.")
