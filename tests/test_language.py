"""Sentences and lookup forms of English as reports are written."""

from __future__ import annotations

import pytest

from stalkflag.language import Spelling, build_language, lookup_form

NLP = build_language()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("He rang. She hung up.", 2),
        ("1402 FEM UPSET // EX O/S ADDR // NO WEAPONS", 3),
        ("He rang\nthen came round", 2),
        ("and he " + "kept ringing and texting " * 40, 3),
        ("!!!", 1),
    ],
)
def test_sentences(text: str, sentences: int) -> None:
    assert len(list(NLP(text).sents)) >= sentences


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("SUSP", "suspect"),
        ("I/P", "victim"),
        ("o/s", "outside"),
        ("msgs", "messages"),
        ("nt", "not"),
    ],
)
def test_short_forms(written: str, form: str) -> None:
    assert lookup_form(written) == form


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("folowwed", "folowwed"),  # two slips
        ("followd", "followed"),
        ("follwoed", "followed"),
        ("followwed", "followed"),
        ("fallowed", "followed"),
        ("hollowed", "hollowed"),  # a word of its own
        ("FOLOWED", "followed"),
        ("wating", "waiting"),
        ("cat", "cat"),
    ],
)
def test_one_slip_is_forgiven(written: str, form: str) -> None:
    spelling = Spelling(["followed", "waiting"], {"hollowed"})
    assert spelling(written) == form


def test_a_slip_between_two_words_is_left_alone() -> None:
    assert Spelling(["staring", "storing"], ())("stxring") == "stxring"
