"""The behavioural suite: pairs of narratives that differ in one thing, and what must hold of each.

A pair is right only if everything stated of both texts holds. ``same: true`` marks a change that
must not matter: both texts must be suggested alike, and what is stated of the first holds for both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from stalkflag.assessment import INDICATORS, LABELS, Assessment
from stalkflag.assessor import Assessor
from stalkflag.errors import InputError
from stalkflag.training.bootstrap import Labelled

Pair = dict[str, Any]

STATED: tuple[str, ...] = (
    *("label", "relationship", "refer", "acts_include", "acts_exclude"),
    *INDICATORS,
)
"""What may be stated of a text of a pair."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Which pairs of a suite a model gets right; ``suite`` is the hash of the pairs."""

    suite: str
    right: dict[str, bool]
    capability: dict[str, str]

    @property
    def share(self) -> float:
        """Share of the pairs that are right."""
        return sum(self.right.values()) / len(self.right)

    def by_capability(self) -> dict[str, tuple[int, int]]:
        """For each capability, the pairs that are right and all of them."""
        found = dict.fromkeys(sorted(set(self.capability.values())), (0, 0))
        for pair, right in self.right.items():
            good, number = found[self.capability[pair]]
            found[self.capability[pair]] = (good + right, number + 1)
        return found

    @property
    def labelled(self) -> Labelled:
        """Right and wrong as labels and suggestions, each pair a case, for a paired interval."""
        names = sorted(self.right)
        right = np.array([0 if self.right[name] else 1 for name in names])
        return Labelled(np.zeros(len(names), dtype=np.int64), right, np.array(names))

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ids of pairs, never a text."""
        return {"suite": self.suite, "right": self.right, "capability": self.capability}


def load_pairs(path: Path) -> list[Pair]:
    """The pairs of a YAML file.

    Raises
    ------
    InputError
        If the file is not a list of pairs, or a pair states what is not known.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        plain = yaml.load(path.read_bytes(), loader)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{path}{where}: this is not YAML.") from None
    if not isinstance(plain, list) or not plain:
        raise InputError(f"{path}: a list of pairs is needed, as in tests/behaviour/pairs.yaml.")
    for number, pair in enumerate(plain, start=1):
        if problem := _problem(pair):
            raise InputError(f"{path}: pair {number} {problem}.")
    names = [pair["id"] for pair in plain]
    if len(set(names)) < len(names):
        raise InputError(f"{path}: two pairs have the same id.")
    return plain


def _problem(pair: Any) -> str | None:
    if not isinstance(pair, dict):
        return "is not an object"
    if missing := [key for key in ("id", "capability", "a", "b", "expect") if key not in pair]:
        return f"has no {missing[0]!r}"
    expect = pair["expect"]
    if not isinstance(expect, dict) or not set(expect) <= {"a", "b", "same"} or not expect:
        return "must expect something of 'a', 'b' or 'same'"
    for side in ("a", "b"):
        stated = expect.get(side, {})
        if not isinstance(stated, dict) or set(stated) - set(STATED):
            return f"may state of {side!r} only {', '.join(STATED)}"
        if stated.get("label", LABELS[0]) not in LABELS:
            return f"states a label of {side!r} that is not one of {', '.join(LABELS)}"
    return None


def wrong(assessment: Assessment, expected: Mapping[str, Any]) -> list[str]:
    """What an assessment of one text of a pair gets wrong."""
    found = []
    for key, value in expected.items():
        said: Any
        if key == "label":
            said = assessment.suggestion
        elif key == "relationship":
            said = assessment.relationship.value
        elif key == "refer":
            said = assessment.refer
        elif key == "acts_include":
            said = value if set(value) <= set(assessment.shown_acts()) else assessment.shown_acts()
        elif key == "acts_exclude":
            said = [act for act in assessment.shown_acts() if act in value] or value
        else:
            said = assessment.indicators[key].present
        if said != value:
            found.append(f"{key} is {said}")
    return found


def pair_is_right(assessor: Assessor, pair: Pair) -> bool:
    """Whether everything stated of both texts of a pair holds."""
    a, b = assessor.assess(pair["a"]), assessor.assess(pair["b"])
    expect = pair["expect"]
    if expect.get("same"):
        stated = expect.get("a", {})
        return a.suggestion == b.suggestion and not wrong(a, stated) and not wrong(b, stated)
    return not wrong(a, expect.get("a", {})) and not wrong(b, expect.get("b", {}))


def run_suite(
    assessor: Assessor,
    pairs: Sequence[Pair],
    *,
    progress: Callable[[str], None] = lambda step: None,
) -> Behaviour:
    """Ask a model about every pair."""
    digest = hashlib.sha256()
    right = {}
    for number, pair in enumerate(pairs):
        if number % 50 == 0:
            progress(f"behavioural suite: {number} of {len(pairs)}")
        digest.update(repr((pair["id"], pair["a"], pair["b"], pair["expect"])).encode())
        right[str(pair["id"])] = pair_is_right(assessor, pair)
    return Behaviour(
        digest.hexdigest(), right, {str(pair["id"]): str(pair["capability"]) for pair in pairs}
    )
