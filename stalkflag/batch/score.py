"""Scoring files of narratives: in order, every row accounted for, output only when complete."""

from __future__ import annotations

import csv
import json
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Protocol

from stalkflag.assessment import INDICATORS, LABELS, Assessment
from stalkflag.assessor import Assessor, load
from stalkflag.batch.gathering import LinkedRows
from stalkflag.batch.linking import LINKED, Link, LinkTally, judge_sets
from stalkflag.batch.links import check_links, write_links
from stalkflag.batch.reading import Rejected, Row, Source, find_inputs, open_source
from stalkflag.batch.recorded import Offences, load_offences
from stalkflag.batch.writing import written_aside
from stalkflag.errors import InputError, StalkflagError

CHUNK = 64
"""Narratives handed to a worker at a time."""

OUTPUT_SUFFIXES: tuple[str, ...] = (".csv", ".tsv", ".jsonl", ".ndjson")

ADDED_COLUMNS: tuple[str, ...] = (
    "suggestion",
    "refer",
    *(f"p_{label}" for label in LABELS),
    *INDICATORS,
    "occasions",
    "relationship",
    "acts",
    "reasons",
)
"""Columns that flat output adds to the input's own."""


@dataclass(slots=True)
class Tally:
    """What became of the rows."""

    rows: int = 0
    rejected: int = 0
    referred: int = 0
    disagree: int = 0
    suggestions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LABELS, 0))
    linked: LinkTally | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """One row with its assessment as plain data."""

    row: Row
    assessment: dict[str, Any]
    flat: dict[str, Any]


def score_files(
    inputs: list[Path],
    output: Path,
    *,
    model: str = "bundled",
    text_column: str | None = None,
    id_column: str | None = None,
    recorded_as: str | None = None,
    offences: Path | None = None,
    link: Link | None = None,
    links: Path | None = None,
    rejects: Path | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    linking: Callable[[int, int], None] = lambda done, total: None,
) -> Tally:
    """Assess every row of the inputs and write them, in order, to one file.

    The output, links and rejects files appear only when complete. Flat output (CSV, TSV) keeps
    the input's columns; one whose name stalkflag uses is kept as ``input_<name>``. JSON lines keep
    them, all but the narrative, under ``input``.

    Raises
    ------
    InputError
        If a file or column is missing, or rows are rejected and no rejects file was named
        (nothing is written then).
    """
    if output.suffix.lower() not in OUTPUT_SUFFIXES:
        raise InputError(f"{output}: the output must end in {', '.join(OUTPUT_SUFFIXES)}.")
    paths = find_inputs(inputs)
    if output.resolve() in {path.resolve() for path in paths}:
        raise InputError(f"{output} is one of the inputs: choose another name for the output.")
    sources = [open_source(p, text_column=text_column, id_column=id_column) for p in paths]
    _check_columns(sources, [recorded_as], "--recorded-as")
    if link:
        _check_columns(sources, link.columns, "--link-on")
        _check_columns(sources, [link.date_column], "--date-column")
    if links:
        check_links(links)
        if not link:
            raise InputError("--links needs columns to link reports by: name them with --link-on.")
    about = sum(source.lines for source in sources)
    mapping = load_offences(offences)
    tally = Tally()
    with ExitStack() as stack:
        added = (*(LINKED if link else ()), *(_RECORDED if recorded_as else ()))
        writer = stack.enter_context(_writer(output, sources, added))
        reject = stack.enter_context(_Rejects(rejects))
        linked = None
        if link:
            linked = stack.enter_context(LinkedRows(link, output.absolute().parent))
            tally.linked = linked.tally
            linked.link(
                chain.from_iterable(source.rows() for source in sources),
                lambda sets: judge_sets(sets, model=model, workers=workers),
                linking,
            )
            if links:
                aside = stack.enter_context(written_aside(links))
                write_links(aside, links, link.columns, linked.records())
        for result in _assess_rows(sources, model=model, workers=workers):
            if isinstance(result, Rejected):
                tally.rejected += 1
                reject.write(result)
            else:
                if linked:
                    _add(result, linked.columns(tally.rows, result.flat))
                _count(tally, result, recorded_as, mapping)
                writer.write(result)
            tally.rows += 1
            progress(tally.rows, about)
        if tally.rejected and rejects is None:
            raise InputError(
                f"{tally.rejected} of {tally.rows} rows cannot be read (first: {reject.first}): "
                "name a file for them with --rejects and run again."
            )
    return tally


