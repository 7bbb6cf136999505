"""How fast a file is scored, what more workers and whole files cost, and whether memory grows.

    python -m experiments.batch.run [--rows 200000] [--workers 1 2] [--spark]

The file repeats the corpus's narratives with changed ids. Rates are given by the clock and by the
processor: on a shared machine only the second can be compared. Prints tables and writes
results.json beside this file: numbers only, never a text.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path

import stalkflag
from experiments.baselines.run import keywords
from stalkflag.training.records import read_lines

HERE = Path(__file__).parent
CORPUS = Path("data/corpus/train.jsonl")
PROBE_SECONDS = 1.0


@dataclass(slots=True)
class Run:
    """Rows a second by the clock and by the processor, and the memory of each process."""

    name: str
    rows: int
    seconds: float
    processor_seconds: float
    memory: list[tuple[float, int, int]] = field(default_factory=list)
    """Seconds since the start, and MiB of the parent and of the largest worker."""

    @property
    def rate(self) -> float:
        return self.rows / self.seconds

    @property
    def processor_rate(self) -> float:
        return self.rows / self.processor_seconds

    def largest(self, first: float, last: float) -> tuple[int, int]:
        """The most memory of parent and worker in a part of the run, such as 0.2 to 0.4."""
        end = self.memory[-1][0] if self.memory else 0.0
        part = [m[1:] for m in self.memory if first * end <= m[0] <= last * end] or [(0, 0)]
        return max(p for p, _ in part), max(w for _, w in part)


def narratives() -> Iterator[str]:
    """The corpus's narratives, over and over, each time with another reference."""
    texts = [json.loads(line)["text"] for _, line in read_lines(CORPUS)]
    for number, text in enumerate(cycle(texts)):
        yield f"{text} Ref {number}."


def in_process(name: str, work: Callable[[list[str]], object], rows: int) -> Run:
    """One method over texts in this process."""
    texts = list(islice(narratives(), rows))
    work(texts[:20])
    began, used = time.perf_counter(), time.process_time()
    work(texts)
    return Run(name, rows, time.perf_counter() - began, time.process_time() - used)


def whole_file(name: str, source: Path, output: Path, rows: int, *options: str) -> Run:
    """The command as a person runs it, from file to file."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "stalkflag", "score", str(source), "-o", str(output), *options],
        stderr=subprocess.DEVNULL,
    )
    memory = []
    while process.poll() is None:
        memory.append((time.perf_counter() - began, *_memory(process.pid)))
        time.sleep(PROBE_SECONDS)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"{name}: 'stalkflag score' failed")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(name, rows, seconds, used, memory)


def _memory(pid: int) -> tuple[int, int]:
    """MiB that a process and its largest child hold now."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return _resident(pid), max((_resident(int(child)) for child in children), default=0)
    except OSError:
        return 0, 0


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def linear() -> Callable[[list[str]], object]:
    """TF-IDF and logistic regression, trained on the corpus."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    plain = [json.loads(line) for _, line in read_lines(CORPUS)]
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        LogisticRegression(C=10, class_weight="balanced", max_iter=2000),
    ).fit([p["text"] for p in plain], [p["label"] for p in plain])
    return lambda texts: list(model.predict(texts))


def clinical() -> Callable[[list[str]], object] | None:
    """edsnlp with the keywords as patterns, and its negation, hypothesis and reported speech."""
    try:
        import edsnlp
    except ImportError:
        return None
    from experiments.baselines.run import HARASSMENT, STALKING

    nlp = edsnlp.blank("eds")
    nlp.add_pipe("eds.sentences")
    patterns = {
        "stalking": STALKING.pattern.split("|"),
        "harassment": HARASSMENT.pattern.split("|"),
    }
    nlp.add_pipe("eds.matcher", config={"regex": patterns})
    for name in ("eds.negation", "eds.hypothesis", "eds.reported_speech"):
        nlp.add_pipe(name)
    return lambda texts: [len(doc.ents) for doc in map(nlp, texts)]


def write_csv(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "date", "narrative"])
        for number, text in enumerate(islice(narratives(), rows)):
            table.writerow([f"R{number:07}", "2024-01-09", text])


def write_parquet(source: Path, path: Path) -> None:
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as pq

    options = arrow_csv.ParseOptions(newlines_in_values=True)
    pq.write_table(arrow_csv.read_csv(source, parse_options=options), path, row_group_size=2_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--sample", type=int, default=1_000, help="rows of the in-process rates")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--spark", action="store_true", help="Spark too, on as many cores")
    options = parser.parse_args()
    assessor = stalkflag.load()
    runs = [
        in_process("stalkflag", lambda texts: list(assessor.assess_many(texts)), options.sample),
        in_process("keywords", keywords, options.sample),
        in_process("TF-IDF + logistic regression", linear(), options.sample),
    ]
    if other := clinical():
        runs.append(in_process("edsnlp", other, options.sample))
    alone = runs[0]
    files: list[tuple[int, Run]] = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "reports.csv"
        write_csv(source, options.rows)
        for workers in options.workers:
            for ending in (
                ("csv",) if workers != max(options.workers) else ("csv", "jsonl", "parquet")
            ):
                name = f"file to .{ending}, {workers} worker(s)"
                output = Path(folder) / f"scored.{ending}"
                many = ("--workers", str(workers))
                files.append((workers, whole_file(name, source, output, options.rows, *many)))
        if options.spark:
            table = Path(folder) / "reports.parquet"
            write_parquet(source, table)
            for workers in options.workers:
                output = Path(folder) / f"spark-{workers}.parquet"
                engine = ("--engine", "spark", "--master", f"local[{workers}]")
                name = f"Spark, {workers} core(s)"
                files.append((workers, whole_file(name, table, output, options.rows, *engine)))
    print(f"in one process, {options.sample:,} narratives")
    print("| method | rows a second | rows a second of processor |")
    print("|---|---|---|")
    for run in runs:
        print(f"| {run.name} | {run.rate:,.0f} | {run.processor_rate:,.0f} |")
    print(f"\nfrom file to file, {options.rows:,} narratives, starting included")
    print(
        "| run | rows a second | share of the in-process rate of as many processes "
        "| by the processor | MiB of parent and largest worker, second and last fifth |"
    )
    print("|---|---|---|---|---|")
    for workers, run in files:
        share = run.rate / (alone.rate * workers)
        by_processor = run.processor_rate / alone.processor_rate
        early, late = run.largest(0.2, 0.4), run.largest(0.8, 1.0)
        print(
            f"| {run.name} | {run.rate:,.0f} | {share:.0%} | {by_processor:.0%} "
            f"| {early[0]} and {early[1]}, {late[0]} and {late[1]} |"
        )
    plain = [
        {**asdict(run), "memory": _thinned(run)} for run in (*runs, *(run for _, run in files))
    ]
    (HERE / "results.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


def _thinned(run: Run) -> list[tuple[float, int, int]]:
    """Some twenty of the memory probes."""
    step = max(1, len(run.memory) // 20)
    return [(round(at, 1), parent, worker) for at, parent, worker in run.memory[::step]]


if __name__ == "__main__":
    main()
