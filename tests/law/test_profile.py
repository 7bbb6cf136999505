"""Law profiles: complete, dated, sourced, and every mistake told with file and key."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from conftest import ROOT, Run

from stalkflag.assessment import ACTS
from stalkflag.errors import InputError
from stalkflag.law import Profile, load_profile, shipped
from stalkflag.law.applied import unknown_rules
from stalkflag.law.page import legal_basis
from stalkflag.rules.schema import load_packs

PROFILES = ROOT / "stalkflag" / "law" / "profiles"
ENGLAND = (PROFILES / "england-wales.toml").read_text(encoding="utf-8")
KINDS = ("offences", "points", "topics", "neighbours", "recording", "prompts")


@pytest.fixture(params=shipped())
def profile(request: pytest.FixtureRequest) -> Profile:
    return load_profile(request.param)


def test_two_jurisdictions_are_shipped() -> None:
    assert shipped() == ["england-wales", "scotland"]


def test_everything_has_a_source_and_every_source_is_used(profile: Profile) -> None:
    used = {name for kind in KINDS for item in getattr(profile, kind) for name in item.source}
    assert all(item.source for kind in KINDS for item in getattr(profile, kind))
    assert used == set(profile.sources)


def test_every_rule_that_a_profile_selects_is_in_the_packs(profile: Profile) -> None:
    assert list(unknown_rules(profile, load_packs())) == []


def test_acts_are_those_of_the_statutes() -> None:
    england = {act.id: act.provision for act in load_profile().acts}
    assert list(england) == list(ACTS)
    assert england["watching"] == "s.2A(3)(g)"
    scotland = {act.id: act.provision for act in load_profile("scotland").acts}
    assert set(scotland) - set(ACTS) == {"entering", "giving", "other_alarming"}
    assert scotland["giving"] == "s.39(6)(h)"


@pytest.mark.parametrize(
    ("offence", "points"),
    [
        ("s.2A", {"course_of_conduct", "harassment", "stalking_acts", "knowledge"}),
        ("s.4A(1)(b)(i)", {"stalking_acts", "knowledge", "fear_of_violence", "fear_twice"}),
        ("s.4A(1)(b)(ii)", {"stalking_acts", "knowledge", "serious_alarm", "day_to_day"}),
        ("s.2", {"course_of_conduct", "harassment", "knowledge"}),
        ("s.4", {"course_of_conduct", "knowledge", "fear_of_violence", "fear_twice"}),
    ],
)
def test_each_offence_has_its_points(offence: str, points: set[str]) -> None:
    have = {point.id for point in load_profile().points if offence in point.offences}
    assert points <= have
    assert ("stalking_acts" in have) == offence.startswith(("s.2A", "s.4A"))
    assert ("day_to_day" in have) == (offence == "s.4A(1)(b)(ii)")


def test_no_rate_of_homicide_and_no_type_of_person_is_told(profile: Profile) -> None:
    words = " ".join(
        [
            *profile.reasons.values(),
            *profile.questions.values(),
            *(prompt.say for prompt in profile.prompts),
            *(neighbour.why for neighbour in profile.neighbours),
        ]
    )
    assert not re.search(r"94|\bstalker|%|rejected|predatory|high[- ]risk", words, re.IGNORECASE)


def ids(items: tuple[object, ...]) -> set[str]:
    return {item.id for item in items}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("law", "day", "kind", "id"),
    [
        ("england-wales", date(2012, 11, 25), "offences", "s.2A"),
        ("england-wales", date(2012, 11, 25), "points", "stalking_acts"),
        ("england-wales", date(2020, 4, 1), "recording", "former_partner"),
        ("england-wales", date(2019, 4, 3), "prompts", "no_notice"),
        ("england-wales", date(2023, 4, 5), "neighbours", "controlling_former_partner"),
        ("england-wales", date(2024, 1, 31), "neighbours", "threatening_communications"),
        ("scotland", date(2010, 12, 13), "offences", "s.39"),
        ("scotland", date(2019, 4, 1), "offences", "2018 Act s.1"),
    ],
)
def test_what_came_into_force_is_not_there_the_day_before(
    law: str, day: date, kind: str, id: str
) -> None:
    profile = load_profile(law)
    before = date.fromordinal(day.toordinal() - 1)
    assert id in ids(getattr(profile.on(day), kind))
    assert id not in ids(getattr(profile.on(before), kind))
    assert id in ids(getattr(profile.on(None), kind))


def test_there_is_one_prompt_on_orders_at_any_time() -> None:
    for day in (date(2005, 1, 1), date(2020, 1, 20), date(2020, 12, 1), date(2026, 1, 1)):
        says = [p.say for p in load_profile().on(day).prompts if p.id == "orders"]
        assert len(says) == 1
        assert ("stalking protection order" in says[0]) == (day >= date(2020, 1, 20))


MISTAKES = [
    ("foo = 1\n" + ENGLAND, "foo: this key is unknown"),
    (ENGLAND.replace('name = "England and Wales"\n', "", 1), "name: this key is missing"),
    (ENGLAND.replace("least_occasions = 2", 'least_occasions = "2"'), "least_occasions: "),
    (ENGLAND.replace("checked = 2026-11-24", 'checked = "soon"'), "checked: "),
    (
        ENGLAND.replace('ask = "repeated"', 'aks = "repeated"', 1),
        "points.course_of_conduct.aks: this key is unknown",
    ),
    (ENGLAND.replace('label = "stalking"', 'label = "stalkng"', 1), "offences.s.2A.label: "),
    (
        ENGLAND.replace('"category:impact"', '"category:impct"', 1),
        "points.harassment.evidence: 'category:impct'",
    ),
    (
        ENGLAND.replace('source = ["pha-7"]', 'source = ["pha-77"]'),
        "points.course_of_conduct.source: there is no source 'pha-77'",
    ),
    (
        ENGLAND.replace('ask = "unwanted"', 'ask = "tolled"', 1),
        "points.harassment.ask: there is no question 'tolled'",
    ),
    (
        ENGLAND.replace('offences = ["s.2A",', 'offences = ["s.2B",', 1),
        "points.course_of_conduct.offences: there is no offence 's.2B'",
    ),
    (
        ENGLAND.replace("valid_to = 2020-11-30", "valid_to = 1990-11-30", 1),
        "neighbours.breach_restraining_order_before_2020.valid_to: ",
    ),
    (
        ENGLAND.replace('id = "serious_alarm"', 'id = "day_to_day"'),
        "points.day_to_day: this id is used twice",
    ),
    (ENGLAND.replace('id = "watching"', 'id = "seeing"'), "acts: the act 'watching' is missing"),
    (ENGLAND.replace('id = "mutual"', 'id = "both"'), "prompts.mutual: this prompt is missing"),
    (ENGLAND.replace("hostility = ", "hostile = "), "reasons.hostility: this key is missing"),
    (ENGLAND.replace("{occasions}", "{number}"), "reasons.repeated: 'number' cannot stand"),
    (ENGLAND.replace('evidence = [["occasions"]]', 'evidence = ["occasions"]'), "evidence.1: "),
    (ENGLAND.replace("[reasons]", "[reasons"), "is not valid TOML"),
]


@pytest.mark.parametrize(("text", "says"), MISTAKES, ids=[says for _, says in MISTAKES])
def test_a_mistake_is_told_with_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    assert text != ENGLAND
    file = tmp_path / "ours.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as told:
        load_profile(file)
    assert str(file) in str(told.value)
    assert says in str(told.value)


def test_an_unknown_profile_is_told_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="england-wales or scotland"):
        load_profile("atlantis")


def test_a_profile_of_ones_own_is_used_by_its_path(run: Run, tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(
        ENGLAND.replace('id = "england-wales"', 'id = "our-force"').replace(
            "How frightened is the victim", "How afraid is the caller"
        ),
        encoding="utf-8",
    )
    done = run(
        "check", "--law", ours, "--text", "He follows her home from work every single night."
    )
    assert done.returncode == 0, done.stderr
    assert "How afraid is the caller" in done.stdout


def test_the_command_checks_a_file_and_names_unknown_rules(run: Run, tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(ENGLAND.replace("rule:unwanted.told_stop", "rule:no.such"), encoding="utf-8")
    done = run("law", "check", ours)
    assert done.returncode == 0
    assert "no.such" in done.stderr
    assert "5 offences" in done.stdout
    ours.write_text(ENGLAND.replace("[[acts]]", "[[act]]"), encoding="utf-8")
    refused = run("law", "check", ours)
    assert refused.returncode == 2
    assert "act" in refused.stderr and "Traceback" not in refused.stderr


def test_the_page_is_printed_from_the_profiles(run: Run) -> None:
    page = (ROOT / "docs" / "legal-basis.md").read_text(encoding="utf-8")
    assert page == legal_basis([load_profile(name) for name in shipped()])
    assert page == run("law", "show").stdout
