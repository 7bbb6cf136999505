"""Whether newly scored reports are still like those on which stalkflag was judged.

Every figure is a count over reports: shares, and distributions over a fixed number of bins. Words
are counted in bins that they are hashed to; no word and no text is kept.

A distribution is compared by the population stability index (PSI) with its usual rule of thumb, 0.10
and 0.25 (Yurdakul and Naranjo, Statistical properties of the population stability index, Journal of
Risk Model Validation 14 (2020)), a share by the ratio of its odds. As the same paper warns, small
files pass such limits by chance: a difference counts only if shuffling blocks of consecutive reports
between the two files seldom gives one as large, so that ordinary ups and downs of a day do not.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessment import ACTS, INDICATORS, RELATIONSHIPS
from stalkflag.audit.reading import ScoredReport, read_scored
from stalkflag.batch.reading import TEXT_COLUMNS
from stalkflag.batch.recorded import load_offences
from stalkflag.errors import InputError

BLOCK = 10
"""Consecutive reports that are shuffled together."""

MOST_BLOCKS = 4096
"""Blocks kept of a file for shuffling; of a larger file each second, fourth, ... block."""

SHUFFLES = 499

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+")
WORD_BINS, RULE_BINS = 128, 32

LENGTHS: tuple[int, ...] = (10, 20, 40, 60, 90, 130, 190, 280, 420, 700)
"""Upper ends, in words, of the bins of length; the last bin has none."""


class Light(StrEnum):
    """What is to be done about a figure."""

    steady = "steady"
    watch = "watch"
    stop = "stop and review"
    few = "too few to tell"
    absent = "not in both files"


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a difference is watched, and from where on the use is stopped and reviewed.

    The limits of the index are its usual rule of thumb. Nobody has published limits for shares in
    crime recording: those of the odds ratio are stalkflag's own choice, and a force should set its
    own for what it can bear.
    """

    psi_watch: float = 0.10
    psi_stop: float = 0.25
    odds_watch: float = 1.25
    odds_stop: float = 1.5
    chance: float = 0.01
    """A difference counts if no more than this share of shuffles gives one as large."""
    least: int = 100
    """Reports in each file below which nothing is said."""


def read_limits(path: Path | None) -> Limits:
    """Limits from a TOML file, with the usual ones for what it leaves out.

    Raises
    ------
    InputError
        If it cannot be read, has an unknown name, or a value that makes no sense.
    """
    if path is None:
        return Limits()
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}.") from None
    known = {one.name for one in fields(Limits)}
    for name, value in plain.items():
        if name not in known:
            raise InputError(f"{path}: unknown limit {name!r}: use {', '.join(sorted(known))}.")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise InputError(f"{path}: {name} must be a number above 0.")
    limits = Limits(**plain)
    if limits.psi_stop < limits.psi_watch or not 1 <= limits.odds_watch <= limits.odds_stop:
        raise InputError(f"{path}: a limit to stop at lies below the one to watch from.")
    return limits


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure in both files and what follows.

    ``before`` and ``now`` are shares from 0 to 1 or a mean; ``moved`` is the odds ratio of a share
    or the index of a distribution, ``by_chance`` how often shuffling gives as much.
    """

    what: str
    light: Light
    before: float | None = None
    now: float | None = None
    measure: str = ""
    moved: float | None = None
    by_chance: float | None = None
    says: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


Count = Callable[[ScoredReport], "NDArray[np.float64] | None"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure to compare: how one report is counted into its bins.

    A share has two bins, yes and no; ``count`` is ``None`` for a report that does not tell.
    Reports that could not be read count in a figure ``of_all`` alone.
    """

    what: str
    count: Count
    share: bool = False
    says: str = ""
    of_all: bool = False


def _share(
    what: str, yes: Callable[[ScoredReport], bool | None], says: str, *, of_all: bool = False
) -> Figure:
    def count(report: ScoredReport) -> NDArray[np.float64] | None:
        found = yes(report)
        return None if found is None else np.array((found, not found), dtype=np.float64)

    return Figure(what, count, share=True, says=says, of_all=of_all)


def _bin(number: int, size: int) -> NDArray[np.float64]:
    row = np.zeros(size)
    row[number] = 1
    return row


def _hashed(names: list[str], size: int) -> NDArray[np.float64] | None:
    if not names:
        return None
    found = np.array([zlib.crc32(name.encode()) % size for name in names])
    return np.bincount(found, minlength=size).astype(np.float64)


def _agrees(report: ScoredReport) -> bool | None:
    if report.recorded_as is None:
        return None
    return load_offences().label(report.recorded_as) == report.suggestion


