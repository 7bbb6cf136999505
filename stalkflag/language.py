"""English as police narratives are written: tokens, their lookup forms, and sentences."""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import cached_property

import numpy as np
import spacy
from spacy.attrs import NORM, ORTH, SENT_START
from spacy.language import Language
from spacy.tokens import Doc

from stalkflag.narrative import plain_word

LONG_SENTENCE = 45
"""Tokens after which a sentence without a full stop (dictated text) is broken at a joining word."""

_JOINING = ("and", "then", "but", "so", "because", "he", "she", "they", "i", "also", "plus")

# Spellings and short forms that mean one other word. Several-word expansions belong in rules.
SPELLINGS: dict[str, str] = {
    short: word
    for word, shorts in {
        "suspect": "susp suspt s1 perp offr offender",
        "victim": "vic vict ip i/p ap a/p agg aggd aggrieved compl complainant",
        "informant": "inft inf infmt informer",
        "caller": "clr cllr callr",
        "female": "fem f/",
        "neighbour": "neighbor neighb nieghbour neigbour neighbours' nbr naybor",
        "neighbours": "neighbors nieghbours neigbours",
        "harassing": "harrassing harrasing harasing harassin",
        "harassment": "harrassment harrasment harasment",
        "harassed": "harrassed harrased harased",
        "following": "folowing follwing followin follering",
        "followed": "folowed follwed follered",
        "messages": "msgs mssgs messges mesages massages dms texts' whatsapps",
        "message": "msg mssg mesage dm whatsapp",
        "messaging": "msging msgin messagin dming whatsapping",
        "messaged": "msgd msged dmed whatsapped",
        "texting": "textin txting",
        "text": "txt",
        "texts": "txts",
        "texted": "txted textd txtd",
        "waiting": "waitin wating",
        "watching": "watchin wathcing",
        "ringing": "ringin",
        "calling": "callin",
        "turning": "turnin",
        "outside": "outide otside o/s outsde",
        "address": "addr addy adress adresss h/a",
        "vehicle": "veh vehcle vehical",
        "boyfriend": "bf b/f boyf",
        "girlfriend": "gf g/f",
        "partner": "ptnr prtnr partener",
        "unknown": "unk unkn u/k n/k",
        "received": "recieved recvd rcvd rec'd receved",
        "numerous": "numorous numerus",
        "occasions": "ocasions occassions occs occasons",
        "separate": "seperate",
        "separated": "seperated",
        "definitely": "definately",
        "because": "cos coz cuz bc becuase becos",
        "through": "thru",
        "threatened": "threatend threatned thretened",
        "threats": "thretes",
        "with": "wiv w/",
        "want": "wanna",
        "going": "gonna goin gannin gaun",
        "times": "tymes tyms timez",
        "asked": "arsked assked",
        "throat": "throte thoat throut",
        "phone": "fone phon foan",
        "phones": "fones",
        "phoned": "foned",
        "phoning": "phonin fonin",
        "sick": "sik",
        "about": "abaht aboot abowt",
        "over": "ower",
        "house": "hoose howse",
        "down": "doon",
        "round": "roond rarnd",
        "knocking": "knockin nockin",
        "blocked": "bloked blockt blokd",
        "everything": "everthing evrything everythin",
        "everywhere": "everwhere evrywhere",
        "night": "nite neet",
        "nights": "nites",
        "tonight": "tonite",
        "wrote": "rote wroat",
        "knows": "nows knaws",
        "knew": "nue",
        "stalking": "storking stawking stalkin",
        "stalker": "storker stawker stalka",
        "work": "werk wrk",
        "school": "skool skul",
        "letters": "leters lettas",
        "spying": "spyin",
        "sending": "sendin",
        "staring": "starin",
        "coming": "comin cumin cummin",
        "hanging": "hangin hingin",
        "standing": "standin stannin",
        "sitting": "sittin",
        "parked": "parkt",
        "your": "ur",
        "not": "nt n't",
        "please": "pls plz",
        "people": "ppl",
        "weeks": "wks",
        "week": "wk",
        "months": "mths mnths",
        "month": "mth mnth",
        "years": "yrs",
        "year": "yr",
        "minutes": "mins",
        "hours": "hrs",
        "every": "evry evrey",
        "always": "allways alwys allus alus awlus",
        "stop": "stopp",
        "attended": "attd atttended",
        "states": "sts",
        "reports": "rpts rptd",
        "approximately": "approx",
        "mother": "mum mom mam mummy",
        "father": "dad daddy",
        "parents": "folks",
        "police": "polis cops bobbies",
        "scared": "scard scarred feart",
        "arguing": "argueing",
        "argument": "arguement argumnt",
    }.items()
    for short in shorts.split()
}


