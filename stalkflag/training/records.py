"""Labelled narratives: reading them and checking what the labelling guide asks."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from stalkflag.assessment import ACTS, INDICATORS, LABELS, RELATIONSHIPS
from stalkflag.errors import InputError
from stalkflag.training.decided import is_decisions, labelled

REGISTERS: tuple[str, ...] = (
    "police_report",
    "call_log",
    "victim_statement",
    "online_form",
    "news",
    "judgment",
    "forum_post",
    "other",
)
SPLITS: tuple[str, ...] = ("train", "dev", "test")

SECOND_READER = "second-reader.jsonl"
"""Beside a corpus: the labels of a reader who had not seen the first ones."""

SETTLED = "settled.jsonl"
"""Beside a corpus: for each record that was changed when readers were compared, its first labels."""

NAMES_OFFENCE = re.compile(r"stalk|harass", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled narrative, as ``data/labelling-guide.md`` describes it.

    What a force's own cases may lack is ``None``: indicators, acts, relationship, occasions.
    """

    id: str
    text: str
    label: str
    indicators: dict[str, bool | None]
    evidence: dict[str, tuple[str, ...]]
    acts: tuple[str, ...] | None
    relationship: str | None
    occasions: int | None
    register: str | None
    difficulty: str | None
    source: str
    group: str
    split: str | None

    def evidence_offsets(self, indicator: str) -> list[tuple[int, int]]:
        """Character offsets of each place where the evidence for an indicator stands."""
        return [
            (match.start(), match.end())
            for words in self.evidence.get(indicator, ())
            for match in re.finditer(re.escape(words), self.text)
        ]


def find_files(sources: Iterable[Path]) -> list[Path]:
    """JSONL files of records among files and folders, in a fixed order."""
    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            companions = (SECOND_READER, SETTLED)
            found += sorted(p for p in source.glob("*.jsonl") if p.name not in companions)
        elif source.is_file():
            found.append(source)
        else:
            raise InputError(f"There is no file or folder {source}: check the path.")
    if not found:
        raise InputError("No .jsonl file was found in the folders given.")
    return found


def read_records(sources: Iterable[Path]) -> list[Record]:
    """All labelled narratives of some files or folders; the file name tells the split."""
    return [record for path in find_files(sources) for record in _read_file(path)]


def _read_file(path: Path) -> Iterator[Record]:
    split = path.stem if path.stem in SPLITS else None
    lines = read_lines(path)
    first = next(lines, None)
    if first is None:
        return
    if is_decisions(first[1]):
        for number, plain in labelled(path, chain((first,), lines)):
            yield _record(plain, split=split, where=f"{path}:{number}")
        return
    for number, line in chain((first,), lines):
        try:
            plain = json.loads(line)
        except ValueError:
            raise InputError(f"{path}:{number}: this line is not JSON.") from None
        yield _record(plain, split=split, where=f"{path}:{number}")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a JSONL file that are not blank, with their numbers from 1."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text: {error}.") from None


def _record(plain: Any, *, split: str | None, where: str) -> Record:
    if not isinstance(plain, dict) or not isinstance(plain.get("text"), str):
        raise InputError(f"{where}: a record needs at least 'text' and 'label'.")
    if plain.get("label") not in LABELS:
        raise InputError(
            f"{where}: the label is {plain.get('label')!r}; it must be one of {', '.join(LABELS)}."
        )
    acts = plain.get("acts", plain.get("s2a"))
    identity = str(plain.get("id", where))
    evidence = plain.get("evidence") or {}
    return Record(
        id=identity,
        text=plain["text"],
        label=plain["label"],
        indicators={name: plain.get(name) for name in INDICATORS},
        evidence={name: tuple(evidence.get(name, ())) for name in INDICATORS},
        acts=None if acts is None else tuple(acts),
        relationship=plain.get("relationship"),
        occasions=plain.get("occasions"),
        register=plain.get("register"),
        difficulty=plain.get("difficulty"),
        source=str(plain.get("source", "")),
        group=str(plain.get("group") or identity),
        split=split,
    )


def data_sha256(records: Iterable[Record]) -> str:
    """Hash of what is learned from: ids, texts, labels, groups and splits, whatever the files."""
    digest = hashlib.sha256()
    for line in sorted(
        json.dumps(
            [
                *(r.id, r.text, r.label, r.indicators, r.evidence, r.acts, r.relationship),
                *(r.occasions, r.group, r.split),
            ],
            ensure_ascii=False,
            sort_keys=True,
        )
        for r in records
    ):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def problems(record: Record) -> list[str]:
    """What breaks the labelling guide in one record; never quotes the narrative."""
    found: list[str] = []
    if not record.text.strip():
        found.append("the text is empty")
    if record.relationship is not None and record.relationship not in RELATIONSHIPS:
        found.append(f"unknown relationship {record.relationship!r}")
    if record.register is not None and record.register not in REGISTERS:
        found.append(f"unknown register {record.register!r}")
    for act in record.acts or ():
        if act not in ACTS:
            found.append(f"unknown act {act!r}")
    for name, shown in record.indicators.items():
        words = record.evidence[name]
        if shown and not 1 <= len(words) <= 3:
            found.append(f"{name} is true with {len(words)} pieces of evidence (1 to 3 are needed)")
        if not shown and words:
            found.append(f"{name} has evidence but is not true")
        found += [
            f"evidence {number} for {name} does not stand in the text"
            for number, piece in enumerate(words, start=1)
            if piece not in record.text
        ]
    if record.label != "neither":
        for name in ("unwanted", "repeated"):
            if record.indicators[name] is False:
                found.append(f"{record.label} but not {name}")
    if (
        record.label == "stalking"
        and record.indicators["fixated"] is False
        and record.indicators["obsessive"] is False
        and record.relationship != "ex_intimate"
    ):
        found.append("stalking by no former partner, but neither fixated nor obsessive")
    return found
