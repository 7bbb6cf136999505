"""Filters, and the order of need of review."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from stalkflag.batch import review
from stalkflag.batch.reading import Row
from stalkflag.batch.recorded import load_offences
from stalkflag.batch.review import Filter, review_need, sorted_by
from stalkflag.batch.writing import Scored


def scored(number: int, p: dict[str, float], recorded_as: str | None = None) -> Scored:
    flat: dict[str, Any] = {f"p_{label}": value for label, value in p.items()}
    flat["suggestion"] = max(p, key=lambda label: p[label])
    row = Row("in.csv", number, {"text": "he rang"}, "he rang", str(number))
    return Scored(row, flat, None, {"recorded_as": recorded_as})


LIKELY = {"stalking": 0.8, "harassment": 0.15, "neither": 0.05}
UNSURE = {"stalking": 0.4, "harassment": 0.15, "neither": 0.45}
NOT_READ = dict.fromkeys(("stalking", "harassment", "neither"), 0.3333)
HARASSMENT = {"stalking": 0.1, "harassment": 0.7, "neither": 0.2}


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        (Filter(), [LIKELY, UNSURE, HARASSMENT]),
        (Filter(frozenset({"stalking"})), [LIKELY]),
        (Filter(frozenset({"stalking", "harassment"})), [LIKELY, HARASSMENT]),
        (Filter(min_probability=0.4), [LIKELY, UNSURE]),
        (Filter(frozenset({"harassment"}), 0.6), [HARASSMENT]),
        (Filter(frozenset({"harassment"}), 0.8), []),
        (Filter(min_probability=0.3), [LIKELY, UNSURE]),
    ],
)
def test_filters(rows: Filter, kept: list[dict[str, float]]) -> None:
    found = [p for p in (LIKELY, UNSURE, HARASSMENT) if rows.keeps(scored(1, p))]
    assert found == kept


@pytest.mark.parametrize(("least", "kept"), [(0.0, True), (0.3, False)])
def test_what_could_not_be_read_has_no_probability_to_be_kept_by(least: float, kept: bool) -> None:
    assert Filter(min_probability=least).keeps(scored(1, NOT_READ)) is kept


def test_what_is_recorded_as_stalking_needs_review_last() -> None:
    rows = [
        scored(1, LIKELY, "8/66 Stalking"),
        scored(2, UNSURE, "8/66 Stalking"),
        scored(3, HARASSMENT, "8/30 Harassment"),
        scored(4, LIKELY, "58D Criminal damage"),
        scored(5, NOT_READ),
    ]
    rows.sort(key=review_need(load_offences()), reverse=True)
    assert [row.row.number for row in rows] == [4, 3, 2, 1, 5]


def test_more_rows_than_fit_in_memory_are_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "RUN_BYTES", 10_000)
    chance = random.Random(1)
    rows = [
        scored(n, {"stalking": round(chance.random(), 2), "harassment": 0.0, "neither": 0.0})
        for n in range(3_000)
    ]
    aside = tmp_path / "sort.partial"
    need = review_need(load_offences())
    found = list(sorted_by(need, rows, aside))
    assert found == sorted(rows, key=need, reverse=True)
    assert not aside.exists()


def test_filter_and_order_on_the_command_line(run: Run, tmp_path: Path) -> None:
    source = Path("data/examples/reports.csv")
    column = ("--recorded-as", "recorded_offence")
    assert run("score", source, "-o", tmp_path / "all.csv", *column).returncode == 0
    done = run(
        *("score", source, "-o", tmp_path / "some.csv", *column),
        *("--only", "stalking", "--only", "harassment", "--min-probability", "0.5"),
        *("--sort", "review"),
    )
    assert done.returncode == 0, done.stderr

    def read(name: str) -> list[dict[str, str]]:
        with (tmp_path / name).open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    everything, some = read("all.csv"), read("some.csv")
    expected = [
        row
        for row in everything
        if row["suggestion"] != "neither" and float(row[f"p_{row['suggestion']}"]) >= 0.5
    ]
    assert 0 < len(some) < len(everything)
    assert sorted(row["id"] for row in some) == sorted(row["id"] for row in expected)
    assert {row["row"] for row in some} <= {str(n) for n in range(1, len(everything) + 1)}
    unrecorded = [
        float(row["p_stalking"]) for row in some if "stalking" not in row["recorded_as"].lower()
    ]
    assert unrecorded == sorted(unrecorded, reverse=True)
    assert f"{len(everything) - len(some)} left out by the filter" in done.stderr
    wrong = run("score", source, "-o", tmp_path / "x.csv", "--only", "murder")
    assert wrong.returncode == 2


def test_the_order_of_review_heeds_a_forces_own_recorded_offences(run: Run, tmp_path: Path) -> None:
    source, own = tmp_path / "in.csv", tmp_path / "own.toml"
    waits = "My ex waits outside my house every night. I told him to stop and he followed me again."
    source.write_text(f"text,crime\n{waits},QX9\nHe rang me twice.,QX1\n", encoding="utf-8")
    own.write_text('[recorded]\nQX9 = "stalking"\n', encoding="utf-8")
    arguments = ("--recorded-as", "crime", "--sort", "review", "--offences", own)
    done = run("score", source, "-o", tmp_path / "out.csv", *arguments)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["crime"] for row in csv.DictReader(stream)] == ["QX1", "QX9"]
