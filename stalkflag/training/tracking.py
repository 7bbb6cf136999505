"""What MLflow keeps of a training run, and how a registered model is found again.

Never a narrative's text: parameters, numbers, pictures, hashes, ids, and the bundle.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stalkflag.errors import MissingExtra, ModelError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stalkflag.training.fit import Settings

STORE = "sqlite:///mlflow.db"
"""The tracking store, in the working folder, unless ``MLFLOW_TRACKING_URI`` says otherwise."""

REGISTERED = "stalkflag"
EXPERIMENT = "stalkflag"


def client_ready() -> Any:
    """The ``mlflow`` module, quiet and pointed at the store."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        import mlflow
    except ImportError:
        raise MissingExtra("train", "The model registry") from None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", STORE))
    return mlflow


def bundle_from_uri(uri: str) -> Path:
    """The bundle folder of a model in MLflow.

    Raises
    ------
    ModelError
        If there is no such model, or it was not logged by stalkflag.
    """
    mlflow = client_ready()
    try:
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"There is no model at {uri} in {mlflow.get_tracking_uri()}: {first}"
        ) from None
    bundle = folder / "artifacts" / "bundle"
    if not bundle.is_dir():
        raise ModelError(f"{uri} was not logged by 'stalkflag train': it holds no bundle.")
    return bundle


@contextmanager
def _run(name: str) -> Iterator[Any]:
    mlflow = client_ready()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.set_experiment(EXPERIMENT)
        with mlflow.start_run(run_name=name):
            yield mlflow


def log_training(
    bundle: Path,
    *,
    settings: Settings,
    info: dict[str, Any],
    measured: dict[str, dict[str, Any]],
    register: bool,
) -> tuple[str, str | None]:
    """Log one training run; returns the run's id and the registered version, if any.

    Parameters
    ----------
    measured
        Results of :func:`stalkflag.training.metrics.measure` by name of the data ("held_out",
        "dev", "test").
    """
    with _run(f"train {info['version']}") as mlflow, tempfile.TemporaryDirectory() as folder:
        mlflow.log_params(asdict(settings))
        mlflow.log_params(
            {k: info[k] for k in ("version", "records", "rules_sha256", "data_sha256")}
        )
        for data, result in measured.items():
            mlflow.log_metrics(dict(_numbers(result, data)))
            mlflow.log_dict(result, f"metrics/{data}.json")
            path = Path(folder) / f"confusion-{data}.png"
            confusion_picture(result["confusion"], title=data).savefig(path, dpi=120)
            mlflow.log_artifact(str(path), "pictures")
        mlflow.log_dict(info, "bundle.json")
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts={"bundle": str(bundle)},
            pip_requirements=["stalkflag"],
            input_example=None,
            signature=_signature(mlflow),
            registered_model_name=None,
        )
        run_id = mlflow.active_run().info.run_id
    if not register:
        return run_id, None
    # Registered last, so that an interrupted training leaves no half-registered version.
    version = mlflow.register_model(logged.model_uri, REGISTERED)
    mlflow.MlflowClient().set_registered_model_alias(REGISTERED, "challenger", version.version)
    return run_id, str(version.version)


def _signature(mlflow: Any) -> Any:
    from mlflow.types.schema import ColSpec, Schema

    from stalkflag.assessment import INDICATORS, LABELS

    columns = [
        ("string", "suggestion"),
        ("boolean", "refer"),
        *(("double", f"p_{label}") for label in LABELS),
        *(("boolean", name) for name in INDICATORS),
        ("long", "occasions"),
        ("string", "relationship"),
        ("string", "acts"),
        ("string", "reasons"),
        ("string", "assessment"),
    ]
    return mlflow.models.ModelSignature(
        inputs=Schema([ColSpec("string", "text")]),
        outputs=Schema([ColSpec(kind, name) for kind, name in columns]),
    )


def _numbers(result: Any, prefix: str) -> Iterator[tuple[str, float]]:
    """Every number in a nested result, named by its path."""
    if isinstance(result, bool) or result is None or isinstance(result, str):
        return
    if isinstance(result, (int, float)):
        yield prefix, float(result)
    elif isinstance(result, dict):
        for key, value in result.items():
            yield from _numbers(value, f"{prefix}.{key}".replace(" ", "_"))


def confusion_picture(confusion: list[list[int]], *, title: str) -> Figure:
    """A confusion matrix as a picture: rows are the labels, columns the suggestions."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    from stalkflag.assessment import LABELS

    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.imshow(confusion, cmap="Blues")
    most = max(map(max, confusion))
    for i, row in enumerate(confusion):
        for j, number in enumerate(row):
            colour = "white" if number > most / 2 else "black"
            axes.text(j, i, str(number), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set_xlabel("suggested")
    axes.set_ylabel("labelled")
    axes.set_title(title)
    return figure
