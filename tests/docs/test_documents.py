"""Documents are made from what they describe, name only what exists, and hold no placeholder."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from conftest import ROOT, Run

PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "data").glob("*.md"))
    if not path.name.endswith(".in.md")
)
PLACEHOLDER = re.compile(
    r"\b(TODO|TBC|TBD|FIXME|XXX|lorem ipsum)\b|\bto be (added|confirmed)\b|<!--"
)


def load_build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = load_build()
REQUIREMENTS = yaml.safe_load((ROOT / "docs" / "requirements.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name for name in BUILD.DOCUMENTS if name != "docs/licences.md"])
def test_documents_are_up_to_date(name: str) -> None:
    assert BUILD.problem(name) is None


def test_a_document_that_was_edited_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILD.DOCUMENTS, "docs/commands.md", lambda: "another")
    assert "out of date" in BUILD.problem("docs/commands.md")


def test_figures_of_another_bundle_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "measured.json"
    other.write_text(
        '{"bundle_sha256": "0", "data": "data/corpus/test.jsonl", "data_sha256": "0"}',
        encoding="utf-8",
    )
    monkeypatch.setattr(BUILD, "MEASURED", other)
    with pytest.raises(BUILD.OutOfDate, match="another bundle"):
        BUILD.model_card()


def test_every_requirement_is_there_with_a_state() -> None:
    assert [row["id"] for row in REQUIREMENTS] == [f"R{n}" for n in range(1, 21)]
    for row in REQUIREMENTS:
        assert row["state"] in BUILD.STATES
        assert row["state"] == "met" or row.get("left") or "not" in row["how"], row["id"]


@pytest.mark.parametrize("row", REQUIREMENTS, ids=lambda row: row["id"])
def test_what_a_requirement_names_exists(row: dict[str, list[str]]) -> None:
    for file in row["files"]:
        assert (ROOT / file).is_file(), file
    for test in row["tests"]:
        file, name = test.split("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), test


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_hold_no_placeholder_and_their_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not PLACEHOLDER.search(text)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            named = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in named, target


def test_the_worked_example_on_rules_does_what_the_page_says(run: Run) -> None:
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if "my-" not in line]
    printed = {line: run(*shlex.split(line)[1:]) for line in lines}
    assert all(done.returncode == 0 for done in printed.values())
    (checked,) = (done.stdout for line, done in printed.items() if "rules check" in line)
    assert checked.rstrip().endswith("0 failed.")
    explained = [done.stdout for line, done in printed.items() if "rules explain" in line]
    assert "own.circling" not in explained[0]
    assert re.search(r"own\.circling\tcounts", explained[1])


def test_licences_are_listed_and_let_a_force_use_them() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    for names in BUILD.declared().values():
        for name in names:
            row = re.search(rf"^\| {re.escape(name)} \|.*$", page, re.MULTILINE)
            assert row, f"{name} is not in docs/licences.md: run python docs/build.py"
            assert not re.search(r"\bA?GPL|not stated", row[0]), row[0]


def test_constraints_hold_every_package_that_is_asked_for() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    held = {
        re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.\-]+)==", text, re.M)
    }
    for names in BUILD.declared().values():
        for name in names:
            assert re.sub(r"[-_.]+", "-", name).lower() in held, name