def build_language() -> Language:
    """A blank English ``Language`` whose tokens carry lookup forms in ``NORM``.

    Nothing is downloaded; no statistical component is used.
    """
    nlp = spacy.blank("en")
    nlp.max_length = 10_000_000
    nlp.vocab.lex_attr_getters[NORM] = lookup_form
    for lexeme in nlp.vocab:
        lexeme.norm_ = lookup_form(lexeme.norm_)
    _add_special_cases(nlp)
    nlp.add_pipe("narrative_sentences")
    return nlp


def _add_special_cases(nlp: Language) -> None:
    """Contractions in capitals split like the others; "O/S" and its like stay whole."""
    tokenizer = nlp.tokenizer
    for text, pieces in list(tokenizer.rules.items()):
        if text.upper() != text and text.upper() not in tokenizer.rules:
            tokenizer.add_special_case(
                text.upper(), [{**piece, ORTH: piece[ORTH].upper()} for piece in pieces]
            )
    for short in SPELLINGS:
        if "/" in short:
            for form in (short, short.upper(), short.title()):
                tokenizer.add_special_case(form, [{ORTH: form, NORM: SPELLINGS[short]}])


def lookup_form(word: str) -> str:
    """The form under which a token is looked up in rules and features."""
    plain = plain_word(word)
    return SPELLINGS.get(plain, plain)


class Spelling:
    """Lookup forms that forgive one slip of the fingers in a word that no dictionary holds.

    A word of five letters or more that is neither ``known`` nor one of the ``wanted`` words is
    read as the wanted word that differs from it by one letter left out, put in, changed or
    swapped with its neighbour, if there is just one such word.
    """

    SHORTEST = 5

    def __init__(self, wanted: Iterable[str], known: Container[str]) -> None:
        self._wanted = frozenset(w for w in wanted if len(w) >= self.SHORTEST and w.isalpha())
        self._known = known

    @cached_property
    def _shortened(self) -> dict[str, set[str]]:
        """Wanted words by what is left of them when one letter is taken out."""
        found: dict[str, set[str]] = {}
        for word in self._wanted:
            for short in _without_one(word):
                found.setdefault(short, set()).add(word)
        return found

    def __call__(self, word: str) -> str:
        """The lookup form of a word as written."""
        form = lookup_form(word)
        if (
            len(form) < self.SHORTEST
            or form in self._wanted
            or form in self._known
            or not form.isalpha()
        ):
            return form
        near = set(self._shortened.get(form, ()))
        for short in _without_one(form):
            if short in self._wanted:
                near.add(short)
            near |= {w for w in self._shortened.get(short, ()) if _one_slip(form, w)}
        return near.pop() if len(near) == 1 else form


def _without_one(word: str) -> set[str]:
    return {word[:i] + word[i + 1 :] for i in range(len(word))}


def _one_slip(a: str, b: str) -> bool:
    """Whether words of equal length differ in one letter, or in two neighbours swapped."""
    if len(a) != len(b):
        return False
    differ = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    return len(differ) == 1 or (
        len(differ) == 2
        and differ[1] == differ[0] + 1
        and a[differ[0]] == b[differ[1]]
        and a[differ[1]] == b[differ[0]]
    )


@Language.component("narrative_sentences")
def narrative_sentences(doc: Doc) -> Doc:
    """Mark where sentences start: stops, line ends, log separators, and over-long run-ons."""
    strings = doc.vocab.strings
    ends = _ids(
        strings, (".", "!", "?", ";", "…", "//", "||", "|", "•", "/", "!!", "??", "..", "...")
    )
    ends |= _ids(strings, ("?!", "!?", "!!!", "???", "///", ".."))
    joins = _ids(strings, _JOINING)
    orths = doc.to_array([ORTH]).tolist()
    norms = doc.to_array([NORM]).tolist()
    starts: list[int] = []
    since = 0
    after_end = True
    for index, orth in enumerate(orths):
        ends_here = orth in ends
        if not ends_here and not after_end and index - since >= LONG_SENTENCE:
            after_end = norms[index] in joins or index - since >= 2 * LONG_SENTENCE
        if after_end and not ends_here:
            starts.append(index)
            since = index
            after_end = False
        if ends_here or (doc.vocab[orth].is_space and "\n" in strings[orth]):
            after_end = True
    marks = np.full((len(doc), 1), -1, dtype=np.int64)
    marks[[0, *starts] if len(doc) else starts] = 1
    return doc.from_array([SENT_START], marks.view(np.uint64))


def _ids(strings: object, words: tuple[str, ...]) -> set[int]:
    return {strings.add(word) for word in words}  # type: ignore[attr-defined]


def sentence_bounds(doc: Doc) -> list[tuple[int, int]]:
    """Token bounds ``(start, end)`` of each sentence, in order, covering the document."""
    starts = np.flatnonzero(doc.to_array([SENT_START]) == 1).tolist()
    return list(zip(starts, [*starts[1:], len(doc)], strict=True))
