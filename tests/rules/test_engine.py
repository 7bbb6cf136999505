"""The engine finds what spaCy's own matchers find for the same patterns."""

from __future__ import annotations

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.matcher import Matcher
from spacy.tokens import Doc

from stalkflag.rules.engine import RuleEngine
from stalkflag.rules.schema import Rule, RuleSet

VOCAB = spacy.blank("en").vocab
PATTERNS: dict[str, tuple[str, list[dict[str, object]]]] = {
    "phrase": (
        "(he|she) sat outside",
        [{"NORM": {"IN": ["he", "she"]}}, {"NORM": "sat"}, {"NORM": "outside"}],
    ),
    "one": ("again", [{"NORM": "again"}]),
    "gap": ("sat ~2 outside", [{"NORM": "sat"}, {"OP": "?"}, {"OP": "?"}, {"NORM": "outside"}]),
    "gaps": (
        "he ~1 sat ~2 again",
        [{"NORM": "he"}, {"OP": "?"}, {"NORM": "sat"}, {"OP": "?"}, {"OP": "?"}, {"NORM": "again"}],
    ),
}


@pytest.mark.parametrize("name", PATTERNS)
@given(words=st.lists(st.sampled_from(["he", "she", "sat", "outside", "again", "x"]), max_size=14))
@settings(max_examples=150, deadline=None)
def test_same_places_as_spacy(name: str, words: list[str]) -> None:
    notation, tokens = PATTERNS[name]
    rule = Rule(id=name, says="x", match=(notation,), hit=(), category="conduct")
    engine = RuleEngine(RuleSet(rules=(rule,), lists={}, verbs={}), VOCAB)
    doc = Doc(VOCAB, words=words)
    matcher = Matcher(VOCAB)
    matcher.add(name, [tokens])
    covered = {i for _, start, end in matcher(doc) for i in range(start, end)}
    found = engine(doc, [(0, len(doc))] if len(doc) else [])
    assert {match.start for match in found} <= covered
    # A rule's overlapping matches are one: every place that spaCy starts at lies in a match or
    # in the reach of one.
    assert bool(found) == bool(covered)
    for match in found:
        assert any((match.start, match.end) == (s, e) for _, s, e in matcher(doc))
