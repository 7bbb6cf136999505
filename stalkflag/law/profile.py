"""Reading a law profile from its TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stalkflag.errors import InputError


@dataclass(frozen=True, slots=True)
class Profile:
    """The words a jurisdiction gives to acts, reasons, questions and prompts.

    ``acts`` maps an act to its provision; ``questions`` maps what is missing to a question that
    call handlers can ask; ``prompts`` maps a situation to what force policy and inspectorate
    findings ask for; ``sources`` names where each comes from.
    """

    id: str
    name: str
    valid_from: str
    least_occasions: int
    acts: dict[str, str]
    reasons: dict[str, str]
    questions: dict[str, str]
    prompts: dict[str, str]
    not_found: dict[str, str]
    sources: dict[str, str]


@cache
def load_profile(name: str = "england-wales") -> Profile:
    """A shipped profile by name; :class:`InputError` if there is none of that name."""
    folder = Path(__file__).parent
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.toml")))
        raise InputError(f"There is no law profile {name!r}; known profiles are {known}.")
    return Profile(**tomllib.loads(path.read_text(encoding="utf-8")))
