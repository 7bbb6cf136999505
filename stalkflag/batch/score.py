"""Scoring files of narratives: in order, every row accounted for, output only when complete.

Rows are read and assessed first, and kept beside the output (``journal``); the output is written
from that when all are done, so that a run which was stopped anywhere can be continued and gives
the same bytes.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import stalkflag
from stalkflag.assessment import INDICATORS, LABELS, Assessment
from stalkflag.batch.gathering import LinkedRows
from stalkflag.batch.journal import Journal
from stalkflag.batch.linking import LINKED, Link, LinkTally, judge_sets
from stalkflag.batch.links import check_links, write_links
from stalkflag.batch.reading import (
    Rejected,
    Row,
    Source,
    column_of,
    find_inputs,
    open_sources,
    value_of,
)
from stalkflag.batch.recorded import Offences, load_offences
from stalkflag.batch.review import Filter, review_need, sorted_by
from stalkflag.batch.streams import file_kind, sha256
from stalkflag.batch.workers import Chunk, Crew
from stalkflag.batch.writing import (
    RECORDED,
    Layout,
    RejectsOutput,
    Scored,
    check_output,
    is_flat,
    open_output,
    plain_cell,
    written_aside,
)
from stalkflag.bundle import bundle_folder
from stalkflag.errors import InputError, StalkflagError
from stalkflag.law import DEFAULT, load_profile

CHUNK_ROWS = 64
CHUNK_CHARACTERS = 1 << 20
"""Narratives handed to a worker at a time are at most about so many."""

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
    """What became of the rows: ``rows == written + left_out + rejected``."""

    rows: int = 0
    written: int = 0
    left_out: int = 0
    """Rows that were assessed and that the filter does not let through."""
    rejected: int = 0
    referred: int = 0
    without_date: int = 0
    """Rows in which the column that says when it happened holds no date that can be read."""
    disagree: int | None = None
    """Only where the recorded offence is known."""
    linked: LinkTally | None = None
    suggestions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LABELS, 0))
    """Of all rows that were assessed, as ``referred`` and ``disagree`` are."""
    resumed: int = 0
    """Rows that an earlier, interrupted run had assessed."""
    shortened: int = 0
    """Cells that were cut to what the output's format holds."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a run, apart from its inputs and outputs."""

    model: str = "bundled"
    law: str = DEFAULT
    text_column: str | None = None
    id_column: str | None = None
    date_column: str | None = None
    """The column that says when it happened, for the law of that day and the order of linked sets."""
    recorded_as: str | None = None
    offences: Path | None = None
    """A force's own recorded offences, added to the shipped mapping."""
    link: Link | None = None
    """Which reports are assessed together too."""
    links: Path | None = None
    """Where the linked sets are written."""
    rows: Filter = field(default_factory=Filter)
    by_need: bool = False
    """Whether rows are written by need of review, not in input order."""


Progress = Callable[[str, int, int], None]
"""Told what is being done, how many rows are done, and about how many there are."""


def score_files(
    inputs: list[str],
    output: Path,
    options: Options = Options(),
    *,
    rejects: Path | None = None,
    workers: int = 1,
    resume: bool = False,
    progress: Progress = lambda what, done, total: None,
    tell: Callable[[str], None] = lambda message: None,
) -> Tally:
    """Assess every row of the inputs and write them to one file.

    The output and rejects files appear only when complete. Until then, what is assessed lies
    beside the output in ``OUTPUT.partial``; it is removed at the end, and is what ``resume``
    continues. Flat output keeps the input's columns; one whose name stalkflag uses is kept as
    ``input_<name>``.

    Parameters
    ----------
    tell
        Called with what a person should know of the inputs, such as files and sheets left out.

    Raises
    ------
    InputError
        If a file or column is missing, or rows are rejected and no rejects file was named
        (nothing is written then).
    StalkflagError
        If no worker can be started or the disk is full.
    """
    load_profile(options.law)
    load_offences(options.offences)
    if options.links:
        check_links(options.links)
        if not options.link:
            raise InputError("--links needs columns to link reports by: name them with --link-on.")
    paths = find_inputs(inputs, tell)
    check_places(paths, output, rejects, options.links)
    sources, options = _open(paths, options, tell)
    bundle = bundle_folder(options.model)
    nested = not is_flat(output)
    about = _asked(paths, options, bundle, nested=nested)
    total = sum(source.table.about for source in sources)
    partial = output.with_name(output.name + ".partial")
    try:
        with Journal(partial, about, resume=resume) as journal:
            tally = Tally(resumed=journal.rows)
            if not journal.complete:
                progress("Assessing", journal.rows, total)
                rows = chain.from_iterable(source.rows() for source in sources)
                chunks = _chunks(islice(rows, journal.rows, None))
                with Crew(workers, model=str(bundle), law=options.law, nested=nested) as crew:
                    for chunk in crew.assess(chunks):
                        journal.append(chunk.rows, chunk.results or b"")
                        progress("Assessing", journal.rows, total)
                journal.finish()
            _write(journal, sources, output, rejects, options, tally, progress, workers)
        partial.unlink()
    except OSError as error:
        raise _write_failure(output, error) from None
    return tally


