"""Where MLflow keeps runs and models, and how a registered model's bundle is found there."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stalkflag.errors import MissingExtra, ModelError

STORE = "sqlite:///mlflow.db"
"""The tracking store, in the working folder, unless ``MLFLOW_TRACKING_URI`` says otherwise."""

REGISTERED = "stalkflag"
EXPERIMENT = "stalkflag"
CHAMPION, CHALLENGER = "champion", "challenger"


def client_ready(*, must_exist: bool = False) -> Any:
    """The ``mlflow`` module, quiet and pointed at the store.

    Raises
    ------
    MissingExtra
        If MLflow is not installed.
    ModelError
        If the store is to exist already and there is none in this folder.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Read when mlflow is imported: without it, mlflow tells its makers of each use.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    try:
        import mlflow
    except ImportError:
        raise MissingExtra("train", "The model registry") from None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    store = os.environ.get("MLFLOW_TRACKING_URI", STORE)
    if must_exist and store == STORE and not Path("mlflow.db").exists():
        raise ModelError(
            "There is no mlflow.db in this folder: run this where you trained, or set "
            "MLFLOW_TRACKING_URI."
        )
    mlflow.set_tracking_uri(store)
    return mlflow


def bundle_from_uri(uri: str) -> Path:
    """The bundle folder of a model in MLflow.

    Raises
    ------
    ModelError
        If there is no such model, or it was not logged by stalkflag.
    """
    mlflow = client_ready(must_exist=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
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


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep MLflow's own remarks off the terminal."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
