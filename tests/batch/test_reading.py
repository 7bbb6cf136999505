"""Files of every kind are read row by row, and what cannot be read is said, never dropped."""

from __future__ import annotations

import bz2
import csv
import datetime
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from stalkflag.batch.linking import Link
from stalkflag.batch.reading import Rejected, Row, column_of, find_inputs, open_sources
from stalkflag.batch.score import Options, score_files
from stalkflag.errors import InputError

ROWS = [("a", "He rang again\nand again."), ("b", ""), ("c", "NUL \x00 and £20 – “sorry” 😀")]


def csv_text(rows: list[tuple[str, str]] = ROWS) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["id", "narrative"])
    table.writerows(rows)
    return text.getvalue()


def rows_of(path: Path) -> list[Row | Rejected]:
    return [row for source in open_sources(path) for row in source.rows()]


def texts_of(path: Path) -> list[tuple[str, str]]:
    return [(row.id, row.text) for row in rows_of(path) if isinstance(row, Row)]


def zstandard(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard,
}


@pytest.mark.parametrize("ending", COMPRESS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_compressed_files_and_encodings(tmp_path: Path, ending: str, encoding: str) -> None:
    path = tmp_path / f"in.csv{ending}"
    path.write_bytes(COMPRESS[ending](csv_text().encode(encoding)))
    assert texts_of(path) == ROWS


def test_windows_1252_keeps_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"id,narrative\r\n1,\x93sorry\x94 \x80 20 \x81\r\n")
    assert texts_of(path) == [("1", "“sorry” € 20 \x81")]


def test_one_wrong_byte_does_not_change_how_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    whole = "“sorry” – she doesn’t want it"
    cut = "cut where the field was full’".encode()[:-1]
    path.write_bytes(f"id,narrative\n1,{whole}\n2,".encode() + cut + b"\n3,\xa320\n")
    texts = texts_of(path)
    assert [texts[0][1], texts[2][1]] == [whole, "£20"]
    assert texts[1][1].startswith("cut where the field was full")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("in.csv", "id;date;narrative\n1;2024-01-01;HE\n"),
        ("in.csv", "id|date|narrative\n1|2024-01-01|HE\n"),
        ("in.csv", "id\tdate\tnarrative\n1\t2024-01-01\tHE\n"),
        ("in.tsv", "id,date,narrative\n1,2024-01-01,HE\n"),
        ("in.csv", "sep=;\r\nid;date;narrative\r\n1;2024-01-01;HE\r\n"),
        ("in.csv", "\ufeffsep=,\r\nid,date,narrative\r\n1,2024-01-01,HE\r\n"),
        ("in.csv", "id,date,Narrative\u200b\u00a0\r1,2024-01-01,HE\r"),
    ],
)
def test_what_stands_between_cells_is_found(tmp_path: Path, name: str, written: str) -> None:
    path = tmp_path / name
    narrative = '"He rang; then, he ""rang"" | again\n\tand again"'
    path.write_bytes(written.replace("HE", narrative).encode())
    (row,) = rows_of(path)
    assert isinstance(row, Row)
    assert row.text == 'He rang; then, he "rang" | again\n\tand again'
    assert (row.id, row.values["date"]) == ("1", "2024-01-01")


def test_files_put_together_are_read_through(tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_bytes(2 * "id,narrative\n1,he rang\n".encode("utf-8-sig"))
    first, header, second = rows_of(table)
    assert isinstance(header, Rejected) and "repeats the header" in header.reason
    assert [row.text for row in (first, second) if isinstance(row, Row)] == ["he rang"] * 2
    lines = tmp_path / "in.jsonl"
    lines.write_bytes(2 * '{"id": 1, "text": "he rang"}\n'.encode("utf-8-sig"))
    assert texts_of(lines) == [("1", "he rang")] * 2


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("in.csv", gzip.compress(b"id,narrative\n1,he rang\n", mtime=0), "add .gz"),
        ("in.csv", b"PK\x03\x04...", ".xlsx"),
        ("in.csv", b"\xd0\xcf\x11\xe0\xa1\xb1", "save it as"),
        ("in.jsonl", b'[\n "a",\n "b"\n]', "one object a line"),
    ],
)
def test_a_file_under_a_wrong_name_is_refused_with_the_remedy(
    tmp_path: Path, name: str, data: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=says):
        open_sources(tmp_path / name)


