"""Reading profile files strictly: every mistake is told with the file and the key."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

from pydantic import TypeAdapter, ValidationError

from stalkflag.assessment import ACTS, INDICATORS, RELATIONSHIPS
from stalkflag.errors import InputError
from stalkflag.law.profile import InForce, Profile
from stalkflag.rules.schema import CATEGORIES

DEFAULT = "england-wales"
"""The profile that is used unless another is asked for."""

REASONS: dict[str, frozenset[str]] = {
    **{name: frozenset() for name in INDICATORS},
    "repeated": frozenset({"occasions"}),
    "continuing": frozenset(),
    "acts": frozenset({"acts"}),
    "dispute": frozenset(),
    "hostility": frozenset(),
    "harassment": frozenset(),
    "not_course": frozenset(),
    "not_pattern": frozenset(),
    "one_occasion": frozenset(),
    "not_unwanted": frozenset(),
    "set_aside": frozenset({"why"}),
    "lawful": frozenset(),
    "not_in_force": frozenset({"day", "offences", "since"}),
    "before_profile": frozenset({"day", "since"}),
    "both_directions": frozenset(),
}
"""The reasons that a profile words, each with what may stand in braces in it."""

NOT_FOUND: dict[str, frozenset[str]] = {
    "fixated": frozenset(),
    "obsessive": frozenset(),
    "former_partner": frozenset(),
    "acts": frozenset({"acts"}),
}
QUESTIONS: tuple[str, ...] = (
    "thin",
    "who_did_what",
    "repeated",
    "unwanted",
    "relationship",
    "fixated",
    "motive",
)
PROMPTS: tuple[str, ...] = (
    "danger",
    "risk_assessment",
    "orders",
    "breach",
    "warned",
    "evidence",
    "history",
    "mutual",
)
"""What the decision asks for by name; ``no_notice`` and ``record`` are used where they are given."""
OTHER_PROMPTS: tuple[str, ...] = ("no_notice", "record")

SELECTORS: dict[str, tuple[str, ...]] = {
    "act": (*ACTS, "any"),
    "category": CATEGORIES,
    "indicator": INDICATORS,
    "relationship": RELATIONSHIPS,
}
"""What evidence may be selected by, besides ``rule:ID`` (``*`` stands for any ending) and
``occasions`` (at least as many separate occasions as the law asks for)."""


def shipped() -> list[str]:
    """Names of the profiles that come with stalkflag."""
    return sorted(path.stem for path in (Path(__file__).parent / "profiles").glob("*.toml"))


def load_profile(law: str | Path = DEFAULT) -> Profile:
    """A shipped profile by its name, or one's own by the path of its file.

    Raises
    ------
    InputError
        If there is none, or its file breaks the schema; the file and the key are named.
    """
    if str(law) in shipped():
        return _shipped(str(law))
    path = Path(law)
    if path.suffix != ".toml" and not path.is_file():
        raise InputError(
            f"There is no law profile {str(law)!r}: use {' or '.join(shipped())}, "
            "or the path of a profile file (.toml)."
        )
    return read_profile(path)


@cache
def _shipped(name: str) -> Profile:
    return read_profile(Path(__file__).parent / "profiles" / f"{name}.toml")


_ADAPTER = TypeAdapter(Profile)


def read_profile(path: Path) -> Profile:
    """Read and check a profile file; :class:`InputError` names the file and the key."""
    try:
        content = path.read_bytes()
        plain = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}.") from None
    if "sha256" in plain:
        raise InputError(f"{path}: sha256: this key is unknown; remove it.")
    try:
        # As JSON, so that strictness still takes a list for a tuple and a date from its text.
        profile = _ADAPTER.validate_json(json.dumps(plain, default=str), strict=True)
    except ValidationError as error:
        raise InputError(f"{path}: {_first_mistake(error, plain)}") from None
    for key, mistake in _mistakes(profile):
        raise InputError(f"{path}: {key}: {mistake}")
    return replace(profile, sha256=hashlib.sha256(content).hexdigest())


_UNEXPECTED = "unexpected_keyword_argument"
_SAYS = {
    "missing": "this key is missing; add it.",
    "extra_forbidden": "this key is unknown; remove it or correct its spelling.",
    _UNEXPECTED: "this key is unknown; remove it or correct its spelling.",
}


def _first_mistake(error: ValidationError, plain: Any) -> str:
    """The key, told by the ids of the items that lead to it, and what is wrong with its value."""
    errors = error.errors(include_url=False)
    # A misspelt key is told as unknown rather than as the one that is missing for it.
    first = min(errors, key=lambda e: e["type"] not in ("extra_forbidden", _UNEXPECTED))
    steps: list[str] = []
    at = plain
    for step in first["loc"]:
        try:
            at = at[step]
        except (KeyError, IndexError, TypeError):
            at = None
        name = at.get("id") if isinstance(step, int) and isinstance(at, dict) else None
        steps.append(str(name or (step + 1 if isinstance(step, int) else step)))
    says = _SAYS.get(first["type"], f"{first['msg'][0].lower()}{first['msg'][1:]}.")
    return f"{'.'.join(steps)}: {says}"


def _mistakes(profile: Profile) -> Iterator[tuple[str, str]]:
    """What the types alone do not check: names that lead nowhere, and dates in disorder."""
    yield from _mistaken_words("reasons", profile.reasons, REASONS)
    yield from _mistaken_words("not_found", profile.not_found, NOT_FOUND)
    for key in QUESTIONS:
        if key not in profile.questions:
            yield f"questions.{key}", _SAYS["missing"]
    if profile.least_occasions < 1:
        yield "least_occasions", "this must be 1 or more."
    yield from _mistaken_prompts(profile)
    yield from _mistaken_items(profile)
    offences = {offence.id for offence in profile.offences}
    for point in profile.points:
        for offence in point.offences:
            if offence not in offences:
                yield f"points.{point.id}.offences", f"there is no offence {offence!r}."
        if point.sentences < 1 or not point.evidence:
            yield f"points.{point.id}.evidence", "at least one list of selectors is needed."
    acts = {act.id for act in profile.acts}
    for act in ACTS:
        if act not in acts:
            yield "acts", f"the act {act!r} is missing; add it."


def _mistaken_words(
    name: str, given: dict[str, str], asked: dict[str, frozenset[str]]
) -> Iterator[tuple[str, str]]:
    for key in asked:
        if key not in given:
            yield f"{name}.{key}", _SAYS["missing"]
    for key, words in given.items():
        if key not in asked:
            yield f"{name}.{key}", _SAYS["extra_forbidden"]
            continue
        try:
            fields = {field for _, field, _, _ in Formatter().parse(words) if field is not None}
        except ValueError:
            fields = {"{"}
        for field in sorted(fields - asked[key]):
            allowed = ", ".join(f"{{{one}}}" for one in sorted(asked[key])) or "nothing"
            yield f"{name}.{key}", f"{field!r} cannot stand in braces here; {allowed} can."


def _mistaken_prompts(profile: Profile) -> Iterator[tuple[str, str]]:
    given = {prompt.id for prompt in profile.prompts}
    for id in PROMPTS:
        if id not in given:
            yield f"prompts.{id}", "this prompt is missing; add it."
    for id in sorted(given - {*PROMPTS, *OTHER_PROMPTS}):
        yield f"prompts.{id}", "this prompt is unknown; remove it or correct its spelling."


def _mistaken_items(profile: Profile) -> Iterator[tuple[str, str]]:
    """Ids used twice, sources, questions and selectors that do not exist, and dates."""
    for kind in ("acts", "offences", "points", "topics", "neighbours", "recording", "prompts"):
        seen: dict[str, list[Any]] = {}
        for item in getattr(profile, kind):
            where = f"{kind}.{item.id}"
            for other in seen.setdefault(item.id, []):
                if not isinstance(item, InForce) or _overlap(item, other):
                    yield where, "this id is used twice for the same time; give another."
            seen[item.id].append(item)
            for source in getattr(item, "source", ()):
                if source not in profile.sources:
                    yield f"{where}.source", f"there is no source {source!r}."
            if getattr(item, "ask", None) not in (None, *profile.questions):
                yield f"{where}.ask", f"there is no question {item.ask!r}."
            if isinstance(item, InForce) and (item.valid_from or date.min) > (
                item.valid_to or date.max
            ):
                yield f"{where}.valid_to", "this day is before valid_from."
            for key in ("evidence", "against"):
                for selector in selectors(getattr(item, key, ())):
                    if not _is_selector(selector):
                        yield f"{where}.{key}", f"{selector!r} selects nothing that is known."


def _overlap(one: InForce, other: InForce) -> bool:
    return max(one.valid_from or date.min, other.valid_from or date.min) <= min(
        one.valid_to or date.max, other.valid_to or date.max
    )


def selectors(groups: Iterable[Any]) -> Iterator[str]:
    """The selectors of a list, or of a list of lists."""
    for group in groups:
        yield from (group,) if isinstance(group, str) else group


def _is_selector(selector: str) -> bool:
    kind, _, value = selector.partition(":")
    if kind == "rule":
        return bool(re.fullmatch(r"[\w.-]+\*?|\*", value))
    return selector == "occasions" or value in SELECTORS.get(kind, ())
