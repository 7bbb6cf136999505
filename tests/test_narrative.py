"""Bytes to text, lookup forms, and texts that nobody could assess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stalkflag.narrative import decode, plain_word


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_give_the_text_back(encoding: str) -> None:
    text = "He wrote “you’ll be sorry” – £20 in the card, café receipt.\r\nShe cried."
    assert decode(text.encode(encoding)) == text


def test_windows_1252_is_recognised() -> None:
    assert decode("“you’ll be sorry” – £20".encode("cp1252")) == "“you’ll be sorry” – £20"


@given(st.binary(max_size=200))
def test_any_bytes_become_text(data: bytes) -> None:
    assert isinstance(decode(data), str)


@pytest.mark.parametrize(
    ("word", "plain"),
    [
        ("FOLLOWED", "followed"),
        ("foll\u200bowed", "followed"),
        ("f\u043ell\u043ewed", "followed"),
        ("he\u2019s", "he's"),
        ("pleeeease", "pleease"),
        ("\uff46ollowed", "followed"),
    ],
)
def test_hidden_and_lookalike_letters_are_undone(word: str, plain: str) -> None:
    assert plain_word(word) == plain
