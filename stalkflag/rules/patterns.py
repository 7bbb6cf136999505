"""The pattern notation of the packs, turned into sequences of word sets.

=============  ==================================================================
``word``       the word in its lookup form (lower case, spelling normalised)
``{follow}``   any form of the verb: follow, follows, followed, following
``$contact``   any entry of the word list ``contact``
``(a|b c)``    either of these
``…?``         the thing before is optional
``~3``         up to three words of any kind
=============  ==================================================================
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from stalkflag.errors import RuleError

_TOKEN = re.compile(
    r"\s*(?:(?P<gap>~\d)|\{(?P<verb>[^{}]+)\}|\$(?P<list>\w+)|(?P<open>\()|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<word>[^\s{}()|~$?]+))(?P<optional>\?)?"
)
_VOWELS = "aeiou"


@dataclass(frozen=True, slots=True)
class Gap:
    """Up to ``most`` words of any kind."""

    most: int


Element = frozenset[str] | Gap
Sequence = tuple[Element, ...]


def expand(
    pattern: str,
    *,
    lists: Mapping[str, tuple[str, ...]],
    verbs: Mapping[str, tuple[str, ...]],
) -> list[Sequence]:
    """All sequences of word sets and gaps that a pattern stands for."""
    parser = _Parser(pattern, lists=lists, verbs=verbs)
    sequences = parser.alternatives()
    if parser.position < len(pattern.rstrip()):
        raise RuleError(
            f"The pattern {pattern!r} cannot be read from {pattern[parser.position :]!r}."
        )
    found = [sequence for sequence in sequences if any(not isinstance(e, Gap) for e in sequence)]
    if not found:
        raise RuleError(f"The pattern {pattern!r} matches nothing.")
    return found


def verb_forms(verb: str, irregular: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The forms of an English verb: base, -s, -ed, -ing (irregular ones from the table)."""
    head, _, rest = verb.partition(" ")
    forms: tuple[str, ...]
    if head in irregular:
        forms = (head, *irregular[head])
    else:
        if head.endswith("e"):
            stem, ed = head[:-1], head + "d"
        elif head.endswith("y") and head[-2] not in _VOWELS:
            stem, ed = head, head[:-1] + "ied"
        elif _doubles(head):
            stem = head + head[-1]
            ed = stem + "ed"
        else:
            stem, ed = head, head + "ed"
        if head.endswith("y") and head[-2] not in _VOWELS:
            third = head[:-1] + "ies"
        elif head.endswith(("s", "sh", "ch", "x", "z", "o")):
            third = head + "es"
        else:
            third = head + "s"
        forms = (head, third, ed, stem + "ing")
    return tuple(f"{form} {rest}".strip() for form in dict.fromkeys(forms))


def _doubles(verb: str) -> bool:
    return (
        3 <= len(verb) <= 4
        and verb[-1] not in _VOWELS + "wxy"
        and verb[-2] in _VOWELS
        and verb[-3] not in _VOWELS
    )


class _Parser:
    def __init__(
        self,
        pattern: str,
        *,
        lists: Mapping[str, tuple[str, ...]],
        verbs: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.pattern, self.position, self.lists, self.verbs = pattern, 0, lists, verbs

    def alternatives(self) -> list[Sequence]:
        found = self.sequence()
        while (token := self._peek()) is not None and token["bar"]:
            self.position = token.end()
            found += self.sequence()
        return _merge_single_words(found)

    def sequence(self) -> list[Sequence]:
        parts: list[list[Sequence]] = []
        while (token := self._peek()) is not None and not (token["bar"] or token["close"]):
            self.position = token.end()
            optional = bool(token["optional"])
            if token["open"]:
                inner = self.alternatives()
                close = self._peek()
                if close is None or not close["close"]:
                    raise RuleError(f"A bracket is not closed in the pattern {self.pattern!r}.")
                self.position = close.end()
                optional = bool(close["optional"])
            elif token["gap"]:
                inner = [(Gap(int(token["gap"][1:])),)]
            elif token["verb"]:
                inner = _choice(verb_forms(token["verb"], self.verbs))
            elif token["list"]:
                name = token["list"]
                if name not in self.lists:
                    raise RuleError(f"The pattern {self.pattern!r} names an unknown list ${name}.")
                inner = []
                for entry in self.lists[name]:
                    inner += expand(entry, lists=self.lists, verbs=self.verbs)
                inner = _merge_single_words(inner)
            else:
                inner = _literal(token["word"])
            parts.append([*inner, ()] if optional else inner)
        return [tuple(itertools.chain(*choice)) for choice in itertools.product(*parts)]

    def _peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self.pattern, self.position)


_CONTRACTED = {
    "n't": "not",
    "'ve": "have",
    "'re": "are",
    "'m": "am",
    "'ll": "will",
    "'d": "'d",
    "'s": "'s",
}
_STEMS = {"ca": "can", "wo": "will", "sha": "shall"}


def _literal(word: str) -> list[Sequence]:
    for ending, lookup in _CONTRACTED.items():
        if word.endswith(ending) and word != ending:
            stem = word[: -len(ending)]
            return [(frozenset({_STEMS.get(stem, stem)}), frozenset({lookup}))]
    if word.endswith("-") and len(word) > 1:
        plain = _literal(word[:-1])
        return [*plain, *((*sequence, frozenset({"-"})) for sequence in plain)]
    if "-" in word.strip("-"):
        pieces = tuple(frozenset({piece}) for piece in word.split("-"))
        hyphen = frozenset({"-"})
        dashed = tuple(itertools.chain(*((piece, hyphen) for piece in pieces)))[:-1]
        return [pieces, dashed, (frozenset({word.replace("-", "")}),)]
    return [(frozenset({word}),)]


def _choice(words: tuple[str, ...]) -> list[Sequence]:
    return _merge_single_words([tuple(frozenset({w}) for w in word.split()) for word in words])


def _merge_single_words(sequences: list[Sequence]) -> list[Sequence]:
    """Alternatives of one word each become one set, so that they cost one pattern."""
    single: set[str] = set()
    others: list[Sequence] = []
    for sequence in sequences:
        only = sequence[0] if len(sequence) == 1 else None
        if isinstance(only, frozenset):
            single |= only
        elif sequence not in others:
            others.append(sequence)
    return ([(frozenset(single),)] if single else []) + others
