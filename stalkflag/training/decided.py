"""The recording desk's decisions as labelled narratives."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stalkflag.errors import InputError

DECISION = "stalkflag.decision/1"


def is_decisions(first_line: str) -> bool:
    """Whether a file that begins with this line was written by ``stalkflag desk --decisions``."""
    return f'"{DECISION}"' in first_line[:200]


def labelled(path: Path, lines: Iterable[tuple[int, str]]) -> list[tuple[int, dict[str, Any]]]:
    """The last decision on each narrative that was kept, with the number of its line.

    Left out are decisions kept without their text, those that ask for more, first choices that
    a final decision followed, earlier decisions on a text that was decided again, and lines that
    a crash cut short.

    Raises
    ------
    InputError
        If no line can be learned from.
    """
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for number, line in lines:
        try:
            plain = json.loads(line)
        except ValueError:
            continue
        if not isinstance(plain, dict) or plain.get("stage") != "final":
            continue
        text = plain.get("text")
        if not isinstance(text, str):
            continue
        found.pop(text, None)
        if plain.get("label") is not None:
            record = {key: plain.get(key) for key in ("id", "text", "label")}
            group = str(plain.get("text_hmac_sha256"))
            found[text] = (number, {**record, "source": "decision", "group": group})
    if not found:
        raise InputError(
            f"{path} holds no decision to learn from: start the desk with --keep-text, so that "
            "narratives are kept with their decisions."
        )
    return list(found.values())
