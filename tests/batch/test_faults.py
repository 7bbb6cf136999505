"""Whatever fails, no row is lost: workers die, the run is killed, the disk is full."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Run, children_of

STORIES = [
    "He rang again and she told him to stop.",
    "Bike stolen from outside the library between 2pm and 4pm.",
    "My ex sits outside my work every night although I blocked him.",
    "Neighbour parked across the drive, third time this month.",
]
COUNT = 400

csv.field_size_limit(1 << 25)


def texts(count: int = COUNT) -> list[str]:
    return [f"{STORIES[n % len(STORIES)]} Ref {n}." for n in range(count)]


def write(path: Path, rows: list[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "narrative"])
        table.writerows((f"r{number}", text) for number, text in enumerate(rows, start=1))
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start ``stalkflag score`` and leave it running."""
    running: list[subprocess.Popen[bytes]] = []

    def command(
        *arguments: str | Path, most_bytes: int | None = None, path: Path | None = None
    ) -> subprocess.Popen[bytes]:
        env = dict(os.environ)
        if path:
            env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(path), env.get("PYTHONPATH")]))

        def limit() -> None:
            # Where the tests run in the background, Ctrl-C may be ignored.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if most_bytes:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

        process = subprocess.Popen(
            [sys.executable, "-m", "stalkflag", "score", *map(str, arguments)],
            cwd=tmp_path,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=limit,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield command
    for process in running:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("faults") / "in.csv", texts())


@pytest.fixture(scope="module")
def whole(run: Run, source: Path) -> tuple[bytes, float]:
    """What an uninterrupted run writes, and the seconds it took."""
    output = source.with_name("whole.jsonl")
    began = time.monotonic()
    done = run("score", source, "-o", output, "--workers", "1")
    assert done.returncode == 0, done.stderr
    return output.read_bytes(), time.monotonic() - began


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Process ids of the workers, once there are any."""
    while process.poll() is None:
        found = [
            child for child, command in children_of(process.pid).items() if b"spawn_main" in command
        ]
        if found:
            return found
        time.sleep(0.02)
    return []


def wait_for_rows(process: subprocess.Popen[bytes], partial: Path) -> None:
    """Wait until some rows are kept."""
    while process.poll() is None and (not partial.exists() or partial.stat().st_size < 2_000):
        time.sleep(0.02)


def test_a_worker_that_is_killed_is_replaced(
    start: Start, source: Path, tmp_path: Path, whole: tuple[bytes, float]
) -> None:
    process = start(source, "-o", "out.jsonl", "--workers", "2")
    killed = set()
    for wait in (0, 0, 1, 1, 0):
        if wait:
            wait_for_rows(process, tmp_path / "out.jsonl.partial")
        for worker in workers_of(process)[-1:]:
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)
        time.sleep(0.1)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert len(killed) > 2
    assert (tmp_path / "out.jsonl").read_bytes() == whole[0]


def test_killed_twenty_times_and_continued(
    start: Start, run: Run, source: Path, tmp_path: Path, whole: tuple[bytes, float]
) -> None:
    expected, _ = whole
    output, partial = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    moments = random.Random(20)
    kept = 0
    for number in range(20):
        process = start(source, "-o", output, "--workers", "1", "--resume")
        if number % 4 == 0:
            # However slow the machine: some runs are killed while they assess.
            wait_for_rows(process, partial)
        try:
            process.communicate(timeout=moments.uniform(0.1, 3))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        else:
            assert process.returncode == 0
            assert output.exists()
        if output.exists():  # Complete, also if it was killed as it ended.
            assert output.read_bytes() == expected
            output.unlink()
        if partial.exists():
            kept = max(kept, partial.stat().st_size)
    assert kept > 2_000, "no run was killed after it had kept rows"
    done = run("score", source, "-o", output, "--workers", "1", "--resume")
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl"]


def test_ctrl_c_keeps_what_is_assessed(
    start: Start, run: Run, source: Path, tmp_path: Path, whole: tuple[bytes, float]
) -> None:
    output, partial = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    process = start(source, "-o", output, "--workers", "2")
    wait_for_rows(process, partial)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"--resume" in said and b"Traceback" not in said
    assert not output.exists()
    careless = run("score", source, "-o", output)
    assert careless.returncode == 2 and "--resume" in careless.stderr
    other = run("score", source, "-o", output, "--resume", "--id-column", "narrative")
    assert other.returncode == 2 and "options" in other.stderr
    done = run("score", source, "-o", output, "--resume")
    assert done.returncode == 0, done.stderr
    assert "by an earlier run" in done.stderr
    assert output.read_bytes() == whole[0]
    assert not partial.exists()


def test_another_input_is_not_continued(
    start: Start, run: Run, source: Path, tmp_path: Path
) -> None:
    changing = tmp_path / "in.csv"
    changing.write_bytes(source.read_bytes())
    process = start(changing, "-o", "out.csv", "--workers", "1")
    wait_for_rows(process, tmp_path / "out.csv.partial")
    process.kill()
    process.communicate()
    write(changing, texts(3))
    done = run("score", changing, "-o", "out.csv", "--resume", cwd=tmp_path)
    assert done.returncode == 2
    assert "input file" in done.stderr and "changed" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_runs_do_not_write_the_same_output(start: Start, run: Run, source: Path) -> None:
    output = source.with_name("busy.csv")
    process = start(source, "-o", output, "--workers", "1")
    wait_for_rows(process, output.with_name("busy.csv.partial"))
    process.send_signal(signal.SIGSTOP)
    second = run("score", source, "-o", output, "--resume")
    assert second.returncode == 2 and "another run" in second.stderr


@pytest.mark.parametrize("most_bytes", [3_000, 150_000])
def test_a_full_disk_loses_nothing(
    start: Start,
    run: Run,
    source: Path,
    tmp_path: Path,
    whole: tuple[bytes, float],
    most_bytes: int,
) -> None:
    """Full while rows are assessed, and while the output is written."""
    output = tmp_path / "out.jsonl"
    process = start(source, "-o", output, "--workers", "1", most_bytes=most_bytes)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 2
    assert b"cannot be written" in said and b"--resume" in said and b"Traceback" not in said
    # A disk that had no room for the first rows keeps none, and leaves no file behind.
    assert {path.name for path in tmp_path.iterdir()} <= {"out.jsonl.partial"}
    done = run("score", source, "-o", output, "--workers", "1", "--resume")
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == whole[0]


POISON = """
import os, signal
if "spawn_main" in " ".join(__import__("sys").orig_argv):
    from stalkflag.reading import Reader

    make_doc = Reader.make_doc

    def poisoned(self, text):
        if "poison" in text:
            os.kill(os.getpid(), signal.SIGKILL)
        if "faulty" in text:
            raise RuntimeError(text)
        return make_doc(self, text)

    Reader.make_doc = poisoned
