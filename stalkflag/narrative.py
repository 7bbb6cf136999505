"""A narrative as it arrives: bytes to text, odd characters, and texts that nobody could assess."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence

MAX_CHARACTERS = 2_000_000
"""Longer texts are whole files, not narratives; they are refused with a clear message."""

THIN_WORDS = 6
"""Fewer words than this cannot show a course of conduct: refer, and ask."""

LONG_WORDS = 6_000
"""More words than this is a bundle of papers; a person should split it."""

_INVISIBLE = dict.fromkeys(
    [0x00AD, 0x034F, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F)]
    + [*range(0x2060, 0x2065), *range(0x2066, 0x206A), 0xFEFF]
)
# Letters of other scripts that look like Latin ones, as used to hide words.
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһӏАВЕКМНОРСТУХІЈЅοαερτυνικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ‘’ʼ＇“”–—‐‑",
    "aeopcyxijsdhlABEKMHOPCTYXIJSoaeptuvikABEZHIKMNOPTYX''''\"\"----",
)
_STRETCHED = re.compile(r"([a-z])\1{2,}")


def decode(data: bytes) -> str:
    """Text from bytes in UTF-8 (with or without BOM), UTF-16 or Windows-1252.

    Bytes that Windows-1252 leaves undefined become the control characters of ISO 8859-1, so
    that nothing is lost and the number of characters stays the number of bytes.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    if data.startswith(codecs.BOM_UTF8):
        return data.decode("utf-8-sig", errors="replace")
    sample = data[:4096]
    if len(sample) >= 4 and sample.count(0) > len(sample) // 3:
        little = sample[1::2].count(0) >= sample[0::2].count(0)
        return data.decode("utf-16-le" if little else "utf-16-be", errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(_CP1252[byte] for byte in data)


def _cp1252_character(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


_CP1252 = [_cp1252_character(byte) for byte in range(256)]


def plain_word(word: str) -> str:
    """The word as it is looked up: lower case, no hidden characters, look-alikes undone.

    >>> plain_word("FOLL\\u200bOWED"), plain_word("soooo"), plain_word("he\\u2019s")
    ('followed', 'soo', "he's")
    """
    if not word.isascii():
        word = unicodedata.normalize("NFKC", word.translate(_INVISIBLE)).translate(_LOOKALIKES)
    word = word.lower()
    return _STRETCHED.sub(r"\1\1", word)


def doubts(text: str, words: Sequence[str], known: frozenset[str]) -> list[str]:
    """Why this text may not be a narrative that can be assessed; empty when it can.

    Parameters
    ----------
    text
        The narrative as given.
    words
        Its words in lookup form (:func:`plain_word`), punctuation left out.
    known
        Common English and police words; a text with few of them is probably not English.
    """
    if not text.strip():
        return ["The narrative is empty: ask what happened."]
    if len(words) < THIN_WORDS:
        return [
            "The narrative is too thin to assess: ask who did what to whom, how often and since when."
        ]
    found: list[str] = []
    if len(words) > LONG_WORDS:
        found.append(
            f"The text has {len(words):,} words: split it into single reports or read it in full."
        )
    alphabetic = [word for word in words if word.isalpha()]
    if len(alphabetic) < len(words) * 0.4:
        found.append("The text is mostly figures or symbols: it may be a form or a table.")
    elif len(alphabetic) >= 12:
        share = sum(word in known for word in alphabetic) / len(alphabetic)
        if share < 0.25:
            found.append("The text may not be in English: have it translated and read by a person.")
    return found
