"""How an offence was recorded, mapped to the labels of the assessment."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

from stalkflag.assessment import Label

_FILE = Path(__file__).parents[1] / "law" / "recorded-offences.toml"


@cache
def _table() -> dict[Label, re.Pattern[str]]:
    plain = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    table: dict[Label, re.Pattern[str]] = {}
    for label in ("stalking", "harassment"):
        codes = [rf"(?<![\w/]){re.escape(code)}(?![\w/])" for code in plain[label]["codes"]]
        words = [re.escape(word) for word in plain[label]["words"]]
        table[label] = re.compile("|".join(codes + words), re.IGNORECASE)  # type: ignore[index]
    return table


def recorded_label(recorded_as: str) -> Label:
    """The label of a recorded offence given as a Home Office code or a title.

    >>> recorded_label("8/66 Stalking involving serious alarm"), recorded_label("58D Criminal damage")
    ('stalking', 'neither')
    """
    for label, pattern in _table().items():
        if pattern.search(recorded_as):
            return label
    return "neither"
