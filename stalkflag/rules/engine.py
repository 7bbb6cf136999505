"""Rules run over the norms of a spaCy document, so that a rule costs nothing where its words do
not stand.

spaCy's ``Matcher`` gives the same matches (``tests/rules/test_engine.py`` compares them), but
evaluates word sets in Python for every token, which took three quarters of a reading's time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from spacy.attrs import NORM
from spacy.tokens import Doc
from spacy.vocab import Vocab

from stalkflag.rules.compiled import compile_rules
from stalkflag.rules.schema import Rule, RuleSet


@dataclass(frozen=True, slots=True)
class Match:
    """Where a rule matched: token bounds in the document and the sentence it lies in."""

    rule: Rule
    start: int
    end: int
    sentence: int


Words = frozenset[int] | int
"""The norms allowed at one place, or how many words of any kind may stand there."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    """A sequence seen from its anchor: what stands before it (nearest first) and after it."""

    rule: int
    before: tuple[Words, ...]
    after: tuple[Words, ...]


@dataclass(slots=True)
class _Anchor:
    """The sequences filed under one word, by the word that must stand next to it."""

    after: dict[int, list[_Sequence]] = field(default_factory=lambda: defaultdict(list))
    before: dict[int, list[_Sequence]] = field(default_factory=lambda: defaultdict(list))
    others: list[_Sequence] = field(default_factory=list)


class RuleEngine:
    """All rules of a set, ready to run over documents of one vocabulary."""

    def __init__(self, rules: RuleSet, vocab: Vocab) -> None:
        self.rules = rules
        self._compiled = rules.compiled or compile_rules(rules)
        self._strings = vocab.strings
        self.words = frozenset(word for words in self._compiled.sets for word in words)
        # Words of rules are kept for good; the anchors' sequences are built when first met.
        ids = {word: vocab.strings.add(word) for word in sorted(self.words)}
        self._sets = [frozenset(ids[word] for word in words) for words in self._compiled.sets]
        self._waiting = {ids[word]: word for word in self._compiled.anchors}
        self._anchors: dict[int, _Anchor] = {}

    def __call__(self, doc: Doc, bounds: list[tuple[int, int]]) -> list[Match]:
        """All matches within sentences, in order of place; a rule's overlapping matches are one.

        Parameters
        ----------
        bounds
            Token bounds of the sentences, covering ``doc``.
        """
        found: set[tuple[int, int, int, int]] = set()
        norms: list[int] = doc.to_array([NORM]).tolist()
        for sentence, (low, high) in enumerate(bounds):
            for place in range(low, high):
                norm = norms[place]
                anchor = self._anchors.get(norm)
                if anchor is None:
                    if norm not in self._waiting:
                        continue
                    anchor = self._file(norm)
                candidates = anchor.others
                if place + 1 < high and norms[place + 1] in anchor.after:
                    candidates = candidates + anchor.after[norms[place + 1]]
                if place > low and norms[place - 1] in anchor.before:
                    candidates = candidates + anchor.before[norms[place - 1]]
                for sequence in candidates:
                    last = _reach(norms, place, sequence.after, high, 1)
                    if last < 0:
                        continue
                    first = _reach(norms, place, sequence.before, low - 1, -1)
                    if first >= 0:
                        found.add((first, last + 1, sentence, sequence.rule))
        return self._without_overlaps(found)

    def _file(self, norm: int) -> _Anchor:
        """Build the sequences of an anchor word and file them by their neighbours."""
        anchor = self._anchors[norm] = _Anchor()
        for number in self._compiled.anchors[self._waiting[norm]]:
            rule, elements, place = self._compiled.sequences[number]
            words: list[Words] = [self._sets[e] if e >= 0 else -e for e in elements]
            sequence = _Sequence(rule, tuple(reversed(words[:place])), tuple(words[place + 1 :]))
            for neighbours, filed in (
                (sequence.after, anchor.after),
                (sequence.before, anchor.before),
            ):
                if neighbours and isinstance(neighbours[0], frozenset):
                    for word in neighbours[0]:
                        filed[word].append(sequence)
                    break
            else:
                anchor.others.append(sequence)
        return anchor

    def _without_overlaps(self, found: Iterable[tuple[int, int, int, int]]) -> list[Match]:
        kept: list[Match] = []
        last_end: dict[int, int] = {}
        for start, end, sentence, rule in sorted(found, key=lambda m: (m[0], -m[1], m[3])):
            if start >= last_end.get(rule, 0):
                last_end[rule] = end
                kept.append(Match(self.rules.rules[rule], start, end, sentence))
        return kept


def _reach(norms: list[int], place: int, elements: tuple[Words, ...], stop: int, step: int) -> int:
    """The place that ``elements`` reach, going from ``place`` by ``step``; -1 if they fail.

    ``stop`` is the first place not to be looked at.
    """
    for index, element in enumerate(elements):
        if isinstance(element, int):
            rest = elements[index + 1 :]
            if not rest:
                return place
            for skipped in range(element + 1):
                start = place + step * skipped
                if start == stop:
                    break
                last = _reach(norms, start, rest, stop, step)
                if last >= 0:
                    return last
            return -1
        place += step
        if place == stop or norms[place] not in element:
            return -1
    return place
