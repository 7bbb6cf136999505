"""Words that were cut up, to hide them or by a line's end: "f o l l o w e d", "fol-\\nlowed".

The pieces become one token that covers all of them, so that offsets stay those of the text as
given. Only a word that the rules know is put together, and never from pieces that are words of
their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from spacy.attrs import LOWER
from spacy.language import Language
from spacy.tokens import Doc

from stalkflag.narrative import plain_word

_SPELT_OUT = re.compile(r"(?<!\w)(?:[^\W\d_][ .*_-]){4,}[^\W\d_](?!\w)")
"""Five letters or more with one mark or blank between each."""

SHORTEST = 6
"""Letters of a word that is put together from two pieces."""


class SplitWords:
    """Joins the pieces of ``wanted`` words; ``known`` holds the words that are pieces of none."""

    def __init__(self) -> None:
        self.wanted: frozenset[str] = frozenset()
        self.known: frozenset[str] = frozenset()
        self._known_ids: set[int] = set()

    def look_for(self, wanted: Iterable[str], *, known: Iterable[str], strings: Any) -> None:
        """Set the words to put together, and those that are left as they are."""
        self.wanted, self.known = frozenset(wanted), frozenset(known)
        self._known_ids = {strings.add(word) for word in self.known}

    def __call__(self, doc: Doc) -> Doc:
        """The document with each such word as one token, its lookup form the word."""
        found = [*self._spelt_out(doc), *self._in_two(doc)]
        taken: set[int] = set()
        with doc.retokenize() as retokenizer:
            for start, end, word in found:
                if taken.isdisjoint(range(start, end)):
                    taken.update(range(start, end))
                    if end - start == 1:
                        doc[start].norm_ = word
                    else:
                        retokenizer.merge(doc[start:end], attrs={"NORM": word})
        return doc

    def _spelt_out(self, doc: Doc) -> Iterator[tuple[int, int, str]]:
        for run in _SPELT_OUT.finditer(doc.text):
            letters = plain_word(run[0][::2])
            at = 0
            while at < len(letters):
                end = next(
                    (e for e in range(len(letters), at, -1) if letters[at:e] in self.wanted), at + 1
                )
                span = doc.char_span(run.start() + 2 * at, run.start() + 2 * end - 1)
                if end - at >= 4 and span is not None:
                    yield span.start, span.end, letters[at:end]
                at = end

    def _in_two(self, doc: Doc) -> Iterator[tuple[int, int, str]]:
        lower = doc.to_array([LOWER]).ravel().tolist()
        unknown = [n for n, id in enumerate(lower) if id not in self._known_ids]
        for left in sorted({*unknown, *(n - 1 for n in unknown if n)}):
            right = left + 1
            while right < min(len(doc) - 1, left + 3) and doc[right].text in _BETWEEN:
                right += 1
            if right >= len(doc):
                continue
            start = plain_word(doc[left].text).rstrip("-")
            end = plain_word(doc[right].text)
            if (
                start.isalpha()
                and end.isalpha()
                and len(start) + len(end) >= SHORTEST
                and start + end in self.wanted
                and not (start in self.known and end in self.known)
            ):
                yield left, right + 1, start + end


_BETWEEN = frozenset(("-", "\n", "\r\n"))


@Language.factory("split_words")
def _split_words(nlp: Language, name: str) -> SplitWords:
    return SplitWords()
