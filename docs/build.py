"""Makes the documents that hold numbers or lists, each from what it describes.

``python docs/build.py`` writes them, ``--check`` only says which are out of date (and ends with 1),
``--measure`` first measures the bundled model on the test split into ``docs/measured.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import re
import string
import subprocess
import sys
import tomllib
import typing
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from typer.main import get_command

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BUNDLE = ROOT / "stalkflag" / "bundled" / "bundle.json"
MEASURED = DOCS / "measured.json"
MEASURED_ON = "data/corpus/test.jsonl"


class OutOfDate(Exception):
    """A document cannot be made before something else is done."""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


INVARIANCE = ("--swaps", "--robustness", "--limit", "150")
"""Swapped words and rougher writing, on narratives drawn from the test split."""


def measure() -> None:
    """Measure the bundled model on the test split; figures only, never a text."""
    found = {
        "bundle_sha256": sha256(BUNDLE),
        "data": MEASURED_ON,
        "data_sha256": sha256(ROOT / MEASURED_ON),
        "measures": evaluated(),
        "invariance": evaluated(*INVARIANCE),
    }
    MEASURED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def evaluated(*options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "stalkflag", "evaluate", MEASURED_ON, "--format", "json"]
    done = subprocess.run([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)["bundled"]
    return found


def measured() -> dict[str, Any]:
    """What was measured, if it was measured on this bundle and these narratives."""
    again = "run 'python docs/build.py --measure' and commit what it writes"
    if not MEASURED.exists():
        raise OutOfDate(f"the bundled model has not been measured: {again}")
    found: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    if found["bundle_sha256"] != sha256(BUNDLE) or found["data_sha256"] != sha256(
        ROOT / found["data"]
    ):
        raise OutOfDate(f"docs/measured.json is of another bundle or test split: {again}")
    return found


def model_card() -> str:
    """The card of the bundled model."""
    from stalkflag.training.card import measured_lines

    info, found = json.loads(BUNDLE.read_text(encoding="utf-8")), measured()
    lines = [
        f"# Model card: {info['name']} {info['version']}",
        "",
        "The model that the package ships. Made by `python docs/build.py` from the bundle and "
        "`docs/measured.json`.",
        "",
        "## What it is for",
        "",
        "Reading police narratives in English for stalking that was recorded as something else, "
        "and for the recording desk. It suggests *stalking*, *harassment* or *neither* with the "
        "words that show it, or refers to a person. It supports a person's decision and never "
        "makes it.",
        "",
        "## What it is not for",
        "",
        "Deciding about a person; measures of risk; how common stalking is; other languages; texts "
        "of suspects or victims outside a report. Measure it on your own force's cases first: "
        "none of the figures below are of real police reports.",
        "",
        "## Trained on",
        "",
        f"- {info['records']:,} labelled narratives, composed ([data card](data/README.md)); data "
        f"`{info['data_sha256']}`",
        f"- rules `{info['rules_sha256']}`, encoders `{info['encoder_sha256']}`",
        "- settings: "
        + ", ".join(f"{k} {v}" for k, v in info["settings"].items() if v is not None),
        "",
        "## How good it is",
        "",
        f"On `{found['data']}`, cases that nothing was trained on and whose texts are for the most "
        "part by other writers; more than half are hard on purpose. 95 % bootstrap intervals over "
        "cases.",
        "",
        *measured_lines({"test split": found["measures"]}),
        "",
        "### By group",
        "",
        *slices(found["measures"]["slices"]),
        "",
        *invariance(found.get("invariance", {})),
        "Real texts: see the table in the [README](README.md#how-good-it-is).",
        "",
        "## Known failures",
        "",
        f"{lines_in('pairs.txt')} of the behavioural suite's pairs and {lines_in('cases.txt')} of "
        "its single sentences are read wrong; `tests/known-failures/` names each. Sarcasm, welcome "
        "contact that reads like pursuit, and who did what in tangled accounts are its commonest "
        "errors.",
        "",
        "## Who answers for it",
        "",
        "The force that uses it: see [human-in-the-loop.md](docs/human-in-the-loop.md), "
        "[requirements.md](docs/requirements.md) and "
        "[transparency-record.md](docs/transparency-record.md).",
    ]
    return "\n".join(lines) + "\n"


def slices(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "| group | narratives | accuracy | 95 % interval |"
    yield "|---|---|---|---|"
    for kind, values in found.items():
        for value, row in values.items():
            low, high = row["accuracy_interval"]
            yield (
                f"| {kind}: {value} | {row['narratives']} | {row['accuracy']:.3f} "
                f"| {low:.3f} to {high:.3f} |"
            )


def invariance(found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """What must not matter: suggestions that change when only that is changed."""
    for what, title in (("swaps", "Words swapped"), ("robustness", "Rougher writing")):
        if what not in found:
            continue
        yield from (f"### {title}: suggestions that changed", "")
        yield "| changed | narratives | suggestions changed | 95 % interval | target |"
        yield "|---|---|---|---|---|"
        for row in found[what]:
            if row["narratives"]:
                yield (
                    f"| {row['change']} | {row['narratives']} "
                    f"| {row['changed'] / row['narratives']:.1%} "
                    f"| {row['changed_low']:.1%} to {row['changed_high']:.1%} "
                    f"| {row['target']:.0%} |"
                )
        yield ""


def lines_in(name: str) -> int:
    text = (ROOT / "tests" / "known-failures" / name).read_text(encoding="utf-8")
    return sum(1 for line in text.splitlines() if line.strip() and not line.startswith("#"))


def transparency_record() -> str:
    """The transparency record: its text with the bundle's and the measured figures."""
    info, found = json.loads(BUNDLE.read_text(encoding="utf-8")), measured()["measures"]
    text = string.Template((DOCS / "transparency-record.in.md").read_text(encoding="utf-8"))
    return text.substitute(
        name=info["name"],
        version=info["version"],
        records=f"{info['records']:,}",
        data_sha256=info["data_sha256"],
        rules_sha256=info["rules_sha256"],
        narratives=f"{found['narratives']:,}",
        referred=f"{found['referred']:.0%}",
        macro_f1=f"{found['macro_f1']:.2f}",
        precision=f"{found['labels']['stalking']['precision']:.2f}",
        recall=f"{found['labels']['stalking']['recall']:.2f}",
        calibration=f"{found['calibration_error']:.3f}",
    )


