"""Which words are shown: those that rules name, and those that the narrative encoder points at."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from conftest import ROOT

from stalkflag import Assessor
from stalkflag.assessment import INDICATORS, LEARNED
from stalkflag.decision import NEARLY, evident
from stalkflag.training.records import read_records

TEXT = "She was sure, quite sure. The man by the gate had been there on bin day too. Nobody spoke."


def shown(assessor: Assessor, scores: dict[str, float]) -> list[str]:
    """The pieces that are evident in ``TEXT`` if its words have these logits, the others -5."""
    reading = assessor.read(TEXT)
    words = [TEXT[s:e] for s, e in zip(reading.starts, reading.ends, strict=True)]
    logits = np.array([scores.get(word, -5.0) for word in words], dtype=np.float32)
    return [TEXT[start:end] for start, end, _ in evident(reading, logits)]


def test_evident_words_near_each_other_are_one_piece_and_never_cross_a_sentence(
    assessor: Assessor,
) -> None:
    assert shown(assessor, {"man": 1, "gate": 1}) == ["man by the gate"]
    assert shown(assessor, {"man": 1, "day": 2}) == ["day", "man"]
    assert shown(assessor, {"too": 2, "Nobody": 1}) == ["too", "Nobody"]
    assert shown(assessor, {",": 2, "man": 1}) == ["man"]


def test_where_no_word_is_evident_the_nearest_is_shown(assessor: Assessor) -> None:
    below = NEARLY - 2
    assert shown(assessor, {"bin": below, "day": below - 0.5, "Nobody": below - 0.5}) == [
        "bin day",
        "Nobody",
    ]


def test_every_indicator_shows_words_and_none_twice(assessor: Assessor) -> None:
    records = read_records([ROOT / "data" / "corpus" / "dev.jsonl"])[::10]
    learned = 0
    for record, assessment in zip(
        records, assessor.assess_many(r.text for r in records), strict=True
    ):
        for name in INDICATORS:
            found = assessment.indicators[name]
            places = [(e.start, e.end) for e in found.evidence]
            assert bool(places) or not found.present, record.id
            assert places == sorted(places), record.id
            assert all(a[1] <= b[0] for a, b in pairwise(places)), record.id
            learned += sum(e.rule == LEARNED for e in found.evidence)
    assert learned > len(records) / 10


def test_what_a_rule_sets_aside_is_not_shown_as_learned(assessor: Assessor) -> None:
    text = (
        "My ex keeps ringing my mum and sitting outside my work although I told him to stop. "
        "He has not followed me home."
    )
    assessment = assessor.assess(text)
    assert assessment.suggestion == "stalking"
    (denied,) = (s for s in assessment.counter_evidence if "followed" in s.text)
    assert not [
        evidence
        for name in INDICATORS
        for evidence in assessment.indicators[name].evidence
        if evidence.rule == LEARNED and evidence.start < denied.end and denied.start < evidence.end
    ]


def test_words_that_say_nothing_are_shown_only_where_there_are_no_others(
    assessor: Assessor,
) -> None:
    small = set("her she he him his they them it since and the a was has had been to of in".split())
    texts = [record.text for record in read_records([ROOT / "data" / "corpus" / "dev.jsonl"])[::4]]
    for number, assessment in enumerate(assessor.assess_many(texts)):
        for name in INDICATORS:
            evidence = assessment.indicators[name].evidence
            saying_nothing = [
                e for e in evidence if e.rule == LEARNED and set(e.text.lower().split()) <= small
            ]
            assert not saying_nothing or len(evidence) == 1, (number, name)
