"""What the law adds to an assessment: danger first, questions, directions, dates, jurisdictions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from conftest import ROOT, Run

import stalkflag
from stalkflag import Assessor
from stalkflag.assessment import Assessment
from stalkflag.law.advice import MOST_QUESTIONS

STALKED = (
    "My ex keeps sitting outside my work in his car. I have told him to stop and blocked his number "
    "but he makes new accounts to message me. He followed me home on Tuesday and again on Friday. "
    "I am terrified and have changed my route to work."
)
NEIGHBOUR = (
    "Ongoing neighbour dispute over noise and parking. The neighbour plays loud music and shouts "
    "abuse at her over the parking space every week. She is upset. It is only about the parking."
)


@pytest.fixture(scope="session")
def scotland() -> Assessor:
    return stalkflag.load(law="scotland")


@pytest.fixture(scope="module")
def corpus(assessor: Assessor) -> list[tuple[str, Assessment]]:
    """Sixty narratives of the test split with their assessments."""
    lines = (ROOT / "data" / "corpus" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines[:60]]
    return list(zip(texts, assessor.assess_many(texts), strict=True))


def test_the_parts_agree_with_one_another(corpus: list[tuple[str, Assessment]]) -> None:
    for _, one in corpus:
        assert len(one.missing) <= MOST_QUESTIONS
        for point in one.points_to_prove:
            assert (point.ask is None) == (point.status != "to_ask")
            assert not point.evidence or point.status == "shown"
        if one.danger:
            assert one.prompts[0] == one.danger.says
            assert one.danger.evidence
        assert one.suggestion == "harassment" or not one.not_found
        assert one.law is not None and one.law.profile == "england-wales" and one.law.on is None


def test_a_stalking_report_shows_its_points_and_asks_for_what_is_open(assessor: Assessor) -> None:
    one = assessor.assess(STALKED)
    assert one.suggestion == "stalking"
    status = {point.point: point.status for point in one.points_to_prove}
    for point in ("course_of_conduct", "harassment", "stalking_acts", "knowledge", "day_to_day"):
        assert status[point] == "shown", point
    asked = " ".join(one.missing)
    assert "told the suspect to stop" not in asked
    assert "day-to-day life" not in asked
    assert "order, bail condition" in asked
    assert any("counting rules" in reason for reason in one.reasons)
    assert any("police information notice" in prompt for prompt in one.prompts)
    assert any("stalking protection order" in prompt for prompt in one.prompts)
    assert any("Secure messages" in prompt for prompt in one.prompts)
    assert any("risk assessment" in prompt for prompt in one.prompts)


def test_what_the_text_denies_is_not_asked_again(assessor: Assessor) -> None:
    silent = assessor.assess(STALKED)
    denied = assessor.assess(STALKED + " No orders in place. No previous history.")
    assert any("order, bail condition" in question for question in silent.missing)
    assert not any("order, bail condition" in question for question in denied.missing)
    assert not any("done this before" in question for question in denied.missing)


def test_a_former_partner_whom_no_words_name_is_not_claimed(assessor: Assessor) -> None:
    one = assessor.assess("He keeps following me to work every day and I am scared to go out.")
    assert not one.relationship.evidence
    assert not any("former intimate partner" in reason for reason in one.reasons)
    assert any("Who is the suspect" in question for question in one.missing)


def test_harassment_lists_what_was_looked_for_and_not_found(assessor: Assessor) -> None:
    one = assessor.assess(NEIGHBOUR)
    assert one.suggestion == "harassment"
    assert any("start from stalking" in reason for reason in one.reasons)
    looked_for = " ".join(one.not_found)
    assert "follows, watches, tracks" in looked_for
    assert "former intimate relationship" in looked_for
    assert "monitoring" in looked_for and "watching" in looked_for


DANGER = (
    "He is outside now banging on the door and he will not leave. He has done this every night."
)


def test_danger_is_said_before_anything_else(run: Run) -> None:
    shown = run("check", "--text", DANGER).stdout
    assert shown.startswith("!! ")
    assert "force policy" in shown.splitlines()[0]
    plain = json.loads(run("check", "--text", DANGER, "--format", "json").stdout)
    quoted = plain["danger"]["evidence"]
    assert quoted and all(DANGER[e["start"] : e["end"]] == e["text"] for e in quoted)
    assert shown.count(plain["danger"]["says"][:30]) == 1


def test_no_danger_is_said_where_none_is_told(assessor: Assessor) -> None:
    assert assessor.assess(STALKED).danger is None


BOTH = [
    "I followed him home on Tuesday and I have been messaging him every day. He keeps ringing me and "
    "he waited outside my house twice.",
    "He follows her home every night. He claims she has been following him and slashed his tyres.",
    "He follows her home every night and sits outside her work. She has a counter-allegation against her.",
]


@pytest.mark.parametrize("text", BOTH)
def test_both_directions_are_shown_and_referred(assessor: Assessor, text: str) -> None:
    one = assessor.assess(text)
    assert one.refer
    assert len(one.directions) >= 2
    assert one.directions[0].by == "suspect"
    assert all(text[e.start : e.end] == e.text for d in one.directions for e in d.evidence)
    assert any("Who did what to whom" in question for question in one.missing)
    assert any("each direction" in prompt for prompt in one.prompts)


@pytest.mark.parametrize(
    "text",
    [
        STALKED,
        "I texted him to leave me alone. He follows me home every night and sits outside my work.",
        "He follows her home every night. He denies following her.",
        "He follows her home every night. He claims he was only walking his dog.",
    ],
)
def test_telling_him_to_stop_and_his_denials_are_no_second_direction(
    assessor: Assessor, text: str
) -> None:
    assert assessor.assess(text).directions == ()


def test_before_the_stalking_offences_it_cannot_be_stalking(assessor: Assessor) -> None:
    before = assessor.assess(STALKED, on=date(2012, 11, 24))
    assert before.suggestion == "stalking"
    assert any("cannot be s.2A" in reason for reason in before.refer_reasons)
    assert not any("s.2A" in offence for p in before.points_to_prove for offence in p.offences)
    assert not any("counting rules" in reason for reason in before.reasons)
    assert not any("information notice" in prompt for prompt in before.prompts)
    assert before.law is not None and before.law.on == "2012-11-24"
    after = assessor.assess(STALKED, on=date(2012, 11, 25))
    assert not any("cannot be" in reason for reason in after.refer_reasons)
    assert any("s.2A" in offence for p in after.points_to_prove for offence in p.offences)


def test_the_former_partner_rule_begins_in_april_2020(assessor: Assessor) -> None:
    march = assessor.assess(STALKED, on=date(2020, 3, 31))
    april = assessor.assess(STALKED, on=date(2020, 4, 1))
    assert not any("counting rules" in reason for reason in march.reasons)
    assert any("counting rules" in reason for reason in april.reasons)


def test_before_the_profile_begins_nothing_is_claimed(assessor: Assessor) -> None:
    one = assessor.assess(STALKED, on=date(1995, 1, 1))
    assert one.points_to_prove == ()
    assert any("16 June 1997" in reason for reason in one.refer_reasons)


def test_each_narrative_has_the_law_of_its_own_day(assessor: Assessor) -> None:
    days: list[date | None] = [date(2011, 1, 1), None, date(2016, 1, 1)]
    many = list(assessor.assess_many([STALKED] * 3, on=days))
    alone = [assessor.assess(STALKED, on=day) for day in days]
    assert many == alone
    assert len({one.refer_reasons for one in many}) == 2


def test_scots_law_is_another_law_on_the_same_reading(
    assessor: Assessor, scotland: Assessor
) -> None:
    scots, english = scotland.assess(STALKED), assessor.assess(STALKED)
    assert scots.suggestion == english.suggestion
    assert scots.indicators == english.indicators
    offences = {offence for point in scots.points_to_prove for offence in point.offences}
    assert offences == {"s.39", "s.38", "2018 Act s.1"}
    assert {act.provision for act in scots.acts} >= {"s.39(6)(a)", "s.39(6)(b)"}
    assert not any("counting rules" in reason for reason in scots.reasons)
    assert any("non-harassment order" in prompt for prompt in scots.prompts)
    assert any("corroborated" in prompt for prompt in scots.prompts)
    assert not any("information notice" in prompt for prompt in scots.prompts)


def test_scots_law_does_not_rest_on_harassment(scotland: Assessor) -> None:
    one = scotland.assess(NEIGHBOUR)
    assert one.suggestion == "harassment"
    assert any("no general offence of harassment" in reason for reason in one.reasons)


def test_scots_acts_of_its_own_are_named(scotland: Assessor) -> None:
    one = scotland.assess(STALKED + " He let himself in to my flat and left a note on my car.")
    assert {"entering", "giving"} <= set(one.shown_acts())


def test_the_command_line_applies_a_law_and_a_day(run: Run) -> None:
    scots = run("check", "--law", "scotland", "--text", STALKED)
    assert "s.39(6)(a) following" in scots.stdout
    assert "Points to prove" in scots.stdout and "(Scotland)" in scots.stdout
    then = run("check", "--date", "2011-05-01", "--text", STALKED)
    words = " ".join(then.stdout.split())
    assert "cannot be s.2A" in words
    assert "law on 2011-05-01" in words
    for arguments, says in (
        (("--date", "1/5/2011"), "is no date"),
        (("--law", "atlantis"), "There is no law profile"),
    ):
        refused = run("check", "--text", STALKED, *arguments)
        assert refused.returncode == 2
        assert says in refused.stderr and "Traceback" not in refused.stderr


def rows(path: Path) -> Iterator[dict[str, object]]:
    for line in path.open(encoding="utf-8"):
        yield json.loads(line)


def test_files_are_scored_under_a_law(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"id": "r1", "text": STALKED}) + "\n", encoding="utf-8")
    done = run("score", source, "-o", tmp_path / "out.jsonl", "--law", "scotland")
    assert done.returncode == 0, done.stderr
    (row,) = rows(tmp_path / "out.jsonl")
    assert row["law"]["profile"] == "scotland"  # type: ignore[index]
    assert {p["point"] for p in row["points_to_prove"]} >= {"fear_or_alarm"}  # type: ignore[union-attr, index]
    refused = run("score", source, "-o", tmp_path / "no.jsonl", "--law", "atlantis")
    assert refused.returncode == 2
    assert "There is no law profile" in refused.stderr
    assert not (tmp_path / "no.jsonl").exists()


def test_the_same_text_gives_the_same_bytes_in_every_process() -> None:
    code = f"import stalkflag; print(stalkflag.load().assess({STALKED!r}).to_json())"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1
