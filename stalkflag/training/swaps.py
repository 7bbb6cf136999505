"""Narratives with one thing about the people exchanged that must not matter.

The words are in ``swaps.yaml``. What is exchanged is chosen from the seed and the narrative, so that
the same run gives the same texts. Case, articles and possessives are kept right; words are taken
whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

TABLE = Path(__file__).with_name("swaps.yaml")

Change = Callable[[str, Random], str]
"""A narrative to the narrative changed by chance; unchanged where there is nothing to change."""

Pair = Callable[[str, Random], tuple[str, str]]
"""A narrative to two that must be read alike, the same twice where there is nothing to change."""

OLDEST, GROWN = 79, 18
"""Ages in figures between these are exchanged; a child stays a child."""

_AGES = re.compile(
    r"(?P<article>\ban? )?(?:(?<=\baged )|(?<=\bage )|(?<=[MF][ ,/]))(?P<a>\d\d)\b"
    r"|(?P<article2>\ban? )?\b(?P<b>\d\d)(?=(?:[ -]year[s]?[ -]old|\s?yrs? old|yo\b|/[MF]\b))",
    re.IGNORECASE,
)
_SEX_CODE = re.compile(r"\b[MF](?=[ ,/]{1,2}\d\d\b)|(?<=\b\d\d/)[MF]\b")


def swaps() -> dict[str, Pair]:
    """For each attribute, what gives two narratives that differ in it alone."""
    pairs = {attribute: from_text(change) for attribute, change in _changes().items()}
    for attribute, (line, words) in _table()["told"].items():
        pairs[f"{attribute}, told in a line"] = _told(line, words)
    return pairs


def from_text(change: Change) -> Pair:
    """The narrative as it is and as a change leaves it."""
    return lambda text, chance: (text, change(text, chance))


def _told(line: str, words: list[str]) -> Pair:
    def pair(text: str, chance: Random) -> tuple[str, str]:
        one, other = (f"{text}\n{line.format(word)}" for word in chance.sample(words, 2))
        return one, other

    return pair


def _changes() -> dict[str, Change]:
    table = _table()
    changes: dict[str, Change] = {
        "names by origin": _swap_names,
        "sexes": lambda text, chance: _swap_sexes(text, {"m": "f", "f": "m"}),
        "sexes, all female": lambda text, chance: _swap_sexes(text, {"m": "f"}),
        "sexes, all male": lambda text, chance: _swap_sexes(text, {"f": "m"}),
    }
    for attribute in ("ethnicity", "religion", "sexuality", "age", "occupation"):
        changes[attribute] = _lists(table[attribute])
    words, figures = changes["age"], _swap_ages
    changes["age"] = lambda text, chance: figures(words(text, chance), chance)
    return changes


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return table


def _lists(section: Mapping[str, Any]) -> Change:
    """Exchanges each word for another of its list, the same for the same word of a narrative."""
    persons = "|".join(section.get("persons", ()))
    parts = [
        (others, _words(others, after=rf"(?= (?:{persons})\b)"))
        for others in section.get("before_person", ())
    ]
    parts += [(others, _words(others)) for others in section.get("anywhere", ())]

    def change(text: str, chance: Random) -> str:
        for others, pattern in parts:
            # One rotation of the list a narrative: what differed before differs after.
            step = chance.randrange(1, len(others))
            place = {word.lower(): number for number, word in enumerate(others)}
            text = _replace(
                text,
                pattern,
                lambda word, others=others, place=place, step=step: others[  # type: ignore[misc]
                    (place[word.lower()] + step) % len(others)
                ],
            )
        return text

    return change


def _words(words: Iterable[str], *, after: str = "", flags: int = re.IGNORECASE) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    either = "|".join(re.escape(word) for word in longest_first)
    return re.compile(
        rf"(?:\b(?P<article>an?)(?P<gap>\s+))?(?<!\w)(?P<word>{either})(?!\w){after}", flags
    )


def _replace(text: str, pattern: re.Pattern[str], other: Callable[[str], str]) -> str:
    def put(found: re.Match[str]) -> str:
        word = _in_case_of(other(found["word"]), found["word"])
        if not found["article"]:
            return word
        article = "an" if _sounds_open(word) else "a"
        return _in_case_of(article, found["article"]) + found["gap"] + word

    return pattern.sub(put, text)


def _in_case_of(word: str, model: str) -> str:
    """The word in the case of another: all capitals, capitalised, or as it is written itself."""
    if model.isupper() and len(model) > 1:
        return word.upper()
    if model[0].isupper() or not word.islower():
        return word[0].upper() + word[1:]
    return word


_CLOSED = re.compile(r"(?:uni|eur|one|use|usu)", re.IGNORECASE)
_SILENT_H = re.compile(r"(?:hour|heir|hono|honest)", re.IGNORECASE)


def _sounds_open(word: str) -> bool:
    """Whether "an" stands before the word or number.

    >>> [_sounds_open(word) for word in ("electrician", "university", "18", "80", "IC3")]
    [True, False, True, True, True]
    """
    if word[0].isdigit():
        return word.startswith("8") or word in ("11", "18")
    return bool(_SILENT_H.match(word)) or (word[0].lower() in "aeiou" and not _CLOSED.match(word))


def _swap_ages(text: str, chance: Random) -> str:
    step = chance.randrange(9, 40)
    width = OLDEST - GROWN + 1

    def put(found: re.Match[str]) -> str:
        age = found["a"] or found["b"]
        article = found["article"] or found["article2"] or ""
        if not GROWN <= int(age) <= OLDEST:
            return found[0]
        new = str((int(age) - GROWN + step) % width + GROWN)
        if article:
            article = _in_case_of("an" if _sounds_open(new) else "a", article.strip()) + " "
        return article + new

    return _AGES.sub(put, text)


@cache
def _names() -> tuple[re.Pattern[str], dict[str, tuple[str, str, int]]]:
    """Names as they are written, and of each: its origin, its sex and its place in the list."""
    known = {
        name.lower(): (origin, sex, place)
        for origin, sexes in _table()["names"].items()
        for sex, names in sexes.items()
        for place, name in enumerate(names)
    }
    written = [
        form
        for sexes in _table()["names"].values()
        for names in sexes.values()
        for name in names
        for form in (name, name.upper())
    ]
    return _words(written, flags=0), known


def _swap_names(text: str, chance: Random) -> str:
    """Each name for one of another origin and the same sex, no two alike."""
    pattern, known = _names()
    table = _table()["names"]
    given: dict[str, str] = {}

    def other(name: str) -> str:
        if name.lower() not in given:
            origin, sex, _ = known[name.lower()]
            choices = [
                one
                for other_origin, sexes in table.items()
                if other_origin != origin
                for one in sexes[sex]
                if one not in given.values()
            ]
            given[name.lower()] = chance.choice(choices)
        return given[name.lower()]

    return _replace(text, pattern, other)


@cache
def _sexes() -> tuple[re.Pattern[str], dict[str, tuple[str, str]], re.Pattern[str]]:
    """The words of one sex, of each its sex and the word of the other; what forbids a swap."""
    section = _table()["sex"]
    others = {"him": ("m", "her"), "his": ("m", "her"), "her": ("f", ""), "hers": ("f", "his")}
    for male, female in section["pairs"]:
        men, women = male.split("|"), female.split("|")
        others |= {word: ("m", women[0]) for word in men}
        others |= {word: ("f", men[0]) for word in women if word not in others}
    for sexes in _table()["names"].values():
        for male, female in zip(sexes["male"], sexes["female"], strict=True):
            others |= {male.lower(): ("m", female), female.lower(): ("f", male)}
    return _words(others), others, _words(section["skip"])


def _swap_sexes(text: str, turned: Mapping[str, str]) -> str:
    """The words of the sexes in ``turned`` for those of the other."""
    pattern, others, never = _sexes()
    if never.search(text):
        return text
    names, known = _names()

    def put(found: re.Match[str]) -> str:
        word = found["word"]
        sex, other = others[word.lower()]
        if sex not in turned or (word.lower() in known and not names.fullmatch(word)):
            return found[0]
        rest = text[found.end() :]
        if word.lower() == "her":
            other = "him" if _is_object(text[: found.start("word")], rest) else "his"
        elif word.lower() == "his" and re.match(r"\s*(?:[.,;:!?)]|$)", rest):
            other = "hers"
        new = _in_case_of(other, word)
        if not found["article"]:
            return new
        article = "an" if _sounds_open(new) else "a"
        return _in_case_of(article, found["article"]) + found["gap"] + new

    text = pattern.sub(put, text)
    code = {"m": "M", "f": "F"}
    return _SEX_CODE.sub(lambda c: code[turned.get(c[0].lower(), c[0].lower())], text)


_PLACE_BEFORE = re.compile(
    r"\b(?:at|to|near|outside|in|from|by|of|into|past|towards|opposite|left|leave|round|for|and|off)\s+$",
    re.IGNORECASE,
)


def _is_object(before: str, after: str) -> bool:
    """Whether "her" stands for a person ("him"), not for what is hers ("his").

    >>> _is_object("He followed ", " home"), _is_object("He stood outside ", " home")
    (True, False)
    """
    following = re.match(r"\s+([^\W\d_]+)", after)
    if following is None:
        return True
    word = following[1].lower()
    if word == "home":
        return not _PLACE_BEFORE.search(before)
    if word.endswith("ing"):
        return word not in _table()["possessive_ing"]
    if word.endswith("ly") and word not in ("family", "elderly", "only", "early", "lovely"):
        return True
    return word in _object_before()


@cache
def _object_before() -> frozenset[str]:
    return frozenset(_table()["object_before"].split())
