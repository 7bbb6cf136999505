"""A narrative as it arrives: bytes to text, odd characters, and texts that nobody could assess."""

from __future__ import annotations

import codecs
import re
import unicodedata

MAX_CHARACTERS = 2_000_000
"""Longer texts are whole files, not narratives; they are refused with a clear message."""

THIN_WORDS = 6
"""Fewer words than this cannot show a course of conduct: refer, and ask."""

LONG_WORDS = 6_000
"""More words than this is a bundle of papers; a person should split it."""

_INVISIBLE = dict.fromkeys(
    [
        *(0x00AD, 0x034F, 0x061C, 0x180E, 0xFEFF),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2065),
        *range(0x2066, 0x206A),
    ]
)
# Letters of other scripts that look like Latin ones, as used to hide words.
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһӏАВЕКМНОРСТУХІЈЅοαερτυνικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ‘’ʼ＇“”–—‐‑",
    "aeopcyxijsdhlABEKMHOPCTYXIJSoaeptuvikABEZHIKMNOPTYX''''\"\"----",
)
HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"
    r"\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]|\r(?!\n)|(?<=\w)\u200d|\u200d(?=\w)"
)
"""A character that a reader does not see, or that reorders or overwrites what is seen.

Line ends and tabs are none, nor is the joiner within an emoji.
"""

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
        return data.decode("cp1252", errors=KEEP_UNDEFINED)


KEEP_UNDEFINED = "stalkflag.keep-undefined"
"""Error handler: bytes that Windows-1252 leaves undefined become ISO 8859-1 control characters."""


def _keep_undefined(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(KEEP_UNDEFINED, _keep_undefined)


def plain_word(word: str) -> str:
    """The word as it is looked up: lower case, no hidden characters, look-alikes undone.

    >>> plain_word("FOLL\\u200bOWED"), plain_word("soooo"), plain_word("he\\u2019s")
    ('followed', 'soo', "he's")
    """
    if not word.isascii():
        word = unicodedata.normalize("NFKC", word.translate(_INVISIBLE)).translate(_LOOKALIKES)
    word = word.lower()
    return _STRETCHED.sub(r"\1\1", word)


def visible(text: str) -> str:
    """The text with each hidden character shown as its number.

    >>> visible("foll\\u200bowed \\x1b[2J"), visible("\\u202egnp")
    ('foll[U+200B]owed [U+001B][2J', '[U+202E]gnp')
    """
    return HIDDEN.sub(lambda found: hidden_name(found[0]), text)


def hidden_name(character: str) -> str:
    """How a hidden character is shown: its number, as in ``[U+200B]``."""
    return f"[U+{ord(character):04X}]"


def doubts(text: str, *, words: int, alphabetic: int, known: int) -> list[str]:
    """Why this text may not be a narrative that can be assessed; empty when it can.

    Parameters
    ----------
    text
        The narrative as given.
    words
        Number of its words, punctuation left out.
    alphabetic
        How many of them are all letters.
    known
        How many of those are common English or police words; a text with few of them is
        probably not English.
    """
    if not text.strip():
        return ["The narrative is empty: ask what happened."]
    if words < THIN_WORDS:
        return [
            "The narrative is too thin to assess: ask who did what to whom, how often and since when."
        ]
    found: list[str] = []
    if words > LONG_WORDS:
        found.append(
            f"The text has {words:,} words: split it into single reports or read it in full."
        )
    if alphabetic < words * 0.4:
        found.append("The text is mostly figures or symbols: it may be a form or a table.")
    elif alphabetic >= 12 and known / alphabetic < 0.25:
        found.append("The text may not be in English: have it translated and read by a person.")
    return found
