"""Rows linked: whatever their order, in files, and the same as a group assessed by itself."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from stalkflag import Assessor
from stalkflag.batch.dates import read_when
from stalkflag.batch.gathering import LinkedRows
from stalkflag.batch.linking import (
    LINKED,
    Link,
    link_group,
    link_key,
    set_name,
)
from stalkflag.batch.reading import Rejected, Row
from stalkflag.batch.score import Options, score_files
from stalkflag.errors import InputError

KEYS = ("victim_id", "suspect_id")
TEXTS = [
    "A man she met once at the gym followed her to her car in the car park. She felt uneasy.",
    "Letter put through her door by a man from the gym. He says he thinks about her.",
    "Man from the gym seen looking through her kitchen window at night. She shouted, he ran off.",
    "Bike stolen from outside the library between 2pm and 4pm. No witnesses.",
    "Neighbour threw rubbish over the fence after a row about noise.",
]
LINK = ("--link-on", ",".join(KEYS), "--date-column", "when")


def rows() -> list[dict[str, str]]:
    found = [
        {
            "id": f"R{n:03}",
            "when": f"{1 + n % 27:02}/{1 + n // 30:02}/2024" if n % 11 else "in spring",
            "victim_id": f"V{n % 17}",
            "suspect_id": f"S{n % 17}" if n % 13 else " Unknown",
            "narrative": f"{TEXTS[n % 5]} Ref {n}.",
        }
        for n in range(120)
    ]
    return random.Random(7).sample(found, len(found))


def write(path: Path, table: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


def read(path: Path) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for line in path.open(encoding="utf-8") if (one := json.loads(line))}


@pytest.fixture(scope="module")
def scored(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("linking")
    source = write(folder / "in.csv", rows())
    done = run("score", source, "-o", folder / "out.jsonl", *LINK, "--links", folder / "sets.jsonl")
    assert done.returncode == 0, done.stderr
    assert "17 sets of 110 reports" in " ".join(done.stderr.split())
    assert "10 rows have no key to link on" in done.stderr
    assert "rows have no date that can be read" in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["in.csv", "out.jsonl", "sets.jsonl"]
    return folder


def test_rows_have_what_their_group_has_assessed_by_itself(
    scored: Path, assessor: Assessor
) -> None:
    groups: dict[tuple[str, ...] | None, list[Row]] = defaultdict(list)
    for n, row in enumerate(rows(), start=1):
        when = read_when(row["when"])
        groups[link_key(row, KEYS)].append(Row("in", n, row, row["narrative"], row["id"], when))
    expected = {
        str(one.id): added
        for group in groups.values()
        for one, added in link_group(assessor, group, Link(KEYS))
    }
    got = read(scored / "out.jsonl")
    assert {id: {c: row[c] for c in LINKED} for id, row in got.items()} == expected
    for row in got.values():
        stalking = (row["suggestion"], row["linked_suggestion"])
        assert row["linked_raised"] == (stalking[0] != "stalking" and stalking[1] == "stalking")


def test_the_order_of_rows_and_the_number_of_workers_change_nothing(
    run: Run, scored: Path, tmp_path: Path
) -> None:
    source = write(tmp_path / "in.csv", sorted(rows(), key=lambda r: r["victim_id"]))
    for workers in ("1", "2"):
        out = tmp_path / f"{workers}.jsonl"
        links = tmp_path / f"sets{workers}.jsonl"
        done = run("score", source, "-o", out, *LINK, "--links", links, "--workers", workers)
        assert done.returncode == 0, done.stderr
        got = read(out)
        before = read(scored / "out.jsonl")
        assert {i: [r[c] for c in LINKED] for i, r in got.items()} == {
            i: [r[c] for c in LINKED] for i, r in before.items()
        }
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    assert (tmp_path / "sets1.jsonl").read_bytes() == (tmp_path / "sets2.jsonl").read_bytes()


def test_the_links_file_has_each_set_with_the_report_that_shows_each_thing(scored: Path) -> None:
    texts = {row["id"]: row["narrative"] for row in rows()}
    sets = [json.loads(line) for line in (scored / "sets.jsonl").open(encoding="utf-8")]
    assert len(sets) == 17
    raised = [any(report["raised"] for report in one["reports"]) for one in sets]
    assert raised == sorted(raised, reverse=True)
    for one in sets:
        assert one["id"] == set_name(list(one["linked_on"].values()))
        assert one["size"] == len(one["reports"])
        for name in one["indicators"]:
            for evidence in one["indicators"][name]["evidence"]:
                text = texts[one["reports"][evidence["report"]]["id"]]
                assert text[evidence["start"] : evidence["end"]] == evidence["text"]


def test_flat_output_has_the_columns_and_flat_links_no_words(
    run: Run, scored: Path, tmp_path: Path
) -> None:
    out, links = tmp_path / "out.csv", tmp_path / "sets.csv"
    done = run("score", scored / "in.csv", "-o", out, *LINK, "--links", links)
    assert done.returncode == 0, done.stderr
    with out.open(encoding="utf-8", newline="") as stream:
        flat = {row["id"]: row for row in csv.DictReader(stream)}
    for id, row in read(scored / "out.jsonl").items():
        assert flat[id]["linked_set"] == (row["linked_set"] or "")
        assert flat[id]["linked_raised"] == str(row["linked_raised"]).lower()
    said = links.read_text(encoding="utf-8")
    assert len(said.splitlines()) == 18
    assert "gym" not in said and "kitchen" not in said


def test_a_set_above_the_limit_is_noted_and_not_judged(
    run: Run, scored: Path, tmp_path: Path
) -> None:
    links = tmp_path / "sets.jsonl"
    arguments = ("--links", links, "--link-limit", "6")
    done = run("score", scored / "in.csv", "-o", tmp_path / "out.jsonl", *LINK, *arguments)
    assert done.returncode == 0, done.stderr
    assert "not judged" in done.stderr
    sets = [json.loads(line) for line in links.open(encoding="utf-8")]
    large = {one["id"]: one for one in sets if one["size"] > 6}
    assert large
    for one in large.values():
        assert "may stand for 'not known'" in one["note"]
    for row in read(tmp_path / "out.jsonl").values():
        if row["linked_set"] in large:
            assert row["linked_reports"] > 6
            assert row["linked_suggestion"] == row["suggestion"]
            assert row["linked_raised"] is False


def test_rejected_rows_do_not_shift_what_belongs_to_the_others(run: Run, tmp_path: Path) -> None:
    lines = ["not json"]
    for n, text in enumerate(TEXTS[:3]):
        lines += [json.dumps({"id": n, "v": 1, "s": 2, "text": text}), '{"id": 9, "text": 7}']
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join([lines[1], lines[0], *lines[2:]]), encoding="utf-8")
    out = tmp_path / "out.jsonl"
    done = run("score", source, "-o", out, "--link-on", "v,s", "--rejects", tmp_path / "bad.csv")
    assert done.returncode == 1, done.stderr
    got = read(out)
    assert {row["linked_reports"] for row in got.values()} == {3}
    assert len({row["linked_p_stalking"] for row in got.values()}) == 1


def test_a_set_is_assessed_by_the_law_of_its_last_day(run: Run, tmp_path: Path) -> None:
    days = {"A": ["03/02/2010", "1900-01-01", "05/03/2011"], "B": ["03/02/2010", "05/03/2021", ""]}
    table = [
        {"id": f"{key}{n}", "when": day, "v": key, "text": TEXTS[n]}
        for key, dates in days.items()
        for n, day in enumerate(dates)
    ]
    source, links = write(tmp_path / "in.csv", table), tmp_path / "sets.jsonl"
    done = run(
        *("score", source, "-o", tmp_path / "out.jsonl", "--links", links),
        *("--link-on", "v", "--date-column", "when"),
    )
    assert done.returncode == 0, done.stderr
    assert "2 rows have no date that can be read" in done.stderr
    found = {}
    for line in links.open(encoding="utf-8"):
        plain = json.loads(line)
        found[plain["linked_on"]["v"]] = plain
    assert [found[key]["law"]["on"] for key in "AB"] == ["2011-03-05", "2021-03-05"]
    offences = [{o for p in found[key]["points_to_prove"] for o in p["offences"]} for key in "AB"]
    assert "s.2A" not in offences[0] and "s.2A" in offences[1]
    alone = read(tmp_path / "out.jsonl")
    assert [alone[f"A{n}"]["law"]["on"] for n in range(3)] == ["2010-02-03", None, "2011-03-05"]


FILES_ONLY = """
import sys
from pathlib import Path
from stalkflag.batch.linking import Link
from stalkflag.batch.score import Options, score_files