def figures(text_column: str | None = None) -> tuple[Figure, ...]:
    """All figures that are compared."""

    def words(report: ScoredReport) -> list[str] | None:
        for column in (text_column,) if text_column else TEXT_COLUMNS:
            for name, value in report.values.items():
                if name.lower().removeprefix("input_") == column.lower():
                    found = WORD.findall(str(value or "").lower())
                    # Figures and dates differ from report to report: a number is a number.
                    return ["0" if word.isdigit() else word for word in found]
        return None

    def length(report: ScoredReport) -> NDArray[np.float64] | None:
        found = words(report)
        if found is None:
            return None
        return _bin(int(np.searchsorted(LENGTHS, len(found))), len(LENGTHS) + 1)

    def vocabulary(report: ScoredReport) -> NDArray[np.float64] | None:
        return _hashed(words(report) or [], WORD_BINS)

    def register(report: ScoredReport) -> NDArray[np.float64] | None:
        found = report.value("register")
        return _hashed([str(found)], RULE_BINS) if found else None

    def acts(report: ScoredReport) -> NDArray[np.float64]:
        row = np.array([act in report.acts for act in ACTS], dtype=np.float64)
        return np.append(row, float(not row.any()))

    def relationship(report: ScoredReport) -> NDArray[np.float64]:
        known = report.relationship in RELATIONSHIPS
        return _bin(
            RELATIONSHIPS.index(report.relationship) if known else len(RELATIONSHIPS) - 1,
            len(RELATIONSHIPS),
        )

    return (
        _share(
            "could not be read",
            lambda r: not r.read,
            "more or fewer empty or foreign narratives: look at how the file was made",
            of_all=True,
        ),
        _share(
            "suggested as stalking",
            lambda r: r.suggestion == "stalking",
            "more or fewer flags: look at reports of both files, and at who must read them",
        ),
        _share(
            "suggested as harassment",
            lambda r: r.suggestion == "harassment",
            "look at reports of both files",
        ),
        _share(
            "referred to a person",
            lambda r: r.refer,
            "the texts have become thinner, longer or stranger, or there is more to refer",
        ),
        _share(
            "recorded as suggested",
            _agrees,
            "recording or the suggestions have changed: have a sample of both read again",
        ),
        *(
            _share(
                f"shows {name}",
                lambda r, name=name: name in r.indicators,  # type: ignore[misc]
                "see which words show it, and which no longer do",
            )
            for name in INDICATORS
        ),
        _share(
            "two or more occasions", lambda r: r.occasions >= 2, "see how occasions are written"
        ),
        Figure(
            "probability of stalking",
            lambda r: _bin(min(9, int(r.p_stalking * 10)), 10),
            says="measure calibration anew on labelled cases with 'stalkflag evaluate'",
        ),
        Figure("relationship", relationship, says="another mix of cases: measure by relationship"),
        Figure("acts shown", acts, says="another mix of cases, or other words for the same acts"),
        Figure(
            "rules that show indicators",
            lambda r: _hashed([quote.rule for quote in r.quotes], RULE_BINS),
            says="other rules match: see 'stalkflag rules list --stats' on labelled cases",
        ),
        Figure("length of the narrative", length, says="forms or habits of writing have changed"),
        Figure("vocabulary", vocabulary, says="other words: look for new forms, systems or slang"),
        Figure("register", register, says="another kind of text: measure on it before relying"),
    )


@dataclass(slots=True)
class Counts:
    """What one file has of one figure: exact totals, and blocks of reports to shuffle."""

    total: NDArray[np.float64] | None = None
    reports: int = 0
    blocks: list[NDArray[np.float64]] = field(default_factory=list)
    _open: NDArray[np.float64] | None = None
    _in_open: int = 0
    _every: int = 1
    _seen: int = 0

    def add(self, row: NDArray[np.float64]) -> None:
        """Count one report."""
        self.reports += 1
        self.total = row.copy() if self.total is None else self.total + row
        self._open = row.copy() if self._open is None else self._open + row
        self._in_open += 1
        if self._in_open < BLOCK:
            return
        if self._seen % self._every == 0:
            self.blocks.append(self._open)
        self._seen += 1
        self._open, self._in_open = None, 0
        if len(self.blocks) > MOST_BLOCKS:
            self.blocks = self.blocks[::2]
            self._every *= 2


@dataclass(frozen=True, slots=True)
class Monitored:
    """The comparison of two files: the number of their reports, and each figure."""

    before: int
    now: int
    compared: tuple[Compared, ...]

    @property
    def light(self) -> Light:
        """The gravest light of any figure."""
        for light in (Light.stop, Light.watch, Light.steady):
            if any(one.light is light for one in self.compared):
                return light
        return Light.few


def monitor(
    reference: Path,
    new: Path,
    *,
    limits: Limits | None = None,
    text_column: str | None = None,
    decisions: tuple[Path, Path] | None = None,
) -> Monitored:
    """Compare a newly scored file with a reference one, figure by figure.

    ``decisions`` are the recording desk's decisions files of the two times, if they are to be
    compared too.

    Raises
    ------
    InputError
        If a file was not written by ``stalkflag score``, holds too few reports, or has no such
        text column.
    """
    limits = limits or Limits()
    wanted = figures(text_column)
    (before, first), (now, second) = (
        _count(path, wanted, limits.least, text_column) for path in (reference, new)
    )
    compared = [
        _compare(figure, one, other, limits)
        for figure, one, other in zip(wanted, first, second, strict=True)
    ]
    if decisions:
        earlier, later = (_decided(path) for path in decisions)
        compared += [
            _compare(figure, earlier[figure.what], later[figure.what], limits) for figure in DECIDED
        ]
    return Monitored(before, now, tuple(compared))


