"""Dates as crime exports write them: ISO 8601, or the day first as in England and Wales."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

_FORMATS = (
    "%d/%m/%Y", "%d/%m/%y", "%d-%m-%Y", "%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y",
    "%d-%b-%y", "%Y/%m/%d",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S")


_YEARS = range(1901, 2100)


def read_when(value: Any) -> datetime | None:
    """The date and time in a cell, midnight if it names a day only; ``None`` if it names none.

    The clock is kept as written: a time zone is dropped. Days up to 1900 and from 2100 on stand
    in databases for one that is not known.

    >>> read_when("03/04/2024 21:15"), read_when("2024-04-03"), read_when("spring")
    (datetime.datetime(2024, 4, 3, 21, 15), datetime.datetime(2024, 4, 3, 0, 0), None)
    """
    found = _read(value)
    return found if found and found.year in _YEARS else None


def _read(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    text = " ".join(str(value or "").split())
    if len(text) < 6:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        pass
    for day in _FORMATS:
        for time in _TIMES:
            try:
                return datetime.strptime(text, day + time)
            except ValueError:
                continue
    return None