"""


def test_a_row_that_kills_every_worker_is_rejected_alone(
    start: Start, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "sitecustomize.py").write_text(POISON, encoding="utf-8")
    rows = texts(150)
    rows[70], rows[90] = "A poison row.", "A faulty row."
    source = write(tmp_path / "in.csv", rows)
    process = start(
        *(source, "-o", "out.csv", "--rejects", "bad.csv", "--workers", "2"), path=tmp_path
    )
    _, said = process.communicate(timeout=600)
    assert process.returncode == 1, said
    assert b"faulty" not in said
    bad = read(tmp_path / "bad.csv")
    assert [(row["row"], row["reason"]) for row in bad] == [
        ("71", "the process that read it died, perhaps for memory"),
        ("91", "it could not be assessed (RuntimeError)"),
    ]
    kept = [row["id"] for row in read(tmp_path / "out.csv")]
    assert kept == [f"r{n}" for n in range(1, 151) if n not in (71, 91)]


def test_bad_rows_and_a_truncated_file_are_accounted_for(run: Run, tmp_path: Path) -> None:
    rows = [json.dumps({"id": n, "text": text}) for n, text in enumerate(texts(3000), start=1)]
    rows[4] = "not json"
    rows[7] = '{"text": 7}'
    data = gzip.compress("\n".join(rows).encode())
    (tmp_path / "in.jsonl.gz").write_bytes(data[: len(data) // 20])
    arguments = ("score", "in.jsonl.gz", "-o", "out.csv")
    without = run(*arguments, cwd=tmp_path)
    assert without.returncode == 2 and "--rejects" in without.stderr
    assert not (tmp_path / "out.csv").exists()
    done = run(*arguments, "--rejects", "bad.csv", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    kept, bad = read(tmp_path / "out.csv"), read(tmp_path / "bad.csv")
    read_again = len(kept) + len(bad) - 1
    assert [int(row["id"]) for row in kept] == [
        n for n in range(1, read_again + 1) if n not in (5, 8)
    ]
    assert [int(row["row"]) for row in bad] == [5, 8, read_again + 1]
    assert "cut off" in bad[-1]["reason"]
    assert f"{len(kept):,} assessed" in done.stderr and "3 rejected" in done.stderr
    assert "by an earlier run" in done.stderr


def test_a_cell_of_two_million_characters(run: Run, tmp_path: Path) -> None:
    rows = [STORIES[0], "z" * 2_000_000, STORIES[2]]
    source = write(tmp_path / "in.csv", rows)
    done = run("score", source, "-o", tmp_path / "out.csv", "--workers", "1")
    assert done.returncode == 0, done.stderr
    kept = read(tmp_path / "out.csv")
    assert [row["narrative"] for row in kept] == rows
    assert kept[1]["refer"] == "true"
