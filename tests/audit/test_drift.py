"""Monitoring: what has drifted is seen, what has not is not, and nothing of a text is kept."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from stalkflag.assessment import INDICATORS
from stalkflag.audit.drift import Light, Limits, Monitored, monitor, read_limits
from stalkflag.errors import InputError

WORDS = "he she rang texted outside work home again night police told stop bike stolen shed".split()
OTHER = "yo bro snap dm reel ghosted rizz lowkey finna stan vibe sus slay cap drip".split()


@dataclass(frozen=True)
class World:
    """How the reports of a made-up file are."""

    stalking: float = 0.2
    refer: float = 0.15
    words: tuple[str, ...] = tuple(WORDS)
    length: int = 60
    ex_partners: float = 0.5
    as_suggested: float = 0.7
    rules: tuple[str, ...] = ("pursuit.outside", "contact.one", "unwanted.told")
    register: str = "police_report"
    unread: float = 0.0

    def report(self, chance: random.Random) -> dict[str, Any]:
        stalking = chance.random() < self.stalking
        suggestion = "stalking" if stalking else chance.choice(("harassment", "neither"))
        p = chance.uniform(0.6, 1) if stalking else chance.uniform(0, 0.4)
        same = chance.random() < self.as_suggested
        length = int(chance.gauss(self.length, 10))
        return {
            "text": " ".join(chance.choice(self.words) for _ in range(max(5, length))),
            "register": self.register,
            "suggestion": suggestion,
            "refer": chance.random() < self.refer,
            "p": (1 / 3,) * 3 if chance.random() < self.unread else (p, (1 - p) / 2, (1 - p) / 2),
            "present": [chance.random() < (0.9 if stalking else 0.2) for _ in INDICATORS],
            "occasions": chance.choice((2, 3, 5)) if stalking else chance.choice((0, 1, 2)),
            "relationship": "ex_intimate" if chance.random() < self.ex_partners else "stranger",
            "acts": ["following"] if stalking else [],
            "recorded_as": suggestion if same else "Burglary",
            "rule": chance.choice(self.rules),
        }


def write_csv(path: Path, world: World, *, number: int = 600, seed: int = 1) -> Path:
    chance = random.Random(seed)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(
            [
                *("summary", "register", "suggestion", "refer"),
                *("p_stalking", "p_harassment", "p_neither", *INDICATORS),
                *("occasions", "relationship", "acts", "reasons", "recorded_as", "disagrees"),
            ]
        )
        for _ in range(number):
            r = world.report(chance)
            table.writerow(
                [r["text"], r["register"], r["suggestion"], str(r["refer"]).lower(), *r["p"]]
                + [str(p).lower() for p in r["present"]]
                + [r["occasions"], r["relationship"], "; ".join(r["acts"]), ""]
                + [r["recorded_as"], ""]
            )
    return path


def write_jsonl(path: Path, world: World, *, number: int = 600, seed: int = 1) -> Path:
    chance = random.Random(seed)
    with path.open("w", encoding="utf-8") as stream:
        for n in range(number):
            r = world.report(chance)
            plain = {
                "id": str(n),
                "suggestion": r["suggestion"],
                "refer": r["refer"],
                "refer_reasons": [],
                "probabilities": dict(
                    zip(("stalking", "harassment", "neither"), r["p"], strict=True)
                ),
                "indicators": {
                    name: {
                        "present": present,
                        "probability": 0.5,
                        "evidence": [
                            {"start": 0, "end": 2, "text": "he", "rule": r["rule"], "says": ""}
                        ],
                    }
                    for name, present in zip(INDICATORS, r["present"], strict=True)
                },
                "acts": [{"act": act, "start": 0, "end": 2, "text": "he"} for act in r["acts"]],
                "course_of_conduct": {"occasions": r["occasions"]},
                "relationship": {"value": r["relationship"]},
                "reasons": [],
            }
            stream.write(json.dumps(plain) + "\n")
    return path


def lights(found: Monitored) -> dict[str, Light]:
    return {one.what: one.light for one in found.compared}


def compare(
    tmp_path: Path, world: World, *, write: Callable[..., Path] = write_csv, number: int = 600
) -> Monitored:
    suffix = "csv" if write is write_csv else "jsonl"
    before = write(tmp_path / f"before.{suffix}", World())
    return monitor(before, write(tmp_path / f"now.{suffix}", world, number=number, seed=2))


@pytest.mark.parametrize("number", [100, 250, 1500])
def test_reports_of_the_same_kind_are_steady(tmp_path: Path, number: int) -> None:
    found = compare(tmp_path, World(), number=number)
    assert found.light is Light.steady
    assert (found.before, found.now) == (600, number)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"stalking": 0.5}, "suggested as stalking"),
        ({"refer": 0.5}, "referred to a person"),
        ({"as_suggested": 0.4}, "recorded as suggested"),
        ({"ex_partners": 0.05}, "relationship"),
        ({"length": 160}, "length of the narrative"),
        ({"words": tuple(WORDS[:8] + OTHER)}, "vocabulary"),
        ({"register": "forum_post"}, "register"),
    ],
)
def test_each_kind_of_drift_is_seen_where_it_is(
    tmp_path: Path, changed: dict[str, Any], what: str
) -> None:
    found = compare(tmp_path, replace(World(), **changed))
    assert lights(found)[what] is Light.stop
    assert found.light is Light.stop
    if "stalking" not in changed:
        assert lights(found)["suggested as stalking"] is Light.steady


def test_reports_that_could_not_be_read_move_no_other_figure(tmp_path: Path) -> None:
    found = compare(tmp_path, World(unread=0.3))
    assert [what for what, light in lights(found).items() if light is Light.stop] == [
        "could not be read"
    ]


def test_other_rules_are_seen_in_files_that_hold_evidence(tmp_path: Path) -> None:
    found = compare(tmp_path, replace(World(), rules=("x.new", "contact.one")), write=write_jsonl)
    assert lights(found)["rules that show indicators"] is Light.stop
    assert lights(found)["vocabulary"] is Light.absent


def test_a_small_difference_in_small_files_is_left_to_chance(tmp_path: Path) -> None:
    found = compare(tmp_path, replace(World(), stalking=0.24), number=120)
    assert lights(found)["suggested as stalking"] is Light.steady


def test_too_few_reports_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 100"):
        compare(tmp_path, World(), number=99)


def test_people_who_stop_agreeing_are_seen(tmp_path: Path) -> None:
    paths = []
    for name, share in (("before", 0.9), ("now", 0.6)):
        chance = random.Random(name)
        paths.append(tmp_path / f"{name}-decisions.jsonl")
        lines = [
            {
                **{"schema": "stalkflag.decision/1", "stage": "final", "label": "stalking"},
                **{"id": str(number), "agrees": chance.random() < share},
            }
            for number in range(300)
        ]
        # The same forms, sent before with another answer.
        overtaken = [{**line, "label": None, "agrees": False} for line in lines]
        lines = [*overtaken[: 150 if name == "now" else 0], *lines]
        cut_short = '{"schema": "stalk\n'
        paths[-1].write_text(
            cut_short + "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
        )
    one = write_csv(tmp_path / "one.csv", World())
    found = monitor(one, one, decisions=(paths[0], paths[1]))
    assert lights(found)["people decide as suggested"] is Light.stop
    assert lights(found)["people need more"] is Light.steady
    with pytest.raises(InputError, match="not a decisions file"):
        monitor(one, one, decisions=(paths[0], write_jsonl(tmp_path / "x.jsonl", World())))


def test_limits_of_a_force_are_used_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text("odds_stop = 99\npsi_watch = 0.2\n", encoding="utf-8")
    assert read_limits(path) == Limits(odds_stop=99, psi_watch=0.2)
    for wrong in ("odds_top = 2", "psi_stop = 0.01", "psi_stop = true", "least = -1", "= 3"):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(InputError, match=r"limits\.toml"):
            read_limits(path)


def test_the_command_prints_lights_and_ends_with_them(run: Run, tmp_path: Path) -> None:
    before = write_csv(tmp_path / "before.csv", World())
    same = write_csv(tmp_path / "same.csv", World(), seed=3)
    more = write_csv(tmp_path / "more.csv", World(stalking=0.5), seed=4)
    done = run("monitor", before, same)
    assert (done.returncode, done.stderr) == (0, "")
    assert "STEADY: nothing moved" in done.stdout
    done = run("monitor", before, more)
    assert done.returncode == 1
    assert "STOP AND REVIEW: suggested as stalking" in done.stdout
    found = json.loads(run("monitor", before, more, "--format", "json").stdout)
    assert found["light"] == "stop and review"
    done = run("monitor", before, tmp_path / "nothing.csv")
    assert done.returncode == 2 and "There is no file" in done.stderr
    done = run("monitor", before, more, "--text-column", "nothing")
    assert done.returncode == 2 and "has no column 'nothing'" in done.stderr