def commands() -> str:
    """Every command with its arguments and options, from its own help."""
    from stalkflag.cli.app import app

    lines = [
        "# Commands",
        "",
        "Made by `python docs/build.py` from the commands' own help (`stalkflag COMMAND --help`).",
        "",
        "Results go to standard output, messages and progress to standard error. Exit status: 0 "
        "done; 1 done, with something to see to (rows rejected, drift beyond the limits); 2 "
        "unusable input or arguments, said in one sentence; 3 a fault in stalkflag itself.",
    ]
    for path, command in every(get_command(app), "stalkflag"):
        parameters = [one for one in command.params if "--help" not in one.opts]
        kinds = typing.get_type_hints(command.callback)
        usage = " ".join(argument(one) for one in parameters if not is_option(one))
        lines += ["", f"## `{path}`", "", plain(command.help or "")]
        lines += ["", "```text", f"{path} [OPTIONS] {usage}".rstrip(), "```"]
        if parameters:
            lines += ["", "| | |", "|---|---|"]
            lines += [parameter(one, kinds[one.name]) for one in parameters]
    return "\n".join(lines) + "\n"


def every(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, one in command.commands.items():
        if hasattr(one, "commands"):
            yield from every(one, f"{path} {name}")
        else:
            yield f"{path} {name}", one


def is_option(one: Any) -> bool:
    return bool(one.opts[0].startswith("-"))


def argument(one: Any) -> str:
    name = (one.metavar or one.name.upper()).strip("[].")
    many = "..." if one.nargs == -1 else ""
    return f"{name}{many}" if one.required else f"[{name}{many}]"


def parameter(one: Any, kind: Any) -> str:
    """A row of the table: names and kind of value; help, whether needed, and default.

    Written here and not taken from typer's help, whose look changes with its version.
    """
    name, says = argument(one), plain(one.help or "")
    if is_option(one):
        name = " ".join(filter(None, (", ".join(sorted(one.opts)), value_of(one, kind))))
    shown = getattr(one, "show_default", False)
    default = getattr(one.default, "value", one.default)
    if isinstance(shown, str):
        says += f" Default: {shown}."
    elif shown and default not in (None, False, (), []) and is_option(one):
        says += f" Default: {default}."
    if one.required:
        says += " Required."
    name, says = (part.strip().replace("|", "\\|") for part in (name, says))
    return f"| `{name}` | {says} |"


def value_of(one: Any, kind: Any) -> str:
    """What an option takes: nothing for a switch, choices, or a word for its kind."""
    inner = [part for part in typing.get_args(kind) if part is not type(None)] or [kind]
    if typing.get_args(inner[0]):
        inner = list(typing.get_args(inner[0]))
    if one.metavar:
        return str(one.metavar)
    if inner[0] is bool:
        return ""
    if issubclass(inner[0], StrEnum):
        return "|".join(choice.value for choice in inner[0])
    return {Path: "PATH", str: "TEXT"}.get(inner[0], "NUMBER")


def plain(text: str) -> str:
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())


