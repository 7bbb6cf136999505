"""Linking rows of one victim and one suspect: by which keys, what it adds to a row, and the judging.

A distributed engine can group rows by :func:`link_key` and call, for each group,
``linked_columns(assess_linked(assessor, reports), set_name(key))``: the same results as here.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from stalkflag.assessment import INDICATORS, LABELS
from stalkflag.assessor import Assessor, load
from stalkflag.errors import StalkflagError
from stalkflag.linked import MOST_REPORTS, LinkedAssessment, Report, assess_linked

LINKED_COLUMNS: tuple[str, ...] = (
    "linked_set",
    "linked_reports",
    "linked_suggestion",
    "linked_refer",
    "linked_p_stalking",
    "linked_occasions",
    "linked_span_days",
    "linked_raised",
)
"""Columns that linking adds to the scored output."""

UNKNOWN: frozenset[str] = frozenset(
    "unknown|not known|not stated|not recorded|not given|not applicable|unidentified|anonymous|none"
    "|null|nan|nil|na|n/a|n/k|nk|tbc|tba|-|--|?".split("|")
)
"""Values that stand for a missing key, ignoring case: such rows are never linked."""

CHUNK = 64
"""About how many reports are handed to a worker at a time; a set is never divided."""

Sets = Iterator[list[Report]]
Judge = Callable[[Sets], Iterator[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Link:
    """Which columns name the victim and the suspect, and which when it happened.

    ``most`` is the number of reports above which a set is not judged as a whole.
    """

    columns: tuple[str, ...]
    date_column: str | None = None
    most: int = MOST_REPORTS


@dataclass(slots=True)
class LinkTally:
    """What became of the rows that were to be linked."""

    sets: int = 0
    reports: int = 0
    raised: int = 0
    without_key: int = 0
    without_date: int = 0
    too_large: int = 0


def link_key(values: Mapping[str, Any], columns: Sequence[str]) -> tuple[str, ...] | None:
    """The values that link a row, or ``None`` if one of them is missing or not known.

    >>> link_key({"victim": " V1", "suspect": 9.0}, ["victim", "suspect"])
    ('V1', '9')
    >>> link_key({"victim": "V1", "suspect": "Unknown"}, ["victim", "suspect"]) is None
    True
    """
    key = []
    for column in columns:
        value = values.get(column)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = " ".join(str("" if value is None else value).split())
        if not text or text.casefold() in UNKNOWN:
            return None
        key.append(text)
    return tuple(key)


def set_name(key: Sequence[str]) -> str:
    """A name for the set of a key: the same in every file, on every machine, in every order."""
    return hashlib.sha256(json.dumps(list(key)).encode()).hexdigest()[:12]


def linked_columns(linked: LinkedAssessment, name: str) -> list[dict[str, Any]]:
    """What linking adds to each report of a set, in the set's order."""
    return member_columns({"id": name, **linked.to_dict()})


def alone_columns(assessment: Mapping[str, Any]) -> dict[str, Any]:
    """What linking adds to a report (as plain data) that is linked with no other: its own."""
    return {
        "linked_set": None,
        "linked_reports": 1,
        "linked_suggestion": assessment["suggestion"],
        "linked_refer": assessment["refer"],
        "linked_p_stalking": assessment["probabilities"]["stalking"],
        "linked_occasions": assessment["course_of_conduct"]["occasions"],
        "linked_span_days": assessment["course_of_conduct"]["span_days"],
        "linked_raised": False,
    }


def member_columns(plain: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What linking adds to each report of a set given as plain data with its ``id``."""
    if "suggestion" not in plain:
        return [
            {"linked_set": plain["id"], "linked_reports": len(plain["reports"])}
            for _ in plain["reports"]
        ]
    together = {
        **alone_columns(plain),
        "linked_set": plain["id"],
        "linked_reports": len(plain["reports"]),
    }
    return [{**together, "linked_raised": one["raised"]} for one in plain["reports"]]


def flat_links(columns: Sequence[str]) -> list[str]:
    """The columns of a flat links file."""
    return [
        *("linked_set", *columns, "reports", "report_ids", "raised_ids", "first_date", "last_date"),
        *("span_days", "occasions", "alone_stalking", "suggestion", "refer"),
        *(f"p_{label}" for label in LABELS),
        *INDICATORS,
        *("relationship", "acts", "escalation", "reasons", "note"),
    ]


def flatten_link(record: Mapping[str, Any]) -> dict[str, Any]:
    """One set as a row of a flat links file, without any words of the narratives."""
    reports = record["reports"]
    flat = {
        "linked_set": record["id"],
        **record["linked_on"],
        "reports": record["size"],
        "report_ids": "; ".join(str(report["id"]) for report in reports),
        "note": record["note"],
    }
    if "suggestion" not in record:
        return flat
    conduct = record["course_of_conduct"]
    acts = dict.fromkeys(act["act"] for act in record["acts"])
    return {
        **flat,
        "raised_ids": "; ".join(str(report["id"]) for report in reports if report["raised"]),
        "first_date": record["first_date"],
        "last_date": record["last_date"],
        "span_days": conduct["span_days"],
        "occasions": conduct["occasions"],
        "alone_stalking": sum(report["suggestion"] == "stalking" for report in reports),
        "suggestion": record["suggestion"],
        "refer": record["refer"],
        **{f"p_{label}": record["probabilities"][label] for label in LABELS},
        **{name: record["indicators"][name]["present"] for name in INDICATORS},
        "relationship": record["relationship"]["value"],
        "acts": "; ".join(acts),
        "escalation": " ".join(change["says"] for change in record["escalation"]),
        "reasons": " ".join((*record["reasons"], *record["refer_reasons"])),
    }


def judge_sets(sets: Sets, *, model: str, workers: int) -> Iterator[dict[str, Any]]:
    """Assess sets in order, in this process or by workers that each load the model once."""
    chunks = _chunks(sets)
    few = list(islice(chunks, 2 * workers))
    if workers <= 1 or len(few) < 2 * workers:
        assessor = load(model)
        for chunk in chain(few, chunks):
            yield from _judge(assessor, chunk)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (model,)) as pool:
        ahead: deque[Future[list[dict[str, Any]]]] = deque()
        try:
            for chunk in chain(few, chunks):
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


def _judge(assessor: Assessor, chunk: list[list[Report]]) -> list[dict[str, Any]]:
    return [assess_linked(assessor, reports, most=len(reports)).to_dict() for reports in chunk]


_worker_assessor: Assessor | None = None


def _start_worker(model: str) -> None:
    global _worker_assessor
    _worker_assessor = load(model)


def _work(chunk: list[list[Report]]) -> list[dict[str, Any]]:
    assert _worker_assessor is not None
    return _judge(_worker_assessor, chunk)
