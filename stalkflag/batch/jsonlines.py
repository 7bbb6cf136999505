"""Rows of JSON Lines files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stalkflag.batch.streams import DAMAGED, cut_off, scan, shown_path
from stalkflag.errors import InputError
from stalkflag.narrative import whole_characters

DEEPEST = 100
"""Objects and lists in each other. Deeper ones are read by some programs and not by others."""


class JsonLinesTable:
    """A file with one JSON object a line; its columns are the names that any line uses."""

    def __init__(self, path: Path) -> None:
        self._text = scan(path)
        self.name = shown_path(path)
        self.about = 0
        columns: dict[str, None] = {}
        for found in self.records():
            self.about += 1
            if isinstance(found, dict):
                columns.update(dict.fromkeys(found))
        if self.about and not columns:
            raise InputError(f"{path}: no line of it is a JSON object: write one object a line.")
        self.columns = list(columns)

    def records(self) -> Iterator[dict[str, Any] | str]:
        """Each object, or why a line is none."""
        with self._text.open() as lines:
            while True:
                try:
                    line = next(lines, None)
                except DAMAGED as error:
                    yield cut_off(self._text.path, error)
                    return
                if line is None:
                    return
                # Files put together have a byte order mark in the middle.
                line = line.lstrip("\ufeff")
                if line.strip():
                    yield _read(line)


def _read(line: str) -> dict[str, Any] | str:
    try:
        plain = json.loads(line)
    except (ValueError, RecursionError):
        return "the line is not JSON"
    if line.count("{") + line.count("[") > DEEPEST and _is_deep(plain):
        return f"the line nests more than {DEEPEST} objects in each other"
    if not isinstance(plain, dict):
        return "the line is not a JSON object"
    row: dict[str, Any] = plain
    if "\\u" in line:
        # Half of a pair ("\ud83d" alone) is no character: no file could hold it.
        given = json.dumps(plain, ensure_ascii=False)
        whole = whole_characters(given)
        if whole != given:
            row = json.loads(whole)
    return row


def _is_deep(plain: Any) -> bool:
    layer = [plain]
    for _ in range(DEEPEST):
        inner = [list(one.values()) if isinstance(one, dict) else one for one in layer]
        layer = [x for one in inner for x in one if isinstance(x, (dict, list))]
        if not layer:
            return False
    return True