DECIDED: tuple[Figure, ...] = (
    Figure(
        "people decide as suggested",
        lambda r: None,
        share=True,
        says="talk to the people: are suggestions worse, or followed without reading?",
    ),
    Figure(
        "people need more",
        lambda r: None,
        share=True,
        says="look at what people asked, and whether reports have become thinner",
    ),
)
"""Figures of the desk's decisions, counted by ``_decided``."""


def _decided(path: Path) -> dict[str, Counts]:
    """What people decided at the desk: final decisions only, and the last of each form."""
    last: dict[str, bool | None] = {}
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    plain = json.loads(line)
                except ValueError:
                    continue  # A line that a crash cut short.
                if plain["schema"].startswith("stalkflag.decision/") and plain["stage"] == "final":
                    undecided = plain["label"] is None
                    last[plain["id"]] = None if undecided else bool(plain["agrees"])
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise InputError(
            f"{path} is not a decisions file: give one that 'stalkflag desk --decisions' wrote."
        ) from None
    agreed, need_more = (Counts() for _ in DECIDED)
    for same in last.values():
        need_more.add(np.array((same is None, same is not None), dtype=np.float64))
        if same is not None:
            agreed.add(np.array((same, not same), dtype=np.float64))
    return dict(zip((figure.what for figure in DECIDED), (agreed, need_more), strict=True))


def _count(
    path: Path, wanted: tuple[Figure, ...], least: int, text_column: str | None
) -> tuple[int, list[Counts]]:
    counts = [Counts() for _ in wanted]
    number = 0
    for report in read_scored(path):
        if number == 0 and text_column and report.value(text_column) is None:
            raise InputError(f"{path} has no column {text_column!r}: check --text-column.")
        number += 1
        for figure, found in zip(wanted, counts, strict=True):
            row = figure.count(report) if report.read or figure.of_all else None
            if row is not None:
                found.add(row)
    if number < least:
        raise InputError(
            f"{path} holds {number} reports: at least {least} are needed to tell drift from chance."
        )
    return number, counts


def _compare(figure: Figure, before: Counts, now: Counts, limits: Limits) -> Compared:
    if before.total is None or now.total is None:
        return Compared(figure.what, Light.absent)
    if min(before.reports, now.reports) < limits.least:
        return Compared(figure.what, Light.few)
    statistic = _log_odds if figure.share else _psi
    moved = float(statistic(before.total[None, :], now.total[None, :])[0])
    chance = _by_chance(statistic, before.blocks, now.blocks)
    size = math.exp(moved) if figure.share else moved
    watch, stop = (
        (limits.odds_watch, limits.odds_stop)
        if figure.share
        else (limits.psi_watch, limits.psi_stop)
    )
    light = Light.steady
    if chance <= limits.chance and size >= watch:
        light = Light.stop if size >= stop else Light.watch
    return Compared(
        figure.what,
        light,
        before=float(before.total[0] / before.reports) if figure.share else None,
        now=float(now.total[0] / now.reports) if figure.share else None,
        measure="odds ratio" if figure.share else "PSI",
        moved=size,
        by_chance=chance,
        says="" if light is Light.steady else figure.says,
    )


Statistic = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def _log_odds(before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the odds of a share moved, in either direction, a half added to each count.

    Both arguments have shape ``(rows, 2)``, with the numbers of yes and no.
    """
    logits = [np.log((c[:, 0] + 0.5) / (c[:, 1] + 0.5)) for c in (before, now)]
    result: NDArray[np.float64] = np.abs(logits[1] - logits[0])
    return result


def _psi(before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    """The population stability index of two distributions of shape ``(rows, bins)``.

    A half is added to each bin, so that an empty one does not make it infinite.
    """
    shares = [(c + 0.5) / (c + 0.5).sum(axis=1, keepdims=True) for c in (before, now)]
    result: NDArray[np.float64] = ((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum(
        axis=1
    )
    return result


def _by_chance(
    statistic: Statistic, before: list[NDArray[np.float64]], now: list[NDArray[np.float64]]
) -> float:
    """The share of shuffles of the blocks that moves a figure at least as far as it has moved."""
    blocks = np.array([*before, *now])
    seen = statistic(np.sum(before, axis=0)[None, :], np.sum(now, axis=0)[None, :])[0]
    random = np.random.default_rng(1997)
    as_large = sum(
        int((statistic(*pair) >= seen - 1e-12).sum())
        for pair in _shuffled(blocks, len(now), random)
    )
    return (1 + as_large) / (1 + SHUFFLES)


def _shuffled(
    blocks: NDArray[np.float64], chosen: int, random: np.random.Generator
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    whole = blocks.sum(axis=0)
    for _ in range(SHUFFLES):
        picked = random.permutation(len(blocks))[:chosen]
        now = blocks[picked].sum(axis=0)
        yield (whole - now)[None, :], now[None, :]
