"""From scores to an assessment: what is suggested, by which words, what speaks against, what is
missing, and when a person must look at it. A suggestion is never a decision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stalkflag.assessment import (
    ACTS,
    INDICATORS,
    LABELS,
    Act,
    Assessment,
    CourseOfConduct,
    Evidence,
    Indicator,
    Label,
    ModelInfo,
    Relationship,
    SetAside,
)
from stalkflag.context import BECAUSE, Finding, distinct
from stalkflag.law import Profile
from stalkflag.model import Scores
from stalkflag.reading import Reading

LEARNED = "learned"
"""The rule name of evidence that the trained model, and no rule, points to."""

CLEAR = 0.15
"""Below this probability of stalking, with nothing unwanted shown, no questions are asked."""


def decide(
    reading: Reading,
    scores: Scores,
    *,
    thresholds: dict[str, float],
    profile: Profile,
    model: ModelInfo,
    id: str | None = None,
) -> Assessment:
    """Put together the assessment of one narrative."""
    indicators = {name: _indicator(reading, scores, name, thresholds[name]) for name in INDICATORS}
    suggestion: Label = max(LABELS, key=lambda label: scores.label[label])
    if reading.doubts and len(reading.bounds) == 0:
        suggestion = "neither"
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
    )
    acts = _acts(reading, scores, thresholds)
    return Assessment(
        id=id,
        suggestion=suggestion,
        refer=bool(refer_reasons),
        refer_reasons=tuple(refer_reasons),
        probabilities={label: round(scores.label[label], 4) for label in LABELS},
        indicators=indicators,
        acts=acts,
        course_of_conduct=conduct,
        relationship=relationship,
        impact=_quoted(reading, by_category.get("impact", ())),
        orders=_quoted(
            reading, [*by_category.get("order", ()), *by_category.get("police_response", ())]
        ),
        risk_cues=_quoted(reading, [*by_category.get("danger", ()), *by_category.get("risk", ())]),
        counter_evidence=set_aside,
        reasons=tuple(
            _reasons(
                suggestion,
                present=present,
                occasions=conduct.occasions,
                counted_occasions=reading.conduct.counted,
                relationship=relationship.value,
                by_category=by_category,
                set_aside=set_aside,
                profile=profile,
            )
        ),
        missing=tuple(
            _missing(
                reading,
                suggestion=suggestion,
                p_stalking=scores.label["stalking"],
                present=present,
                relationship=relationship.value,
                by_category=by_category,
                profile=profile,
            )
        ),
        model=model,
        prompts=tuple(
            _prompts(
                suggestion, refer=bool(refer_reasons), by_category=by_category, profile=profile
            )
        ),
        not_found=tuple(
            _not_found(present, relationship.value, acts, profile)
            if suggestion == "harassment"
            else ()
        ),
    )


def _evidence(reading: Reading, finding: Finding) -> Evidence:
    start, end = reading.span(finding.start, finding.end)
    return Evidence(start, end, reading.text[start:end], finding.rule.id, finding.rule.says)


def _quoted(reading: Reading, findings: object) -> tuple[Evidence, ...]:
    assert isinstance(findings, (list, tuple))
    return tuple(_evidence(reading, finding) for finding in distinct(findings))


def _set_aside(reading: Reading, finding: Finding) -> SetAside:
    assert finding.cue is not None
    plain = _evidence(reading, finding)
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


def _indicator(reading: Reading, scores: Scores, name: str, threshold: float) -> Indicator:
    probability = scores.indicators[name]
    present = probability >= threshold and bool(reading.bounds)
    shown = distinct(f for f in reading.counted() if name in f.rule.shows)
    evidence = [_evidence(reading, finding) for finding in shown]
    if present and not evidence:
        start, end = _best_sentence(reading, scores.sentences[:, INDICATORS.index(name)])
        evidence = [
            Evidence(
                start, end, reading.text[start:end], LEARNED, f"Reads like other {name} reports."
            )
        ]
    return Indicator(present, round(probability, 4), tuple(evidence))


def _acts(reading: Reading, scores: Scores, thresholds: dict[str, float]) -> tuple[Act, ...]:
    found: list[Act] = []
    for act in ACTS:
        if scores.acts[act] < thresholds[f"act:{act}"] or not reading.bounds:
            continue
        by_rule = distinct(f for f in reading.counted() if f.rule.act == act)
        for finding in by_rule:
            start, end = reading.span(finding.start, finding.end)
            found.append(Act(act, start, end, reading.text[start:end], finding.rule.id))
        if not by_rule and len(scores.act_sentences):
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
    evidence = _quoted(reading, [f for f in reading.counted() if f.rule.value == value])
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
) -> list[str]:
    reasons = list(reading.doubts)
    if not reading.bounds:
        return reasons
    ranked = sorted(scores.label.items(), key=lambda item: -item[1])
    if ranked[0][1] < refer_below:
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
        and relationship == "ex_intimate"
        and {"unwanted", "repeated"} <= present
    ):
        reasons.append(
            "The suspect may be a former partner: the counting rules ask for stalking unless it is "
            "clear that it is not."
        )
    if _reporter_may_pursue(reading, suggestion):
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


def _reasons(
    suggestion: str,
    *,
    present: set[str],
    occasions: int,
    counted_occasions: int,
    relationship: str,
    by_category: dict[str, list[Finding]],
    set_aside: tuple[SetAside, ...],
    profile: Profile,
) -> list[str]:
    words = profile.reasons
    reasons: list[str] = []
    for name in INDICATORS:
        if name in present and (suggestion != "neither" or name != "repeated"):
            if name != "repeated":
                reasons.append(words[name])
            elif counted_occasions >= 2:
                reasons.append(words["repeated"].format(occasions=occasions))
            else:
                reasons.append(words["continuing"])
    if suggestion == "stalking" and relationship == "ex_intimate":
        reasons.append(words["ex_intimate"])
    if suggestion == "harassment":
        reasons.append(words["dispute" if by_category.get("dispute") else "hostility"])
    if suggestion == "neither":
        if "unwanted" in present and "repeated" not in present:
            reasons.append(words["one_occasion"])
        elif "unwanted" not in present and "repeated" in present:
            reasons.append(words["not_unwanted"])
        else:
            reasons.append(words["not_course"])
        if by_category.get("authority") or by_category.get("wanted"):
            reasons.append(words["lawful"])
    because = list(dict.fromkeys(item.because for item in set_aside))
    if because and suggestion != "stalking":
        reasons.append(words["set_aside"].format(why="; ".join(because)))
    return reasons


def _missing(
    reading: Reading,
    *,
    suggestion: str,
    p_stalking: float,
    present: set[str],
    relationship: str,
    by_category: dict[str, list[Finding]],
    profile: Profile,
) -> list[str]:
    ask = profile.questions
    if reading.doubts:
        return [ask["thin"]]
    if suggestion == "neither" and "unwanted" not in present and p_stalking < CLEAR:
        return []
    found: list[str] = []
    if _reporter_may_pursue(reading, suggestion):
        found.append(ask["who_did_what"])
    if "repeated" not in present:
        found.append(ask["repeated"])
    if "unwanted" not in present:
        found.append(ask["unwanted"])
    if relationship == "unknown" or (
        relationship in ("acquaintance", "stranger")
        and not any(f.rule.value == relationship for f in by_category.get("relationship", ()))
    ):
        found.append(ask["relationship"])
    if "fixated" not in present:
        found.append(ask["fixated"])
    if suggestion == "harassment" and not by_category.get("dispute"):
        found.append(ask["motive"])
    if suggestion != "neither":
        for category, question in (
            ("impact", "impact"),
            ("technology", "technology"),
            ("proxy", "others"),
            ("order", "orders"),
        ):
            if not by_category.get(category):
                found.append(ask[question])
    return found


def _prompts(
    suggestion: str, *, refer: bool, by_category: dict[str, list[Finding]], profile: Profile
) -> list[str]:
    say = profile.prompts
    found: list[str] = []
    if by_category.get("danger"):
        found.append(say["danger"])
    if suggestion == "stalking":
        found += [say["risk_assessment"], say["orders"], say["evidence"]]
    if suggestion != "neither":
        if by_category.get("order"):
            found.append(say["breach"])
        if by_category.get("police_response"):
            found.append(say["warning"])
    elif refer or by_category.get("impact"):
        found.append(say["history"])
    if by_category.get("wanted") and suggestion != "neither":
        found.append(say["mutual"])
    return found


def _not_found(
    present: set[str], relationship: str, acts: tuple[Act, ...], profile: Profile
) -> list[str]:
    found = [profile.not_found[name] for name in ("fixated", "obsessive") if name not in present]
    if relationship != "ex_intimate":
        found.append(profile.not_found["ex_intimate"])
    if not any(act.act == "monitoring" for act in acts):
        found.append(profile.not_found["monitoring"])
    return found
