"""What is assessed so far is kept whole, whatever became of the last bytes of the file."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from stalkflag.batch.journal import Journal, pack, unpack
from stalkflag.batch.reading import Rejected, Row, open_sources
from stalkflag.errors import InputError

ABOUT = {"model": "1", "options": [None, True]}


def write(path: Path, chunks: int) -> list[int]:
    """A run of chunks of two rows; returns the size of the file after each."""
    sizes = []
    with Journal(path, ABOUT, resume=False) as journal:
        for chunk in range(chunks):
            first = 2 * chunk + 1
            row = Row("in.csv", first, {"text": f"he rang {first}"}, "he rang", str(first))
            journal.append([row, Rejected("in.csv", first + 1, "not text")], pack([first]))
            sizes.append(path.stat().st_size)
    return sizes


def test_a_file_cut_anywhere_keeps_the_whole_chunks_before(tmp_path: Path) -> None:
    path = tmp_path / "out.csv.partial"
    sizes = write(path, 4)
    data = path.read_bytes()
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        with Journal(path, ABOUT, resume=True) as journal:
            assert journal.rows == 2 * sum(size <= cut for size in sizes)


def test_rows_written_when_a_run_is_stopped_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.csv.partial"

    def stop(number: int) -> None:
        raise KeyboardInterrupt

    row = Row("in.csv", 1, {"text": "he rang"}, "he rang", "1")

    def run() -> None:
        with Journal(path, ABOUT, resume=False) as journal:
            monkeypatch.setattr("stalkflag.batch.journal.SYNC_SECONDS", -1)
            monkeypatch.setattr("os.fsync", stop)
            journal.append([row], pack([1]))

    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.undo()
    with Journal(path, ABOUT, resume=True) as journal:
        assert journal.rows == 1


def test_a_damaged_chunk_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.csv.partial"
    sizes = write(path, 3)
    data = bytearray(path.read_bytes())
    for place in range(sizes[0], sizes[1], 7):
        damaged = data.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        with Journal(path, ABOUT, resume=True) as journal:
            assert journal.rows == 2


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\nhe rang\n", encoding="utf-8")
    (row,) = open_sources(source)[0].rows()
    assert isinstance(row, Row)
    with Journal(tmp_path / "x.partial", ABOUT, resume=False) as journal:
        journal.append([row, Rejected(str(source), 2, "not text")], pack([["flat", None]]))
        journal.finish()
        found = list(journal.records(open_sources(source)))
    assert found == [(row, ["flat", None]), Rejected(str(source), 2, "not text")]


def test_an_unfinished_run_is_neither_lost_nor_mixed_up(tmp_path: Path) -> None:
    path = tmp_path / "out.csv.partial"
    write(path, 1)
    with pytest.raises(InputError, match="--resume"), Journal(path, ABOUT, resume=False):
        pass
    other = {**ABOUT, "model": "2"}
    with pytest.raises(InputError, match="the model changed"), Journal(path, other, resume=True):
        pass
    with Journal(path, ABOUT, resume=True) as journal:
        journal.finish()
    with Journal(path, ABOUT, resume=False) as journal:
        assert (journal.rows, journal.complete) == (2, True)
    with Journal(path, other, resume=False) as journal:
        assert (journal.rows, journal.complete) == (0, False)


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2024, 7, 1, 9, 30, tzinfo=datetime.UTC),
        datetime.date(2024, 7, 1),
        datetime.time(9, 30),
        Decimal("1.50"),
        b"\x00\xff",
        {"\x00type": "date", "": "not a date"},
        {"\x00type": 7},
        [1, None, "café", {"a": [True]}],
    ],
)
def test_values_are_kept_as_what_they_are(value: object) -> None:
    assert unpack(pack({"x": value})) == {"x": value}
