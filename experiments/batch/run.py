"""How fast a file is scored, what more workers and whole files cost, and whether memory grows.

    python -m experiments.batch.run [--rows 4000] [--workers 1 2] [--edsnlp PYTHON] [--spark]
    python -m experiments.batch.run --long 200000 [--workers 2]
    python -m experiments.batch.run --readme

The first compares methods and numbers of workers on one file. The second scores a long file and
watches the memory of its processes. The file repeats the corpus's narratives with changed ids.
Rates are given by the clock and by the processor: on a shared machine only the second can be
compared. Both keep what they find in results.json beside this file (numbers only, never a text)
and make README.md from it, which the third does alone.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import spacy

import stalkflag
from experiments.baselines.run import keywords
from stalkflag.rules.compiled import compile_rules
from stalkflag.rules.schema import load_packs
from stalkflag.training.sources import read_lines

HERE = Path(__file__).parent
CORPUS = Path("data/corpus/train.jsonl")
RESULTS = HERE / "results.json"
PROBE_SECONDS = 1.0
PROBES = 120
"""Of memory, kept of a run."""

REGEXES = 200
"""For edsnlp: one for each of so many rules."""

BUSY = (
    "The machine did other work at the same time: rates are those of a processor alone, and how "
    "much faster two workers are than one could not be measured."
)

Run = dict[str, Any]
"""A run's name, rows, seconds by the clock and of all its processors, and what else is known."""


def narratives() -> Iterator[str]:
    """The corpus's narratives, over and over, each time with another reference."""
    texts = [json.loads(line)["text"] for _, line in read_lines(CORPUS)]
    for number, text in enumerate(cycle(texts)):
        yield f"{text} Ref {number}."


def write_csv(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "date", "narrative"])
        for number, text in enumerate(islice(narratives(), rows)):
            table.writerow([f"R{number:07}", "2024-01-09", text])


def in_process(name: str, work: Callable[[list[str]], object], texts: list[str]) -> Run:
    """One method over texts in this process."""
    work(texts[:20])
    began, used = time.perf_counter(), time.process_time()
    work(texts)
    return {
        "name": name,
        "rows": len(texts),
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - used,
    }


