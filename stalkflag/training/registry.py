"""The model registry in MLflow: versions, the champion, and how it is replaced and put back.

The alias ``champion`` is the model in use, ``challenger`` the last one registered. The champions
before this one stand, oldest first, in the registered model's tag ``champions``; what was decided
about a version stands in its own tags.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stalkflag.bundle import bundle_folder
from stalkflag.errors import InputError, ModelError
from stalkflag.model import BUNDLE_FILES, load_model
from stalkflag.training.folders import new_folder
from stalkflag.training.gate import Gate
from stalkflag.training.store import CHALLENGER, CHAMPION, REGISTERED, client_ready, quiet

HISTORY = "champions"

_OVERTAKEN = {"forced_because", "rolled_back_at", "rolled_back_to", "rolled_back_because"}
"""Tags of an earlier promotion that a new one overtakes."""

_JUDGED = ("test", "corpus_test", "cross_validated", "held_out", "own_held_out")
"""Sets whose macro-F1 is shown in the list, the first one that a version was measured on."""


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version of the model."""

    number: str
    aliases: tuple[str, ...]
    created: str
    bundle_version: str
    run_id: str
    tags: dict[str, str]
    card: str
    macro_f1: dict[str, float]
    """Macro-F1 by the set that it was measured on."""

    @property
    def uri(self) -> str:
        """What ``--model`` takes."""
        return f"models:/{REGISTERED}/{self.number}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data without the card."""
        plain = asdict(self)
        plain.pop("card")
        return {**plain, "aliases": list(self.aliases)}


@dataclass(frozen=True, slots=True)
class Promotion:
    """A version made champion; ``gate`` is ``None`` for the first champion."""

    promoted: Version
    before: Version | None
    gate: Gate | None
    forced: bool


def list_versions() -> list[Version]:
    """All registered versions, the oldest first.

    Raises
    ------
    ModelError
        If no model is registered here.
    """
    mlflow = client_ready(must_exist=True)
    client = mlflow.MlflowClient()
    with quiet():
        model = _registered(client)
        found = client.search_model_versions(f"name = '{REGISTERED}'")
    aliases: dict[str, list[str]] = {}
    for alias, number in model.aliases.items():
        aliases.setdefault(str(number), []).append(alias)
    return sorted(
        (
            Version(
                number=str(v.version),
                aliases=tuple(sorted(aliases.get(str(v.version), ()))),
                created=_time(v.creation_timestamp / 1000),
                bundle_version=v.tags.get("bundle_version", ""),
                run_id=str(v.run_id),
                tags=dict(v.tags),
                card=v.description or "",
                macro_f1=_macro_f1(client, v.run_id),
            )
            for v in found
        ),
        key=lambda version: int(version.number),
    )


def find_version(ref: str) -> Version:
    """A registered version by ``3``, ``champion`` or ``models:/stalkflag@champion``.

    Raises
    ------
    ModelError
        If there is none of that name.
    """
    name = re.sub(rf"^models:/{REGISTERED}[/@]|^@", "", ref)
    versions = list_versions()
    for version in versions:
        if name == version.number or name in version.aliases:
            return version
    known = ", ".join("/".join((version.number, *version.aliases)) for version in versions)
    raise ModelError(f"There is no registered version {ref!r}; there are {known}.")


def champion() -> Version | None:
    """The model in use, if one was promoted."""
    return next((v for v in list_versions() if CHAMPION in v.aliases), None)


