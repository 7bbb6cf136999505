"""A law profile applied to a reading: which words bear on which point, act or offence.

Words are never said to prove anything: a point is *shown* where words bear on it, *not shown*
where they speak against it or nothing in the text leads to it, and otherwise *to ask*.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from stalkflag.assessment import (
    LEARNED,
    Act,
    CourseOfConduct,
    Evidence,
    Indicator,
    LawInfo,
    NeighbouringOffence,
    PointStatus,
    PointToProve,
    Relationship,
)
from stalkflag.context import BECAUSE, Finding
from stalkflag.law.profile import Neighbour, Point, Profile, RecordingRule, Topic
from stalkflag.law.schema import selectors
from stalkflag.quotes import quotes
from stalkflag.reading import Reading
from stalkflag.rules import RuleSet

DENIAL_REACH = 5
"""Words after "no" or "not" that a denial is taken to speak of."""


@dataclass(frozen=True)
class Found:
    """What has been read in a narrative, as the law looks at it."""

    reading: Reading
    indicators: dict[str, Indicator]
    acts: tuple[Act, ...]
    conduct: CourseOfConduct
    relationship: Relationship

    @cached_property
    def counted(self) -> list[Finding]:
        """The findings that count."""
        return list(self.reading.counted())

    @cached_property
    def by_rule(self) -> dict[str | None, dict[str, list[Finding]]]:
        """The findings by the axis that sets them aside (``None``: they count) and their rule."""
        found: dict[str | None, dict[str, list[Finding]]] = {}
        for finding in self.reading.findings:
            axis = None if finding.cue is None else finding.cue.axis
            found.setdefault(axis, {}).setdefault(finding.rule.id, []).append(finding)
        return found

    @cached_property
    def present(self) -> frozenset[str]:
        """The indicators that are present."""
        return frozenset(name for name, indicator in self.indicators.items() if indicator.present)

    @cached_property
    def categories(self) -> frozenset[str]:
        """What the counted findings are about."""
        return frozenset(f.rule.category or "" for f in self.counted)

    def tie_told(self, value: str) -> bool:
        """Whether words, and not the model alone, say that the suspect is this to the victim."""
        return self.relationship.value == value and bool(self.relationship.evidence)

    @cached_property
    def denials(self) -> list[tuple[str, int, int]]:
        """Each word that a negation speaks of, in lower case, with the tokens that say so."""
        reading = self.reading
        found: list[tuple[str, int, int]] = []
        for cue in reading.cues:
            if cue.axis != "negated":
                continue
            last = min(cue.last, cue.end + DENIAL_REACH)
            for token in range(cue.first, last):
                found.append((reading.word(token), min(cue.start, token), max(cue.end, token + 1)))
        return found


@dataclass(frozen=True, slots=True)
class _Group:
    """A list of selectors, resolved to the rules they select."""

    rules: frozenset[str]
    indicators: tuple[str, ...]
    acts: frozenset[str]
    relationships: frozenset[str]
    occasions: bool


class AppliedLaw:
    """A profile as of a day, with its selectors resolved against a model's rules."""

    def __init__(
        self,
        profile: Profile,
        rules: RuleSet,
        *,
        day: date | None = None,
        resolved: dict[tuple[str, ...], _Group] | None = None,
    ) -> None:
        self.day = day
        self.whole = profile
        self._resolved = {} if resolved is None else resolved
        self.profile = profile.on(day)
        self.about = LawInfo(
            profile.id, profile.name, profile.sha256, None if day is None else day.isoformat()
        )
        self._rules = rules
        self._points = [
            (p, self._groups(p.evidence), self._group(p.against), _any_of(p.unless))
            for p in self.profile.points
        ]
        self._topics = [(t, self._group(t.evidence)) for t in self.profile.topics]
        self._neighbours = [
            (n, self._groups(n.evidence), _any_of(n.words)) for n in self.profile.neighbours
        ]
        self._acts = [(a, self._group(a.evidence)) for a in self.profile.acts if a.evidence]
        self._provisions = {act.id: act.provision for act in self.profile.acts}

    def on(self, day: date | None) -> AppliedLaw:
        """The same law as of another day."""
        return AppliedLaw(self.whole, self._rules, day=day, resolved=self._resolved)

    @property
    def former_partner(self) -> RecordingRule | None:
        """The recording rule for former partners, where there is one on that day."""
        return next((r for r in self.profile.recording if r.id == "former_partner"), None)

    def prompt(self, id: str) -> str | None:
        """A prompt that is in force."""
        return next((p.say for p in self.profile.prompts if p.id == id), None)

    def acts(self, acts: Iterable[Act], reading: Reading) -> tuple[Act, ...]:
        """The acts with their provisions, and those acts that only this law names."""
        found = [replace(act, provision=self._provisions.get(act.act, "")) for act in acts]
        for act, group in self._acts:
            chosen = [f for f in reading.counted() if f.rule.id in group.rules]
            found += [
                Act(act.id, e.start, e.end, e.text, e.rule, act.provision)
                for e in quotes(reading, chosen)
            ]
        return tuple(found)

    def points(self, found: Found, *, asking: bool) -> tuple[PointToProve, ...]:
        """Each point to prove with the words that bear on it.

        ``asking`` says whether the text gives any cause to ask about what it does not show.
        """
        return tuple(self._point(*point, found, asking=asking) for point in self._points)

    def open_topics(self, found: Found) -> list[Topic]:
        """The topics of a risk assessment that the text neither covers nor denies."""
        return [
            topic
            for topic, group in self._topics
            if not self._select(group, found, ("feared", "negated"))[0]
            and not _denied(topic.denied, found)
        ]

    def neighbours(self, found: Found) -> tuple[NeighbouringOffence, ...]:
        """The neighbouring offences that words bear on."""
        chosen: list[NeighbouringOffence] = []
        for offence, groups, words in self._neighbours:
            selected = [
                [e for e in self._select(group, found)[1] if e.rule != LEARNED] for group in groups
            ]
            if words is not None:
                selected[-1] = [
                    e for e in selected[-1] if words.search(_sentence(found.reading, e))
                ]
            if all(selected):
                chosen.append(self._neighbour(offence, [e for words in selected for e in words]))
        return tuple(chosen)

    def _neighbour(self, offence: Neighbour, evidence: list[Evidence]) -> NeighbouringOffence:
        return NeighbouringOffence(
            offence=offence.id,
            name=offence.name,
            why=offence.why,
            evidence=_once(evidence),
            source=self.profile.cite(offence.source),
        )

    def _point(
        self,
        point: Point,
        groups: list[_Group],
        against: _Group,
        unless: re.Pattern[str] | None,
        found: Found,
        *,
        asking: bool,
    ) -> PointToProve:
        axes = ("feared",) if point.feared else ()
        selected = [self._select(group, found, axes) for group in groups]
        if unless is not None:
            first = [e for e in selected[0][1] if not unless.search(e.text)]
            selected[0] = (bool(first), first)
        shown = all(there for there, _ in selected)
        if shown and point.sentences > 1:
            shown = self._in_sentences(groups[-1], found, axes) >= point.sentences
        speaks_against = [*self._select(against, found)[1], *_denied(point.denied, found)]
        status: PointStatus = "to_ask"
        if shown:
            status = "shown"
        elif not asking or speaks_against:
            status = "not_shown"
        return PointToProve(
            point=point.id,
            prove=point.prove,
            offences=point.offences,
            status=status,
            evidence=_once(e for _, s in selected for e in s) if shown else (),
            against=_once(speaks_against),
            ask=self.profile.questions[point.ask] if status == "to_ask" else None,
            source=self.profile.cite(point.source),
        )

    def _in_sentences(self, group: _Group, found: Found, axes: Sequence[str]) -> int:
        """In how many sentences a group's words stand; what is told as repeated counts as two."""
        again = [f for f in found.counted if "repeated" in f.rule.shows]
        times: dict[int, int] = {}
        for one in self._findings(group, found, axes):
            told = 1 + any(_is_repeated(one, other) for other in again)
            times[one.sentence] = max(told, times.get(one.sentence, 1))
        return sum(times.values())

    def _findings(self, group: _Group, found: Found, axes: Sequence[str]) -> list[Finding]:
        chosen: list[Finding] = []
        for axis in (None, *axes):
            for rule, findings in found.by_rule.get(axis, {}).items():
                if rule in group.rules:
                    chosen += findings
        return chosen

    def _select(
        self, group: _Group, found: Found, axes: Sequence[str] = ()
    ) -> tuple[bool, list[Evidence]]:
        """Whether anything of a group is found, and its words.

        Findings that are set aside count too if an axis of ``axes`` does it.
        """
        findings = self._findings(group, found, axes)
        evidence = list(quotes(found.reading, findings)) if findings else []
        there = bool(findings)
        for name in group.indicators:
            if found.indicators[name].present:
                there = True
                evidence += found.indicators[name].evidence
        for act in found.acts if group.acts else ():
            if act.act in group.acts or "any" in group.acts:
                there = True
                says = f"{act.provision} {act.act}".strip()
                evidence.append(Evidence(act.start, act.end, act.text, act.rule, says))
        if found.relationship.value in group.relationships and found.relationship.evidence:
            there = True
            evidence += found.relationship.evidence
        if group.occasions and found.conduct.occasions >= self.profile.least_occasions:
            there = True
            basis = [
                Evidence(b.start, b.end, b.text, "occasions", b.counts) for b in found.conduct.basis
            ]
            evidence += basis or found.indicators["repeated"].evidence
        # Words that a rule points to say more than a sentence that reads like such reports.
        by_rule = [e for e in evidence if e.rule != LEARNED]
        return there, by_rule or evidence

    def _groups(self, lists: Iterable[tuple[str, ...]]) -> list[_Group]:
        return [self._group(selectors) for selectors in lists]

    def _group(self, selectors: tuple[str, ...]) -> _Group:
        if selectors not in self._resolved:
            self._resolved[selectors] = _resolve(selectors, self._rules)
        return self._resolved[selectors]


