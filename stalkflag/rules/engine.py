"""Rules compiled to two indexes over spaCy's token norms, so that a rule costs nothing where its
words do not stand.

Patterns without gaps become phrases in one tree of words. Patterns with gaps or large word sets
are kept under an anchor word, the rarest they hold, and are compared outwards from it. (spaCy's
``Matcher`` and ``PhraseMatcher`` give the same matches: ``tests/rules/test_engine.py`` compares
them. The first evaluates word sets in Python for every token and took three quarters of a
reading's time; the second took most of the time to start.)
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from spacy.attrs import NORM
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


@dataclass(slots=True)
class _Branch:
    """A place in the tree of phrases: the words that may come next, the rules that end here."""

    next: dict[int, _Branch] = field(default_factory=dict)
    keys: list[int] = field(default_factory=list)


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
        self._phrases = _Branch()
        self._anchors: dict[int, list[_Anchored]] = defaultdict(list)
        self._by_key: dict[int, Rule] = {}
        self.words: set[str] = set()
        for rule in rules.rules:
            key = vocab.strings.add(f"rule:{rule.id}")
            self._by_key[key] = rule
            for pattern in rule.match:
                try:
                    sequences = expand(pattern, lists=rules.lists, verbs=rules.verbs)
                except RuleError as error:
                    raise RuleError(f"{rule.origin}: {rule.id}: {error}") from None
                for sequence in sequences:
                    phrases = _as_phrases(sequence)
                    if phrases is None:
                        self._add_anchored(sequence, key, vocab)
                        continue
                    for phrase in phrases:
                        self._add_phrase(phrase, key, vocab)

    def _add_phrase(self, phrase: tuple[str, ...], key: int, vocab: Vocab) -> None:
        branch = self._phrases
        for word in phrase:
            branch = branch.next.setdefault(vocab.strings.add(word), _Branch())
        if key not in branch.keys:
            branch.keys.append(key)
        self.words.update(phrase)

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
        norms: list[int] = doc.to_array([NORM]).tolist()
        phrases, anchors = self._phrases.next, self._anchors
        for place, norm in enumerate(norms):
            if norm in phrases:
                sentence = sentence_of[place]
                last = bounds[sentence][1]
                branch, end = phrases[norm], place + 1
                while True:
                    for key in branch.keys:
                        found.add((place, end, sentence, key))
                    if end == last or norms[end] not in branch.next:
                        break
                    branch, end = branch.next[norms[end]], end + 1
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
