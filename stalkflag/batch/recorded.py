"""How an offence was recorded, mapped to the labels of the assessment."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from stalkflag.assessment import LABELS, Label
from stalkflag.errors import InputError

_FILE = Path(__file__).parents[1] / "law" / "recorded-offences.toml"
_MAPPED: tuple[Label, ...] = ("stalking", "harassment")
"""The labels that codes and words lead to, first to last; what fits neither is "neither"."""

_PARTS = ("codes", "words", "except")


@dataclass(frozen=True, slots=True)
class Offences:
    """Which label each recorded offence has: values given exactly first, then codes and words."""

    exact: dict[str, Label]
    found: tuple[tuple[Label, re.Pattern[str], re.Pattern[str] | None], ...]

    def label(self, recorded_as: str) -> Label:
        """The label of a recorded offence given as a Home Office code, a title or both."""
        known = self.exact.get(_plain(recorded_as))
        if known:
            return known
        for label, wanted, passed_over in self.found:
            left = passed_over.sub(" ", recorded_as) if passed_over else recorded_as
            if wanted.search(left):
                return label
        return "neither"


def load_offences(own: Path | None = None) -> Offences:
    """The shipped mapping, with a force's own file added to it.

    Raises
    ------
    InputError
        If the file cannot be read or is not of the form of ``recorded-offences.toml``.
    """
    shipped = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    added = _read(own) if own else {}
    found: list[tuple[Label, re.Pattern[str], re.Pattern[str] | None]] = []
    for label in _MAPPED:
        parts = {
            part: [*shipped[label].get(part, ()), *added.get(label, {}).get(part, ())]
            for part in _PARTS
        }
        codes = [rf"(?<![\w/]){re.escape(code)}(?![\w/])" for code in parts["codes"]]
        wanted = "|".join([*codes, *map(re.escape, parts["words"])])
        passed_over = "|".join(map(re.escape, parts["except"]))
        found.append(
            (
                label,
                re.compile(wanted, re.IGNORECASE),
                re.compile(passed_over, re.IGNORECASE) if passed_over else None,
            )
        )
    exact = {_plain(value): label for value, label in added.get("recorded", {}).items()}
    return Offences(exact, tuple(found))


def recorded_label(recorded_as: str) -> Label:
    """The label of a recorded offence by the shipped mapping.

    >>> recorded_label("8/66 Stalking involving serious alarm"), recorded_label("58D Criminal damage")
    ('stalking', 'neither')
    """
    return _shipped().label(recorded_as)


@cache
def _shipped() -> Offences:
    return load_offences()


def _plain(value: str) -> str:
    return " ".join(value.split()).casefold()


def _read(path: Path) -> dict[str, Any]:
    """A force's own file, checked strictly, so that a slip is told and not passed over."""
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}.") from None
    remedy = f"write it like {_FILE.name} in stalkflag/law."
    for section, content in plain.items():
        if section not in (*_MAPPED, "recorded") or not isinstance(content, dict):
            raise InputError(
                f"{path}: [{section}] is not one of [stalking], [harassment], [recorded]: {remedy}"
            )
        for key, value in content.items():
            if section == "recorded":
                if value not in LABELS:
                    raise InputError(
                        f"{path}: {key!r} is given the label {value!r}: "
                        f"give one of {', '.join(LABELS)}."
                    )
            elif key not in _PARTS:
                raise InputError(f"{path}: [{section}] has no part {key!r}: {remedy}")
            elif not isinstance(value, list) or not all(
                isinstance(one, str) and one.strip() for one in value
            ):
                raise InputError(f"{path}: {key} in [{section}] must be a list of words: {remedy}")
    return plain
