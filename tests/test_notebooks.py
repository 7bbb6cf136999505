"""Each notebook runs from an empty folder, holds no output, and keeps narratives where it says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient
from privacy.sandbox import Sandbox

from stalkflag.training.records import read_records

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HOLD_NARRATIVES = {
    "01-one-narrative": {"report.txt"},
    "02-the-corpus": set(),
    "03-retrain-on-your-own-cases": {"cases.csv", "test.csv"},
    "04-audit-a-historical-file": {"reports.csv", "scored.csv", "form.csv"},
}
"""Of all files that each notebook leaves, those with narratives in them."""

WORDS = 8
"""So many words in a row are a narrative's own."""


def word_runs(text: str, *, most: int | None = None) -> Iterator[tuple[str, ...]]:
    """Runs of words in a text, from the first word on."""
    words = re.findall(r"\w+", text.lower())
    for start in range(len(words) - WORDS + 1)[:most]:
        yield tuple(words[start : start + WORDS])


@pytest.fixture(scope="module")
def openings() -> frozenset[tuple[str, ...]]:
    """How the narratives of the corpus begin."""
    records = read_records([ROOT / "data" / "corpus"])
    return frozenset(run for record in records for run in word_runs(record.text, most=1))


def quotes(path: Path, openings: frozenset[tuple[str, ...]]) -> bool:
    """Whether a narrative of the corpus begins somewhere in a file."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    return not openings.isdisjoint(word_runs(text))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_it_printed(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        for target in re.findall(r"\]\((\.\./[^)\s]+)\)", cell.source):
            assert (path.parent / target).is_file(), target


def test_the_readme_leads_to_each_notebook() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in NOTEBOOKS} == set(HOLD_NARRATIVES)
    for path in NOTEBOOKS:
        assert f"](notebooks/{path.name})" in readme


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_writes_narratives_in_its_folder_alone(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    openings: frozenset[tuple[str, ...]],
) -> None:
    sandbox = Sandbox(tmp_path)
    # The kernel, and what it starts, see the sandbox's environment and nothing else.
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=1200, resources={"metadata": {"path": str(sandbox.work)}}
    )
    client.execute()

    inside = (str(tmp_path.resolve()), "/dev/null", "/proc/", "/dev/shm/pym-", "/dev/tty")
    assert [w for w in sandbox.noted("write") if not w.startswith(inside)] == []
    assert sandbox.noted("network") == []
    assert sum(one.is_dir() for one in sandbox.work.iterdir()) == len(list(sandbox.work.iterdir()))
    deleted = dict(one.split(" ", 1) for one in sandbox.noted("kept"))
    holding = {
        Path(deleted.get(one.name, one)).resolve()
        for one in tmp_path.rglob("*")
        if one.is_file() and quotes(one, openings)
    }
    # What was deleted there, such as an output written aside and renamed, is searched as well.
    assert all(sandbox.work.resolve() in one.parent.parents for one in holding)
    assert {one.name for one in holding if one.exists()} == HOLD_NARRATIVES[path.stem]
