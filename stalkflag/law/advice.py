"""From points and provisions to plain words: why, what to ask, what to do, what was not found."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from stalkflag.assessment import INDICATORS, LEARNED, PointToProve, SetAside
from stalkflag.law.applied import AppliedLaw, Found
from stalkflag.narrative import NOTHING_TOLD, UNREADABLE

MOST_QUESTIONS = 5
"""Questions asked at the most; the points to prove say what else is open."""


def reasons(
    law: AppliedLaw, found: Found, suggestion: str, *, set_aside: tuple[SetAside, ...]
) -> list[str]:
    """Why this is suggested, in plain words."""
    words = law.profile.reasons
    given: list[str] = []
    for name in INDICATORS:
        if name in found.present and (suggestion != "neither" or name != "repeated"):
            if name != "repeated":
                given.append(words[name])
            elif found.reading.conduct.counted >= 2:
                given.append(words["repeated"].format(occasions=found.conduct.occasions))
            else:
                given.append(words["continuing"])
    if suggestion == "stalking":
        acts = dict.fromkeys(act.act for act in found.acts if act.rule != LEARNED)
        if acts:
            given.append(words["acts"].format(acts=", ".join(acts)))
        if law.former_partner and found.tie_told("ex_intimate"):
            given.append(law.former_partner.reason)
    if suggestion == "harassment":
        given.append(words["dispute" if "dispute" in found.categories else "hostility"])
        given.append(words["harassment"])
    if suggestion == "neither":
        if "unwanted" in found.present and "repeated" not in found.present:
            given.append(words["one_occasion"])
        elif "unwanted" not in found.present and "repeated" in found.present:
            given.append(words["not_unwanted"])
        elif {"unwanted", "repeated"} <= found.present:
            given.append(words["not_pattern"])
        else:
            given.append(words["not_course"])
        if found.categories & {"authority", "wanted"}:
            given.append(words["lawful"])
    because = list(dict.fromkeys(item.because for item in set_aside))
    if because and suggestion != "stalking":
        given.append(words["set_aside"].format(why="; ".join(because)))
    return given


def not_the_law_then(law: AppliedLaw, suggestion: str) -> str | None:
    """Why the suggestion cannot be what the law was on the day of the conduct, if it cannot."""
    if law.day is None:
        return None
    words, day = law.profile.reasons, _day(law.day)
    if law.day < law.whole.valid_from:
        return words["before_profile"].format(day=day, since=_day(law.whole.valid_from))
    later = [
        offence
        for offence in law.whole.offences
        if offence.label == suggestion
        and offence.valid_from is not None
        and law.day < offence.valid_from
    ]
    if not later or any(offence.label == suggestion for offence in law.profile.offences):
        return None
    since = min(offence.valid_from for offence in later if offence.valid_from)
    return words["not_in_force"].format(
        day=day, offences=" or ".join(offence.id for offence in later), since=_day(since)
    )


def missing(
    law: AppliedLaw,
    found: Found,
    suggestion: str,
    *,
    points: Iterable[PointToProve],
    asking: bool,
    unclear_who: bool,
) -> list[str]:
    """What to ask, the most important first; not what the text answers already.

    ``asking`` is whether the facts call for questions. Of a text that tells nothing, that cannot
    be read, or that is doubtful and calls for no question, it is asked what happened.
    """
    questions = law.profile.questions
    doubts = set(found.reading.doubts)
    unread = bool(doubts & UNREADABLE) or (bool(doubts) and doubts <= NOTHING_TOLD)
    if unread or (doubts and not asking):
        return [questions["thin"]]
    if not asking:
        return []
    wanted = {point.ask for point in points if point.ask}
    if unclear_who:
        wanted.add(questions["who_did_what"])
    if not found.relationship.evidence:
        wanted.add(questions["relationship"])
    if "fixated" not in found.present:
        wanted.add(questions["fixated"])
    if suggestion == "harassment" and "dispute" not in found.categories:
        wanted.add(questions["motive"])
    if suggestion != "neither":
        wanted |= {questions[topic.ask] for topic in law.open_topics(found)}
    return [question for question in questions.values() if question in wanted][:MOST_QUESTIONS]


def prompts(
    law: AppliedLaw,
    found: Found,
    suggestion: str,
    *,
    refer: bool,
    both_directions: bool,
    breach: bool,
) -> list[str]:
    """What to do: danger first, then what inspectorates found undone."""
    wanted: list[str] = []
    if "danger" in found.categories:
        wanted.append("danger")
    if suggestion == "stalking":
        wanted += ["risk_assessment", "orders", "evidence"]
    if suggestion != "neither":
        if breach or "order" in found.categories:
            wanted.append("breach")
        if "police_response" in found.categories:
            wanted.append("warned")
        wanted.append("no_notice")
    elif refer or "impact" in found.categories:
        wanted.append("history")
    if suggestion == "stalking":
        wanted.append("record")
    if both_directions or ("wanted" in found.categories and suggestion != "neither"):
        wanted.append("mutual")
    return [say for say in map(law.prompt, wanted) if say]


def not_found(law: AppliedLaw, found: Found) -> list[str]:
    """What was looked for and not found, where harassment and not stalking is suggested."""
    words = law.profile.not_found
    given = [words[name] for name in ("fixated", "obsessive") if name not in found.present]
    if found.relationship.value != "ex_intimate":
        given.append(words["former_partner"])
    shown = {act.act for act in found.acts}
    acts = [act.id for act in law.profile.acts if act.id not in shown]
    if acts:
        given.append(words["acts"].format(acts=", ".join(acts)))
    return given


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
