"""Labelled narratives: rows made into records, and what the labelling guide asks of them."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stalkflag.assessment import ACTS, INDICATORS, LABELS, RELATIONSHIPS
from stalkflag.batch.reading import TEXT_COLUMNS
from stalkflag.errors import InputError
from stalkflag.training.sources import SPLITS, RawRow, find_files, read_rows

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

NAMES_OFFENCE = re.compile(r"stalk|harass", re.IGNORECASE)

LEAVE_OUT = "skip"
"""What a label of the user's own may be mapped to, beside the three labels."""

UNDECIDED: tuple[str, ...] = ("need_more", "need more")
"""What the recording desk writes when a person wants to know more before deciding."""

TO_FIND_OUT = "where the decision was to find out more"

TEXT_HASHES: tuple[str, ...] = ("text_hash", "text_hmac_sha256")
"""Where the desk's decisions say which text they are on."""

_YES, _NO = ("true", "yes", "y", "1", "1.0"), ("false", "no", "n", "0", "0.0")


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled narrative, as ``data/labelling-guide.md`` describes it.

    What a force's own cases may lack is ``None``: indicators, acts, relationship, occasions.
    ``weight`` is how much the case counts in training.
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
    weight: float = 1.0

    def evidence_offsets(self, indicator: str) -> list[tuple[int, int]]:
        """Character offsets of each place where the evidence for an indicator stands."""
        return [
            (match.start(), match.end())
            for words in self.evidence.get(indicator, ())
            for match in re.finditer(re.escape(words), self.text)
        ]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a labelled file hold what; ``None`` is the usual name.

    ``labels`` says what the user's own labels mean: lower-case value to one of the three labels
    or ``LEAVE_OUT``; the value ``*`` stands for every other one.
    """

    text: str | None = None
    label: str | None = None
    id: str | None = None
    group: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def label_of(self, value: str) -> str | None:
        """The label that a value of the file stands for; ``None`` if it stands for none."""
        low = re.sub(r"(?<=\d)\.0+$", "", value.strip().lower())
        return self.labels.get(low) or (low if low in LABELS else self.labels.get("*"))


@dataclass(frozen=True, slots=True)
class LabelledData:
    """Records, and a sentence for each kind of row that was left out: never a text."""

    records: list[Record]
    notes: list[str]


def parse_label_map(given: Iterable[str]) -> dict[str, str]:
    """What the user's own labels mean, from ``stalking=8L,harassment=8M,neither=*``.

    Raises
    ------
    InputError
        If a part is not ``LABEL=VALUE``, or a value is given two meanings.
    """
    known = (*LABELS, LEAVE_OUT)
    found: dict[str, str] = {}
    for part in (part for text in given for part in text.split(",") if part.strip()):
        label, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value or label not in known:
            raise InputError(
                f"--label-map has {part.strip()!r}: write LABEL=VALUE with one of "
                f"{', '.join(known)} on the left, such as stalking=8L,harassment=8M,neither=*."
            )
        if found.setdefault(value.lower(), label) != label:
            raise InputError(f"--label-map gives {value!r} two meanings: choose one.")
    return found


def read_records(given: Iterable[str | Path]) -> list[Record]:
    """All labelled narratives of some files or folders; the file name tells the split."""
    return read_labelled(given).records


def read_labelled(given: Iterable[str | Path], columns: Columns | None = None) -> LabelledData:
    """Read labelled narratives, and the decisions that the recording desk keeps.

    Rows without a narrative or a label, and decisions that ask for more, cannot be learned from:
    they are left out and counted in the notes. Of several decisions on one text the last counts.

    Raises
    ------
    InputError
        If a row cannot be read, a label is not known, or a file has no labelled row.
    """
    columns = columns or Columns()
    records: list[Record] = []
    notes: list[str] = []
    for source in find_files(given):
        kept: dict[str, Record] = {}
        left_out: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        rows = 0
        for row in read_rows(source, text_column=columns.text):
            rows += 1
            decided = "decision" in row.values and columns.label is None
            found = _record(row, columns, decided=decided)
            if isinstance(found, _Unknown):
                unknown[found.shown] += 1
                continue
            # Only a desk decides anew on the same text; other rows stand for themselves.
            text = row.value(None, *TEXT_HASHES) or row.value(columns.text, *TEXT_COLUMNS)
            key = str(text) if decided else str(rows)
            overtakes = not isinstance(found, str) or found == TO_FIND_OUT
            left_out["overtaken by a later decision on the same text"] += overtakes and key in kept
            if isinstance(found, str):
                left_out[found] += 1
                if overtakes:
                    kept.pop(key, None)
            else:
                kept[key] = found
        if unknown:
            raise InputError(_unknown_labels(source.path, unknown))
        if not kept:
            why = "; ".join(f"{n} {reason}" for reason, n in left_out.items()) or "it is empty"
            raise InputError(
                f"{source.path} has no labelled narrative ({why}): name the column with the label "
                "with --label-column and the one with the narrative with --text-column."
            )
        if left_out := +left_out:
            why = ", ".join(f"{n} {reason}" for reason, n in left_out.items())
            notes.append(f"{source.path}: {left_out.total()} of {rows} rows left out: {why}.")
        records += kept.values()
    return LabelledData(records, notes)


def _unknown_labels(path: Path, unknown: Counter[str]) -> str:
    shown = ", ".join(f"{value} ({n})" for value, n in unknown.most_common(5))
    return (
        f"{path}: {unknown.total()} rows have a label that is none of {', '.join(LABELS)}: {shown}. "
        "Say what they mean with --label-map, such as stalking=8L,harassment=8M,neither=* "
        "(skip=VALUE leaves rows out)."
    )


@dataclass(frozen=True, slots=True)
class _Unknown:
    """A label that stands for none of the three."""

    shown: str


def _record(row: RawRow, columns: Columns, *, decided: bool) -> Record | _Unknown | str:
    """The record of a row, or its unknown label, or why it is left out."""
    given = row.value(columns.label, "decision" if decided else "label")
    given = "" if _blank(given) else str(given).strip()
    if decided and str(row.value(None, "stage") or "final") != "final":
        return "that were a first impression, before the decision"
    if decided and given in UNDECIDED:
        return TO_FIND_OUT
    text = row.value(columns.text, *TEXT_COLUMNS)
    if _blank(text):
        return "without the text (the desk was not asked to keep it)" if decided else "with no text"
    if not isinstance(text, str):
        raise InputError(f"{row.where}: the narrative is not text.")
    if not given:
        return "with no label"
    label = columns.label_of(given)
    if label is None:
        return _Unknown(_shown(given))
    if label == LEAVE_OUT:
        return "with a label mapped to skip"
    name = row.value(columns.id, "id", *TEXT_HASHES)
    name = row.name if _blank(name) else str(name)
    group = row.value(columns.group, "group", *TEXT_HASHES)
    split = row.value(None, "split")
    split = "dev" if split == "validation" else split
    return Record(
        id=name,
        text=text,
        label=label,
        indicators={i: _truth(row, i) for i in INDICATORS},
        evidence=_evidence(row),
        acts=_acts(row.value(None, "acts", "s2a")),
        relationship=_word(row.value(None, "relationship")),
        occasions=_occasions(row),
        register=_word(row.value(None, "register")),
        difficulty=_word(row.value(None, "difficulty")),
        source=str(row.value(None, "source") or ""),
        group=name if _blank(group) else str(group),
        split=split if split in SPLITS else row.split,
        weight=row.source.weight * _weight(row),
    )


def _blank(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def _shown(value: str) -> str:
    """A value for a message: a code or a word as it stands, nothing that may be a narrative."""
    if len(value) <= 30 and len(value.split()) <= 3:
        return repr(value)
    return f"a text of {len(value)} characters"


def _word(value: Any) -> str | None:
    return None if _blank(value) else str(value).strip()


def _truth(row: RawRow, name: str) -> bool | None:
    value = row.value(None, name)
    if isinstance(value, bool):
        return value
    if _blank(value):
        return None
    low = str(value).strip().lower()
    if low not in (*_YES, *_NO):
        raise InputError(f"{row.where}: {name} is {_shown(low)}; give true, false or nothing.")
    return low in _YES


def _acts(value: Any) -> tuple[str, ...] | None:
    """Acts from a list, or from a cell such as ``following; watching``; ``none`` for no act."""
    if isinstance(value, (list, tuple)):
        return tuple(str(item) for item in value)
    if _blank(value):
        return None
    words = [word.strip() for word in re.split(r"[;,]", str(value))]
    return tuple(word for word in words if word and word != "none")


def _occasions(row: RawRow) -> int | None:
    value = row.value(None, "occasions")
    if _blank(value):
        return None
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{row.where}: occasions is not a whole number.") from None


def _weight(row: RawRow) -> float:
    value = row.value(None, "weight")
    if _blank(value):
        return 1.0
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = -1.0
    if not 0 < weight < float("inf"):
        raise InputError(f"{row.where}: the weight is not a number above 0.")
    return weight


def _evidence(row: RawRow) -> dict[str, tuple[str, ...]]:
    """Evidence by indicator from an object or JSON; empty where the file has none to give."""
    value = row.value(None, "evidence")
    if _blank(value):
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        raise InputError(f"{row.where}: evidence is not a JSON object of lists of quotations.")
    return {name: tuple(value.get(name) or ()) for name in INDICATORS}


def data_sha256(records: Iterable[Record]) -> str:
    """Hash of what is learned from: ids, texts, labels, groups and splits, whatever the files."""
    digest = hashlib.sha256()
    for line in sorted(
        json.dumps(
            [
                *(r.id, r.text, r.label, r.indicators, r.evidence, r.acts, r.relationship),
                *(r.occasions, r.group, r.split),
                *(() if r.weight == 1 else (r.weight,)),
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
        found.append(f"unknown relationship {_shown(record.relationship)}")
    if record.register is not None and record.register not in REGISTERS:
        found.append(f"unknown register {_shown(record.register)}")
    for act in record.acts or ():
        if act not in ACTS:
            found.append(f"unknown act {_shown(act)}")
    for name, shown in record.indicators.items():
        words = record.evidence.get(name, ())
        if shown and record.evidence and not 1 <= len(words) <= 3:
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


def draw_cases(records: Sequence[Record], number: int, seed: int) -> list[Record]:
    """Whole cases, drawn until there are at least ``number`` narratives; in the order given."""
    sizes = Counter(record.group for record in records)
    groups = sorted(sizes)
    random.Random(seed).shuffle(groups)
    kept: set[str] = set()
    drawn = 0
    for group in groups:
        if drawn >= number:
            break
        kept.add(group)
        drawn += sizes[group]
    return [record for record in records if record.group in kept]


def text_digest(text: str) -> bytes:
    """What two narratives have in common that differ at most in case and white space."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).digest()


def check_apart(learn: Sequence[Record], measured: Iterable[Sequence[Record]]) -> None:
    """Raise ``InputError`` if a case is both learned from and measured.

    A group counts where it was given: one that is only the row's id may be a running number.
    """
    texts = {text_digest(record.text) for record in learn}
    groups = {record.group for record in learn if record.group != record.id}
    both = sum(
        text_digest(record.text) in texts or (record.group != record.id and record.group in groups)
        for part in measured
        for record in part
    )
    if both:
        raise InputError(
            f"{both:,} of the narratives to measure on tell cases that are learned from too, so "
            "that the figures would flatter: give each case to one split alone."
        )


def in_splits(records: Sequence[Record]) -> tuple[list[Record], dict[str, list[Record]]]:
    """Records to learn from, and those of the splits ``dev`` and ``test``, which are measured."""
    measured = {
        split: part
        for split in ("dev", "test")
        if (part := [record for record in records if record.split == split])
    }
    return [record for record in records if record.split not in measured], measured
