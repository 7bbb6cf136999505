"""Narratives written more roughly, at greater length or with words hidden; what they tell stays.

The words of abbreviations, boilerplate, officers' opinions and padding are in ``rough.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from stalkflag.training.swaps import Change, Pair, from_text

TABLE = Path(__file__).with_name("rough.yaml")

PADDED_WORDS = 5_000
"""How long a padded narrative is, in words."""

FEWER = {"padded to 5,000 words": 10}
"""Changes that are measured on every so-manyth narrative only, since they take long to read."""

_WORD = re.compile(r"[A-Za-z]{2,}")
_LONG_WORD = re.compile(r"[A-Za-z]{6,}")
_STOPS = re.compile(r"(?<!\d)[.,;:!?\"“”()]+|[.,;:!?\"“”()]+(?!\d)")
_LOG_LINE = re.compile(r"^\W*(?:\d{1,2}[:.]?\d{2}\b|\d{1,2}/\d{1,2})", re.MULTILINE)
_KEYS = dict(
    zip(
        "qwertyuiopasdfghjklzxcvbnm",
        "wertyuiopqsdfghjklaxcvbnmz",
        strict=True,
    )
)
_SAME_LOOK = str.maketrans("aeopcyxijs", "аеорсухіјѕ")
_ODD = {" ": "\u00a0", "-": "\u2011", "'": "\u2019", "...": "\u2026", '"': "\u201d"}


def perturbations() -> dict[str, Pair]:
    """For each kind of change, the narrative as it is and changed."""
    changes: dict[str, Change] = {
        "typing slips": with_slips,
        "capitals": lambda text, chance: text.upper(),
        "lower case": lambda text, chance: text.lower(),
        "no punctuation": lambda text, chance: _STOPS.sub("", text),
        "dictated": _dictated,
        "police abbreviations": _abbreviated,
        "boilerplate added": _boilerplate,
        "officer's opinion added": _opinion,
        "log lines or paragraphs reordered": _reordered,
        "padded to 5,000 words": _padded,
        "odd spaces, dashes and quotes": lambda text, chance: _odd(text),
        "fullwidth letters": lambda text, chance: _some_words(
            text, chance, 0.2, lambda word, _: "".join(chr(ord(c) + 0xFEE0) for c in word)
        ),
        "zero-width characters": lambda text, chance: _some_words(
            text, chance, 0.5, lambda word, by: _insert(word, by, "\u200b")
        ),
        "look-alike letters": lambda text, chance: _some_words(
            text, chance, 0.5, lambda word, _: word.translate(_SAME_LOOK)
        ),
        "words split in two": lambda text, chance: _some_words(
            text, chance, 0.1, lambda word, by: _insert(word, by, " "), _LONG_WORD
        ),
        "words spelt out": lambda text, chance: _some_words(
            text, chance, 0.1, lambda word, _: " ".join(word), _LONG_WORD
        ),
    }
    return {name: from_text(change) for name, change in changes.items()}


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return table


def _some_words(
    text: str,
    chance: Random,
    share: float,
    change: Callable[[str, Random], str],
    words: re.Pattern[str] = _WORD,
) -> str:
    """Each word changed with the probability ``share``."""
    return words.sub(
        lambda found: change(found[0], chance) if chance.random() < share else found[0], text
    )


def with_slips(text: str, chance: Random, share: float = 0.04) -> str:
    """The text with a slip of the fingers in so many of its words."""
    return _some_words(text, chance, share, _slip)


def _slip(word: str, chance: Random) -> str:
    """One slip of the fingers, not in the first letter: swapped, left out, doubled, next key."""
    if len(word) < 4:
        return word
    at = chance.randrange(1, len(word) - 1)
    kind = chance.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    letter = word[at] if kind == 2 else _KEYS.get(word[at], word[at])
    return word[:at] + letter + word[at if kind == 2 else at + 1 :]


def _insert(word: str, chance: Random, what: str) -> str:
    at = chance.randrange(2, len(word) - 1) if len(word) > 3 else 1
    return word[:at] + what + word[at:]


def _dictated(text: str, chance: Random) -> str:
    """Lower case and no marks, now and then a stop spoken or a filler."""
    pieces = re.split(r"(?<=[.!?])\s+|\n+", text)
    spoken = [_STOPS.sub("", piece).lower() for piece in pieces if piece.strip()]
    joined = ""
    for piece in spoken:
        joined += piece + chance.choice((" ", " ", " full stop ", " erm "))
    return joined.strip()


def _abbreviated(text: str, chance: Random) -> str:
    short: dict[str, str] = _table()["abbreviations"]

    def put(found: re.Match[str]) -> str:
        new = short.get(found[0].lower(), found[0])
        return new.upper() if found[0].isupper() and len(found[0]) > 1 else new

    return re.sub(r"[A-Za-z]+", put, text)


def _boilerplate(text: str, chance: Random) -> str:
    table = _table()
    return f"{chance.choice(table['before'])}\n{text}\n{chance.choice(table['after'])}"


def _opinion(text: str, chance: Random) -> str:
    return f"{text}\n{chance.choice(_table()['opinions'])}"


def _reordered(text: str, chance: Random) -> str:
    """Paragraphs, or lines that carry their own time, in another order; other texts stay."""
    for mark in ("\n\n", "\n", " // "):
        parts = text.split(mark)
        timed = sum(bool(_LOG_LINE.match(part)) for part in parts)
        if len(parts) >= 3 and (mark == "\n\n" or timed == len(parts)):
            first, *rest = parts
            shuffled = chance.sample(rest, len(rest))
            return mark.join([first, *shuffled])
    return text


def _padded(text: str, chance: Random) -> str:
    """Unrelated reports before and after, to ``PADDED_WORDS`` words in all."""
    reports: list[str] = _table()["unrelated"]
    left = PADDED_WORDS - len(text.split())
    before: list[str] = []
    after: list[str] = []
    while left > 0:
        for report in chance.sample(reports, len(reports)):
            (before if chance.random() < 0.5 else after).append(report)
            left -= len(report.split())
            if left <= 0:
                break
    return "\n\n".join([*before, text, *after])


def _odd(text: str) -> str:
    for plain, odd in _ODD.items():
        text = text.replace(plain, odd)
    return text
