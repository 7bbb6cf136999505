"""``stalkflag train``: fit a model to labelled narratives, measured and tracked in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train_cli(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Labelled JSONL files, or folders of them."),
    ],
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
        bool, typer.Option(help="Register the model in MLflow as 'challenger'.")
    ] = False,
) -> None:
    """Train on labelled narratives.

    Records of files called dev.jsonl and test.jsonl are measured, not trained on; all others are
    trained on.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from stalkflag.training.run import train

    console = Console(stderr=True, highlight=False)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
    ) as shown:
        task = shown.add_task("starting", total=None)
        trained = train(
            data,
            config=config,
            overlays=rules or [],
            output=output,
            register=register,
            progress=lambda step: shown.update(task, description=step),
        )
    for name, result in trained.measured.items():
        low, high = result["macro_f1_interval"]
        console.print(
            f"{name}: {result['narratives']} narratives, macro-F1 {result['macro_f1']:.3f} "
            f"({low:.3f} to {high:.3f}), stalking recall "
            f"{result['labels']['stalking']['recall']:.3f}"
        )
    console.print(f"MLflow run {trained.run_id}; version {trained.version}.")
    if trained.registered:
        console.print(f"Registered as models:/stalkflag/{trained.registered} (challenger).")
    if output:
        console.print(f"Bundle written to {output}.")