@pytest.mark.parametrize(
    ("column", "good"),
    [
        (pa.array([0, 253402300800000000], pa.timestamp("us")), datetime.datetime(1970, 1, 1)),
        (pa.array([0, 3_000_000], pa.date32()), datetime.date(1970, 1, 1)),
    ],
)
def test_a_date_that_no_calendar_here_has_costs_its_row_only(
    tmp_path: Path, column: pa.Array, good: datetime.date
) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": ["he rang", "again"], "when": column}), path)
    first, second = rows_of(path)
    assert isinstance(first, Row) and first.values["when"] == good
    assert isinstance(second, Rejected) and "years 1 to 9999" in second.reason


def test_xlsx_gives_the_rows_of_each_sheet_with_a_narrative(tmp_path: Path) -> None:
    path = tmp_path / "in.xlsx"
    book = xlsxwriter.Workbook(path)
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for name in ("2022", "2023"):
        sheet = book.add_worksheet(name)
        sheet.write_row(2, 1, ["id", "date", "Narrative"])
        sheet.write_number(3, 1, 17)
        sheet.write_datetime(3, 2, datetime.datetime(2022, 5, 1), day)
        sheet.write_string(3, 3, f"=1+1 in {name}\x00")
        sheet.write_string(6, 1, "007")
    book.add_worksheet("Lookup").write_row(0, 0, ["code", "meaning"])
    book.close()
    told: list[str] = []
    sources = open_sources(path, tell=told.append)
    rows = [row for source in sources for row in source.rows()]
    assert [(r.source, r.number, r.id, r.text) for r in rows if isinstance(r, Row)] == [
        (f"{path}[2022]", 1, "17", "=1+1 in 2022\x00"),
        (f"{path}[2022]", 2, "007", ""),
        (f"{path}[2023]", 1, "17", "=1+1 in 2023\x00"),
        (f"{path}[2023]", 2, "007", ""),
    ]
    assert isinstance(rows[0], Row) and rows[0].values["date"] == datetime.date(2022, 5, 1)
    assert len(told) == 1 and "Lookup" in told[0]


