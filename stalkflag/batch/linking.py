"""Linking rows of one victim and one suspect: by which keys, what it adds to a row, and the judging.

A distributed engine can group rows by :func:`link_key` and call :func:`link_group` for each group:
the results are the same as here.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stalkflag.assessment import Assessment
from stalkflag.batch.reading import Row, value_of
from stalkflag.errors import StalkflagError
from stalkflag.linked_set import MOST_REPORTS, Report

if TYPE_CHECKING:
    from stalkflag.assessor import Assessor

LINKED: dict[str, type] = {
    "linked_set": str,
    "linked_reports": int,
    "linked_suggestion": str,
    "linked_refer": bool,
    "linked_p_stalking": float,
    "linked_occasions": int,
    "linked_span_days": int,
    "linked_raised": bool,
}
"""Columns that linking adds to the scored output, with their types."""

UNKNOWN: frozenset[str] = frozenset(
    "unknown|not known|not stated|not recorded|not given|not applicable|unidentified|anonymous|none"
    "|null|nan|nil|na|n/a|n/k|nk|tbc|tba|-|--|?".split("|")
)
"""Values that stand for a missing key, ignoring case: such rows are never linked."""

NO_DATE = "~"
"""In the place of an ISO 8601 date that is not known: sorts after every one."""

CHUNK = 64
"""About how many reports are handed to a worker at a time; a set is never divided."""

Sets = Iterator[list[Report]]
Judge = Callable[[Sets], Iterator[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Link:
    """Which columns name the victim and the suspect.

    ``most`` is the number of reports above which a set is not judged as a whole.
    """

    columns: tuple[str, ...]
    most: int = MOST_REPORTS


@dataclass(slots=True)
class LinkTally:
    """What became of the rows that were to be linked."""

    sets: int = 0
    reports: int = 0
    raised: int = 0
    without_key: int = 0
    too_large: int = 0

    def lines(self) -> list[str]:
        """The tally in words."""
        lines = [
            f"Linked: {self.sets:,} sets of {self.reports:,} reports; {self.raised:,} reports are "
            "not stalking alone and stalking together."
        ]
        for number, what in (
            (self.without_key, "rows have no key to link on"),
            (self.too_large, "sets are too large to be one victim and suspect: not judged"),
        ):
            if number:
                lines.append(f"{number:,} {what}.")
        return lines


def link_key(values: Mapping[str, Any], columns: Sequence[str]) -> tuple[str, ...] | None:
    """The values that link a row, or ``None`` if one of them is missing or not known.

    >>> link_key({"victim": " V1", "suspect": 9.0}, ["victim", "suspect"])
    ('V1', '9')
    >>> link_key({"victim": "V1", "suspect": "Unknown"}, ["victim", "suspect"]) is None
    True
    """
    key = []
    for column in columns:
        value = value_of(values, column)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = " ".join(str("" if value is None else value).split())
        if not text or text.casefold() in UNKNOWN:
            return None
        key.append(text)
    return tuple(key)


def set_name(key: Sequence[str]) -> str:
    """A name for the set of a key: the same in every file, on every machine, in every order."""
    return hashlib.sha256(json.dumps(list(key)).encode()).hexdigest()[:16]


def alone_columns(flat: Mapping[str, Any]) -> dict[str, Any]:
    """What linking adds to a report that is linked with no other, from its flat columns: its own."""
    return {
        "linked_set": None,
        "linked_reports": 1,
        "linked_suggestion": flat["suggestion"],
        "linked_refer": flat["refer"],
        "linked_p_stalking": flat["p_stalking"],
        "linked_occasions": flat["occasions"],
        "linked_span_days": None,
        "linked_raised": False,
    }


def member_columns(plain: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """What a set, given as plain data, adds to each of its reports, in the set's order.

    A set that is too large to be judged adds only how large it is.
    """
    known = {"linked_set": name, "linked_reports": len(plain["reports"])}
    if plain.get("suggestion") is None:
        return [known for _ in plain["reports"]]
    together = {
        **known,
        "linked_suggestion": plain["suggestion"],
        "linked_refer": plain["refer"],
        "linked_p_stalking": plain["probabilities"]["stalking"],
        "linked_occasions": plain["course_of_conduct"]["occasions"],
        "linked_span_days": plain["course_of_conduct"]["span_days"],
    }
    return [{**together, "linked_raised": one["raised"]} for one in plain["reports"]]


def link_group(
    assessor: Assessor, rows: Sequence[Row], link: Link
) -> list[tuple[Assessment, dict[str, Any]]]:
    """The rows of one key (or of none), each assessed alone and with what linking adds to it.

    For engines that group rows themselves by :func:`link_key`, as Spark does.
    """
    from stalkflag.batch.score import flatten
    from stalkflag.linked import assess_linked

    key = link_key(rows[0].values, link.columns)
    if key is None or len(rows) == 1 or len(rows) > link.most:
        name = None if key is None or len(rows) == 1 else set_name(key)
        alone = assessor.assess_many(
            (row.text for row in rows), ids=(row.id for row in rows), on=(row.day for row in rows)
        )
        size = {"linked_set": name, "linked_reports": len(rows)} if name else {}
        return [(one, {**alone_columns(flatten(one)), **size}) for one in alone]
    # The places of the rows are their names while they are sorted by date.
    reports = [Report(row.text, str(place), row.when) for place, row in enumerate(rows)]
    linked = assess_linked(assessor, reports, most=link.most)
    added = member_columns(linked.to_dict(), set_name(key))
    found: list[Any] = [None] * len(rows)
    for report, one, columns in zip(linked.reports, linked.alone, added, strict=True):
        place = int(report.id or 0)
        own = replace(one, id=rows[place].id)
        found[place] = (own, {**alone_columns(flatten(own)), **columns})
    return found


def judge_sets(sets: Sets, *, model: str, law: str, workers: int) -> Iterator[dict[str, Any]]:
    """Assess sets in order, by up to ``workers`` processes that each load the model once."""
    context = multiprocessing.get_context("spawn")
    workers = max(1, workers)
    with ProcessPoolExecutor(workers, context, _start_worker, (model, law)) as pool:
        ahead: deque[Future[list[dict[str, Any]]]] = deque()
        try:
            for chunk in _chunks(sets):
                ahead.append(pool.submit(_work, chunk))
                if len(ahead) >= 3 * workers:
                    yield from ahead.popleft().result()
            while ahead:
                yield from ahead.popleft().result()
        except BrokenProcessPool:
            raise StalkflagError(
                "A worker process died (perhaps for lack of memory): run again with --workers 1."
            ) from None


def _chunks(sets: Sets) -> Iterator[list[list[Report]]]:
    chunk: list[list[Report]] = []
    for one in sets:
        chunk.append(one)
        if sum(map(len, chunk)) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


_worker_assessor: Assessor | None = None


def _start_worker(model: str, law: str) -> None:
    from stalkflag.assessor import load

    global _worker_assessor
    _worker_assessor = load(model, law=law)


def _work(chunk: list[list[Report]]) -> list[dict[str, Any]]:
    from stalkflag.linked import assess_linked

    assert _worker_assessor is not None
    return [
        assess_linked(_worker_assessor, reports, most=len(reports)).to_dict() for reports in chunk
    ]
