"""The report counts right, quotes nothing unless asked to, and needs nothing but itself."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Run
from population import HEADER, WORDS, Population, add_unread, make_population

from stalkflag.audit.charts import bar_chart, nice_step
from stalkflag.audit.counts import STEPS, Counts, Summary, count_reports
from stalkflag.audit.estimate import Interval
from stalkflag.audit.page import render_report
from stalkflag.audit.reading import find_column, read_scored
from stalkflag.audit.sample import draw_sample
from stalkflag.batch.recorded import load_offences
from stalkflag.errors import InputError

OFFENCES = load_offences()


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Population:
    return make_population(tmp_path_factory.mktemp("audit") / "scored.csv", 1500, seed=11)


@pytest.fixture(scope="module")
def summary(population: Population) -> Summary:
    return count_reports(
        read_scored(population.path),
        offences=OFFENCES,
        date_column="occurred_on",
        by=("station",),
        most_listed=30,
    )


@pytest.fixture(scope="module")
def scored(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example reports as JSON lines, each linked with its copies."""
    folder = tmp_path_factory.mktemp("scored")
    with (ROOT / "data" / "examples" / "reports.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (folder / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*rows[0], "person"])
        writer.writeheader()
        writer.writerows({**row, "person": n // 3} for n, row in enumerate(rows))
    out = folder / "scored.jsonl"
    arguments = ("--recorded-as", "recorded_offence", "--link-on", "person")
    done = run("score", folder / "in.csv", "-o", out, *arguments, "--date-column", "date")
    assert done.returncode == 0, done.stderr
    return out


def test_counts_are_those_of_the_file(population: Population, summary: Summary) -> None:
    rows = list(csv.DictReader(population.path.open(encoding="utf-8", newline="")))
    assert summary.all.reports == len(rows)
    assert summary.all.suggested == sum(row["suggestion"] == "stalking" for row in rows)
    assert summary.all.recorded == sum("Stalking" in row["recorded_as"] for row in rows)
    assert summary.all.referred == sum(row["refer"] == "true" for row in rows)
    missed = [
        r for r in rows if r["suggestion"] == "stalking" and "Stalking" not in r["recorded_as"]
    ]
    assert summary.all.missed == len(missed)
    open_p = [float(row["p_stalking"]) for row in rows if "Stalking" not in row["recorded_as"]]
    assert summary.all.expected == pytest.approx(sum(open_p))
    assert summary.years
    for breakdown, value in (
        (summary.years, lambda row: row["occurred_on"][-4:]),
        (summary.places[0], lambda row: row["station"]),
        (summary.offences, lambda row: row["recorded_as"]),
        (summary.relationships, lambda row: row["relationship"]),
    ):
        assert breakdown
        assert {n: c.reports for n, c in breakdown.values.items()} == Counter(map(value, rows))
        assert sum(c.missed for c in breakdown.values.values()) == len(missed)
    assert summary.recorded_labels["8/66 Stalking"] == "stalking"
    assert (summary.first_date, summary.last_date) == ("2019-03-01", "2022-03-28")


def test_the_review_list_is_the_most_probable_not_recorded_as_stalking(
    population: Population, summary: Summary
) -> None:
    ranked = sorted(
        (id for id, label in population.recorded.items() if label != "stalking"),
        key=lambda id: (-population.p[id], int(id[1:])),
    )
    assert [one.report.id for one in summary.listed] == ranked[:30]


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 1.0])
def test_how_much_must_be_read_is_counted_from_the_top(
    population: Population, summary: Summary, share: float
) -> None:
    p = sorted(
        (population.p[id] for id, label in population.recorded.items() if label != "stalking"),
        reverse=True,
    )
    read = int(np.searchsorted(np.cumsum(p), share * sum(p) - 1e-9)) + 1
    assert abs(summary.read_to_find(share) - read) <= 1
    curve = summary.gain()
    assert curve[0] == (0, 0)
    assert curve[-1] == pytest.approx((1, 1))
    at = np.interp(read / len(p), *zip(*curve, strict=True))
    assert at == pytest.approx(share, abs=0.01)


def test_the_interval_is_that_of_a_sum_of_unequal_chances() -> None:
    p = np.random.default_rng(4).beta(0.4, 4, 400)
    counts = Counts()
    exact = np.array([1.0])
    for one in p:
        exact = np.convolve(exact, [1 - one, one])
        counts.open += 1
        counts.expected += one
        counts.variance += one * (1 - one)
        counts.skew += one * (1 - one) * (1 - 2 * one)
    cumulative = np.cumsum(exact)
    low, high = np.searchsorted(cumulative, [0.025, 0.975])
    assert abs(counts.interval.low - low) <= 1
    assert abs(counts.interval.high - high) <= 1
    assert Counts().interval == Interval(0, 0, 0)


def test_other_odds_move_the_expectation(summary: Summary) -> None:
    assert summary.if_odds_were(1.0) == pytest.approx(summary.all.expected, rel=1e-3)
    assert summary.if_odds_were(0.5) < summary.all.expected < summary.if_odds_were(2.0)


def test_nested_and_flat_files_give_the_same_counts(run: Run, scored: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat.csv"
    arguments = ("--recorded-as", "recorded_offence", "--link-on", "person")
    run("score", scored.with_name("in.csv"), "-o", flat, *arguments, "--date-column", "date")
    compressed = tmp_path / "packed.jsonl.gz"
    compressed.write_bytes(gzip.compress(scored.read_bytes()))
    columnar = tmp_path / "same.parquet"
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    lines = [json.loads(line) for line in scored.open(encoding="utf-8")]
    parquet.write_table(pa.Table.from_pylist(lines), columnar)
    summaries = [
        count_reports(read_scored(path), offences=OFFENCES, date_column="date", by=("person",))
        for path in (scored, flat, compressed, columnar)
    ]
    first = summaries[0]
    assert first.raised is not None
    for other in summaries[1:]:
        assert (other.all, other.suggestions, other.raised) == (
            first.all,
            first.suggestions,
            first.raised,
        )
        assert other.years == first.years
        assert other.places == first.places
        assert other.recorded_labels == first.recorded_labels
        assert [one.report.id for one in other.listed] == [one.report.id for one in first.listed]


def test_reports_that_could_not_be_read_are_counted_apart(run: Run, tmp_path: Path) -> None:
    path = make_population(tmp_path / "scored.csv", 300, seed=5).path
    before = count_reports(read_scored(path), offences=OFFENCES, by=("station",))
    add_unread(path, 20)
    after = count_reports(read_scored(path), offences=OFFENCES, by=("station",), most_listed=999)
    assert (after.all.reports, after.all.unread, before.all.unread) == (320, 20, 0)
    assert after.all.interval == before.all.interval
    assert (after.all.open, after.suggestions) == (before.all.open, before.suggestions)
    assert after.read_to_find(0.9) == before.read_to_find(0.9)
    assert after.places[0].values["Station 0"].unread == 20
    assert len(after.listed) == after.all.open
    assert all(one.report.read for one in after.listed)
    done = run("report", path, "-o", tmp_path / "report.html")
    said = " ".join(_Page((tmp_path / "report.html").read_text(encoding="utf-8")).words)
    assert "20 reports could not be read: no narrative, or not English" in " ".join(said.split())
    assert "20 of them could not be read" in done.stderr


def test_reports_are_named_by_their_column(run: Run, tmp_path: Path) -> None:
    path = make_population(tmp_path / "scored.csv", 30, seed=5).path
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("id,", "ID,", 1), encoding="utf-8")
    assert [report.id for report in read_scored(path)][:2] == ["C0", "C1"]
    path.write_text(text.replace("id,", "ref,", 1), encoding="utf-8")
    assert [report.id for report in read_scored(path)][:2] == ["1", "2"]
    out = tmp_path / "report.html"
    assert run("report", path, "-o", out, "--id-column", "Ref").returncode == 0
    assert '<th scope="row">C7<br>' in out.read_text(encoding="utf-8")
    wrong = run("report", path, "-o", out, "--id-column", "nobody")
    assert wrong.returncode == 2 and "(--id-column)" in wrong.stderr


def test_nested_reports_may_be_named_by_a_column(scored: Path) -> None:
    assert next(read_scored(scored, "person")).id == "0"
    assert next(read_scored(scored)).id != "0"


def test_all_sheets_that_were_written_are_read(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    pytest.importorskip("python_calamine")
    rows = list(csv.reader(make_population(tmp_path / "s.csv", 30, seed=5).path.open()))
    rows[1][0] = "77"
    path = tmp_path / "scored.xlsx"
    with xlsxwriter.Workbook(str(path), {"strings_to_numbers": True}) as book:
        for part in (rows[1:21], rows[21:]):
            sheet = book.add_worksheet()
            for line, row in enumerate([HEADER, *part]):
                sheet.write_row(line, 0, row)
        book.add_worksheet("Notes").write_row(0, 0, ["what", "who"])
        book.get_worksheet_by_name("Notes").write_row(1, 0, ["to do", "me"])
    assert [report.id for report in read_scored(path)] == ["77", *(row[0] for row in rows[2:])]


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst"])
def test_compressed_files_are_read(population: Population, tmp_path: Path, ending: str) -> None:
    plain = population.path.read_bytes()
    path = tmp_path / f"scored.csv.{ending}"
    if ending == "zst":
        packed = pytest.importorskip("pyarrow").Codec("zstd").compress(plain, asbytes=True)
    else:
        packed = {"gz": gzip, "bz2": bz2, "xz": lzma}[ending].compress(plain)
    path.write_bytes(packed)
    assert list(read_scored(path)) == list(read_scored(population.path))
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match="is damaged"):
        list(read_scored(path))


def test_an_assessments_own_fields_are_no_columns_of_the_input(
    run: Run, scored: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        find_column(scored, "nobody", (), "--by")
    names = scored.with_name("in.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    kept = ", ".join(name for name in names if name != "summary")
    assert str(caught.value).endswith(f"name one of {kept} (--by).")
    bare = tmp_path / "in.csv"
    bare.write_text("text\nHe rang me twice.\n", encoding="utf-8")
    assert run("score", bare, "-o", tmp_path / "bare.jsonl").returncode == 0
    with pytest.raises(InputError, match="add the column there and score again"):
        find_column(tmp_path / "bare.jsonl", "station", (), "--by")


class _Page(HTMLParser):
    """What a page is made of, checked for things left open."""

    VOID = frozenset("meta br line rect circle polyline".split())

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page(summary: Summary, **how: Any) -> str:
    return render_report(summary, source="scored.csv", **how)


def test_the_page_needs_nothing_but_itself(summary: Summary) -> None:
    text = page(summary)
    read = _Page(text)
    tags = Counter(tag for tag, _ in read.found)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(tags)
    assert not re.search(r"https?:|url\(|@import|\son\w+=", text)
    assert "default-src 'none'" in text
    addresses = [a["href"] for tag, a in read.found if "href" in a]
    ids = [a["id"] for _, a in read.found if a.get("id")]
    assert all(str(one).removeprefix("#") in ids for one in addresses)
    assert len(ids) == len(set(ids))


def test_every_picture_is_named_and_has_a_table_beside_it(summary: Summary) -> None:
    read = _Page(page(summary))
    ids = {a.get("id") for _, a in read.found}
    pictures = [a for tag, a in read.found if tag == "svg"]
    assert len(pictures) == 5
    for one in pictures:
        assert one["role"] == "img"
        assert set(str(one["aria-labelledby"]).split()) <= ids
    order = [tag for tag, _ in read.found if tag in ("svg", "table")]
    assert all(order[n + 1] == "table" for n, tag in enumerate(order) if tag == "svg")
    heads = [a for tag, a in read.found if tag == "th"]
    assert all(a.get("scope") in ("col", "row") for a in heads)
    assert read.found[0][1]["lang"] == "en-GB"


def test_values_from_the_file_are_shown_as_words(tmp_path: Path) -> None:
    population = make_population(tmp_path / "scored.csv", 60, seed=1)
    text = population.path.read_text(encoding="utf-8")
    evil = '"<script>alert(1)</script>"'
    population.path.write_text(text.replace("Station 1", evil), encoding="utf-8")
    summary = count_reports(read_scored(population.path), offences=OFFENCES, by=("station",))
    html = page(summary)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def quotes(scored: Path) -> set[str]:
    return {
        quote.text
        for report in read_scored(scored)
        for quote in report.quotes
        if len(quote.text) > 12
    }


def test_no_word_of_a_narrative_is_shown_unless_asked_for(
    run: Run, scored: Path, tmp_path: Path
) -> None:
    without, with_text = tmp_path / "without.html", tmp_path / "with.html"
    done = run("report", scored, "-o", without)
    assert done.returncode == 0, done.stderr
    assert run("report", scored, "-o", with_text, "--with-text").returncode == 0
    plain = without.read_text(encoding="utf-8")
    said = " ".join(_Page(plain).words)
    narratives = [row["summary"] for row in csv.DictReader(scored.with_name("in.csv").open())]
    for narrative in narratives:
        words = narrative.split()
        for n in range(len(words) - 5):
            assert " ".join(words[n : n + 6]) not in said
    assert not [quote for quote in quotes(scored) if quote in said]
    shown = " ".join(_Page(with_text.read_text(encoding="utf-8")).words)
    assert sum(quote in shown for quote in quotes(scored)) > 10
    assert "holds no words of any narrative" in said
    assert "This page quotes narratives" in shown
    rules = {quote.rule for report in read_scored(scored) for quote in report.quotes}
    assert len([rule for rule in rules if rule in said]) > 5


def test_flat_files_show_narratives_only_when_asked_for(
    run: Run, population: Population, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    assert run("report", population.path, "-o", out).returncode == 0
    assert WORDS not in out.read_text(encoding="utf-8")
    assert "Station 2" in out.read_text(encoding="utf-8")
    assert run("report", population.path, "-o", out, "--with-text", "--most", "5").returncode == 0
    assert out.read_text(encoding="utf-8").count(WORDS) == 5


def test_linked_reports_stand_where_their_set_does(scored: Path) -> None:
    summary = count_reports(read_scored(scored), offences=OFFENCES)
    assert summary.raised
    ranks = [one.rank for one in summary.listed]
    assert ranks == sorted(ranks, reverse=True)
    for one in summary.listed:
        linked = one.report.linked
        assert one.raised == linked["linked_raised"]
        assert one.rank == (linked["linked_p_stalking"] if one.raised else one.report.p_stalking)
    assert "reports that are not stalking alone" in page(summary)


def test_a_reviewed_sample_is_put_first(run: Run, population: Population, tmp_path: Path) -> None:
    form = tmp_path / "form.csv"
    run("audit", "sample", population.path, "-o", form, "--size", "200", "--seed", "2", "--blind")
    rows = list(csv.DictReader(form.open(encoding="utf-8-sig", newline="")))
    with form.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "reviewed_label": population.truth[row["id"]]})
    out = tmp_path / "report.html"
    done = run("report", population.path, "-o", out, "--reviewed", form)
    assert done.returncode == 0, done.stderr
    said = " ".join(_Page(out.read_text(encoding="utf-8")).words)
    assert "200 of 200 reports of a stratified random sample were reviewed" in said
    assert said.index("From the reviewed sample") < said.index("From the probabilities alone")
    assert "By the reviewed sample, 90 % of the missed stalking has a probability of" in said


def test_without_the_recorded_offence_nothing_is_said_of_misrecording(
    population: Population, tmp_path: Path
) -> None:
    rows = list(csv.DictReader(population.path.open(encoding="utf-8", newline="")))
    path = tmp_path / "plain.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        names = [name for name in rows[0] if name not in ("recorded_as", "disagrees")]
        writer = csv.DictWriter(stream, [*names, "offence"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**row, "offence": row["recorded_as"]} for row in rows)
    unknown = count_reports(read_scored(path), offences=OFFENCES)
    text = page(unknown)
    assert "How the reports were recorded is not known" in text
    assert "misrecorded" not in " ".join(_Page(text).words)
    named = count_reports(read_scored(path), offences=OFFENCES, recorded_as="offence")
    known = count_reports(read_scored(population.path), offences=OFFENCES)
    assert named.all == known.all
    assert draw_sample(path, 100, seed=1, offences=OFFENCES)[0].recorded is None


def test_charts_keep_their_scale() -> None:
    rows = [("a" * 60, 3, Interval(5, 2, 9)), ("b", 0, Interval(0, 0, 0))]
    chart = bar_chart(rows)
    assert chart.bars[0].label.endswith("…")
    assert chart.bars[0].low < chart.bars[0].mark < chart.bars[0].high <= chart.width - 40
    assert chart.bars[1].width == 0
    assert chart.ticks[0][1] == "0"
    assert [nice_step(x) for x in (0.2, 1.1, 7, 30, 450)] == [1, 2, 10, 50, 500]
    assert STEPS == 10_000


def test_columns_are_found_by_their_usual_names(population: Population) -> None:
    assert find_column(population.path, None, ("date", "occurred_on"), "--x") == "occurred_on"
    assert find_column(population.path, "STATION", (), "--x") == "station"
    assert find_column(population.path, None, ("nobody",), "--x") is None
    with pytest.raises(InputError, match="name one of id, occurred_on"):
        find_column(population.path, "nobody", (), "--x")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"text": "no assessment"}\n', "row 1 is not a scored report"),
        ("no json\n", "line 1 is not JSON"),
        ("", "has no report"),
    ],
)
def test_other_files_are_told(run: Run, tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "scored.jsonl"
    path.write_text(content, encoding="utf-8")
    done = run("report", path, "-o", tmp_path / "report.html")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(summary: Summary, tmp_path: Path, scheme: str) -> None:
    """WCAG 2.2 AA as far as axe can tell, at the width of a phone and of a desk."""
    playwright = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no browser")
    path = tmp_path / "report.html"
    path.write_text(page(summary), encoding="utf-8")
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width in (320, 1280):
            context = browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme
            )
            tab = context.new_page()
            asked: list[str] = []
            tab.on("request", lambda request, asked=asked: asked.append(request.url))
            tab.goto(path.as_uri())
            assert asked == [path.as_uri()]
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
            found = axe.Axe().run(tab, options={"runOnly": rules})
            assert [one["id"] for one in found.response["violations"]] == []
        browser.close()