link = Link(("victim_id", "suspect_id"))
options = Options(link=link, links=Path(sys.argv[3]), law="scotland")
tally = score_files([sys.argv[1]], Path(sys.argv[2]), options, workers=2)
print(tally.written, tally.linked.sets)
print(*{"spacy", "numpy", "onnxruntime", "stalkflag.assessor"} & set(sys.modules))
"""


def test_the_process_that_reads_and_writes_loads_no_spacy(tmp_path: Path) -> None:
    write(tmp_path / "in.csv", rows()[:30])
    places = [str(tmp_path / name) for name in ("in.csv", "out.csv", "sets.jsonl")]
    done = subprocess.run(
        [sys.executable, "-c", FILES_ONLY, *places], capture_output=True, text=True, check=True
    )
    counts, loaded = done.stdout.split("\n")[:2]
    sets = len((tmp_path / "sets.jsonl").read_text(encoding="utf-8").splitlines())
    assert counts == f"30 {sets}" and sets
    assert loaded == ""


def test_narratives_wait_in_a_file_without_a_name(tmp_path: Path) -> None:
    table = [
        Row("in", n, {"v": "1", "s": "2"}, f"a narrative that must not be found {n}", str(n))
        for n in range(4)
    ]
    seen: list[str] = []

    def judge(sets: Any) -> Any:
        for reports in sets:
            seen.extend(report.text for report in reports)
            assert list(tmp_path.iterdir()) == []
            raise RuntimeError("stop here")
            yield

    with (
        pytest.raises(RuntimeError, match="stop here"),
        LinkedRows(Link(("v", "s")), tmp_path) as linked,
    ):
        linked.link([*table, Rejected("in", 5, "why")], judge)
    assert seen == [row.text for row in table]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"link": Link(("victim_id", "nobody"))}, "--link-on"),
        ({"date_column": "never"}, "--date-column"),
        ({"links": Path("sets.jsonl")}, "--link-on"),
        ({"link": Link(("victim_id",)), "links": Path("sets.docx")}, "must end in"),
        ({"recorded_as": "victim_id", "offences": Path("none.toml")}, "cannot be read"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    source = write(tmp_path / "in.csv", rows())
    with pytest.raises(InputError, match=says):
        score_files([str(source)], tmp_path / "out.csv", Options(**options))
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("output", "rejects", "links", "says"),
    [
        ("out.csv", None, "in.csv", "is one of the inputs: choose another name for --links"),
        ("same.csv", None, "same.csv", "--links and --output name the same file"),
        ("out.csv", "same.csv", "inner/../same.csv", "--links and --rejects name the same file"),
        ("out.csv", None, "missing/sets.csv", "sets.csv cannot be written: there is no folder"),
        ("out.csv", None, "inner.csv", "inner.csv cannot be written: it is a folder"),
    ],
)
def test_links_replace_no_other_file(
    tmp_path: Path, output: str, rejects: str | None, links: str, says: str
) -> None:
    source = write(tmp_path / "in.csv", rows())
    before = source.read_bytes()
    for folder in ("inner", "inner.csv"):
        (tmp_path / folder).mkdir()
    options = Options(link=Link(("victim_id",)), links=tmp_path / links)
    with pytest.raises(InputError, match=says):
        score_files(
            [str(source)],
            tmp_path / output,
            options,
            rejects=tmp_path / rejects if rejects else None,
        )
    assert source.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "inner", "inner.csv"}


def test_empty_names_among_link_columns_are_passed_over(run: Run, tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", rows()[:30])
    files = []
    for number, names in enumerate(("victim_id", "victim_id, ,")):
        files.append(tmp_path / f"out{number}.csv")
        done = run("score", source, "-o", files[-1], "--link-on", names)
        assert done.returncode == 0, done.stderr
        assert "Linked: 0 sets" not in done.stderr
    assert files[0].read_bytes() == files[1].read_bytes()
    for names in (",", ""):
        done = run("score", source, "-o", tmp_path / "none.csv", "--link-on", names)
        assert done.returncode == 2 and "--link-on names no column" in done.stderr
    assert not (tmp_path / "none.csv").exists()


def test_columns_are_found_ignoring_case_in_every_file(tmp_path: Path) -> None:
    table = [{**row, "Offence": "8/66 Stalking"} for row in rows()[:40]]
    write(tmp_path / "a.csv", table[:20])
    write(tmp_path / "b.csv", table[20:])
    upper = [{name.upper(): value for name, value in row.items()} for row in table[20:]]
    write(tmp_path / "c.csv", upper)
    found = []
    for second, columns in (
        ("b.csv", ("victim_id", "when", "Offence")),
        ("c.csv", ("VICTIM_ID", "When", "offence")),
    ):
        links = tmp_path / f"{second}.jsonl"
        tally = score_files(
            [str(tmp_path / "a.csv"), str(tmp_path / second)],
            tmp_path / f"out-{second}",
            Options(
                link=Link((columns[0],)),
                links=links,
                date_column=columns[1],
                recorded_as=columns[2],
            ),
        )
        sets = [json.loads(line) for line in links.open(encoding="utf-8")]
        found.append((tally, [(one["linked_on"], one["first_date"]) for one in sets]))
    assert found[0] == found[1]
    assert found[0][0].linked and found[0][0].linked.sets
    assert found[0][0].without_date < 20


def test_json_lines_carry_the_input_columns_but_not_the_narrative(scored: Path) -> None:
    by_id = {row["id"]: row for row in rows()}
    for row in read(scored / "out.jsonl").values():
        expected = {k: v for k, v in by_id[row["id"]].items() if k != "narrative"}
        assert row["input"] == expected
