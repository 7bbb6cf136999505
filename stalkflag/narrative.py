"""A narrative as it arrives: bytes to text, odd characters, and texts that nobody could assess."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

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
_LETTERS = str.maketrans(
    "аеорсухіјѕԁһӏАВЕКМНОРСТУХІЈЅοαερτυνικΑΒΕΖΗΙΚΜΝΟΡΤΥΧԛԝɡıօոս",
    "aeopcyxijsdhlABEKMHOPCTYXIJSoaeptuvikABEZHIKMNOPTYXqwgionu",
)
_LOOKALIKES = _LETTERS | str.maketrans("‘’ʼ＇“”–—‐‑", "''''\"\"----")
_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_WIDE = "\uff01-\uff5e"
_STYLED = "\U0001d400-\U0001d7ff"
_TO_MEND = re.compile(
    f"[{''.join(map(chr, (*_INVISIBLE, *_LETTERS)))}{_SPACES}{_WIDE}{_STYLED}"
    "\u0300-\u036f\ud800-\udfff]"
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
    whole, broken = utf8_share(data, data.decode("utf-8", errors="replace"))
    return data.decode("utf-8" if whole >= broken else "cp1252", errors=KEEP_BYTES)


def utf8_share(data: bytes, text: str) -> tuple[int, int]:
    """How many characters beyond ASCII are whole in UTF-8, and about how many bytes belong to none.

    If most are whole, a text is in UTF-8: a byte of another encoding, or a character that was cut
    where a field was full, does not make it Windows-1252.

    Parameters
    ----------
    text
        The data as UTF-8, with U+FFFD where it is none.
    """
    if text.isascii():
        return 0, 0
    odd = len(text) - len(text.encode("ascii", errors="ignore"))
    broken = max(0, text.count("\ufffd") - data.count("\ufffd".encode()))
    return odd - broken, broken


KEEP_BYTES = "stalkflag.keep-bytes"
"""Error handler: bytes that are no UTF-8 are read as Windows-1252, and those that Windows-1252 leaves
undefined as ISO 8859-1 control characters."""


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    found = error.object[error.start : error.end]
    if error.encoding == "utf-8":
        return found.decode("cp1252", errors=KEEP_BYTES), error.end
    return found.decode("latin-1"), error.end


codecs.register_error(KEEP_BYTES, _keep_bytes)


@dataclass(frozen=True, slots=True)
class Mended:
    """A text without hidden characters and look-alikes, and where it stood in the text given.

    ``places`` has an entry for each character of ``text``: its offset in ``given``.
    """

    given: str
    text: str
    places: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Character bounds in the text given of ``text[start:end]``."""
        if start >= end:
            at = self.places[start] if start < len(self.places) else len(self.given)
            return at, at
        return self.places[start], self.places[end - 1] + 1


def mend(text: str) -> Mended | None:
    """Undo what hides words from a reader of characters; ``None`` where there is nothing to undo.

    >>> mend("f\u043el\u200blowed").text
    'followed'
    """
    if text.isascii() or not _TO_MEND.search(text):
        return None
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        if ord(letter) in _INVISIBLE:
            continue
        if _TO_MEND.match(letter):
            if "\u0300" <= letter <= "\u036f":
                whole = unicodedata.normalize("NFC", "".join(letters[-1:]) + letter)
                if letters and len(whole) == 1:
                    letters[-1] = whole
                continue
            # Half a surrogate pair, as from a cut-off JSON escape, is no character at all.
            if "\ud800" <= letter <= "\udfff":
                letter = "\ufffd"
            plain = unicodedata.normalize("NFKC", letter).translate(_LETTERS)
            letter = plain if len(plain) == 1 else letter
        letters.append(letter)
        places.append(place)
    return Mended(text, "".join(letters), places)