def promote(version: Version, gate: Gate | None, *, force: str | None = None) -> Promotion:
    """Make a version the champion if it passes the gate, or by force with a recorded reason.

    ``gate`` compares it with the champion; the first champion has none to pass.

    Raises
    ------
    ModelError
        If it is the champion already, or does not pass and no reason is given.
    """
    before = champion()
    if before is not None and before.number == version.number:
        raise ModelError(f"Version {version.number} is the champion already.")
    if force is not None and not force.strip():
        raise InputError("--force needs a reason, which is recorded: --force 'why'.")
    passed = gate is None or gate.passes
    if before is not None and gate is None and force is None:
        raise ModelError("A champion is only replaced through the gate, or by --force REASON.")
    if not passed and force is None:
        assert gate is not None
        raise ModelError(
            f"Version {version.number} does not pass the gate against champion version "
            f"{before.number if before else ''}: {gate.says()}. Keep the champion, or promote by "
            "--force REASON."
        )
    forced = force is not None and not (gate is not None and passed)
    tags = {
        "promoted_at": _now(),
        "promoted_over": before.number if before else "none",
        "gate": "forced" if forced else "passed" if gate else "first champion",
        "gate_found": gate.says() if gate else "not compared",
        **({"forced_because": force.strip()} if forced and force else {}),
    }
    client = client_ready().MlflowClient()
    with quiet():
        for name, value in tags.items():
            client.set_model_version_tag(REGISTERED, version.number, name, value)
        for name in _OVERTAKEN & (set(version.tags) - set(tags)):
            client.delete_model_version_tag(REGISTERED, version.number, name)
        _set_history(client, [*_history(client), *([before.number] if before else [])])
        client.set_registered_model_alias(REGISTERED, CHAMPION, version.number)
        if CHALLENGER in version.aliases:
            client.delete_registered_model_alias(REGISTERED, CHALLENGER)
    return Promotion(find_version(version.number), before, gate, forced)


def rollback(reason: str | None = None) -> tuple[Version, Version]:
    """Put the champion before this one back; returns the one taken down and the one put back.

    Raises
    ------
    ModelError
        If there is no champion, or none before it.
    """
    now = champion()
    if now is None:
        raise ModelError("There is no champion to roll back: promote one with 'models promote'.")
    client = client_ready().MlflowClient()
    with quiet():
        history = _history(client)
    registered = {version.number for version in list_versions()}
    while history and history[-1] not in registered:
        history.pop()
    if not history:
        raise ModelError(f"Version {now.number} is the first champion: there is none before it.")
    back = history.pop()
    with quiet():
        client.set_registered_model_alias(REGISTERED, CHAMPION, back)
        _set_history(client, history)
        client.set_model_version_tag(REGISTERED, now.number, "rolled_back_at", _now())
        client.set_model_version_tag(REGISTERED, now.number, "rolled_back_to", back)
        if reason:
            client.set_model_version_tag(REGISTERED, now.number, "rolled_back_because", reason)
    return find_version(now.number), find_version(back)


def model_ref(ref: str) -> str:
    """A model reference for ``--model``: ``3`` and ``champion`` stand for registered versions."""
    return find_version(ref).uri if _REGISTERED.fullmatch(ref) and not Path(ref).exists() else ref


def run_of(ref: str) -> str:
    """The MLflow run that trained a registered model; empty for another."""
    return find_version(ref).run_id if ref.startswith(f"models:/{REGISTERED}") else ""


def export(ref: str, folder: Path) -> None:
    """Write a model as a bundle folder of its own, which ``--model`` takes without MLflow.

    Raises
    ------
    InputError
        If the folder holds something already.
    """
    uri = model_ref(ref)
    source = bundle_folder(uri)
    load_model(source)
    with new_folder(folder) as aside:
        for name in BUNDLE_FILES:
            shutil.copyfile(source / name, aside / name)
        if uri.startswith(f"models:/{REGISTERED}"):
            (aside / "model-card.md").write_text(find_version(uri).card, encoding="utf-8")


_REGISTERED = re.compile(rf"\d+|{CHAMPION}|{CHALLENGER}")


def _registered(client: Any) -> Any:
    found = [model for model in client.search_registered_models() if model.name == REGISTERED]
    if not found:
        raise ModelError(
            "No model is registered here: train one with 'stalkflag train DATA --register'."
        )
    return client.get_registered_model(REGISTERED)


def _macro_f1(client: Any, run: str) -> dict[str, float]:
    from mlflow.exceptions import MlflowException

    try:
        metrics = client.get_run(run).data.metrics
    except MlflowException:
        return {}
    return {name: metrics[f"{name}.macro_f1"] for name in _JUDGED if f"{name}.macro_f1" in metrics}


def _history(client: Any) -> list[str]:
    """Versions that were champions before this one, the oldest first."""
    return [str(number) for number in json.loads(_registered(client).tags.get(HISTORY, "[]"))]


def _set_history(client: Any, history: Sequence[str]) -> None:
    client.set_registered_model_tag(REGISTERED, HISTORY, json.dumps(list(history)))


def _now() -> str:
    return _time(datetime.now(UTC).timestamp())


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