def _check_columns(sources: list[Source], columns: Iterable[str | None], option: str) -> None:
    for source in sources:
        for column in columns:
            if column and column not in source.columns:
                raise InputError(
                    f"{source.path} has no column {column!r}: "
                    f"name one of {', '.join(source.columns)} with {option}."
                )


def _add(scored: Scored, columns: dict[str, Any]) -> None:
    scored.flat.update(columns)
    scored.assessment.update(columns)


def _count(tally: Tally, scored: Scored, recorded_as: str | None, offences: Offences) -> None:
    suggestion = scored.flat["suggestion"]
    tally.suggestions[suggestion] += 1
    tally.referred += bool(scored.flat["refer"])
    if recorded_as:
        was = scored.row.values.get(recorded_as)
        disagrees = offences.label(str(was or "")) != suggestion
        _add(scored, {"recorded_as": was, "disagrees": disagrees})
        tally.disagree += disagrees


def flatten(assessment: Assessment) -> dict[str, Any]:
    """The columns of flat output, named in ``ADDED_COLUMNS``."""
    return {
        "suggestion": assessment.suggestion,
        "refer": assessment.refer,
        **{f"p_{label}": assessment.probabilities[label] for label in LABELS},
        **{name: assessment.indicators[name].present for name in INDICATORS},
        "occasions": assessment.course_of_conduct.occasions,
        "relationship": assessment.relationship.value,
        "acts": "; ".join(assessment.shown_acts()),
        "reasons": " ".join((*assessment.reasons, *assessment.refer_reasons)),
    }


Plain = tuple[dict[str, Any], dict[str, Any]]


def _assess_chunk(assessor: Assessor, texts: list[str], ids: list[str | None]) -> list[Plain]:
    return [(a.to_dict(), flatten(a)) for a in assessor.assess_many(texts, ids=ids)]


_worker_assessor: Assessor | None = None


def _start_worker(model: str) -> None:
    global _worker_assessor
    _worker_assessor = load(model)


def _work(texts: list[str], ids: list[str | None]) -> list[Plain]:
    assert _worker_assessor is not None
    return _assess_chunk(_worker_assessor, texts, ids)


def _assess_rows(sources: list[Source], *, model: str, workers: int) -> Iterator[Scored | Rejected]:
    rows = chain.from_iterable(source.rows() for source in sources)
    chunks: Iterator[list[Row | Rejected]] = iter(lambda: list(islice(rows, CHUNK)), [])
    few = list(islice(chunks, 2 * workers))
    chunks = chain(few, chunks)
    if workers <= 1 or len(few) < 2 * workers:
        # Starting a worker costs more than a few hundred narratives do.
        assessor = load(model)
        for chunk in chunks:
            yield from _merge(chunk, _assess_chunk(assessor, *_texts(chunk)))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (model,)) as pool:
        waiting: deque[tuple[list[Row | Rejected], Future[list[Plain]]]] = deque()
        try:
            for chunk in chunks:
                waiting.append((chunk, pool.submit(_work, *_texts(chunk))))
                if len(waiting) >= 3 * workers:
                    first, future = waiting.popleft()
                    yield from _merge(first, future.result())
            while waiting:
                first, future = waiting.popleft()
                yield from _merge(first, future.result())
        except BrokenProcessPool:
            raise StalkflagError(
                "A worker process died (perhaps for lack of memory): run again with --workers 1."
            ) from None


