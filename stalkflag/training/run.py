"""One training run, from labelled files to a measured, tracked model."""

from __future__ import annotations

import hashlib
import json
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stalkflag import __version__
from stalkflag.errors import InputError, MissingExtra
from stalkflag.rules.schema import load_packs
from stalkflag.training.records import Record, data_sha256, problems, read_records

if TYPE_CHECKING:
    from stalkflag.training.fit import Settings


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training run."""

    version: str
    run_id: str
    registered: str | None
    measured: dict[str, dict[str, Any]]


def read_settings(config: Path | None) -> Settings:
    """Training settings from a TOML file; :class:`InputError` names a key that is not known."""
    from stalkflag.training.fit import Settings

    if config is None:
        return Settings()
    try:
        given = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{config} cannot be read as TOML: {error}.") from None
    defaults = asdict(Settings())
    for key, value in given.items():
        if key not in defaults:
            known = ", ".join(field.name for field in fields(Settings))
            raise InputError(f"{config}: unknown setting {key!r}; known settings are {known}.")
        if not isinstance(value, (int, float) if key.endswith("_c") else type(defaults[key])):
            raise InputError(f"{config}: {key} has the wrong kind of value: {value!r}.")
    return Settings(**given)


def train(
    data: Sequence[Path],
    *,
    config: Path | None = None,
    overlays: Sequence[Path] = (),
    output: Path | None = None,
    register: bool = False,
    progress: Callable[[str], None] = lambda step: None,
) -> Trained:
    """Read, check, fit, measure, log.

    Raises
    ------
    InputError
        If a record breaks the labelling guide's schema, or there are too few.
    MissingExtra
        If scikit-learn or MLflow is not installed.
    """
    try:
        import mlflow  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError:
        raise MissingExtra("train", "Training") from None
    from stalkflag.assessor import Assessor
    from stalkflag.model import load_model, save_model
    from stalkflag.training.fit import fit
    from stalkflag.training.metrics import measure
    from stalkflag.training.tracking import log_training

    progress("reading the data")
    settings = read_settings(config)
    records = read_records(data)
    _check(records)
    rules = load_packs(*overlays)
    kept = [record for record in records if record.split not in ("dev", "test")]
    version = _version(kept, rules.sha256(), settings)
    fitted = fit(kept, rules=rules, settings=settings, version=version, progress=progress)
    with tempfile.TemporaryDirectory() as aside:
        bundle = Path(aside) / "bundle"
        save_model(fitted.model, bundle)
        assessor = Assessor(load_model(bundle))
        measured = {}
        for split in ("dev", "test"):
            part = [record for record in records if record.split == split]
            if part:
                progress(f"measuring on {split}")
                assessments = list(assessor.assess_many(record.text for record in part))
                measured[split] = measure(part, assessments)
        progress("logging to MLflow")
        run_id, registered = log_training(
            bundle,
            settings=settings,
            info=fitted.model.info,
            measured=measured,
            register=register,
        )
        if output is not None:
            save_model(fitted.model, output)
    return Trained(version, run_id, registered, measured)


def _check(records: Sequence[Record]) -> None:
    found = [f"{record.id}: {problem}" for record in records for problem in problems(record)]
    if found:
        raise InputError(
            f"{len(found)} labels break the labelling guide (first: {found[0]}): "
            "see all with 'stalkflag data check' and mend them."
        )


def _version(records: Sequence[Record], rules_sha256: str, settings: Settings) -> str:
    """The package's version and a hash of what the weights follow from."""
    what = json.dumps([data_sha256(records), rules_sha256, asdict(settings)], sort_keys=True)
    return f"{__version__}+{hashlib.sha256(what.encode()).hexdigest()[:10]}"
