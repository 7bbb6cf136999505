"""Course of conduct: how many separate occasions the text supports, and over how long.

A lower bound, with its arithmetic: each basis names the words and what they count for. Section
7(3) Protection from Harassment Act 1997 asks for conduct on at least two occasions; one burst in
one sitting is one occasion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stalkflag.assessment import Basis

_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100, "dozen": 12, "dozens": 12,
    "couple": 2, "few": 3, "several": 3, "many": 3, "numerous": 3, "multiple": 3, "countless": 3,
    "various": 3, "some": 2, "half a dozen": 6, "couple of": 2, "a couple of": 2, "a few": 3,
}  # fmt: skip
_DAYS_IN = {"day": 1, "night": 1, "week": 7, "wk": 7, "fortnight": 14, "month": 30, "mth": 30,
            "year": 365, "yr": 365, "hour": 0, "hr": 0, "minute": 0, "min": 0}  # fmt: skip
_N = (
    r"(?P<n>\d{1,4}|half a dozen|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|fifteen|twenty|thirty|forty|fifty|(?:a )?couple(?: of)?|(?:a )?few|several|many|numerous"
    r"|multiple|countless|various|dozens?(?: of)?)"
)
_UNIT = r"(?P<unit>days?|nights?|weeks?|wks?|fortnights?|months?|mths?|years?|yrs?|hours?|hrs?|minutes?|mins?)"
_EVENT = (
    r"(?:times|tymes|occasions?|incidents?|visits|nights|evenings|mornings|days|weekends|dates|episodes"
    r"|instances)"
)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*"

_COUNTED = re.compile(
    rf"\b(?:on |at least |over |around |about |some )*{_N}[ -](?:different |separate |further |other |previous |more )?{_EVENT}\b"
)
_TIMES_X = re.compile(
    r"(?<!bmw )(?<!vehicle, )(?<!\b4 )\bx ?(?P<n>\d{1,3})\b|\b(?P<m>\d{1,3}) ?x\b(?! ?\d)"
)
_SENT = re.compile(
    r"\b(?P<n>several|numerous|multiple|countless|many) (?:[a-z-]+ )?"
    r"(?:emails|e-mails|letters|calls|texts|messages|msgs|visits|notes|cards|gifts|parcels|voicemails)\b"
)
_DAILY = re.compile(
    rf"\b(?:daily|nightly|(?:every|each) (?:single )?(?:day|night|morning|evening))"
    rf" (?:for|over|in|during)(?: the)?(?: (?:past|last|previous|about|nearly|almost|around))* ?{_N} ?{_UNIT}\b"
)
_IN_MONTH = re.compile(rf"\bin (?P<month>{_MONTH})\b")
_LOG_DAY = re.compile(r"\b(?P<day>mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6} ?:")
_TWICE = re.compile(r"\b(?P<word>twice|thrice)\b")
_ORDINAL = re.compile(
    r"\b(?P<n>second|third|fourth|fifth|sixth|seventh|eighth|tenth|2nd|3rd|4th|5th|6th) (?:time|occasion|incident|report|visit|call|letter|night)\b"
)
_SPAN = re.compile(
    rf"\b(?:for|over|in|during|past|last|previous|spanning|within|throughout)(?: the)?(?: (?:past|last|previous|course of|period of|about|around|nearly|almost|over))*(?: a)?(?: period of)? {_N} ?{_UNIT}\b"
)
_AGO = re.compile(
    rf"\b{_N} ?{_UNIT} (?:ago|now)\b|\b(?P<since>ever since|since (?:we|she|he|the|{_MONTH}|\d|last|about|then|i)\w*)\b"
)
_DATE = re.compile(
    rf"\b(?:\d{{1,2}}[/.-]\d{{1,2}}(?:[/.-]\d{{2,4}})?|\d{{4}}-\d{{2}}-\d{{2}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\b|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?\b|\d{{1,2}}(?:st|nd|rd|th)\b)"
)
_DAY = re.compile(
    r"\b(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|yesterday|today|tonight|this morning|this evening|last night"
    r"|the next (?:day|morning|night|week)|the following (?:day|morning|night|week|month|weekend)|(?:days|weeks|months|hours) later|a (?:week|month|day|fortnight) later"
    r"|then last week|last week|last month|this week|earlier this (?:week|month))\b"
)
_BURST = re.compile(
    r"\b(?:in one (?:night|evening|sitting|go|hour|morning|day|afternoon)|in the space of (?:an hour|\w+ minutes)|one after another|within (?:an hour|minutes|\w+ minutes)|within (?:an?|one|two|three|four|five|six|\d{1,2}) (?:hours?|mins?)|all in (?:one|a minute|an hour)"
    r"|(?:last night|that night|that evening|this evening|that day) only)\b"
)


@dataclass(frozen=True, slots=True)
class Conduct:
    """Counts read from the words alone, before it is known whether the conduct is repeated.

    ``counted`` is the largest number that one phrase or the list of dates supports; ``pattern``
    says that rules found words such as "keeps" or "every day".
    """

    counted: int
    pattern: bool
    dates: int
    burst: bool
    span_days: int | None
    basis: tuple[Basis, ...]


def read_conduct(text: str, repeated: Sequence[tuple[int, int]] = ()) -> Conduct:
    """Count occasions and time in a narrative; offsets are into ``text`` as given.

    ``repeated`` are the places where rules found words of repetition that count.
    """
    low = _same_length_lower(text)
    basis: list[Basis] = []
    counted = 0

    def note(match: re.Match[str], counts: str) -> None:
        basis.append(Basis(match.start(), match.end(), text[match.start() : match.end()], counts))

    for match in _COUNTED.finditer(low):
        number = _number(match["n"])
        if number >= 2:
            counted = max(counted, number)
            note(match, f"{number} occasions")
    for match in _TIMES_X.finditer(low):
        number = int(match["n"] or match["m"])
        if 2 <= number <= 200:
            counted = max(counted, number)
            note(match, f"{number} occasions")
    for match in _SENT.finditer(low):
        counted = max(counted, 3)
        note(match, "3 occasions")
    for match in _DAILY.finditer(low):
        number = _number(match["n"]) * _DAYS_IN[match["unit"].rstrip("s")]
        if number >= 2:
            counted = max(counted, number)
            note(match, f"{number} occasions, one a day")
    for pattern, group in ((_IN_MONTH, "month"), (_LOG_DAY, "day")):
        named = {match[group][:3]: match for match in pattern.finditer(low)}
        if len(named) >= 2:
            counted = max(counted, len(pattern.findall(low)) if group == "day" else len(named))
            for match in named.values():
                note(match, f"one of {len(named)} {group}s named")
    for match in _TWICE.finditer(low):
        number = 2 if match["word"] == "twice" else 3
        counted = max(counted, number)
        note(match, f"{number} occasions")
    for match in _ORDINAL.finditer(low):
        number = _ORDINALS[match["n"]]
        counted = max(counted, number)
        note(match, f"{number} occasions so far")
    for start, end in repeated:
        basis.append(Basis(start, end, text[start:end], "more than once, at least 2 occasions"))
    days = _distinct_days(low)
    if len(days) >= 2:
        counted = max(counted, len(days))
        for match in days:
            note(match, f"one of {len(days)} dates")
    span: int | None = None
    for match in _SPAN.finditer(low):
        length = _number(match["n"]) * _DAYS_IN[match["unit"].rstrip("s")]
        if length >= 1:
            span = max(span or 0, length)
            note(match, f"a span of {length} days")
    for match in _AGO.finditer(low):
        if match["unit"]:
            length = _number(match["n"]) * _DAYS_IN[match["unit"].rstrip("s")]
            if length >= 1:
                span = max(span or 0, length)
    return Conduct(
        counted=counted,
        pattern=bool(repeated),
        dates=len(days),
        burst=bool(_BURST.search(low)),
        span_days=span,
        basis=tuple(sorted(basis, key=lambda b: (b.start, b.end))),
    )


_ORDINALS = {
    "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5, "5th": 5,
    "sixth": 6, "6th": 6, "seventh": 7, "eighth": 8, "tenth": 10,
}  # fmt: skip


def _distinct_days(low: str) -> list[re.Match[str]]:
    """Different dates and days named: full dates if there are any, else days of the week and such."""
    dates = {match.group(): match for match in _DATE.finditer(low)}
    days = {match.group(): match for match in _DAY.finditer(low)}
    return list(dates.values() if len(dates) >= len(days) else days.values())


def _number(word: str) -> int:
    if word.isdigit():
        return int(word)
    return _NUMBERS.get(word.removesuffix(" of"), 2 if word.startswith("dozen") else 1)


def _same_length_lower(text: str) -> str:
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