def blank(texts: list[str]) -> int:
    """spaCy's tokenizer and rule-based sentences, which every other method needs or does anew."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.max_length = max(map(len, texts)) + 1
    return sum(len(doc) for doc in nlp.pipe(texts))


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


def regexes() -> dict[str, list[str]]:
    """The first word sequence of each of the first rules, as a regular expression."""
    rules = load_packs()
    compiled = compile_rules(rules)
    found: dict[str, list[str]] = {}
    for number, elements, _ in compiled.sequences:
        id = rules.rules[number].id
        if id in found or len(found) >= REGEXES:
            continue
        parts = [
            rf"(?:\W+\w+){{0,{-element}}}"
            if element < 0
            else rf"\W+(?:{'|'.join(map(re.escape, compiled.sets[element]))})"
            for element in elements
        ]
        found[id] = [r"(?i)\b" + "".join(parts).removeprefix(r"\W+") + r"\b"]
    return found


def clinical(python: Path, source: Path, folder: Path) -> Run:
    """edsnlp in an environment of its own: its spaCy may be another."""
    asked = folder / "regexes.json"
    asked.write_text(json.dumps(regexes()), encoding="utf-8")
    done = subprocess.run(
        [str(python), str(HERE / "clinical.py"), str(source), str(asked)],
        stdout=subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        check=True,
    )
    found: Run = json.loads(done.stdout)
    return found


def whole_file(name: str, source: Path, output: Path, rows: int, *options: str) -> Run:
    """The command as a person runs it, from file to file; memory once a second."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "stalkflag", "score", str(source), "-o", str(output), *options],
        stderr=subprocess.DEVNULL,
    )
    memory = []
    while process.poll() is None:
        memory.append((round(time.perf_counter() - began, 1), *_memory(process.pid)))
        time.sleep(PROBE_SECONDS)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"{name}: 'stalkflag score' failed")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "name": name,
        "rows": rows,
        "seconds": seconds,
        "processor_seconds": used,
        "memory": memory[:: max(1, len(memory) // PROBES)],
    }


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


def compare(rows: int, workers: list[int], edsnlp: Path | None, *, spark: bool) -> dict[str, Any]:
    """Methods in one process, and the command with more workers, on one file."""
    assessor = stalkflag.load()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "reports.csv"
        write_csv(source, rows)
        texts = list(islice(narratives(), rows))
        methods = [
            in_process("spaCy's blank tokenizer and sentencizer", blank, texts),
            in_process("keywords (two regular expressions)", keywords, texts),
            in_process("TF-IDF and logistic regression", linear(), texts),
        ]
        if edsnlp:
            methods.append(clinical(edsnlp, source, folder))
        reading = assessor.reader.read
        methods += [
            in_process("stalkflag: rules, context, counting", lambda t: list(reading(t)), texts),
            in_process(
                "stalkflag: whole assessment",
                lambda t: [one.suggestion for one in assessor.assess_many(t)],
                texts,
            ),
        ]
        files = []
        for number in workers:
            for ending in ("csv", "jsonl", "parquet") if number == max(workers) else ("csv",):
                output = folder / f"scored-{number}.{ending}"
                asked = ("--workers", str(number))
                title = f"score to .{ending}, {number} worker{'s' * (number > 1)}"
                run = whole_file(title, source, output, rows, *asked)
                files.append({**run, "workers": number})
        if spark:
            table = folder / "reports.parquet"
            write_parquet(source, table)
            for number in workers:
                engine = ("--engine", "spark", "--master", f"local[{number}]")
                title = f"Spark, {number} core{'s' * (number > 1)}"
                output = folder / f"spark-{number}.parquet"
                files.append({**whole_file(title, table, output, rows, *engine), "workers": number})
    return {
        "words": round(sum(len(text.split()) for text in texts) / rows),
        "methods": methods,
        "files": files,
    }


def write_parquet(source: Path, path: Path) -> None:
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as pq

    options = arrow_csv.ParseOptions(newlines_in_values=True)
    pq.write_table(arrow_csv.read_csv(source, parse_options=options), path, row_group_size=500)


def long_run(rows: int, workers: int) -> Run:
    """A long file scored to CSV, and the memory of its processes over the run."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "reports.csv"
        write_csv(source, rows)
        output = Path(folder) / "scored.csv"
        run = whole_file("long", source, output, rows, "--workers", str(workers))
        with output.open(encoding="utf-8", newline="") as stream:
            written = sum(1 for _ in csv.reader(stream)) - 1
        if written != rows:
            raise SystemExit(f"{written:,} of {rows:,} rows were written")
    return {**run, "workers": workers}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "spacy": importlib.metadata.version("spacy"),
        "stalkflag": stalkflag.__version__,
    }


def readme(found: dict[str, Any]) -> str:
    """The experiment's page."""
    lines = [
        "# What scoring a file costs",
        "",
        "Made from `results.json` by `python -m experiments.batch.run` (see its first lines).",
    ]
    if compared := found.get("compared"):
        lines += _compared(compared)
    if long := found.get("long"):
        lines += _long(long)
    return "\n".join(lines) + "\n"


def _rates(run: Run) -> tuple[float, float]:
    return run["rows"] / run["seconds"], run["rows"] / run["processor_seconds"]


def _machine(of: dict[str, Any]) -> str:
    about = of["machine"]
    return f"{about['cores']} cores, Python {about['python']}, spaCy {about['spacy']}"


def _compared(found: dict[str, Any]) -> list[str]:
    methods, files = found["methods"], found["files"]
    alone = _rates(methods[-1])
    tokens = _rates(methods[0])[1]
    busy = min(clock / processor for clock, processor in map(_rates, methods)) < 0.9
    columns = ["by the processor", "share of the tokenizer's rate"]
    rows = []
    for run in methods:
        clock, processor = _rates(run)
        cells = [f"{processor:,.0f}", f"{processor / tokens:.1%}"]
        rows.append([run["name"], *([] if busy else [f"{clock:,.0f}"]), *cells])
    lines = [
        "",
        f"## One file of {methods[0]['rows']:,} narratives of {found['words']} words on average",
        "",
        f"One run on one machine ({_machine(found)}). {BUSY if busy else ''}",
        "",
        "Narratives a second in one process, without reading or writing:",
        "",
        *_table(["method", *([] if busy else ["by the clock"]), *columns], rows),
        "",
        "Narratives a second from file to file, starting included; the share is of the in-process "
        "rate:",
        "",
    ]
    rows = []
    for run in files:
        clock, processor = _rates(run)
        by_clock = [f"{clock:,.0f}", f"{clock / alone[0] / run['workers']:.0%} a worker"]
        memory = [str(max(probe[n] for probe in run["memory"])) for n in (1, 2)]
        cells = [f"{processor:,.0f}", f"{processor / alone[1]:.0%}", *memory]
        rows.append([run["name"], *([] if busy else by_clock), *cells])
    columns = ["by the processor", "share", "MiB of the first process", "MiB of the largest worker"]
    lines += _table(["command", *([] if busy else ["by the clock", "share"]), *columns], rows)
    rates = {run["workers"]: _rates(run)[0] for run in files if "to .csv" in run["name"]}
    if 1 in rates and len(rates) > 1 and not busy:
        most = max(rates)
        lines += ["", f"{most} workers are {rates[most] / rates[1]:.2f} times as fast as one."]
    return lines


def _table(columns: list[str], rows: list[list[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _long(run: Run) -> list[str]:
    clock, processor = _rates(run)
    lines = [
        "",
        f"## Memory over {run['rows']:,} narratives",
        "",
        f"`stalkflag score` from CSV to CSV with {run['workers']} workers ({_machine(run)}): "
        f"{run['seconds'] / 60:,.0f} minutes, {clock:,.0f} narratives a second, {processor:,.0f} "
        "by the processor. The most memory that each process held in each tenth of the run; in the "
        "last moments the output is written and there are no workers:",
        "",
    ]
    rows = []
    end = run["memory"][-1][0]
    for tenth in range(10):
        part = [m for m in run["memory"] if tenth <= 10 * m[0] / end < tenth + 1 + (tenth == 9)]
        if part:
            first, worker = (max(probe[n] for probe in part) for n in (1, 2))
            rows.append([f"{tenth * 10} to {tenth * 10 + 10} %", str(first), str(worker)])
    columns = ["part of the run", "MiB of the first process", "MiB of the largest worker"]
    return lines + _table(columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--edsnlp", type=Path, help="a Python that has edsnlp")
    parser.add_argument("--spark", action="store_true", help="Spark too, on as many cores")
    parser.add_argument("--long", type=int, help="score so many rows and watch the memory")
    parser.add_argument("--readme", action="store_true", help="only make README.md anew")
    options = parser.parse_args()
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    if options.long:
        run = long_run(options.long, max(options.workers))
        found["long"] = {"machine": machine(), **run}
    elif not options.readme:
        runs = compare(options.rows, options.workers, options.edsnlp, spark=options.spark)
        found["compared"] = {"machine": machine(), **runs}
    RESULTS.write_text(json.dumps(found) + "\n", encoding="utf-8")
    page = readme(found)
    (HERE / "README.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
