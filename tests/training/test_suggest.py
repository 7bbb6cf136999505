"""Which narratives to label next: doubtful ones, unlike each other, none twice."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from conftest import ROOT, Run

from stalkflag import Assessor
from stalkflag.training.suggest import suggest

SURE = [
    "Bike stolen from outside the library between 2pm and 4pm, no suspect seen.",
    "My ex sits outside my house every night and I have told him to stop. He followed me on Friday.",
    "Two cars collided at the roundabout, no injuries, details exchanged.",
]


def narratives() -> list[tuple[str, str]]:
    lines = (ROOT / "data" / "corpus" / "dev.jsonl").read_text(encoding="utf-8").splitlines()[::6]
    return [(row["id"], row["text"]) for row in map(json.loads, lines)]


def test_the_doubtful_come_before_the_sure_and_spread_over_what_is_told(
    assessor: Assessor,
) -> None:
    given = narratives() + [(f"sure-{n}", text) for n, text in enumerate(SURE)]
    chosen, passed = suggest(given, assessor, number=8)
    assert len(chosen) == 8
    assert passed.rows == len(given)
    assert [one.doubt for one in chosen] == sorted((one.doubt for one in chosen), reverse=True)
    of_all = {one.name: one.doubt for one in suggest(given, assessor, number=len(given))[0]}
    assert sum(one.doubt for one in chosen) / 8 > sum(of_all.values()) / len(of_all)
    # Ten copies of one doubtful story, hardly changed, are one thing to label.
    name, text = max(given, key=lambda item: of_all[item[0]])
    alike = [(f"{name}-{n}", f"{text} Log {n}.") for n in range(10)]
    with_copies, _ = suggest([*given, *alike], assessor, number=8)
    assert sum(one.name.startswith(name) for one in with_copies) <= 3


def test_nothing_is_chosen_twice_or_again_or_without_a_story(assessor: Assessor) -> None:
    (_, first), (_, second), *_ = narratives()
    given = [
        *(("a", first), ("b", first.upper().replace(" ", "  "))),
        *(("c", second), ("d", "He rang."), ("e", "")),
    ]
    chosen, passed = suggest(given, assessor, number=5, labelled=[second])
    assert [one.name for one in chosen] == ["a"]
    assert (passed.rows, passed.same, passed.labelled, passed.thin) == (5, 1, 1, 2)
    # As it comes back from a table, in which it stands behind a mark.
    doubtful = [("f", f"- {second}"), given[0]]
    _, passed = suggest(doubtful, assessor, number=5, labelled=[f"'- {second}"])
    assert passed.labelled == 1


def test_the_file_can_be_labelled_and_trained_on(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "reports.csv"
    texts = [text for _, text in narratives()[:8]]
    with source.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "MO text"])
        table.writerows([[f"r{n}", text] for n, text in enumerate(texts)])
    done = run(
        *("data", "suggest", source, "-o", "next.csv", "--number", "3"),
        *("--text-column", "MO text"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "3 of 8 narratives" in done.stderr
    path = tmp_path / "next.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8-sig", newline="")))
    assert len(rows) == 3
    assert set(rows[0]) == {"id", "label", "text"}
    assert all(row["label"] == "" and row["text"] in texts for row in rows)
    refused = run("data", "check", path)
    assert refused.returncode == 2 and "3 with no label" in refused.stderr
    path.write_text(path.read_text(encoding="utf-8-sig").replace(",,", ",neither,"), "utf-8")
    assert "by label: neither 3" in run("data", "check", path).stdout


def test_an_ending_that_is_not_known_is_refused_before_anything_is_read(
    tmp_path: Path, run: Run
) -> None:
    done = run("data", "suggest", "nowhere.csv", "-o", "next.xml", cwd=tmp_path)
    assert done.returncode == 2
    assert ".csv, .tsv, .jsonl" in done.stderr