def _open(
    paths: list[Path], options: Options, tell: Callable[[str], None]
) -> tuple[list[Source], Options]:
    """The tables to score, and the options with the first one's names of columns."""
    sources = [
        source
        for path in paths
        for source in open_sources(
            path,
            text_column=options.text_column,
            id_column=options.id_column,
            date_column=options.date_column,
            tell=tell,
        )
    ]
    named = [with_columns(source.table.name, source.columns, options) for source in sources]
    return sources, named[0]


def with_columns(where: str, columns: list[str], options: Options) -> Options:
    """The options with the names of columns as they stand in the input, found ignoring case.

    Raises
    ------
    InputError
        If a column that an option names is not there.
    """

    def found(asked: str, option: str) -> str:
        return column_of(where, columns, asked=asked, option=option)

    recorded_as, date_column, link = options.recorded_as, options.date_column, options.link
    if link:
        names = (found(name, "--link-on") for name in link.columns)
        link = replace(link, columns=tuple(dict.fromkeys(names)))
    return replace(
        options,
        recorded_as=found(recorded_as, "--recorded-as") if recorded_as else None,
        date_column=found(date_column, "--date-column") if date_column else None,
        link=link,
    )


def check_places(paths: list[Path], output: Path, rejects: Path | None, links: Path | None) -> None:
    """Raise ``InputError`` if an output cannot be written or would overwrite an input."""
    if rejects and file_kind(rejects)[0] != ".csv":
        raise InputError(f"{rejects}: the list of rejected rows must end in .csv or .csv.gz.")
    read = {path.resolve() for path in paths}
    written: dict[Path, str] = {}
    for option, place in (("--output", output), ("--rejects", rejects), ("--links", links)):
        if place is None:
            continue
        check_output(place)
        if place.resolve() in read:
            raise InputError(f"{place} is one of the inputs: choose another name for {option}.")
        if place.resolve() in written:
            other = written[place.resolve()]
            raise InputError(f"{option} and {other} name the same file: choose two names.")
        written[place.resolve()] = option


def _asked(paths: list[Path], options: Options, bundle: Path, *, nested: bool) -> dict[str, Any]:
    """What a run that continues another must have in common with it, by name."""
    model = bundle / "bundle.json"
    plain = {
        "version of stalkflag": stalkflag.__version__,
        "model": sha256(model) if model.is_file() else "",
        "options (law, columns, filters, order or output format)": [
            options.law,
            options.text_column,
            options.id_column,
            options.date_column,
            options.recorded_as,
            sorted(options.rows.only),
            options.rows.min_probability,
            options.by_need,
            nested,
        ],
        "list of input files": [str(path) for path in paths],
    }
    return {**plain, **{f"input file {path}": sha256(path) for path in paths}}


def _chunks(rows: Iterator[Row | Rejected]) -> Iterator[Chunk]:
    """Rows in chunks that take about as long, whatever the length of the narratives."""
    chunk: list[Row | Rejected] = []
    characters = 0
    for row in rows:
        chunk.append(row)
        characters += len(row.text) if isinstance(row, Row) else 0
        if len(chunk) >= CHUNK_ROWS or characters >= CHUNK_CHARACTERS:
            yield Chunk(chunk)
            chunk, characters = [], 0
    if chunk:
        yield Chunk(chunk)


