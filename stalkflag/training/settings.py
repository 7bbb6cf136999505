"""Training settings from a TOML file and from options."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from stalkflag.assessment import LABELS
from stalkflag.errors import InputError
from stalkflag.training.fit import Settings
from stalkflag.training.prevalence import checked_prevalence

_LEAST: dict[str, float] = {"folds": 2, "most_records": 60, "least_narratives": 1}


def read_settings(config: Path | None, **options: Any) -> Settings:
    """Settings from a TOML file; options that are not ``None`` come before the file.

    Raises
    ------
    InputError
        If a key is not known, or a value is of the wrong kind or out of range.
    """
    given: dict[str, Any] = {}
    if config is not None:
        try:
            given = tomllib.loads(config.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"{config} cannot be read as TOML: {error}.") from None
    where = str(config)
    defaults = asdict(Settings())
    for key, value in given.items():
        if key not in defaults:
            known = ", ".join(field.name for field in fields(Settings))
            raise InputError(f"{where}: unknown setting {key!r}; known settings are {known}.")
        _check_kind(where, key, value, defaults[key])
    given.update({key: value for key, value in options.items() if value is not None})
    for name in ("most_missed", "most_false"):
        if not 0 <= given.get(name, 0) < 1:
            raise InputError(f"{name} is a share: give a number from 0 (no promise) to below 1.")
    if given.get("prevalence"):
        checked_prevalence(given["prevalence"])
    return Settings(**given)


def _check_kind(where: str, key: str, value: Any, default: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    right = number if isinstance(default, float) else type(value) is type(default)
    if not right:
        raise InputError(f"{where}: {key} has the wrong kind of value: {value!r}.")
    least = _LEAST.get(key, 0)
    if number and value < least:
        raise InputError(f"{where}: {key} must be at least {least:g}.")
    if isinstance(value, Mapping):
        for label, amount in value.items():
            if label not in LABELS:
                raise InputError(f"{where}: {key} names {label!r}; labels are {', '.join(LABELS)}.")
            if not isinstance(amount, (int, float)) or isinstance(amount, bool) or amount <= 0:
                raise InputError(f"{where}: {key} of {label} must be a number above 0.")
