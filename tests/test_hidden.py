"""Words hidden behind odd characters are read, and quoted exactly as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stalkflag import Assessor
from stalkflag.narrative import mend
from stalkflag.reading import Reader
from stalkflag.rules.schema import load_packs

PLAIN = "He followed her home again last night, three times this week, after she told him to stop."
HIDDEN = {
    "zero-width": PLAIN.replace("follow", "fol\u200blow").replace("three", "th\u2060ree"),
    "zero-width everywhere": "\u200d".join(PLAIN),
    "Cyrillic": PLAIN.translate(str.maketrans("aeopc", "аеорс")),
    "fullwidth": "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in PLAIN),
    "mathematical": "".join(
        chr(0x1D41A + ord(c) - 97) if c.islower() and c.isascii() else c for c in PLAIN
    ),
    "struck through": "\u0336".join(PLAIN),
    "soft hyphens": PLAIN.replace("followed", "fol\u00adlow\u00aded"),
}
SPLIT = {
    "spelt out": PLAIN.replace("followed", "f o l l o w e d"),
    "points": PLAIN.replace("followed", "f.o.l.l.o.w.e.d"),
    "hyphens": PLAIN.replace("followed", "f-o-l-l-o-w-e-d"),
    "in two": PLAIN.replace("followed", "fol lowed"),
    "at a line's end": PLAIN.replace("followed", "fol-\nlowed"),
}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_packs())


def quotations(part: Any) -> Iterator[tuple[int, int, str]]:
    if isinstance(part, (tuple, list)):
        for one in part:
            yield from quotations(one)
    elif isinstance(part, dict):
        yield from quotations(list(part.values()))
    elif is_dataclass(part):
        values = {f.name: getattr(part, f.name) for f in fields(part)}
        if {"start", "end", "text"} <= values.keys():
            yield values["start"], values["end"], values["text"]
        yield from quotations(list(values.values()))


@pytest.mark.parametrize("how", HIDDEN)
def test_hidden_words_are_mended_and_their_places_known(how: str) -> None:
    mended = mend(HIDDEN[how])
    assert mended is not None and mended.text == PLAIN
    start, end = mended.span(PLAIN.index("followed"), PLAIN.index(" her home"))
    there = mend(HIDDEN[how][start:end])
    assert (HIDDEN[how][start:end] if there is None else there.text) == "followed"


@pytest.mark.parametrize("how", [*HIDDEN, *SPLIT])
def test_rules_find_what_was_hidden(reader: Reader, how: str) -> None:
    plain, hidden = reader.read([PLAIN, {**HIDDEN, **SPLIT}[how]])
    assert {f.rule.id for f in hidden.counted()} == {f.rule.id for f in plain.counted()}


@pytest.mark.parametrize("how", HIDDEN)
def test_hidden_or_not_the_assessment_is_the_same(assessor: Assessor, how: str) -> None:
    plain, hidden = assessor.assess(PLAIN), assessor.assess(HIDDEN[how])
    assert hidden.probabilities == plain.probabilities
    assert hidden.course_of_conduct.occasions == plain.course_of_conduct.occasions
    found = list(quotations(hidden))
    assert found and all(HIDDEN[how][start:end] == text for start, end, text in found)


@pytest.mark.parametrize(
    "text",
    ["A B C D Ltd, flat 3", "He said i a m here", "the mat ter of fact", "an other one is in side"],
)
def test_pieces_that_are_words_of_their_own_stay_apart(reader: Reader, text: str) -> None:
    assert len(reader.make_doc(text)) == len(reader.nlp.tokenizer(text))


@given(st.text(st.sampled_from("he rang\u200b\u200d\u0301а\uff41.\n𝐚é🙂\ufe0f\u00ad"), max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_part_of_a_mended_text_stands_where_it_is_said_to(text: str) -> None:
    mended = mend(text)
    if mended is None:
        return
    assert len(mended.places) == len(mended.text)
    assert list(mended.places) == sorted(set(mended.places))
    for start in range(len(mended.text)):
        first, last = mended.span(start, len(mended.text))
        assert 0 <= first < last <= len(text)
