"""What MLflow keeps of a training run.

Never a narrative's text: parameters, numbers, pictures, hashes, ids, and the bundle.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import stalkflag
from stalkflag import __version__
from stalkflag.model import save_model
from stalkflag.training.card import model_card
from stalkflag.training.metrics import worst_errors
from stalkflag.training.outcome import Measured, Outcome
from stalkflag.training.pictures import pictures
from stalkflag.training.store import CHALLENGER, EXPERIMENT, REGISTERED, client_ready, quiet

PACKAGES: tuple[str, ...] = ("numpy", "scikit-learn", "scipy", "spacy", "onnxruntime", "mlflow")
"""What the weights may depend on; their versions are logged."""

LONGEST_PARAMETER = 500


def code_sha256() -> str:
    """Hash of stalkflag's own source files."""
    package = Path(stalkflag.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def log_training(outcome: Outcome, *, register: bool) -> tuple[str, str | None]:
    """Log one training run; returns the run's id and the registered version, if any.

    The model is registered, as ``challenger``, when everything else is logged: an interrupted
    training leaves no half-registered version.
    """
    mlflow = client_ready()
    info = outcome.model.info
    card = model_card(outcome)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        save_model(outcome.model, bundle)
        mlflow.set_experiment(EXPERIMENT)
        with mlflow.start_run(run_name=f"train {info['version']}") as run:
            mlflow.log_params(_parameters(outcome))
            for name, found in outcome.measured.items():
                _log_measured(mlflow, name, found, Path(folder))
            behaviour = outcome.behaviour
            mlflow.log_metric("behaviour.right", behaviour.share)
            for capability, (right, number) in behaviour.by_capability().items():
                mlflow.log_metric(f"behaviour.{capability}", right / number)
            mlflow.log_dict(behaviour.to_dict(), "behaviour.json")
            mlflow.log_dict(outcome.config, "config.json")
            mlflow.log_dict(info, "bundle.json")
            mlflow.log_text(card, "model-card.md")
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(Path(__file__).with_name("pyfunc.py")),
                artifacts={"bundle": str(bundle)},
                pip_requirements=[f"stalkflag=={__version__}"],
                input_example=None,
                signature=_signature(mlflow),
                registered_model_name=None,
            )
            run_id = str(run.info.run_id)
        if not register:
            return run_id, None
        version = _register(
            mlflow, logged, run_id, tags={"bundle_version": info["version"]}, card=card
        )
    return run_id, version


def _register(mlflow: Any, logged: Any, run_id: str, *, tags: dict[str, str], card: str) -> str:
    """Register a logged model as challenger; the version is made whole, in one call."""
    from mlflow.exceptions import MlflowException

    client = mlflow.MlflowClient()
    try:
        client.create_registered_model(REGISTERED)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = client.create_model_version(
        REGISTERED,
        logged.model_uri,
        run_id,
        tags=tags,
        description=card,
        model_id=logged.model_id,
    ).version
    client.set_registered_model_alias(REGISTERED, CHALLENGER, version)
    return str(version)


def _parameters(outcome: Outcome) -> dict[str, str]:
    info = outcome.model.info
    found = {**outcome.config, "code_sha256": code_sha256(), "python": platform.python_version()}
    found.update({k: info[k] for k in ("version", "records", "rules_sha256", "data_sha256")})
    if "recalibrated" in info:
        found["recalibrated_data_sha256"] = info["recalibrated"]["data_sha256"]
    found.update({f"package.{name}": package_version(name) for name in PACKAGES})
    return {
        name: (value if isinstance(value, str) else json.dumps(value))[:LONGEST_PARAMETER]
        for name, value in found.items()
    }


def _log_measured(mlflow: Any, name: str, found: Measured, folder: Path) -> None:
    mlflow.log_metrics(dict(_numbers(found.measures, name)))
    mlflow.log_dict(found.measures, f"metrics/{name}.json")
    mlflow.log_dict(
        {"texts_sha256": found.texts, "rows": found.predictions.rows()}, f"predictions/{name}.json"
    )
    for table, rows in (("coverage", found.coverage), ("errors", worst_errors(found.predictions))):
        mlflow.log_text(csv_text(rows), f"{table}/{name}.csv")
    for picture, figure in pictures(
        found.predictions, found.measures["confusion"], coverage=found.coverage, title=name
    ):
        path = folder / f"{picture}-{name}.png"
        figure.savefig(path, dpi=120)
        mlflow.log_artifact(str(path), "pictures")


def csv_text(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as CSV; of no rows, nothing."""
    if not rows:
        return ""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


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
    """Every number in a nested result, named by its path; intervals as ``.low`` and ``.high``."""
    if isinstance(result, (int, float)) and not isinstance(result, bool):
        yield prefix, float(result)
    elif isinstance(result, (list, tuple)) and prefix.endswith("_interval"):
        low, high = result
        yield f"{prefix.removesuffix('_interval')}.low", float(low)
        yield f"{prefix.removesuffix('_interval')}.high", float(high)
    elif isinstance(result, dict):
        for key, value in result.items():
            yield from _numbers(value, f"{prefix}.{key}".replace(" ", "_"))
