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
from stalkflag.batch.review import Filter, review_need, sorted_by
from stalkflag.batch.writing import Scored


def scored(number: int, p: dict[str, float], recorded_as: str | None = None) -> Scored:
    flat: dict[str, Any] = {f"p_{label}": value for label, value in p.items()}
    flat["suggestion"] = max(p, key=lambda label: p[label])
    row = Row("in.csv", number, {"text": "he rang"}, "he rang", str(number))
    return Scored(row, flat, None, {"recorded_as": recorded_as})


LIKELY = {"stalking": 0.8, "harassment": 0.15, "neither": 0.05}
UNSURE = {"stalking": 0.4, "harassment": 0.15, "neither": 0.45}
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
    ],
)
def test_filters(rows: Filter, kept: list[dict[str, float]]) -> None:
    found = [p for p in (LIKELY, UNSURE, HARASSMENT) if rows.keeps(scored(1, p))]
    assert found == kept


def test_what_is_recorded_as_stalking_needs_review_last() -> None:
    rows = [
        scored(1, LIKELY, "8/66 Stalking"),
        scored(2, UNSURE, "8/66 Stalking"),
        scored(3, HARASSMENT, "8/30 Harassment"),
        scored(4, LIKELY, "58D Criminal damage"),
    ]
    rows.sort(key=review_need, reverse=True)
    assert [row.row.number for row in rows] == [4, 3, 2, 1]


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
    found = list(sorted_by(review_need, rows, aside))
    assert found == sorted(rows, key=review_need, reverse=True)
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