STATES = {"met": "met", "partly": "met in part", "force": "left to the force"}


def requirements() -> str:
    """What responsible use asks, where each is met and by which test, and what the force does."""
    rows = yaml.safe_load((DOCS / "requirements.yaml").read_text(encoding="utf-8"))
    number = {state: sum(row["state"] == state for row in rows) for state in STATES}
    lines = [
        "# Requirements",
        "",
        "What responsible use in policing asks of such a tool, in our words: where each is met, "
        "which test holds it, and what is left to the force. Made by `python docs/build.py` from "
        "`docs/requirements.yaml`.",
        "",
        ", ".join(f"{number[state]} {words}" for state, words in STATES.items()) + ".",
        "",
        "| | asks | state | how | tests | left to the force |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        where = ", ".join(f"[{Path(f).name}](../{f})" for f in row["files"])
        tests = ", ".join(
            f"[{test.split('::')[1].removeprefix('test_').replace('_', ' ')}]"
            f"(../{test.split('::')[0]})"
            for test in row["tests"]
        )
        cells = (
            *(row["id"], f"{row['asks']} *({row['from']})*", STATES[row["state"]]),
            *(f"{row['how']} {where}", tests or "none", row.get("left", "")),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def licences() -> str:
    """The licence of each package that an installation brings, as the package itself states it."""
    extras = declared()
    direct = {name for group in extras.values() for name in group}
    lines = [
        "# Licences",
        "",
        "stalkflag's code is under Apache-2.0, its corpus under CC BY 4.0; the narrative encoder is "
        "made from all-MiniLM-L6-v2 (Apache-2.0). These are the packages that it asks for, with the "
        "licence that each states of itself; what they ask for in turn is in `constraints.txt`. "
        "Made by `python docs/build.py`.",
        "",
        "| package | asked for by | licence |",
        "|---|---|---|",
    ]
    for name in sorted(direct):
        users = ", ".join(group for group, names in extras.items() if name in names)
        lines.append(f"| {name} | {users} | {licence(name)} |")
    return "\n".join(lines) + "\n"


def declared() -> dict[str, list[str]]:
    """The packages that pyproject.toml asks for: ``core``, then each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}
    return {
        group: [name for one in asked if (name := Requirement(one).name) != "stalkflag"]
        for group, asked in groups.items()
    }


SAID_ELSEWHERE = {"axe-playwright-python": "MIT (its LICENSE file)"}
"""Licences of packages whose metadata says none."""


def licence(name: str) -> str:
    try:
        about = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        raise OutOfDate(f"{name} is not installed: pip install -e '.[all,dev]'") from None
    if stated := about.get("License-Expression") or SAID_ELSEWHERE.get(name):
        return str(stated)
    classified = [
        one.split(" :: ")[-1].replace(" License", "").replace("OSI Approved", "")
        for one in about.get_all("Classifier") or []
        if one.startswith("License ::")
    ]
    return ", ".join(filter(None, classified)) or str(about.get("License") or "not stated")


def rules_page() -> str:
    """docs/rules.md with the worked example as it stands in docs/own-rules.yaml."""
    text = (DOCS / "rules.md").read_text(encoding="utf-8")
    example = (DOCS / "own-rules.yaml").read_text(encoding="utf-8")
    return re.sub(r"```yaml\n.*?```", lambda _: f"```yaml\n{example}```", text, flags=re.DOTALL)


FIGURES = re.compile(r"(?<=\n\n)\| narratives \|.*?\n\n.*?\n(?=\n)", re.DOTALL)
"""What was measured, in the README: a table and the paragraph after it."""

COMPARED = {
    "test": "corpus, test split (composed)",
    "real_dev": "real reports, complaints and posts",
    "real_accounts": "real accounts",
}


def readme() -> str:
    """The README with what was measured."""
    found = measured()["measures"]
    baselines = ROOT / "experiments" / "baselines" / "results.json"
    compared = json.loads(baselines.read_text(encoding="utf-8"))
    if compared["test"]["stalkflag"]["macro_f1"] != found["macro_f1"]:
        raise OutOfDate(
            f"{baselines.relative_to(ROOT)} is of another bundle or test split: "
            "run experiments/baselines/run.py and commit what it writes"
        )
    methods = list(compared["test"])
    lines = [
        "| narratives | " + " | ".join(methods) + " |",
        "|---" * (len(methods) + 1) + "|",
    ]
    for name, title in COMPARED.items():
        cells = [
            "{:.2f} ({:.2f} to {:.2f})".format(row["macro_f1"], *row["macro_f1_interval"])
            for row in compared[name].values()
        ]
        number = compared[name]["stalkflag"]["narratives"]
        lines.append(f"| {title} ({number}) | " + " | ".join(cells) + " |")
    stalking, shown = found["labels"]["stalking"], found["indicators"]
    lines += [
        "",
        f"On the test split ({found['groups']} cases): stalking precision "
        f"{stalking['precision']:.2f} and recall {stalking['recall']:.2f}; F1 of "
        + ", ".join(f"{name} {one['f1']:.2f}" for name, one in shown.items())
        + f"; acts micro-F1 {found['acts_micro_f1']:.2f}; relationship right "
        f"{found['relationship_accuracy']:.2f}; two or more occasions right "
        f"{found['two_or_more_accuracy']:.2f}; labelled evidence overlapped "
        f"{found['evidence_overlapped']:.2f}; calibration error {found['calibration_error']:.3f}; "
        f"{found['referred']:.0%} referred to a person, and "
        f"{found['accuracy_not_referred']:.0%} of the others right. More than half of its "
        "narratives are hard on purpose. The behavioural suite (`tests/behaviour`: pairs that "
        "differ in one thing, where everything stated of both texts must hold) passes "
        + passed("behaviour", "pairs.txt")
        + " pairs, and "
        + passed("cases", "cases.txt")
        + " single sentences in `tests/cases` are read right; rules were mended with that table of "
        "sentences in view, so it shows what the rules do, not how they do on sentences that "
        "nobody has seen.",
    ]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return FIGURES.sub(lambda _: "\n".join(lines) + "\n", text, count=1)


def passed(folder: str, known: str) -> str:
    """How many of a table's entries are read right, as its list of known failures says."""
    paths = sorted((ROOT / "tests" / folder).glob("*.yaml"))
    number = sum(len(yaml.safe_load(path.read_text(encoding="utf-8"))) for path in paths)
    return f"{number - lines_in(known)} of {number}"


DOCUMENTS: dict[str, Callable[[], str]] = {
    "README.md": readme,
    "MODEL_CARD.md": model_card,
    "docs/transparency-record.md": transparency_record,
    "docs/commands.md": commands,
    "docs/requirements.md": requirements,
    "docs/licences.md": licences,
    "docs/rules.md": rules_page,
}


def problem(name: str) -> str | None:
    """What is wrong with a document as it lies there; ``None`` if it is up to date."""
    try:
        made = DOCUMENTS[name]()
    except OutOfDate as error:
        return f"{name}: {error}"
    path = ROOT / name
    if path.exists() and path.read_text(encoding="utf-8") == made:
        return None
    return f"{name} is out of date: run 'python docs/build.py'"


def main() -> int:
    """Write the documents, or check them."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--check", action="store_true", help="write nothing")
    options.add_argument("--measure", action="store_true", help="measure the bundled model first")
    asked = options.parse_args()
    if asked.measure:
        measure()
    problems = []
    for name, make in DOCUMENTS.items():
        if not asked.check:
            try:
                (ROOT / name).write_text(make(), encoding="utf-8")
            except OutOfDate as error:
                problems.append(f"{name}: {error}")
        elif found := problem(name):
            problems.append(found)
    for one in problems:
        print(one, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
