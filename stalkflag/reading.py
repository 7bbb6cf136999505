"""From text to a reading: tokens, sentences, findings with their context, counts, doubts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IDX, IS_ALPHA, IS_PUNCT, IS_SPACE, IS_TITLE, LENGTH, NORM
from spacy.language import Language
from spacy.tokens import Doc, Span

from stalkflag.conduct import Conduct, read_conduct
from stalkflag.context import Cue, Finding, distinct, read_context, token_axes
from stalkflag.encoder import load_pieces
from stalkflag.language import Spelling, build_language, sentence_bounds
from stalkflag.narrative import MAX_CHARACTERS, Mended, doubts, mend
from stalkflag.rules import RuleSet
from stalkflag.rules.engine import Match, RuleEngine
from stalkflag.split_words import SplitWords

ZONE = 1000
"""Narratives after which words that are in no rule are forgotten."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is read in one narrative before any model is asked.

    Offsets are character offsets into ``text``; token arrays have one entry a token. Where the
    narrative hid words behind odd characters, ``text`` is without them, and ``mended`` says where
    it stood in the narrative as given.
    """

    text: str
    bounds: list[tuple[int, int]]
    starts: list[int]
    ends: list[int]
    norms: NDArray[np.uint64]
    is_title: NDArray[np.bool_]
    is_word: NDArray[np.bool_]
    axes: list[str | None]
    findings: list[Finding]
    cues: list[Cue]
    marks: list[Match]
    conduct: Conduct
    doubts: list[str]
    mended: Mended | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Character bounds of the tokens ``start`` to ``end`` (not included)."""
        return self.starts[start], self.ends[end - 1]

    @property
    def paragraphs(self) -> list[int]:
        """For each sentence, the number of its paragraph; a line break ends one."""
        found: list[int] = []
        for number, (start, _) in enumerate(self.bounds):
            if not number:
                found.append(0)
                continue
            before = self.text[self.starts[self.bounds[number - 1][0]] : self.starts[start]]
            found.append(found[-1] + ("\n" in before[len(before.rstrip()) :]))
        return found

    def word(self, token: int) -> str:
        """A token as it stands in the text, in lower case."""
        return self.text[self.starts[token] : self.ends[token]].lower()

    def counted(self) -> Iterator[Finding]:
        """The findings that count."""
        return (finding for finding in self.findings if finding.cue is None)


class Reader:
    """The rule-based half of the pipeline: a spaCy ``Language`` and the rules run over it."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.nlp: Language = build_language()
        self.engine = RuleEngine(rules, self.nlp.vocab)
        self.nlp.vocab.lex_attr_getters[NORM] = Spelling(self.engine.words, load_pieces())
        strings = self.nlp.vocab.strings
        self._known = frozenset(strings.add(w) for w in self.engine.words | _FUNCTION_WORDS)
        if not Doc.has_extension("findings"):
            Doc.set_extension("findings", default=None)
        self.nlp.add_pipe("split_words", first=True)
        self._split_words: SplitWords = self.nlp.get_pipe("split_words")  # type: ignore[assignment]
        self._split_words.look_for(
            self.engine.words,
            known=self.engine.words | _FUNCTION_WORDS | load_pieces().keys(),
            strings=self.nlp.vocab.strings,
        )
        self.nlp.add_pipe("stalkflag_evidence")
        self.nlp.get_pipe("stalkflag_evidence").reader = self  # type: ignore[attr-defined]

    def annotate(self, doc: Doc) -> Doc:
        """Set ``doc.spans["evidence"]`` and ``["set_aside"]``, one labelled span a finding."""
        findings = self.read_doc(doc).findings
        doc._.findings = findings
        for name, counts in (("evidence", True), ("set_aside", False)):
            doc.spans[name] = [
                Span(doc, f.start, f.end, label=f.rule.id) for f in findings if f.counts is counts
            ]
        return doc

    def read(self, texts: Iterable[str]) -> Iterator[Reading]:
        """Read narratives one by one, in order; memory does not grow with new words.

        A reading's ``norms`` can be looked up in the string store until the next one is asked for.
        """
        source = iter(texts)
        for first in source:
            with self.forgetting():
                for text in chain((first,), islice(source, ZONE - 1)):
                    yield self._read(text)

    def _read(self, text: str) -> Reading:
        mended = mend(text)
        if mended is None:
            return self.read_doc(self.make_doc(text))
        return replace(self.read_doc(self.make_doc(mended.text)), mended=mended)

    @contextmanager
    def forgetting(self) -> Iterator[None]:
        """Forget new words at the end; inside another reading, leave that to the outer one."""
        if self.nlp.vocab.in_memory_zone:
            yield
        else:
            with self.nlp.memory_zone():
                yield

    def make_doc(self, text: str) -> Doc:
        """Tokens and sentences only; over-long texts are cut (the reading then says so)."""
        doc = self._split_words(self.nlp.make_doc(text[:MAX_CHARACTERS]))
        sentences: Doc = self.nlp.get_pipe("narrative_sentences")(doc)  # type: ignore[operator]
        return sentences

    def read_doc(self, doc: Doc) -> Reading:
        """Read a document that has its sentences marked."""
        bounds = sentence_bounds(doc) if len(doc) else []
        columns = doc.to_array([NORM, IS_TITLE, IS_PUNCT, IS_SPACE, IDX, LENGTH, IS_ALPHA])
        columns = columns.reshape(len(doc), 7)
        is_word = (columns[:, 2] == 0) & (columns[:, 3] == 0)
        strings = doc.vocab.strings
        words = [strings[norm] for norm in columns[:, 0].tolist()] if "?" in doc.text else []
        findings, cues, marks = read_context(
            self.engine(doc, bounds) if bounds else [], bounds, words
        )
        starts = columns[:, 4]
        text = doc.text
        ends = starts + columns[:, 5]
        repeated = [
            (int(starts[f.start]), int(ends[f.end - 1]))
            for f in distinct(f for f in findings if f.cue is None and "repeated" in f.rule.shows)
        ]
        alphabetic = columns[is_word & (columns[:, 6] != 0), 0].tolist()
        return Reading(
            text=text,
            bounds=bounds,
            starts=starts.tolist(),
            ends=ends.tolist(),
            norms=columns[:, 0],
            is_title=columns[:, 1] != 0,
            is_word=is_word,
            axes=token_axes(doc, cues),
            findings=findings,
            cues=cues,
            marks=marks,
            conduct=read_conduct(text, repeated),
            doubts=doubts(
                text,
                words=int(is_word.sum()),
                known=[word in self._known for word in alphabetic],
            ),
        )


@Language.factory("stalkflag_evidence")
class _EvidenceComponent:
    """Lets ``assessor.nlp(text)`` show the findings as spaCy spans."""

    reader: Reader | None = None

    def __init__(self, nlp: Language, name: str) -> None:
        self.name = name

    def __call__(self, doc: Doc) -> Doc:
        return doc if self.reader is None else self.reader.annotate(doc)


_FUNCTION_WORDS = frozenset(
    """a about after again all also am an and any are as at back be because been before being but by
    call called came can come could day did do does down for from get go going got had has have he
    her here him his home house how i if in into is it its just know like made man me more my need
    never new no not now of off on one only or other our out over people police put said saw say see
    she so some still such take than that the their them then there they this time to told took two
    up us very want was we were what when where which while who will with woman work would year you
    your report reports stated states victim suspect male female address road street number car
    phone asked seen left right door night today yesterday officer officers incident""".split()
)
