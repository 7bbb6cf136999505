"""Rows of JSON Lines files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stalkflag.batch.streams import DAMAGED, cut_off, scan

_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonLinesTable:
    """A file with one JSON object a line; its columns are the names that any line uses."""

    def __init__(self, path: Path) -> None:
        self._text = scan(path)
        self.name = str(path)
        self.about = 0
        columns: dict[str, None] = {}
        for found in self.records():
            self.about += 1
            if isinstance(found, dict):
                columns.update(dict.fromkeys(found))
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
                if line.strip():
                    yield _read(line)


def _read(line: str) -> dict[str, Any] | str:
    try:
        plain = json.loads(line)
    except (ValueError, RecursionError):
        return "the line is not JSON"
    if not isinstance(plain, dict):
        return "the line is not a JSON object"
    row: dict[str, Any] = plain
    if "\\u" in line:
        # Half of a pair ("\ud83d" alone) is no character: no file could hold it.
        whole = json.dumps(plain, ensure_ascii=False)
        if _SURROGATE.search(whole):
            row = json.loads(_SURROGATE.sub("\ufffd", whole))
    return row
