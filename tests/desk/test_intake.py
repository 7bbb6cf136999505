"""Several reports at once: every row of a file is listed, read or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stalkflag.batch.reading import Row, open_sources
from stalkflag.desk.intake import MOST_REPORTS, Report, Unread, read_file, split_pasted, tidy
from stalkflag.errors import InputError


def test_pasted_reports_are_told_apart_by_lines_of_equals_signs() -> None:
    found = split_pasted("He rang.\n-----\nAgain.\n===\n\n  =====\nShe moved.\n")
    assert found == [Report("1", "He rang.\n-----\nAgain."), Report("2", "She moved.")]


def test_line_ends_are_one_character_and_nothing_else_changes() -> None:
    assert tidy("a\r\nb\rc\n\x00\u202e\t") == "a\nb\nc\n\ufffd\u202e\t"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_table_is_read_in_any_usual_encoding(encoding: str) -> None:
    data = 'ID,Summary\nr1,"He said “no”,\r\nand rang"\n,£20 taken\n'.encode(encoding)
    assert read_file("x.CSV", data) == [
        Report("r1", "He said “no”,\nand rang"),
        Report("2", "£20 taken"),
    ]


def test_rows_that_cannot_be_read_are_listed_with_the_reason() -> None:
    found = read_file("x.csv", b"id,text\n1,He rang\n2,He,rang,again\n\n3\n")
    assert found[0] == Report("1", "He rang")
    assert isinstance(found[1], Unread) and "4 cells" in found[1].reason
    assert found[2] == Report("3", "")
    lines = [json.dumps({"id": 7, "MO": "He rang"}), "{", '["x"]', '{"id": 1}', '{"text": 5}']
    read = read_file("x.jsonl", "\n".join(lines).encode())
    assert read[0] == Report("7", "He rang")
    assert [type(one) for one in read[1:]] == [Unread] * 4
    assert [one.id for one in read[1:]] == ["line 2", "line 3", "line 4", "line 5"]


def test_a_quotation_mark_never_closed_takes_no_other_row_with_it() -> None:
    unread, *read = read_file(
        "x.csv", b'id,text\n1,"open quote never closed\n2,He followed me\n3,He texted me'
    )
    assert isinstance(unread, Unread) and unread.id == "row 1"
    assert "never closed" in unread.reason and "open quote" not in unread.reason
    assert read == [Report("2", "He followed me"), Report("3", "He texted me")]


@pytest.mark.parametrize(
    "data",
    [
        "id;text\n1;He rang, and rang\n2;£20 taken\n",
        "sep=;\r\nid;text\r\n1;He rang, and rang\r\n2;£20 taken\r\n",
        'sep=,\nid,text\n1,"He rang, and rang"\n2,£20 taken\n',
        "id\ttext\n1\tHe rang, and rang\n2\t£20 taken\n",
    ],
)
def test_a_table_is_told_apart_as_score_tells_it(data: str, tmp_path: Path) -> None:
    for encoding in ("utf-8", "cp1252", "utf-16"):
        path = tmp_path / "x.csv"
        path.write_bytes(data.encode(encoding))
        (source,) = open_sources(path)
        scored = [Report(row.id, row.text) for row in source.rows() if isinstance(row, Row)]
        path.unlink()
        assert read_file("x.csv", data.encode(encoding)) == scored
        assert scored == [Report("1", "He rang, and rang"), Report("2", "£20 taken")]


def test_half_a_character_in_json_is_made_visible() -> None:
    found = read_file("x.jsonl", rb'{"id": "a\udc00", "text": "He \ud83d rang \ud83d\ude00"}')
    assert found == [Report("a\ufffd", "He \ufffd rang \U0001f600")]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("x.docx", b"PK", "reads files ending in"),
        ("x.xlsx", b"PK\x03\x04", "a workbook's sheet as CSV"),
        ("x.csv", b"PK\x03\x04", "a workbook's sheet as CSV"),
        ("x.csv", b"\x1f\x8b\x08", "save it as one of these"),
        ("x.csv", b"a,b\n1,2\n", "no column that looks like the narrative"),
        ("x.csv", b"", "no column"),
        ("x.txt", b" \n", "no narrative"),
        ("x.txt", b"He rang.\n===\n" * (MOST_REPORTS + 1), "use 'stalkflag score'"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_the_remedy(
    name: str, data: bytes, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        read_file(name, data)
