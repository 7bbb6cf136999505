"""What is written: files that appear only when complete, and cells that no spreadsheet runs."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, renamed into place when all went well."""
    aside = path.with_name(path.name + ".new.partial")
    try:
        yield aside
        with aside.open("rb+") as stream:
            os.fsync(stream.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def to_json(plain: Any) -> str:
    """Standard JSON: dates in ISO 8601, and ``null`` for a number that is none."""
    try:
        return json.dumps(plain, ensure_ascii=False, default=plain_cell, allow_nan=False)
    except ValueError:
        kept = json.dumps(plain, ensure_ascii=False, default=plain_cell)
        return json.dumps(json.loads(kept, parse_constant=lambda name: None), ensure_ascii=False)


def plain_cell(value: Any) -> Any:
    """A value as a cell or as JSON: words, numbers, truth in lower case, dates in ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, (dict, list)):
        return to_json(value)
    if isinstance(value, (str, int, float)):
        return value
    return str(value)


def runs_as_formula(value: Any) -> bool:
    """Whether a spreadsheet would run this cell, which came from outside, as a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        try:
            float(value)
        except ValueError:
            return True
    return False


def safe_cell(value: Any) -> Any:
    """The cell, quoted so that a spreadsheet shows it as words and does not run it."""
    return f"'{value}" if runs_as_formula(value) else value
