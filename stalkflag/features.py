"""From a reading to numbers: hashed word features a sentence, and named counts a narrative.

Words are hashed, so that a model holds no vocabulary of the narratives it was trained on. A word in
the reach of a context cue is another feature than the same word outside it ("followed" is not "not
followed"). What says nothing about conduct is made alike first: sexes, kin, names and figures (see
``MASKED``), so that the model is blind to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.strings import hash_string

from stalkflag.assessment import ACTS, INDICATORS, RELATIONSHIPS
from stalkflag.encoder import WordPieces
from stalkflag.encoder.whole import NarrativeEncoder
from stalkflag.reading import Reading
from stalkflag.rules.schema import CATEGORIES

BITS = 18
SIZE = 1 << BITS
"""Number of hashed features (rows of a weight matrix)."""

MASKED: dict[str, str] = {
    word: stands_for
    for stands_for, words in {
        "<they>": "he she they hes shes",
        "<them>": "him her them",
        "<their>": "his hers their theirs",
        "<themself>": "himself herself themselves themself",
        "<person>": "male female man woman lady gentleman guy bloke girl boy lad lass men women fella"
        " chap geezer dude lads girls boys ladies guys blokes gent gents youth",
        "<partner>": "boyfriend girlfriend partner fella missus",
        "<spouse>": "husband wife hubby spouse civil",
        "<fiance>": "fiance fiancee fiancé fiancée",
        "<parent>": "mother father parent stepmother stepfather stepdad stepmum",
        "<child>": "son daughter child kid",
        "<children>": "sons daughters children kids",
        "<sibling>": "brother sister bro sis sibling",
        "<grandparent>": "grandmother grandfather nan gran grandad granny nana",
        "<auntuncle>": "aunt uncle auntie aunty",
        "<niblings>": "niece nephew",
        "<title>": "mr mrs ms miss mx sir madam",
        "<origin>": "asian african caribbean polish romanian indian pakistani bangladeshi chinese"
        " irish scottish welsh english british nigerian somali turkish kurdish albanian jamaican"
        " arab european syrian afghan iranian italian spanish portuguese ghanaian filipino"
        " american french german ukrainian russian lithuanian bulgarian hungarian",
        "<faith>": "muslim christian jewish hindu sikh catholic protestant buddhist",
        "<orientation>": "gay lesbian bisexual straight heterosexual homosexual queer trans transgender",
    }.items()
    for word in words.split()
}

SOMEBODY = "someone"
"""What the encoder reads in place of a name."""

_UNSPOKEN = ("<origin>", "<faith>", "<orientation>", "<title>")
ENCODED: dict[str, str] = {
    word: "" for word, stands_for in MASKED.items() if stands_for in _UNSPOKEN
}
"""What the encoder reads in place of masked words that differ from themselves."""

_PRIMES = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)
_AXIS_SALT = {
    None: 0,
    "negated": hash_string("axis:negated"),
    "hypothetical": hash_string("axis:supposed"),
    "feared": hash_string("axis:supposed"),
    "denied": hash_string("axis:denied"),
    "other_person": hash_string("axis:other"),
    "general": hash_string("axis:other"),
    "reporter": hash_string("axis:reporter"),
    "official": hash_string("axis:other"),
    "look_alike": hash_string("axis:other"),
}
_NUMBER, _TITLE = hash_string("<number>"), hash_string("<name>")


def _fold(ids: NDArray[np.uint64]) -> NDArray[np.int64]:
    folded: NDArray[np.int64] = ((ids * _PRIMES[0]) >> np.uint64(64 - BITS)).astype(np.int64)
    return folded


@dataclass(frozen=True, slots=True)
class Words:
    """What a narrative's words are to the model, a sentence at a time.

    ``hashed`` has the distinct feature indices of each sentence, ``plain`` only those of its words
    and pairs of words, ``pieces`` its word pieces. ``places`` says of each word piece to which
    token it belongs.
    """

    hashed: list[NDArray[np.int64]]
    plain: list[NDArray[np.int64]]
    pieces: list[list[int]]
    places: list[list[int]]

    def whole(self, sentences: Sequence[int] | None = None) -> NDArray[np.int64]:
        """The words and pairs of words of all sentences, or of some."""
        chosen = range(len(self.hashed)) if sentences is None else sentences
        if not chosen:
            return _NONE
        return np.unique(np.concatenate([self.plain[number] for number in chosen]))


class WordFeatures:
    """Hashed features of words: what each token is looked up as, its parts, and the sentence.

    Keeps a bounded table of words already seen (hashes only).
    """

    MOST_WORDS = 20_000

    def __init__(
        self, strings: object, *, known: Iterable[str] = (), characters: bool = True
    ) -> None:
        self._strings = strings
        self._characters = characters
        self._known = {hash_string(word) for word in known}
        self._masked = {hash_string(w): hash_string(stands) for w, stands in MASKED.items()}
        self.pieces = WordPieces()
        self.narrative = NarrativeEncoder()
        self._table: dict[int, tuple[int, NDArray[np.int64], str]] = {}

    def read(self, reading: Reading) -> Words:
        """The features of each sentence of a reading."""
        norms = reading.norms.tolist()
        words = reading.is_word.tolist()
        titles = reading.is_title.tolist()
        axes = reading.axes
        rule_ids: dict[int, list[int]] = {}
        for finding in reading.findings:
            axis = finding.cue.axis if finding.cue else "counts"
            name = f"{axis}:{finding.rule.id}"
            kind = f"{axis}:{finding.rule.category}:{','.join(finding.rule.shows)}"
            rule_ids.setdefault(finding.sentence, []).extend((hash_string(name), hash_string(kind)))
        found: list[NDArray[np.int64]] = []
        spoken: list[list[int]] = []
        places: list[list[int]] = []
        words_alone: list[NDArray[np.int64]] = []
        for number, (start, end) in enumerate(reading.bounds):
            ids: list[int] = []
            salts: list[int] = []
            grams: list[NDArray[np.int64]] = []
            said: list[str] = []
            for index in range(start, end):
                norm = norms[index]
                entry = self._table.get(norm) or self._look_up(norm)
                word, characters, spelled = entry
                said.append(spelled)
                if not words[index]:
                    continue
                if titles[index] and index > start and word == norm and norm not in self._known:
                    word, characters, said[-1] = _TITLE, _NONE, SOMEBODY
                ids.append(word)
                salts.append(_AXIS_SALT[axes[index]])
                grams.append(characters)
            plain = np.array(ids, dtype=np.uint64)
            salt = np.array(salts, dtype=np.uint64)
            parts = [_fold(plain ^ salt)]
            unsalted = [_fold(plain)]
            if len(ids) > 1:
                pair = plain[:-1] * _PRIMES[1] ^ plain[1:] * _PRIMES[2]
                parts.append(_fold(pair ^ salt[1:]))
                unsalted.append(_fold(pair))
            words_alone.append(np.concatenate(unsalted))
            if len(ids) > 2:
                skip = plain[:-2] * _PRIMES[2] ^ plain[2:] * _PRIMES[1] ^ salt[2:]
                parts.append(_fold(skip))
            parts += grams
            if number in rule_ids:
                parts.append(_fold(np.array(rule_ids[number], dtype=np.uint64)))
            found.append(np.unique(np.concatenate(parts)))
            split = [self.pieces.of(word) for word in said]
            spoken.append([piece for pieces in split for piece in pieces])
            places.append([start + at for at, pieces in enumerate(split) for _ in pieces])
        return Words(found, words_alone, spoken, places)

    def _look_up(self, norm: int) -> tuple[int, NDArray[np.int64], str]:
        word = str(self._strings[norm])  # type: ignore[index]
        if norm in self._masked:
            entry = (self._masked[norm], _NONE, ENCODED.get(word, word))
        elif any(c.isdigit() for c in word):
            entry = (_NUMBER, _NONE, word)
        else:
            entry = (norm, self._grams(word), word.strip())
        if len(self._table) >= self.MOST_WORDS:
            self._table.clear()
        self._table[norm] = entry
        return entry

    def _grams(self, word: str) -> NDArray[np.int64]:
        if not self._characters or len(word) < 4:
            return _NONE
        padded = f"^{word}$"
        grams = [padded[i : i + n] for n in (4, 5) for i in range(len(padded) - n + 1)]
        return _fold(np.array([hash_string("#" + gram) for gram in grams], dtype=np.uint64))


_NONE = np.empty(0, dtype=np.int64)

_COUNTED_CATEGORIES = tuple(c for c in CATEGORIES if c != "relationship")

COUNTS: tuple[str, ...] = (
    *(f"rules_{i}" for i in INDICATORS),
    *(f"set_aside_{i}" for i in INDICATORS),
    *(f"act_{a}" for a in ACTS),
    *(f"about_{c}" for c in _COUNTED_CATEGORIES),
    *(f"tie_{r}" for r in RELATIONSHIPS),
    *(f"axis_{a}" for a in ("negated", "supposed", "denied", "other", "reporter")),
    "occasions",
    "two_or_more",
    "pattern",
    "dates",
    "burst",
    "span",
    "sentences",
    "doubtful",
)
"""Names of the counts a narrative that the heads read beside the word scores."""

_AT = {name: index for index, name in enumerate(COUNTS)}
_AXIS_GROUP = {
    "negated": "negated",
    "hypothetical": "supposed",
    "feared": "supposed",
    "denied": "denied",
    "other_person": "other",
    "general": "other",
    "reporter": "reporter",
    "official": "other",
    "look_alike": "other",
}


def narrative_counts(
    reading: Reading, sentences: Sequence[int] | None = None
) -> NDArray[np.float64]:
    """The counts named in ``COUNTS``, shape ``(len(COUNTS),)``; repeated findings level off.

    ``sentences`` are those whose findings count; all if not given.
    """
    row = np.zeros(len(COUNTS))
    chosen = set(range(len(reading.bounds)) if sentences is None else sentences)
    for finding in reading.findings:
        if finding.sentence not in chosen:
            continue
        rule = finding.rule
        if finding.cue is not None:
            for indicator in rule.shows:
                row[_AT[f"set_aside_{indicator}"]] += 1
            if rule.category in ("conduct", "boundary", "persistence"):
                row[_AT[f"axis_{_AXIS_GROUP[finding.cue.axis]}"]] += 1
            continue
        for indicator in rule.shows:
            row[_AT[f"rules_{indicator}"]] += 1
        if rule.act:
            row[_AT[f"act_{rule.act}"]] += 1
        if rule.category == "relationship":
            row[_AT[f"tie_{rule.value}"]] += 1
        else:
            row[_AT[f"about_{rule.category}"]] += 1
    np.log1p(row, out=row)
    conduct = reading.conduct
    row[_AT["occasions"]] = math.log1p(min(conduct.counted, 50))
    row[_AT["two_or_more"]] = float(conduct.counted >= 2 and not conduct.burst)
    row[_AT["pattern"]] = float(conduct.pattern)
    row[_AT["dates"]] = math.log1p(conduct.dates)
    row[_AT["burst"]] = float(conduct.burst)
    row[_AT["span"]] = math.log1p(conduct.span_days or 0) / 3
    row[_AT["sentences"]] = math.log1p(len(chosen))
    row[_AT["doubtful"]] = float(bool(reading.doubts))
    return row
