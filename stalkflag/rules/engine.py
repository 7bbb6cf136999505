"""Rules compiled to spaCy matchers and run over a document, cheapest first.

Patterns without gaps become phrases (one ``PhraseMatcher`` pass, nearly free however many).
Patterns with gaps or large word sets become ``Matcher`` patterns, kept under an anchor word: only
sentences that hold the anchor are looked at.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from spacy.attrs import NORM
from spacy.matcher import Matcher, PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

from stalkflag.errors import RuleError
from stalkflag.language import lookup_form
from stalkflag.rules.patterns import Gap, Sequence, expand
from stalkflag.rules.schema import Rule, RuleSet

MOST_PHRASES = 48
"""A gap-free pattern that stands for more phrases than this goes to the token matcher."""

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


class RuleEngine:
    """All rules of a set, ready to run over documents of one vocabulary."""

    def __init__(self, rules: RuleSet, vocab: Vocab) -> None:
        self.rules = rules
        self._phrases = PhraseMatcher(vocab, attr="NORM")
        self._matchers: list[Matcher] = []
        self._anchors: dict[int, list[int]] = defaultdict(list)
        self._by_key: dict[int, Rule] = {}
        self.words: set[str] = set()
        anchored: dict[tuple[str, ...], list[tuple[Rule, list[dict[str, object]]]]] = defaultdict(list)
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
                        anchored[_anchor(sequence, rule)].append((rule, _token_pattern(sequence)))
            if phrases:
                docs = [Doc(vocab, words=list(words)) for words in sorted(phrases)]
                self._phrases.add(f"rule:{rule.id}", docs)
                self.words.update(itertools.chain.from_iterable(phrases))
        for anchor, patterns in anchored.items():
            matcher = Matcher(vocab, validate=False)
            by_rule: dict[str, list[list[dict[str, object]]]] = defaultdict(list)
            for rule, token_pattern in patterns:
                by_rule[rule.id].append(token_pattern)
            for rule_id, token_patterns in by_rule.items():
                matcher.add(f"rule:{rule_id}", token_patterns)
            for word in anchor:
                self._anchors[vocab.strings.add(word)].append(len(self._matchers))
            self.words.update(anchor)
            self._matchers.append(matcher)

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
        norms = doc.to_array([NORM]).tolist()
        anchors = self._anchors
        for index, (start, end) in enumerate(bounds):
            wanted: set[int] = set()
            for norm in norms[start:end]:
                if norm in anchors:
                    wanted.update(anchors[norm])
            if wanted:
                sentence = doc[start:end]
                for number in wanted:
                    for key, first, last in self._matchers[number](sentence):
                        found.add((start + first, start + last, index, key))
        return self._without_overlaps(found)

    def _without_overlaps(self, found: Iterable[tuple[int, int, int, int]]) -> list[Match]:
        kept: list[Match] = []
        last_end: dict[int, int] = {}
        for start, end, sentence, key in sorted(found, key=lambda m: (m[0], -m[1], m[3])):
            if start >= last_end.get(key, 0):
                last_end[key] = end
                kept.append(Match(self._by_key[key], start, end, sentence))
        return kept


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


def _token_pattern(sequence: Sequence) -> list[dict[str, object]]:
    tokens: list[dict[str, object]] = []
    for element in sequence:
        if isinstance(element, Gap):
            tokens += [{"OP": "?"}] * element.most
        elif len(element) == 1:
            tokens.append({"NORM": lookup_form(next(iter(element)))})
        else:
            tokens.append({"NORM": {"IN": sorted(map(lookup_form, element))}})
    return tokens


def _anchor(sequence: Sequence, rule: Rule) -> tuple[str, ...]:
    """The rarest word set of the pattern: no common word if that can be helped, then the smallest."""
    choices = [
        (bool(words & _COMMON), len(words), tuple(sorted(words)))
        for element in sequence
        if not isinstance(element, Gap) and (words := {lookup_form(word) for word in element})
    ]
    return min(choices)[2]