def _write(
    journal: Journal,
    sources: list[Source],
    output: Path,
    rejects: Path | None,
    options: Options,
    tally: Tally,
    progress: Progress,
    workers: int,
) -> None:
    """Write the output and the rejects from what the journal holds, all or nothing."""
    layout = layout_of(sources, options)
    mapping = load_offences(options.offences)
    linked: LinkedRows | None = None
    first: Rejected | None = None

    def assessed(bad: RejectsOutput | None) -> Iterator[Scored]:
        nonlocal first
        for found in journal.records(sources):
            tally.rows += 1
            progress("Writing", tally.rows, journal.rows)
            if isinstance(found, Rejected):
                tally.rejected += 1
                first = first or found
                if bad:
                    bad.write(found)
                continue
            row, (flat, nested) = found
            tally.without_date += options.date_column is not None and row.when is None
            scored = Scored(row, {"file": row.source, "row": row.number, **flat}, nested, {})
            if linked:
                scored.beside.update(linked.columns(tally.rows - 1, flat))
            _count(tally, scored, options.recorded_as, mapping)
            if options.rows.keeps(scored):
                tally.written += 1
                yield scored
            else:
                tally.left_out += 1

    with ExitStack() as stack:
        if options.link:
            linked = stack.enter_context(LinkedRows(options.link, output.absolute().parent))
            tally.linked = linked.tally
            model = str(bundle_folder(options.model))
            linked.link(
                chain.from_iterable(source.rows() for source in sources),
                lambda sets: judge_sets(sets, model=model, law=options.law, workers=workers),
                lambda done, total: progress("Linking", done, total),
            )
            if options.links:
                place = stack.enter_context(written_aside(options.links))
                write_links(place, options.links, options.link.columns, linked.records())
        aside = stack.enter_context(written_aside(output))
        out = open_output(aside, output, layout, types=_types(output, sources))
        stack.callback(out.close)
        bad = None
        if rejects:
            bad = RejectsOutput(stack.enter_context(written_aside(rejects)), rejects)
            stack.callback(bad.close)
        rows = assessed(bad)
        if options.by_need:
            runs = output.with_name(output.name + ".sort.partial")
            rows = sorted_by(review_need(mapping), rows, runs)
        for scored in rows:
            out.write(scored)
        if first and rejects is None:
            raise InputError(
                f"{tally.rejected} of {tally.rows} rows cannot be read (first: row {first.number} "
                f"of {first.source}, {first.reason}): name a file for them with --rejects and run "
                f"again. {journal.path} keeps the others, which are not assessed again."
            )
        if tally.rows != journal.rows or tally.written != out.rows:
            raise StalkflagError(
                f"{journal.rows} rows were assessed, {tally.rows} of them found again and "
                f"{out.rows} written: {output} is not written. Please report this."
            )
        tally.shortened = out.shortened


def _types(output: Path, sources: list[Source]) -> dict[str, Any]:
    """Arrow types of the inputs' columns, if Parquet is read and written."""
    if file_kind(output)[0] != ".parquet":
        return {}
    from stalkflag.batch.parquet import kept_types

    return kept_types([getattr(source.table, "types", None) for source in sources])


def layout_of(sources: Sequence[Source], options: Options) -> Layout:
    """The columns of the output: where rows may come from anywhere, their file and number too."""
    origin = ("file", "row") if len(sources) > 1 or options.by_need else ()
    return Layout.of(
        list(dict.fromkeys(chain.from_iterable(source.columns for source in sources))),
        flat=(*origin, *ADDED_COLUMNS),
        beside={
            **(LINKED if options.link else {}),
            **(RECORDED if options.recorded_as else {}),
        },
        narratives=frozenset(source.text_column for source in sources),
    )


def _count(tally: Tally, scored: Scored, recorded_as: str | None, mapping: Offences) -> None:
    suggestion = scored.flat["suggestion"]
    tally.suggestions[suggestion] += 1
    tally.referred += bool(scored.flat["refer"])
    if recorded_as:
        scored.beside.update(
            recorded(value_of(scored.row.values, recorded_as), suggestion, mapping)
        )
        tally.disagree = (tally.disagree or 0) + scored.beside["disagrees"]


def recorded(value: Any, suggestion: str, mapping: Offences) -> dict[str, Any]:
    """The columns of a recorded offence, named in ``RECORDED``."""
    was = None if value is None else str(plain_cell(value))
    return {"recorded_as": was, "disagrees": mapping.label(was or "") != suggestion}


def _write_failure(output: Path, error: OSError) -> StalkflagError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    remedy = "free some space" if full else "see to that"
    return StalkflagError(
        f"{output} cannot be written ({error.strerror or error}): {remedy} and run the same "
        "command with --resume; nothing that is assessed is lost."
    )


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
