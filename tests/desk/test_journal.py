"""Files that are only added to: whole lines, whatever crashes, and a chain that shows changes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Run

from stalkflag.desk.journal import FIRST, Journal, JournalError, verify_chain
from stalkflag.errors import InputError

APPEND = """
import sys
from pathlib import Path
from stalkflag.desk.journal import Journal
journal = Journal(Path(sys.argv[1]), chained=True)
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    journal.append({"number": number, "by": sys.argv[3], "filling": "x" * 2000})
"""


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_lines_are_added_and_chained(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for number in range(3):
        Journal(path, chained=True).append({"number": number, "what": "é\u2028\n"})
    found = lines(path.rename(tmp_path / "moved"))
    assert [line["number"] for line in found] == [0, 1, 2]
    assert found[0]["previous"] == FIRST
    assert len({line["previous"] for line in found}) == 3


def test_only_the_owner_may_read_the_file_and_its_key(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    Journal(path).append({"a": 1})
    for file in (path, tmp_path / "log.jsonl.key"):
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_hash_of_a_text_needs_the_key_and_stays_the_same(tmp_path: Path) -> None:
    first = Journal(tmp_path / "a.jsonl").text_hash("He rang.")
    assert Journal(tmp_path / "a.jsonl").text_hash("He rang.") == first
    assert Journal(tmp_path / "b.jsonl").text_hash("He rang.") != first


@pytest.mark.parametrize("change", ["edited", "removed", "moved"])
def test_a_changed_log_is_noticed_and_not_added_to(tmp_path: Path, change: str) -> None:
    path = tmp_path / "log.jsonl"
    journal = Journal(path, chained=True)
    for number in range(4):
        journal.append({"number": number})
    raw = path.read_bytes().splitlines(keepends=True)
    if change == "edited":
        raw[1] = raw[1].replace(b'"number": 1', b'"number": 9')
    elif change == "removed":
        del raw[1]
    else:
        raw[1], raw[2] = raw[2], raw[1]
    path.write_bytes(b"".join(raw))
    assert verify_chain(path).broken_at is not None
    with pytest.raises(InputError, match="was changed at or before line"):
        Journal(path, chained=True)


def test_a_line_cut_short_stays_and_the_next_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    journal = Journal(path, chained=True)
    journal.append({"number": 0})
    with path.open("ab") as stream:
        stream.write(b'{"number": 1, "rea')
    journal.append({"number": 2})
    found = verify_chain(path)
    assert (found.lines, found.cut_short, found.broken_at) == (3, 1, None)
    assert json.loads(path.read_bytes().splitlines()[2])["number"] == 2


def test_two_programs_write_whole_lines_in_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    running = [
        subprocess.Popen([sys.executable, "-c", APPEND, path, "40", name], stdout=subprocess.PIPE)
        for name in ("one", "two")
    ]
    for process in running:
        process.communicate(timeout=60)
        assert process.returncode == 0
    found = verify_chain(path)
    assert (found.lines, found.cut_short, found.broken_at) == (80, 0, None)
    for name in ("one", "two"):
        assert [x["number"] for x in lines(path) if x["by"] == name] == list(range(40))


def test_a_program_killed_while_writing_leaves_a_log_to_go_on_with(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-c", APPEND, path, "100000", "one"], stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    Journal(path, chained=True).append({"number": "after"})
    found = verify_chain(path)
    assert found.broken_at is None
    assert found.lines > 1
    assert json.loads(path.read_bytes().splitlines()[-1])["number"] == "after"


@pytest.mark.skipif(os.name != "posix", reason="limits of this kind are POSIX's")
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    Journal(path, chained=True).append({"number": 0})
    before = path.read_bytes()
    code = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from stalkflag.desk.journal import Journal, JournalError\n"
        "journal = Journal(Path(sys.argv[1]), chained=True)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    journal.append({'filling': 'x' * 5000})\n"
        "except JournalError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert "log.jsonl cannot be written" in done.stdout, done.stderr
    assert path.read_bytes() == before


def test_a_journal_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        Journal(tmp_path / "nowhere" / "log.jsonl")
    journal = Journal(tmp_path / "log.jsonl")
    (tmp_path / "log.jsonl").unlink()
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(JournalError, match="cannot be written"):
        journal.append({"a": 1})


def test_a_lost_or_open_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    Journal(path).append({"a": 1})
    key = tmp_path / "log.jsonl.key"
    key.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        Journal(path)
    key.unlink()
    with pytest.raises(InputError, match="is missing"):
        Journal(path)


def test_the_command_line_checks_a_log(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for number in range(3):
        Journal(path, chained=True).append({"number": number})
    assert "3 lines, 0 cut short" in run("desk", "--verify-audit-log", path).stdout
    path.write_bytes(path.read_bytes().replace(b'"number": 1', b'"number": 7'))
    done = run("desk", "--verify-audit-log", path)
    assert done.returncode == 1
    assert "Line 3 does not follow" in done.stderr