def test_parquet_keeps_types_and_reads_bytes_as_text(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    table = pa.table(
        {
            "id": [1, 2],
            "when": pa.array([datetime.date(2020, 1, 1), None]),
            "text": pa.array([b"\xa320 taken", None], pa.binary()),
        }
    )
    pq.write_table(table, path)
    (source,) = open_sources(path)
    assert texts_of(path) == [("1", "£20 taken"), ("2", "")]
    first = next(source.rows())
    assert isinstance(first, Row) and first.values["when"] == datetime.date(2020, 1, 1)


def test_ragged_rows_are_filled_or_rejected(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text(
        "\n\nid,narrative,x\n1\n\n2,he rang,y,too much\n3,he rang,z\n", encoding="utf-8"
    )
    short, long, whole = rows_of(path)
    assert isinstance(short, Row) and short.values == {"id": "1", "narrative": "", "x": ""}
    assert isinstance(long, Rejected) and (long.number, "4 cells" in long.reason) == (2, True)
    assert isinstance(whole, Row) and whole.id == "3"


def test_an_open_quotation_mark_swallows_one_row_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    more = "".join(f"{n},he rang\n" for n in range(3, 2003))
    path.write_text(f'id,narrative\n1,he rang\n2,"he rang\n{more}', encoding="utf-8")
    rows = rows_of(path)
    assert len(rows) == 2002
    assert [row.number for row in rows if isinstance(row, Rejected)] == [2]
    assert [row.id for row in rows if isinstance(row, Row)][-1] == "2002"


def test_a_file_cut_off_in_a_narrative_rejects_that_row_only(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text('id,x,narrative\n1,y,he rang\n2,z,"he rang\nand then, as', encoding="utf-8")
    kept, cut = rows_of(path)
    assert isinstance(kept, Row)
    assert isinstance(cut, Rejected) and "never closed" in cut.reason


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"in.csv{ending}"
    rows = [(str(n), f"He rang, call {n * 7919 % 10007}.") for n in range(60_000)]
    whole = COMPRESS[ending](csv_text(rows).encode())
    path.write_bytes(whole[: len(whole) * 3 // 4])
    *kept, last = rows_of(path)
    assert len(kept) > 10_000
    assert [(row.id, row.text) for row in kept if isinstance(row, Row)] == rows[: len(kept)]
    assert isinstance(last, Rejected) and last.number == len(kept) + 1
    assert "cut off" in last.reason


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.csv.gz"
    data = bytearray(gzip.compress(csv_text([("1", "He rang.")] * 1000).encode()))
    data[-8] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read"):
        open_sources(path)
    for name in ("in.parquet", "in.xlsx"):
        (tmp_path / name).write_bytes(bytes(data))
        with pytest.raises(InputError, match="not a whole"):
            open_sources(tmp_path / name)


def test_json_lines_of_all_sorts(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    lines = [
        '{"text": "he rang \\ud800 again"}',
        "[" * 100_000,
        '{"x": ' * 300 + "1" + "}" * 300,
        "[1]",
        '{"text": null, "station": "Leeds"}',
        '{"text": {"a": 1}}',
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    rows = rows_of(path)
    assert [type(row) for row in rows] == [Row, Rejected, Rejected, Rejected, Row, Rejected]
    assert isinstance(rows[0], Row) and rows[0].text == "he rang \ufffd again"
    assert open_sources(path)[0].columns == ["text", "station"]


def test_folders_and_patterns_give_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    names = ("b.csv", "a.jsonl", "inner/c.csv.gz", "~$b.xlsx", ".d.csv", "notes.docx")
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    by_folder = [str(path.relative_to(tmp_path)) for path in find_inputs([str(tmp_path)])]
    assert by_folder == ["a.jsonl", "b.csv", "inner/c.csv.gz"]
    by_pattern = find_inputs([f"{tmp_path}/**/*.csv*", f"{tmp_path}/b.csv"])
    assert [path.name for path in by_pattern] == ["b.csv", "c.csv.gz"]
    for wrong in (f"{tmp_path}/x*.csv", f"{tmp_path}/*.docx", f"{tmp_path}/notes.docx"):
        with pytest.raises(InputError):
            find_inputs([wrong])


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "jsonl", "parquet", "xlsx"])
def test_what_stalkflag_wrote_is_left_out_of_folders_and_patterns(
    tmp_path: Path, ending: str
) -> None:
    source = tmp_path / "in.csv"
    source.write_text("id,text,victim\n1,he rang,V\n2,he rang,V\nthree,cells,too,many\n")
    earlier = tmp_path / f"out.{ending}"
    links = tmp_path / "sets.csv" if "sv" in ending else tmp_path / "sets.jsonl"
    score_files(
        [str(source)],
        earlier,
        Options(link=Link(("victim",)), links=links),
        rejects=tmp_path / "bad.csv",
    )
    for given in (tmp_path, tmp_path / "*"):
        told: list[str] = []
        assert find_inputs([str(given)], told.append) == [source]
        assert len(told) == 3
        assert all("name the file itself" in message for message in told)
        assert any(str(earlier) in message for message in told)
    told = []
    assert find_inputs([str(tmp_path), str(earlier)], told.append) == [source, earlier]
    assert len(told) == 2
    source.unlink()
    with pytest.raises(InputError, match="name a file itself"):
        find_inputs([str(tmp_path)])


def test_a_column_of_exactly_the_name_comes_before_one_of_another_case() -> None:
    columns = ["Offence", "offence", "When"]
    for asked, found in (("offence", "offence"), ("OFFENCE", "Offence"), ("when", "When")):
        assert column_of("in.csv", columns, asked=asked, option="--recorded-as") == found


def test_a_file_without_a_header_shows_no_narrative_in_the_message(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    narrative = "He sat outside her work and she told him to stop, but he would not stop."
    path.write_text(f'17,"{narrative}"\n', encoding="utf-8")
    with pytest.raises(InputError) as error:
        open_sources(path)
    assert "outside her work" not in str(error.value)
    assert "17" in str(error.value)


def test_columns_without_a_name_or_with_the_same_one_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("text,,x,x,x_2\nhe rang,1,2,3,4\n", encoding="utf-8")
    (row,) = rows_of(path)
    assert isinstance(row, Row)
    assert row.values == {"text": "he rang", "column_2": "1", "x": "2", "x_2": "3", "x_2_2": "4"}


def test_parquet_columns_with_the_same_name_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table([["he rang"], ["1"], ["2"]], names=["text", "x", "x"]), path)
    (row,) = rows_of(path)
    assert isinstance(row, Row) and row.values == {"text": "he rang", "x": "1", "x_2": "2"}
    assert json.dumps(row.values)