def _is_repeated(finding: Finding, again: Finding) -> bool:
    """Whether words of repetition are about a finding: around it, or at most a word behind it."""
    return finding.start < again.end and again.start <= finding.end + 1


def _resolve(selectors: tuple[str, ...], rules: RuleSet) -> _Group:
    by_kind: dict[str, set[str]] = {}
    for selector in selectors:
        kind, _, value = selector.partition(":")
        by_kind.setdefault(kind, set()).add(value)
    categories = by_kind.get("category", set())
    names = by_kind.get("rule", set())
    return _Group(
        rules=frozenset(
            rule.id
            for rule in rules.rules
            if rule.category in categories or any(_is_called(rule.id, name) for name in names)
        ),
        indicators=tuple(sorted(by_kind.get("indicator", ()))),
        acts=frozenset(by_kind.get("act", ())),
        relationships=frozenset(by_kind.get("relationship", ())),
        occasions="occasions" in by_kind,
    )


def _is_called(id: str, name: str) -> bool:
    """Whether a rule is called so; an asterisk stands for any ending."""
    return id.startswith(name[:-1]) if name.endswith("*") else id == name


def unknown_rules(profile: Profile, rules: RuleSet) -> Iterator[tuple[str, str]]:
    """The selectors of rules that select none of these, each with where it stands."""
    known = [rule.id for rule in rules.rules]
    for kind in ("acts", "points", "topics", "neighbours"):
        for item in getattr(profile, kind):
            for key in ("evidence", "against"):
                for selector in selectors(getattr(item, key, ())):
                    name = selector.removeprefix("rule:")
                    if name != selector and not any(_is_called(id, name) for id in known):
                        yield f"{kind}.{item.id}.{key}", name


def _any_of(words: Sequence[str]) -> re.Pattern[str] | None:
    if not words:
        return None
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)


def _denied(beginnings: Sequence[str], found: Found) -> list[Evidence]:
    """The words that say "no" to something that begins so."""
    if not beginnings:
        return []
    reading = found.reading
    evidence: list[Evidence] = []
    for word, first, last in found.denials:
        if word.startswith(tuple(beginnings)):
            start, end = reading.span(first, last)
            evidence.append(
                Evidence(start, end, reading.text[start:end], "denied", BECAUSE["negated"])
            )
    return evidence


def _sentence(reading: Reading, evidence: Evidence) -> str:
    """The sentence in which some words begin."""
    starts = [reading.starts[first] for first, _ in reading.bounds]
    first, last = reading.bounds[max(0, bisect_right(starts, evidence.start) - 1)]
    return reading.text[slice(*reading.span(first, last))]


def _once(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Words in order of place, without those that lie within others."""
    kept: list[Evidence] = []
    for item in sorted(evidence, key=lambda e: (e.start, -e.end)):
        if not kept or item.end > kept[-1].end:
            kept.append(item)
    return tuple(kept)
