"""Rules compiled to one spaCy ``PhraseMatcher`` and an index of word sequences, cheapest first.

Patterns without gaps become phrases (one ``PhraseMatcher`` pass, nearly free however many).
Patterns with gaps or large word sets are kept under an anchor word, the rarest they hold, and are
compared outwards from it, only where it stands. (spaCy's ``Matcher`` gives the same matches, but
evaluates word sets in Python for every token: it took three quarters of a reading's time.)
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from spacy.attrs import NORM
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

from stalkflag.errors import RuleError
from stalkflag.language import lookup_form
from stalkflag.rules.patterns import Gap, Sequence, expand
from stalkflag.rules.schema import Rule, RuleSet

MOST_PHRASES = 48
"""A gap-free pattern that stands for more phrases than this is compared word by word."""

_COMMON = frozenset(
    """a an the and or but if of to in on at by for from with is was are were be been being has have
    had do does did not no so i me my you your he him his she her it its they them their we us our
    this that these those there here what who when where how all any up out off over down again
    victim suspect male female man woman person ex partner 's - now just still has got get""".split()
)


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
class _Anchored:
    """A sequence seen from its anchor: what stands before it (nearest first) and after it."""

    key: int
    before: tuple[Words, ...]
    after: tuple[Words, ...]


class RuleEngine:
    """All rules of a set, ready to run over documents of one vocabulary."""

    def __init__(self, rules: RuleSet, vocab: Vocab) -> None:
        self.rules = rules
        self._phrases = PhraseMatcher(vocab, attr="NORM")
        self._anchors: dict[int, list[_Anchored]] = defaultdict(list)
        self._by_key: dict[int, Rule] = {}
        self.words: set[str] = set()
        for rule in rules.rules:
            key = vocab.strings.add(f"rule:{rule.id}")
            self._by_key[key] = rule
            phrases: set[tuple[str, ...]] = set()
            for pattern in rule.match:
                try:
                    sequences = expand(pattern, lists=rules.lists, verbs=rules.verbs)
                except RuleError as error:
                    raise RuleError(f"{rule.origin}: {rule.id}: {error}") from None
                for sequence in sequences:
                    found = _as_phrases(sequence)
                    if found is not None:
                        phrases.update(found)
                    else:
                        self._add_anchored(sequence, key, vocab)
            if phrases:
                docs = [Doc(vocab, words=list(words)) for words in sorted(phrases)]
                self._phrases.add(f"rule:{rule.id}", docs)
                self.words.update(itertools.chain.from_iterable(phrases))

    def _add_anchored(self, sequence: Sequence, key: int, vocab: Vocab) -> None:
        words: list[Words] = []
        choices: list[tuple[bool, int, int]] = []
        anchors: dict[int, list[str]] = {}
        for place, element in enumerate(sequence):
            if isinstance(element, Gap):
                words.append(element.most)
                continue
            forms = sorted({lookup_form(word) for word in element})
            words.append(frozenset(vocab.strings.add(form) for form in forms))
            choices.append((not _COMMON.isdisjoint(forms), len(forms), place))
            anchors[place] = forms
        place = min(choices)[2]
        anchored = _Anchored(key, tuple(reversed(words[:place])), tuple(words[place + 1 :]))
        for form in anchors[place]:
            self._anchors[vocab.strings.add(form)].append(anchored)
        self.words.update(anchors[place])

    def __call__(self, doc: Doc, bounds: list[tuple[int, int]]) -> list[Match]:
        """All matches within sentences, in order of place; a rule's overlapping matches are one.

        Parameters
        ----------
        bounds
            Token bounds of the sentences, covering ``doc``.
        """
        found: set[tuple[int, int, int, int]] = set()
        sentence_of: list[int] = []
        for index, (start, end) in enumerate(bounds):
            sentence_of += [index] * (end - start)
        for key, start, end in self._phrases(doc):
            if sentence_of[start] == sentence_of[end - 1]:
                found.add((start, end, sentence_of[start], key))
        norms: list[int] = doc.to_array([NORM]).tolist()
        anchors = self._anchors
        for place, norm in enumerate(norms):
            if norm not in anchors:
                continue
            sentence = sentence_of[place]
            low, high = bounds[sentence]
            for anchored in anchors[norm]:
                last = _reach(norms, place, anchored.after, high, 1)
                if last < 0:
                    continue
                first = _reach(norms, place, anchored.before, low - 1, -1)
                if first >= 0:
                    found.add((first, last + 1, sentence, anchored.key))
        return self._without_overlaps(found)

    def _without_overlaps(self, found: Iterable[tuple[int, int, int, int]]) -> list[Match]:
        kept: list[Match] = []
        last_end: dict[int, int] = {}
        for start, end, sentence, key in sorted(found, key=lambda m: (m[0], -m[1], m[3])):
            if start >= last_end.get(key, 0):
                last_end[key] = end
                kept.append(Match(self._by_key[key], start, end, sentence))
        return kept


def _reach(norms: list[int], place: int, elements: tuple[Words, ...], stop: int, step: int) -> int:
    """The farthest place that ``elements`` cover, going from ``place`` by ``step``; -1 if they fail.

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


def _as_phrases(sequence: Sequence) -> list[tuple[str, ...]] | None:
    number = 1
    for element in sequence:
        if isinstance(element, Gap):
            return None
        number *= len(element)
        if number > MOST_PHRASES:
            return None
    sets = [sorted(map(lookup_form, e)) for e in sequence if not isinstance(e, Gap)]
    return list(itertools.product(*sets))