def _texts(chunk: list[Row | Rejected]) -> tuple[list[str], list[str | None]]:
    rows = [row for row in chunk if isinstance(row, Row)]
    return [row.text for row in rows], [row.id for row in rows]


def _merge(chunk: list[Row | Rejected], plain: list[Plain]) -> Iterator[Scored | Rejected]:
    results = iter(plain)
    for row in chunk:
        if isinstance(row, Rejected):
            yield row
        else:
            assessment, flat = next(results)
            yield Scored(row, assessment, flat)


class _Writer(Protocol):
    def write(self, scored: Scored) -> None: ...


class _Aside(AbstractContextManager["_Aside"]):
    """A text file written aside and renamed into place when all went well."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".partial")

    def __enter__(self) -> _Aside:
        try:
            self.stream: IO[str] = self.partial.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {error.strerror}.") from None
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        self.stream.close()
        if kind is None:
            self.partial.replace(self.path)
        else:
            self.partial.unlink(missing_ok=True)


_RECORDED = ("recorded_as", "disagrees")


def _writer(output: Path, sources: list[Source], added: tuple[str, ...]) -> Any:
    if output.suffix.lower() in (".csv", ".tsv"):
        return _FlatWriter(output, sources, added)
    return _JsonWriter(output, sources)


class _FlatWriter(_Aside):
    def __init__(self, path: Path, sources: list[Source], added: tuple[str, ...]) -> None:
        super().__init__(path)
        self.added = [*ADDED_COLUMNS, *added]
        columns = dict.fromkeys(chain.from_iterable(source.columns for source in sources))
        self.names = {c: f"input_{c}" if c in self.added else c for c in columns}

    def __enter__(self) -> _FlatWriter:
        super().__enter__()
        delimiter = "\t" if self.path.suffix.lower() == ".tsv" else ","
        self.csv = csv.writer(self.stream, delimiter=delimiter)
        self.csv.writerow([*self.names.values(), *self.added])
        return self

    def write(self, scored: Scored) -> None:
        values = scored.row.values
        own = [_safe_cell(values.get(column, "")) for column in self.names]
        self.csv.writerow([*own, *(_flat_cell(scored.flat[name]) for name in self.added)])


class _JsonWriter(_Aside):
    def __init__(self, path: Path, sources: list[Source]) -> None:
        super().__init__(path)
        self.many = len(sources) > 1
        self.narratives = {source.text_column for source in sources}

    def write(self, scored: Scored) -> None:
        extra: dict[str, Any] = {"row": scored.row.number}
        if self.many:
            extra["file"] = scored.row.source
        own = scored.row.values.items()
        extra["input"] = {name: value for name, value in own if name not in self.narratives}
        self.stream.write(json.dumps({**scored.assessment, **extra}, ensure_ascii=False) + "\n")


class _Rejects(AbstractContextManager["_Rejects"]):
    def __init__(self, path: Path | None) -> None:
        self.aside = _Aside(path) if path else None
        self.first = ""

    def __enter__(self) -> _Rejects:
        if self.aside:
            self.aside.__enter__()
            self.csv = csv.writer(self.aside.stream)
            self.csv.writerow(["file", "row", "reason"])
        return self

    def write(self, rejected: Rejected) -> None:
        self.first = self.first or f"row {rejected.number}, {rejected.reason}"
        if self.aside:
            self.csv.writerow([rejected.source, rejected.number, rejected.reason])

    def __exit__(self, *problem: object) -> None:
        if self.aside:
            self.aside.__exit__(*problem)  # type: ignore[arg-type]


def _flat_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return value


def _safe_cell(value: Any) -> Any:
    """A spreadsheet must not run a cell that came from outside as a formula."""
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        try:
            float(value)
        except ValueError:
            return "'" + value
    return value
