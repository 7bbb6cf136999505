"""``stalkflag train``: fit a model to labelled narratives, measured and tracked in MLflow."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stalkflag.cli.labelled import (
    GroupColumn,
    IdColumn,
    LabelColumn,
    LabelMap,
    TextColumn,
    columns_from,
)
from stalkflag.errors import InputError

if TYPE_CHECKING:
    from stalkflag.training.outcome import Outcome


class StartFrom(StrEnum):
    """What is learned from."""

    own = "own"
    both = "both"
    shipped = "shipped"


def train_cli(
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATA...]",
            help="Labelled JSONL, CSV, TSV or Parquet files, the desk's decisions, folders of "
            "these, or folders saved by datasets. FILE:2 counts each of its cases twice.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file of training settings.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Also write the model to this bundle folder.", show_default=False),
    ] = None,
    rules: Annotated[
        list[Path] | None,
        typer.Option(help="A rule overlay (file or folder); may be repeated.", show_default=False),
    ] = None,
    register: Annotated[
        bool, typer.Option("--register", help="Register the model in MLflow as 'challenger'.")
    ] = False,
    start: Annotated[
        StartFrom,
        typer.Option(
            help="Learn from the cases given ('own'), from the shipped corpus too ('both'), or "
            "from that alone and only measure on the cases given ('shipped')."
        ),
    ] = StartFrom.own,
    recalibrate: Annotated[
        bool,
        typer.Option(
            "--recalibrate",
            help="Learn no words: only make the probabilities of --model fit the cases given "
            "(100 are enough), if that helps on held-out ones.",
        ),
    ] = False,
    model: Annotated[
        str, typer.Option(help="With --recalibrate: the model to start from.")
    ] = "bundled",
    folds: Annotated[
        int,
        typer.Option(
            min=0,
            help="Judge by cross-validation: train this many times more, whole cases held out; 0 "
            "judges by the folds inside one training.",
        ),
    ] = 0,
    prevalence: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="The share of stalking in the files that will be scored, such as 0.02, or "
            "stalking=0.02,harassment=0.05.",
            show_default=False,
        ),
    ] = None,
    prevalence_from: Annotated[
        Path | None,
        typer.Option(
            help="Estimate the shares from the unlabelled narratives of a file.",
            show_default=False,
        ),
    ] = None,
    most_missed: Annotated[
        float | None,
        typer.Option(
            help="Refer so that, with 95 % confidence, no more than this share of what is neither "
            "referred nor suggested as stalking is stalking.",
            show_default=False,
        ),
    ] = None,
    most_false: Annotated[
        float | None,
        typer.Option(
            help="Refer so that, with 95 % confidence, no more than this share of what is "
            "suggested as stalking and not referred is not.",
            show_default=False,
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="A behavioural suite of your own, in place of the shipped one.",
            show_default=False,
        ),
    ] = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    id_column: IdColumn = None,
    group_column: GroupColumn = None,
    label_map: LabelMap = None,
) -> None:
    """Train on labelled narratives, measure, and log to MLflow.

    Records of files called dev and test, of such splits of a data set, or with such a value in a
    column 'split', are measured, not trained on; all others are trained on.
    """
    if recalibrate and start is not StartFrom.own:
        raise InputError("--recalibrate keeps the words of --model: leave --start out.")
    if recalibrate and folds:
        raise InputError("--recalibrate is always cross-validated: leave --folds out.")
    if recalibrate and rules:
        raise InputError("--recalibrate keeps the rules of --model: leave --rules out.")
    if not recalibrate and model != "bundled":
        raise InputError("--model goes with --recalibrate; training starts from no weights.")
    if prevalence is not None and prevalence_from is not None:
        raise InputError("Give --prevalence or --prevalence-from, not both.")
    if output is not None and output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file: name a folder for the bundle.")
    from stalkflag.training import needs_extra

    needs_extra("Training")
    from stalkflag.cli.progress import steps
    from stalkflag.model import save_model
    from stalkflag.training.prevalence import parse_prevalence
    from stalkflag.training.run import Plan, Start, recalibrate_model, train
    from stalkflag.training.settings import read_settings
    from stalkflag.training.tracking import log_training

    plan = Plan(
        data=data or [],
        columns=columns_from(
            text_column, label=label_column, id=id_column, group=group_column, label_map=label_map
        ),
        settings=read_settings(
            config,
            prevalence=None if prevalence is None else parse_prevalence(prevalence),
            most_missed=most_missed,
            most_false=most_false,
        ),
        start=Start(start),
        overlays=rules or [],
        folds=folds,
        prevalence_from=prevalence_from,
        pairs=pairs,
    )
    with steps() as progress:
        if recalibrate:
            outcome = recalibrate_model(plan, ref=model, progress=progress)
        else:
            outcome = train(plan, progress=progress)
        if output is not None:
            save_model(outcome.model, output)
        progress("logging to MLflow")
        run_id, registered = log_training(outcome, register=register)
    _print(outcome)
    typer.echo(f"MLflow run {run_id}; version {outcome.model.info['version']}.")
    if registered:
        typer.echo(f"Registered as models:/stalkflag/{registered} (challenger).")
    if output:
        typer.echo(f"Bundle written to {output}.")


def _print(outcome: Outcome) -> None:
    from stalkflag.cli.tables import print_coverage

    for note in outcome.notes:
        typer.echo(note, err=True)
    for name, found in outcome.measured.items():
        measures = found.measures
        low, high = measures["macro_f1_interval"]
        typer.echo(
            f"{name}: {measures['narratives']} narratives, macro-F1 {measures['macro_f1']:.3f} "
            f"({low:.3f} to {high:.3f}), stalking recall "
            f"{measures['labels']['stalking']['recall']:.3f}, calibration error "
            f"{measures['calibration_error']:.3f}, {measures['referred']:.1%} referred"
        )
    behaviour = outcome.behaviour
    typer.echo(
        f"behavioural suite: {sum(behaviour.right.values())} of {len(behaviour.right)} pairs right"
    )
    name, found = next(iter(outcome.measured.items()))
    info = outcome.model.info
    share = info.get("prevalence", {}).get("stalking")
    print_coverage(found.coverage, title=name, stalking_share=share)
    for bound, threshold, says in (
        ("most_missed", "refer_stalking_from", "missed stalking among what is kept as another"),
        ("most_false", "refer_stalking_to", "false suggestions among what is kept as stalking"),
    ):
        if bound in info.get("promises", {}):
            typer.echo(
                f"{says}: at most {info['promises'][bound]:.1%} with 95 % confidence "
                f"({threshold} {info['thresholds'][threshold]:.4f})"
            )
