"""Samples are drawn with known chances, forms keep a secret, and reviews give the truth back."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from population import WORDS, Population, add_unread, make_population

from stalkflag.audit.accuracy import estimate_accuracy
from stalkflag.audit.forms import DESIGN_COLUMNS, design_path, read_review, write_form
from stalkflag.audit.reading import read_table
from stalkflag.audit.sample import allocate, draw_sample
from stalkflag.batch.recorded import load_offences
from stalkflag.errors import InputError

OFFENCES = load_offences()


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Population:
    return make_population(tmp_path_factory.mktemp("audit") / "scored.csv", 1500, seed=11)


def draw(population: Population, form: Path, *, seed: int = 3, size: int = 150, **how: Any) -> Path:
    units = draw_sample(population.path, size, seed=seed, offences=OFFENCES)
    write_form(form, units, design=design_path(form), seed=seed, **{"blind": True, **how})
    return form


def fill(form: Path, labels: dict[str, str], *, leave: int = 0) -> Path:
    """The form with the true labels; every ``leave``-th row is left empty."""
    rows = list(read_table(form))
    for n, row in enumerate(rows):
        row["reviewed_label"] = labels[row["id"]] if not leave or n % leave else ""
    with form.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return form


def test_the_same_seed_draws_the_same_sample(population: Population, tmp_path: Path) -> None:
    one, same, other = (
        draw(population, tmp_path / f"{n}.csv", seed=seed) for n, seed in enumerate((5, 5, 6))
    )
    assert one.read_bytes() == same.read_bytes()
    assert design_path(one).read_bytes() == design_path(same).read_bytes()
    assert {row["id"] for row in read_table(one)} != {row["id"] for row in read_table(other)}


def test_weights_stand_for_every_report_once(population: Population) -> None:
    units = draw_sample(population.path, 150, seed=1, offences=OFFENCES)
    assert len({unit.report.id for unit in units}) == len(units) == 150
    assert sum(1 / unit.chance for unit in units) == pytest.approx(1500)
    drawn = Counter(unit.stratum.name for unit in units)
    for stratum in {unit.stratum for unit in units}:
        assert drawn[stratum.name] == stratum.drawn <= stratum.size
        assert stratum.drawn >= min(2, stratum.size)
    for unit in units:
        assert unit.recorded == population.recorded[unit.report.id]


@pytest.mark.parametrize(
    ("sizes", "total"), [([12214, 4102, 538, 8], 300), ([5, 3, 2], 300), ([10, 10, 10], 6)]
)
def test_allocation_draws_as_many_as_asked_and_no_more_than_there_are(
    sizes: list[int], total: int
) -> None:
    drawn = allocate(np.array(sizes), np.linspace(0.1, 0.5, len(sizes)), total)
    assert drawn.sum() == min(total, sum(sizes))
    assert (drawn <= sizes).all()
    assert (drawn >= np.minimum(sizes, 2)).all()


def test_every_report_of_a_stratum_has_the_same_chance(population: Population) -> None:
    seeds = 12
    met: dict[str, set[str]] = defaultdict(set)
    strata = {}
    for seed in range(seeds):
        for unit in draw_sample(population.path, 300, seed=seed, offences=OFFENCES):
            met[unit.stratum.name].add(unit.report.id)
            strata[unit.stratum.name] = unit.stratum
    for name, stratum in strata.items():
        never = (1 - stratum.drawn / stratum.size) ** seeds
        expected = stratum.size * (1 - never)
        spread = (stratum.size * never * (1 - never)) ** 0.5
        assert abs(len(met[name]) - expected) <= 4 * spread + 1


def test_a_blind_form_shows_nothing_that_stalkflag_says(
    population: Population, tmp_path: Path
) -> None:
    form = draw(population, tmp_path / "form.csv", show=["station"], text_column="narrative")
    rows = list(read_table(form))
    assert list(rows[0]) == [
        *("sample_id", "id", "source", "station", "narrative"),
        *("reviewed_label", "reviewed_by", "reviewed_on", "note"),
    ]
    # The order gives no stratum away either.
    p = [population.p[row["id"]] for row in rows]
    assert abs(np.corrcoef(p, np.arange(len(p)))[0, 1]) < 0.25
    assert set(DESIGN_COLUMNS) <= set(next(read_table(design_path(form))))
    assert WORDS not in design_path(form).read_text(encoding="utf-8-sig")


def test_a_form_that_is_not_blind_needs_no_design(population: Population, tmp_path: Path) -> None:
    form = fill(draw(population, tmp_path / "form.csv", blind=False), population.truth)
    design = design_path(form)
    with_design = estimate_accuracy(read_review(form, design))
    design.unlink()
    assert estimate_accuracy(read_review(form)) == with_design
    assert "suggestion" in next(read_table(form))


def test_a_workbook_comes_back_the_same(population: Population, tmp_path: Path) -> None:
    flat = draw(population, tmp_path / "form.csv", text_column="narrative")
    book = draw(population, tmp_path / "form.xlsx", text_column="narrative")
    assert [dict(row) for row in read_table(book)] == [
        {key: value for key, value in row.items()} for row in read_table(flat)
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        *("form.csv", "form.design.csv", "form.xlsx"),
    ]


def test_reviews_give_the_truth_back_within_their_intervals(tmp_path: Path) -> None:
    population = make_population(tmp_path / "scored.csv", 900, seed=2)
    covered = Counter[str]()
    samples = 40
    for seed in range(samples):
        form = draw(population, tmp_path / "form.csv", seed=seed, size=120)
        accuracy = estimate_accuracy(read_review(fill(form, population.truth, leave=10)))
        assert accuracy.reviewed < accuracy.drawn
        for name, true in (
            ("missed", population.missed),
            ("recording_accuracy", population.accuracy),
        ):
            interval = accuracy.get(name)
            assert interval
            covered[name] += interval.low <= true <= interval.high
    assert all(covered[name] >= 0.875 * samples for name in ("missed", "recording_accuracy"))


def test_a_sample_of_all_reports_is_the_truth(population: Population, tmp_path: Path) -> None:
    form = fill(draw(population, tmp_path / "form.csv", size=5000), population.truth)
    accuracy = estimate_accuracy(read_review(form), by=("recorded_as",))
    missed, rate = accuracy.get("missed"), accuracy.get("recording_accuracy")
    assert missed and rate
    assert (missed.low, missed.value, missed.high) == (population.missed,) * 3
    assert rate.value == pytest.approx(population.accuracy)
    assert rate.low == pytest.approx(rate.high)
    groups = {group.value: group for group in accuracy.groups["recorded_as"]}
    assert groups["8/66 Stalking"].missed.value == 0
    assert sum(group.missed.value for group in groups.values()) == pytest.approx(population.missed)
    assert accuracy.notes == ()


def test_missing_reviews_are_said_with_what_they_could_change(
    population: Population, tmp_path: Path
) -> None:
    form = fill(draw(population, tmp_path / "form.csv"), population.truth, leave=4)
    rows = list(read_table(form))
    kept = [row for n, row in enumerate(rows) if n % 7]  # and some rows are deleted
    with form.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)
    accuracy = estimate_accuracy(read_review(form))
    settled = sum(bool(row["reviewed_label"]) for row in kept)
    assert (accuracy.drawn, accuracy.reviewed) == (150, settled)
    assert f"{150 - settled} of 150 reports drawn have no reviewed label" in accuracy.notes[0]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_a_form_may_be_saved_by_any_spreadsheet(
    population: Population, tmp_path: Path, encoding: str
) -> None:
    form = fill(draw(population, tmp_path / "form.csv"), population.truth)
    before = read_review(form)
    text = form.read_text(encoding="utf-8").replace(",,", ",café – £5,", 1)
    form.write_bytes(text.encode(encoding))
    assert [unit.label for unit in read_review(form).units] == [u.label for u in before.units]


@pytest.mark.parametrize("given", ["S", "stalking", " Stalking ", "STALKING"])
def test_labels_may_be_written_short(population: Population, tmp_path: Path, given: str) -> None:
    form = draw(population, tmp_path / "form.csv")
    fill(form, dict.fromkeys(population.truth, given))
    assert all(unit.label == "stalking" for unit in read_review(form).units)


def spoil(rows: list[dict[str, Any]], how: str) -> None:
    if how == "label":
        rows[1]["reviewed_label"] = "burglary"
    elif how == "twice":
        rows[1]["sample_id"] = rows[0]["sample_id"]
    elif how == "stranger":
        rows[1]["sample_id"] = "S9999"
    elif how == "columns":
        for row in rows:
            del row["reviewed_label"]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("label", "the reviewed_label of S002 is none of"),
        ("twice", "is in the form twice"),
        ("stranger", "such as S9999"),
        ("columns", "is not a form"),
        ("empty", "No report of the sample has a reviewed_label"),
        ("design", "name the design"),
        ("changed", "has two versions of the stratum"),
        ("number", "has been changed"),
    ],
)
def test_spoiled_forms_are_told(
    population: Population, tmp_path: Path, how: str, says: str
) -> None:
    form = draw(population, tmp_path / "form.csv")
    design = design_path(form)
    if how != "empty":
        fill(form, population.truth)
    path = design if how in ("changed", "number") else form
    rows = list(read_table(path))
    spoil(rows, how)
    if how == "design":
        design.unlink()
    if how == "changed":
        rows[1]["stratum_size"] = int(rows[1]["stratum_size"]) + 1
    if how == "number":
        rows[1]["stratum_size"] = "many"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(InputError, match=says):
        estimate_accuracy(read_review(form))


def test_every_unclear_label_is_named_by_its_sample_id_and_not_repeated(
    population: Population, tmp_path: Path
) -> None:
    form = fill(
        draw(population, tmp_path / "form.csv"), dict.fromkeys(population.truth, "burglary")
    )
    with pytest.raises(InputError) as caught:
        read_review(form)
    said = str(caught.value)
    assert (
        ", ".join(f"S{n:03}" for n in range(1, 11)) + " and 140 more is none of stalking," in said
    )
    assert "S011" not in said and "burglary" not in said


def test_reports_that_could_not_be_read_are_strata_of_their_own(run: Run, tmp_path: Path) -> None:
    population = make_population(tmp_path / "scored.csv", 300, seed=5)
    add_unread(population.path, 200)
    form = tmp_path / "form.csv"
    done = run("audit", "sample", population.path, "-o", form, "--size", "100", "--blind")
    design = list(read_table(design_path(form)))
    unread = [row for row in design if row["id"].startswith("E")]
    assert {row["stratum"] for row in unread} == {"recorded as other, could not be read"}
    assert {
        (row["stratum_size"], row["stratum_expected"], row["p_stalking"]) for row in unread
    } == {("200", "0.0", "")}
    assert not any(row["stratum"] == unread[0]["stratum"] for row in design if row not in unread)
    assert len(unread) < 50
    assert f"{len(unread)} of those drawn could not be read" in done.stderr
    accuracy = estimate_accuracy(
        read_review(
            fill(form, {**population.truth, **dict.fromkeys(map("E{}".format, range(200)), "")})
        )
    )
    assert accuracy.population == 500
    assert accuracy.expected == pytest.approx(sum(population.p.values()), abs=0.1)


def test_a_form_names_reports_by_the_column_asked_for(
    run: Run, population: Population, tmp_path: Path
) -> None:
    form = tmp_path / "form.csv"
    arguments = ("--size", "20", "--id-column", "NARRATIVE")
    assert run("audit", "sample", population.path, "-o", form, *arguments).returncode == 0
    assert all(row["id"].startswith(WORDS) for row in read_table(form))


def test_the_commands(run: Run, population: Population, tmp_path: Path) -> None:
    form = tmp_path / "form.csv"
    done = run(
        *("audit", "sample", population.path, "-o", form, "--size", "120", "--seed", "9"),
        *("--blind", "--with-text", "--show", "station"),
    )
    assert done.returncode == 0, done.stderr
    assert "120 of 1,500 reports drawn" in done.stderr and "seed 9" in done.stderr
    fill(form, population.truth, leave=11)
    done = run("audit", "estimate", form, "--by", "station")
    assert done.returncode == 0, done.stderr
    assert "Of stalking, recorded as stalking" in done.stdout
    assert "Station 2" in done.stdout
    assert "have no reviewed label" in done.stderr
    assert WORDS not in done.stdout + done.stderr
    plain = json.loads(run("audit", "estimate", form, "--format", "json").stdout)
    assert {one["name"] for one in plain["estimates"]} >= {"missed", "recording_accuracy"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["audit", "sample", "none.csv", "-o", "x.csv"], "no file none.csv"),
        (["audit", "sample", "data/examples/reports.csv", "-o", "x.csv"], "not a scored report"),
        (["audit", "sample", "SCORED", "-o", "x.docx"], "must end in"),
        (["audit", "sample", "SCORED", "-o", "no/such/x.csv"], "no folder"),
        (["audit", "sample", "SCORED", "-o", "SCORED"], "is also read"),
        (["audit", "sample", "SCORED", "-o", "x.csv", "--show", "nobody"], "--show"),
        (["audit", "estimate", "data/examples/reports.csv"], "is not a form"),
        (["audit", "estimate", "none.csv"], "cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(
    run: Run, population: Population, arguments: list[str], says: str
) -> None:
    done = run(*(str(population.path) if a == "SCORED" else a for a in arguments))
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