def whole_characters(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which no file can hold.

    JSON can (``"\\ud800"``), and so can what a shell hands over. Offsets stay what they are.
    """
    return _HALVES.sub("\ufffd", text)


_HALVES = re.compile("[\ud800-\udfff]")


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


EMPTY = "The narrative is empty: ask what happened."
TOO_THIN = (
    "The narrative is too thin to assess: ask who did what to whom, how often and since when."
)
NOT_ENGLISH = "The text may not be in English: have it translated and read by a person."
PARTLY_ENGLISH = "Part of the text may not be in English: have it translated and read by a person."
FIGURES = "The text is mostly figures or symbols: it may be a form or a table."
ENCODED = "The text is encoded data or addresses, not words: give the narrative itself."
A_FILE = "The text is the inside of a document file: copy its words out and give these."
EMPTY_FORM = "The text is a form without a narrative: give what happened, in words."
MARKUP = "The text holds markup (HTML, XML): check that it is one narrative, and whole."
JSON_TEXT = "The text is JSON: give the narrative alone, or score it as a file of records."
TABLE = "The text is a table: score it as a file, a row each, or read it in full."

UNREADABLE = frozenset((NOT_ENGLISH, FIGURES, ENCODED, A_FILE, EMPTY_FORM))
"""Doubts after which nothing that was read may be relied on, so that no label is favoured."""

NOTHING_TOLD = frozenset((EMPTY, TOO_THIN))
"""Doubts of a text that tells next to nothing."""

_DOCUMENT = ("%PDF-", "PK\x03\x04", "{\\rtf", "ÐÏ\x11à¡±\x1aá")
_UNBROKEN = re.compile(r"\S{40,}")
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9:-]*(?:\s[^<>]{0,500})?/?>")
_JSON_KEY = re.compile(r'"[\w .$@-]{1,40}"\s{0,4}:')
_MAIL_START = re.compile(
    r"^[> ]{0,8}(?:From:\s*\S|-{2,} ?(?:Original|Forwarded) message|On .{6,100} wrote:\s*$)",
    re.IGNORECASE | re.MULTILINE,
)
_FORM_LABEL = re.compile(r"(?:^|(?<=[\s|;,]))[^\W\d_][^\W_]*[)?*]?\s{0,2}:(?=\s|$|[_.]{2})")


def doubts(text: str, *, words: int, known: Sequence[bool]) -> list[str]:
    """Why this text may not be a narrative that can be assessed; empty when it can.

    Parameters
    ----------
    text
        The narrative as given.
    words
        Number of its words, punctuation left out.
    known
        For each word that is all letters, in order: whether it is a common English or police
        word. A text with few of them is probably not English.
    """
    if not text.strip():
        return [EMPTY]
    if text.lstrip().startswith(_DOCUMENT):
        return [A_FILE]
    if _other_scripts(text):
        return [NOT_ENGLISH]
    if 2 * sum(run.end() - run.start() for run in _UNBROKEN.finditer(text)) > len(text):
        return [ENCODED]
    if _is_empty_form(text):
        return [EMPTY_FORM]
    if words < THIN_WORDS:
        return [TOO_THIN]
    found: list[str] = []
    if words > LONG_WORDS:
        found.append(
            f"The text has {words:,} words: split it into single reports or read it in full."
        )
    found += _shape(text)
    if len(known) < words * 0.4:
        found.append(FIGURES)
    elif _foreign(known):
        found.append(NOT_ENGLISH)
    elif _foreign_part(known):
        found.append(PARTLY_ENGLISH)
    return found


def _other_scripts(text: str) -> bool:
    """Whether a third of the letters are not Latin ones, nor look like them."""
    if text.isascii():
        return False
    letters = [letter for letter in plain_word(text) if letter.isalpha()]
    other = sum(letter > "\u024f" and not "\u1e00" <= letter <= "\u1eff" for letter in letters)
    return other * 3 > len(letters)


def _is_empty_form(text: str) -> bool:
    """Whether there are labels with colons, and hardly a word beside them."""
    if text.count(":") < 4:
        return False
    first, *told = _FORM_LABEL.split(text)
    longest = max((len(part.split()) for part in (first, *told)), default=0)
    return len(told) >= 4 and longest <= 7 and len(text.split()) <= 6 * len(told)


def _shape(text: str) -> list[str]:
    """What the layout says: markup, JSON, a table, a thread of messages."""
    found: list[str] = []
    if len(_TAG.findall(text)) >= 3:
        found.append(MARKUP)
    elif len(_JSON_KEY.findall(text)) >= 3:
        found.append(JSON_TEXT)
    elif _is_table(text):
        found.append(TABLE)
    if (messages := len(_MAIL_START.findall(text))) >= 2:
        found.append(
            f"The text is a thread of {messages} messages: read it in full, and tell apart who "
            "wrote what and when."
        )
    return found


def _is_table(text: str) -> bool:
    """Whether three lines or more, and most of all, are cut into as many short cells."""
    lines = [line for line in text.splitlines() if line.strip()]
    for mark in ("\t", "|", ";", ","):
        cuts = [line.count(mark) for line in lines]
        usual = max(set(cuts), key=cuts.count, default=0)
        alike = [line for line, cut in zip(lines, cuts, strict=True) if cut == usual]
        if usual < 2 or len(alike) < 3 or len(alike) < 0.8 * len(lines):
            continue
        cells = [cell for line in alike for cell in line.split(mark)]
        if sum(len(cell.split()) for cell in cells) <= 4 * len(cells):
            return True
    return False


def _foreign(known: Sequence[bool]) -> bool:
    """Whether too few words are known; of a handful of words, hardly one must be."""
    return sum(known) < (0.45 if len(known) >= 12 else 0.3) * len(known) and len(known) >= 4


def _foreign_part(known: Sequence[bool]) -> bool:
    """Whether hardly a word is known over some two sentences."""
    sums = [0, *accumulate(known)]
    return any(
        sums[start + FOREIGN_RUN] - sums[start] < 0.35 * FOREIGN_RUN
        for start in range(len(known) - FOREIGN_RUN + 1)
    )


FOREIGN_RUN = 24
"""Words one after the other that are looked at for another language."""
