"""Reports of one victim and one suspect read together."""

from __future__ import annotations

import random
from datetime import date, datetime

import pytest

from stalkflag import Assessor
from stalkflag.assessment import INDICATORS
from stalkflag.errors import InputError
from stalkflag.linked import assess_linked
from stalkflag.linked_set import LinkedAssessment, Report

PURSUIT = [
    "A man she met once at the gym followed her to her car in the car park. She felt uneasy.",
    "Letter put through her door by a man from the gym. He says he thinks about her.",
    "Man from the gym seen looking through her kitchen window at night. She shouted, he ran off.",
    "Man from the gym was waiting outside her work when she finished. She went back inside.",
]
DAYS = [datetime(2024, 1, 5), datetime(2024, 3, 1), datetime(2024, 3, 9), datetime(2024, 3, 12)]


@pytest.fixture(scope="module")
def pursuit(assessor: Assessor) -> LinkedAssessment:
    reports = [
        Report(text, f"R{n}", when)
        for n, (text, when) in enumerate(zip(PURSUIT, DAYS, strict=True))
    ]
    return assess_linked(assessor, random.Random(5).sample(reports, len(reports)))


@pytest.mark.parametrize(
    "text", ["", "dog", *PURSUIT[:1], "Bike stolen from outside the library between 2pm and 4pm."]
)
def test_a_single_report_is_its_own_assessment(assessor: Assessor, text: str) -> None:
    linked = assess_linked(assessor, [Report(text, "x", datetime(2024, 1, 1))])
    alone = assessor.assess(text, id="x", on=date(2024, 1, 1))
    assert linked.together == linked.alone[0] == alone
    assert linked.raised == ()
    assert linked.escalation == ()


def test_reports_are_read_in_the_order_of_their_dates(pursuit: LinkedAssessment) -> None:
    assert [report.id for report in pursuit.reports] == ["R0", "R1", "R2", "R3"]
    plain = pursuit.to_dict()
    assert (plain["first_date"], plain["last_date"]) == ("2024-01-05", "2024-03-12")
    assert plain["course_of_conduct"]["span_days"] == 67


def test_one_offs_together_are_more_like_stalking_than_any_of_them(
    pursuit: LinkedAssessment,
) -> None:
    assert pursuit.together
    alone = [one.probabilities["stalking"] for one in pursuit.alone]
    assert pursuit.together.probabilities["stalking"] > max(alone)
    assert pursuit.together.suggestion == "stalking"
    assert pursuit.together.indicators["repeated"].present
    assert pursuit.raised == tuple(
        i for i, one in enumerate(pursuit.alone) if one.suggestion != "stalking"
    )
    assert [report["raised"] for report in pursuit.to_dict()["reports"]] == [
        i in pursuit.raised for i in range(4)
    ]


def test_occasions_are_at_least_the_reports_that_show_conduct(pursuit: LinkedAssessment) -> None:
    assert pursuit.together
    assert len(pursuit.showing) >= 3
    stated = max(one.course_of_conduct.occasions for one in pursuit.alone)
    assert pursuit.together.course_of_conduct.occasions == max(stated, len(pursuit.showing))


def test_every_piece_of_evidence_is_found_in_the_report_it_names(
    pursuit: LinkedAssessment,
) -> None:
    plain = pursuit.to_dict()
    evidence = [e for name in INDICATORS for e in plain["indicators"][name]["evidence"]]
    evidence += plain["acts"] + plain["course_of_conduct"]["basis"] + plain["risk_cues"]
    assert len({e["report"] for e in evidence}) == 4
    for e in evidence:
        text = pursuit.reports[e["report"]].text
        assert text[e["start"] : e["end"]] == e["text"]


def test_what_is_set_aside_in_a_report_is_decided_by_that_report_only(assessor: Assessor) -> None:
    texts = ["He sat outside her house. Has he followed her?", "No. He never went to her work."]
    linked = assess_linked(assessor, [Report(text, str(n)) for n, text in enumerate(texts)])
    apart = [
        (n, item.start, item.rule, item.because)
        for n, one in enumerate(linked.alone)
        for item in one.counter_evidence
    ]
    plain = linked.to_dict()["counter_evidence"]
    assert [(e["report"], e["start"], e["rule"], e["because"]) for e in plain] == apart
    together = assessor.assess(" ".join(texts))
    assert len(together.counter_evidence) > len(apart)


@pytest.mark.parametrize("apart", [True, False])
def test_reports_of_one_event_are_one_occasion(assessor: Assessor, apart: bool) -> None:
    again = PURSUIT[0].upper() if not apart else PURSUIT[1]
    when = DAYS[0] if apart else None
    linked = assess_linked(assessor, [Report(PURSUIT[0], "a", when), Report(again, "b", when)])
    assert linked.together
    assert len(linked.showing) == 1


def test_escalation_names_the_reports_that_show_it(pursuit: LinkedAssessment) -> None:
    kinds = {change.kind: change for change in pursuit.escalation}
    assert "56 days apart at first and 6 later" in kinds["frequency"].says
    assert kinds["variety"].reports[0] > 0
    warned = [one for one in pursuit.alone if one.orders]
    assert ("persistence" in kinds) == bool(warned)


def test_conduct_after_an_order_is_said(assessor: Assessor) -> None:
    reports = [
        Report("Restraining order granted against her ex until 2027.", "a", DAYS[0]),
        Report("Her ex followed her from the station to her door.", "b", DAYS[1]),
    ]
    linked = assess_linked(assessor, reports)
    assert [c.reports for c in linked.escalation if c.kind == "persistence"] == [(0, 1)]


def test_unlike_incidents_stay_what_they_are(assessor: Assessor) -> None:
    texts = [
        "Shoplifter made off with two bottles of wine. Left before staff could stop him.",
        "Two car collision at the roundabout. Details exchanged, no injuries.",
        "Bike stolen from outside the library between 2pm and 4pm. No witnesses.",
    ]
    linked = assess_linked(assessor, [Report(text, str(n)) for n, text in enumerate(texts)])
    assert linked.together
    assert linked.together.suggestion == "neither"
    assert linked.raised == ()


def test_a_set_too_large_is_not_judged_and_says_so(assessor: Assessor) -> None:
    linked = assess_linked(assessor, [Report(text) for text in PURSUIT], most=3)
    assert linked.together is None
    assert linked.raised == ()
    plain = linked.to_dict()
    assert "4 reports are linked by this key, more than 3" in plain["note"]
    assert "suggestion" not in plain
    assert len(plain["reports"]) == 4


def test_no_report_is_an_error(assessor: Assessor) -> None:
    with pytest.raises(InputError, match="no report"):
        assess_linked(assessor, [])
