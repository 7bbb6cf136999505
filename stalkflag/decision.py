"""From scores to an assessment: what is suggested, by which words, what speaks against, what is
missing, and when a person must look at it. A suggestion is never a decision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessment import (
    ACTS,
    INDICATORS,
    LABELS,
    LEARNED,
    Act,
    Assessment,
    CourseOfConduct,
    Evidence,
    Indicator,
    Label,
    ModelInfo,
    PresentDanger,
    Relationship,
    SetAside,
)
from stalkflag.context import BECAUSE, Finding, distinct
from stalkflag.directions import read_directions
from stalkflag.law import advice
from stalkflag.law.applied import AppliedLaw, Found
from stalkflag.model import Scores
from stalkflag.narrative import TOO_THIN, UNREADABLE, Mended
from stalkflag.quotes import quote, quotes
from stalkflag.reading import Reading

CLEAR = 0.15
"""Below this probability of stalking, with nothing unwanted shown, no questions are asked."""

EVIDENT = 0.0
"""Logit from which words that no rule names are shown as evidence."""

NEARLY = -1.5
"""Logit from which the most evident words are shown, up to ``FEW`` pieces."""

FEW = 2

NEAR = 3
"""Words this near to each other, in tokens, are one piece of evidence."""

_SMALL = re.compile(
    r"\W*(?:(?:i|me|my|you|your|he|him|his|she|her|hers|it|its|we|us|our|they|them|their|the|an?|"
    r"this|that|and|or|but|so|then|since|when|while|as|to|of|in|on|at|by|for|from|with|is|are|was|"
    r"were|be|been|has|have|had|do|does|did)\b\W*)+",
    re.IGNORECASE,
)
"""Pronouns, articles, small joining words and auxiliaries, and nothing else."""


def decide(
    reading: Reading,
    scores: Scores,
    *,
    thresholds: dict[str, float],
    law: AppliedLaw,
    model: ModelInfo,
    id: str | None = None,
) -> Assessment:
    """Put together the assessment of one narrative."""
    suggestion = least_costly(scores.label, thresholds["missed_costs"])
    probabilities = scores.label
    if not reading.bounds or not UNREADABLE.isdisjoint(reading.doubts):
        suggestion = "neither"
        probabilities = dict.fromkeys(LABELS, 1 / len(LABELS))
    # Of a few words the model knows little: only the acts that they name are shown and, where they
    # read like nothing, only the indicators.
    thin = TOO_THIN in reading.doubts
    indicators = {
        name: _indicator(
            reading, scores, name, thresholds[name], named_only=thin and suggestion == "neither"
        )
        for name in INDICATORS
    }
    present = {name for name, indicator in indicators.items() if indicator.present}
    conduct = _course_of_conduct(
        reading, repeated="repeated" in present, unwanted="unwanted" in present
    )
    relationship = _relationship(reading, scores)
    counted = list(reading.counted())
    by_category: dict[str, list[Finding]] = {}
    for finding in counted:
        by_category.setdefault(finding.rule.category or "", []).append(finding)
    set_aside = tuple(
        _set_aside(reading, f) for f in distinct(f for f in reading.findings if f.cue is not None)
    )
    acts = law.acts(_acts(reading, scores, thresholds, named_only=thin), reading)
    found = Found(reading, indicators, acts, conduct, relationship)
    directions = read_directions(reading)
    unclear_who = _reporter_may_pursue(reading, suggestion)
    refer_reasons = _refer_reasons(
        reading,
        scores,
        suggestion=suggestion,
        present=present,
        relationship=relationship.value,
        refer_below=thresholds["refer_below"],
        doubtful=(
            thresholds.get("refer_stalking_from", 1.0),
            thresholds.get("refer_stalking_to", 0.0),
        ),
        by_category=by_category,
        unclear_who=unclear_who,
        law=law,
    )
    if directions and not unclear_who:
        refer_reasons.append(law.profile.reasons["both_directions"])
    asking = (
        suggestion != "neither"
        or "unwanted" in present
        or scores.label["stalking"] >= CLEAR
        or unclear_who
        or bool(directions)
    )
    points = law.points(found, asking=asking or bool(reading.doubts))
    neighbours = law.neighbours(found)
    assessment = Assessment(
        id=id,
        suggestion=suggestion,
        refer=bool(refer_reasons),
        refer_reasons=tuple(refer_reasons),
        probabilities={label: round(probabilities[label], 4) for label in LABELS},
        indicators=indicators,
        acts=acts,
        course_of_conduct=conduct,
        relationship=relationship,
        impact=quotes(reading, by_category.get("impact", ())),
        orders=quotes(
            reading, [*by_category.get("order", ()), *by_category.get("police_response", ())]
        ),
        risk_cues=quotes(reading, [*by_category.get("danger", ()), *by_category.get("risk", ())]),
        counter_evidence=set_aside,
        reasons=tuple(advice.reasons(law, found, suggestion, set_aside=set_aside)),
        missing=tuple(
            advice.missing(
                law,
                found,
                suggestion,
                points=points,
                asking=asking,
                unclear_who=unclear_who or bool(directions),
            )
        ),
        model=model,
        prompts=tuple(
            advice.prompts(
                law,
                found,
                suggestion,
                refer=bool(refer_reasons),
                both_directions=bool(directions),
                breach=any(n.offence.startswith("breach") for n in neighbours),
            )
        ),
        not_found=tuple(advice.not_found(law, found)) if suggestion == "harassment" else (),
        danger=_danger(reading, by_category, law),
        points_to_prove=points,
        neighbouring_offences=neighbours,
        directions=directions,
        law=law.about,
    )
    return assessment if reading.mended is None else _as_given(assessment, reading.mended)


def least_costly(probabilities: Mapping[str, float], missed_costs: float) -> Label:
    """The label of least expected cost, where a missed stalking costs ``missed_costs`` times any
    other error."""
    costs = {"stalking": missed_costs}
    return max(LABELS, key=lambda label: probabilities[label] * costs.get(label, 1.0))


def _as_given(part: Any, mended: Mended) -> Any:
    """The same record with each of its quotations where it stands in the narrative as given."""
    if isinstance(part, tuple):
        return tuple(_as_given(one, mended) for one in part)
    if isinstance(part, dict):
        return {name: _as_given(one, mended) for name, one in part.items()}
    if not is_dataclass(part) or isinstance(part, type):
        return part
    parts = {f.name: _as_given(getattr(part, f.name), mended) for f in fields(part)}
    if {"start", "end", "text"} <= parts.keys():
        start, end = mended.span(parts["start"], parts["end"])
        parts.update(start=start, end=end, text=mended.given[start:end])
    return replace(part, **parts)


def _danger(
    reading: Reading, by_category: dict[str, list[Finding]], law: AppliedLaw
) -> PresentDanger | None:
    says = law.prompt("danger")
    if says is None or not by_category.get("danger"):
        return None
    return PresentDanger(says, quotes(reading, by_category["danger"]))


def _set_aside(reading: Reading, finding: Finding) -> SetAside:
    assert finding.cue is not None
    plain = quote(reading, finding)
    start, end = reading.span(finding.cue.start, finding.cue.end)
    return SetAside(
        start=plain.start,
        end=plain.end,
        text=plain.text,
        rule=plain.rule,
        says=plain.says,
        because=BECAUSE[finding.cue.axis],
        cue=reading.text[start:end],
    )


def _best_sentence(reading: Reading, scores: NDArray[np.float32]) -> tuple[int, int]:
    """Character bounds, without the white space around it, of the best sentence that has words.

    ``scores`` has one entry a sentence.
    """
    for number in np.argsort(-scores, kind="stable").tolist():
        start, end = reading.span(*reading.bounds[number])
        text = reading.text[start:end]
        if text.strip():
            return start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
    return 0, len(reading.text)


def _indicator(
    reading: Reading, scores: Scores, name: str, threshold: float, *, named_only: bool
) -> Indicator:
    probability = scores.indicators[name]
    named = [f for f in reading.findings if name in f.rule.shows]
    evidence = [quote(reading, finding) for finding in distinct(f for f in named if f.counts)]
    present = (
        probability >= threshold
        and bool(reading.is_word.any())
        and (bool(evidence) or not named_only)
    )
    if present:
        # What a rule names is not shown again as learned, nor what one sets aside for any indicator.
        spans = [reading.span(f.start, f.end) for f in named]
        logits = scores.evidence[:, INDICATORS.index(name)].copy()
        for finding in reading.findings:
            if finding.rule.shows and not finding.counts:
                logits[finding.start : finding.end] = -np.inf
        learned = [
            (start, end, logit)
            for start, end, logit in evident(reading, logits)
            if not evidence or not any(start < last and first < end for first, last in spans)
        ]
        # Of words that say nothing by themselves ("her", "since she") others are better shown.
        telling = [piece for piece in learned if not _SMALL.fullmatch(reading.text, *piece[:2])]
        if telling or evidence:
            learned = telling
        evidence += [
            Evidence(start, end, reading.text[start:end], LEARNED, f"Reads like {name} behaviour.")
            for place, (start, end, logit) in enumerate(learned)
            if place < FEW or logit >= EVIDENT
        ]
        evidence.sort(key=lambda e: e.start)
    return Indicator(present, round(probability, 4), tuple(evidence))


def evident(reading: Reading, evidence: NDArray[np.float32]) -> list[tuple[int, int, float]]:
    """Character bounds and logit of pieces of the text that are evidence, the most evident first.

    ``evidence`` has one logit a token. Where none reaches ``NEARLY``, what comes nearest is given.
    """
    evidence = np.where(reading.is_word, evidence, -np.inf)
    least = min(NEARLY, float(evidence.max()) - 1)
    runs: list[list[int]] = []
    for first, end in reading.bounds:
        for token in range(first, end):
            if evidence[token] < least:
                continue
            if runs and runs[-1][-1] >= first and token - runs[-1][-1] <= NEAR:
                runs[-1].append(token)
            else:
                runs.append([token])
    pieces = [(*reading.span(run[0], run[-1] + 1), float(evidence[run].max())) for run in runs]
    return sorted(pieces, key=lambda piece: -piece[2])


def _acts(
    reading: Reading, scores: Scores, thresholds: dict[str, float], *, named_only: bool
) -> tuple[Act, ...]:
    found: list[Act] = []
    for act in ACTS:
        if scores.acts[act] < thresholds[f"act:{act}"] or not reading.bounds:
            continue
        by_rule = distinct(f for f in reading.counted() if f.rule.act == act)
        for finding in by_rule:
            plain = quote(reading, finding)
            found.append(Act(act, plain.start, plain.end, plain.text, plain.rule))
        if not by_rule and not named_only and len(scores.act_sentences):
            start, end = _best_sentence(reading, scores.act_sentences[:, ACTS.index(act)])
            found.append(Act(act, start, end, reading.text[start:end], LEARNED))
    return tuple(found)


def _course_of_conduct(reading: Reading, *, repeated: bool, unwanted: bool) -> CourseOfConduct:
    conduct = reading.conduct
    if repeated:
        occasions = max(2, conduct.counted)
    else:
        occasions = 1 if unwanted or any(f.rule.act for f in reading.counted()) else 0
    return CourseOfConduct(occasions, conduct.span_days, conduct.basis)


def _relationship(reading: Reading, scores: Scores) -> Relationship:
    value = max(scores.relationship, key=lambda tie: scores.relationship[tie])
    evidence = quotes(reading, [f for f in reading.counted() if f.rule.value == value])
    return Relationship(value if reading.bounds else "unknown", evidence)


def _refer_reasons(
    reading: Reading,
    scores: Scores,
    *,
    suggestion: str,
    present: set[str],
    relationship: str,
    refer_below: float,
    doubtful: tuple[float, float],
    by_category: dict[str, list[Finding]],
    unclear_who: bool,
    law: AppliedLaw,
) -> list[str]:
    reasons = list(reading.doubts)
    if not_then := advice.not_the_law_then(law, suggestion):
        reasons.append(not_then)
    if not reading.bounds or not UNREADABLE.isdisjoint(reading.doubts):
        return reasons
    ranked = sorted(scores.label.items(), key=lambda item: -item[1])
    if ranked[0][1] < refer_below or ranked[0][0] != suggestion:
        reasons.append(f"The words are close between {ranked[0][0]} and {ranked[1][0]}.")
    # Chosen in training to keep a stated bound: see stalkflag.training.referral.
    elif suggestion != "stalking" and scores.label["stalking"] >= doubtful[0]:
        reasons.append("Stalking cannot be set aside with the certainty asked for.")
    elif suggestion == "stalking" and scores.label["stalking"] < doubtful[1]:
        reasons.append("Stalking is suggested with less than the certainty asked for.")
    if suggestion != "neither" and "repeated" not in present:
        reasons.append(f"It reads like {suggestion}, but only one occasion was found.")
    if suggestion != "neither" and "unwanted" not in present:
        reasons.append(f"It reads like {suggestion}, but no words say that it was unwanted.")
    if (
        suggestion == "neither"
        and {"unwanted", "repeated"} <= present
        and present & {"fixated", "obsessive"}
    ):
        reasons.append("All signs of a course of conduct were found, yet it reads like neither.")
    if (
        suggestion != "stalking"
        and law.former_partner is not None
        and relationship == "ex_intimate"
        and {"unwanted", "repeated"} <= present
    ):
        reasons.append(law.former_partner.refer)
    if unclear_who:
        reasons.append(
            "The reporting person may be the one pursuing: establish who did what to whom."
        )
    if by_category.get("wanted") and suggestion != "neither":
        reasons.append("Some contact may have been agreed or mutual: establish each direction.")
    return reasons


def _reporter_may_pursue(reading: Reading, suggestion: str) -> bool:
    """Whether the reporting person tells of their own pursuit rather than another's."""
    if suggestion == "neither" and any(cue.axis == "reporter" for cue in reading.cues):
        return True
    own = [
        f
        for f in reading.findings
        if f.cue is not None
        and f.cue.axis == "reporter"
        and f.rule.by == "suspect"
        and f.rule.category in ("conduct", "proxy", "persistence")
    ]
    others = sum(
        1 for f in reading.counted() if f.rule.category in ("conduct", "proxy") and f.rule.act
    )
    return len(own) > others
