"""What a rule is, and reading rule packs strictly: every mistake has a file and a line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from stalkflag.assessment import ACTS, INDICATORS, RELATIONSHIPS
from stalkflag.errors import RuleError

if TYPE_CHECKING:
    from stalkflag.rules.compiled import Compiled

PACKS = Path(__file__).parent / "packs"

CATEGORIES: tuple[str, ...] = (
    "conduct",
    "boundary",
    "persistence",
    "impact",
    "relationship",
    "technology",
    "proxy",
    "risk",
    "order",
    "police_response",
    "dispute",
    "authority",
    "wanted",
    "one_off",
    "other_crime",
    "danger",
)
"""What a rule's words are about. ``conduct`` is behaviour toward the victim."""

AXES: tuple[str, ...] = (
    "negated",
    "hypothetical",
    "feared",
    "denied",
    "other_person",
    "reporter",
    "general",
    "official",
    "look_alike",
    "continues",
    "ends",
)
"""What a context cue does to the words in its reach.

``look_alike`` marks words that mean something else ("told the taxi to stop") and reaches nothing
but what it overlaps; ``continues`` names words that only look like a negation ("did not stop") and switches off any
other cue it overlaps; ``ends`` closes the reach of the cues before it ("but").
"""

DIRECTIONS: tuple[str, ...] = ("forward", "backward", "sentence")
ACTORS: tuple[str, ...] = ("suspect", "victim")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the words it looks for, what they show, and examples that are executed.

    A rule is either *evidence* (it has a ``category``) or a *context cue* (it has an ``axis``).
    """

    id: str
    says: str
    match: tuple[str, ...]
    hit: tuple[str, ...]
    miss: tuple[str, ...] = ()
    category: str | None = None
    shows: tuple[str, ...] = ()
    act: str | None = None
    value: str | None = None
    by: str = "suspect"
    axis: str | None = None
    direction: str = "forward"
    reach: int = 8
    origin: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules and word lists of a reading, in a fixed order."""

    rules: tuple[Rule, ...]
    lists: dict[str, tuple[str, ...]]
    verbs: dict[str, tuple[str, ...]]
    compiled: Compiled | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that :meth:`from_dict` reads back; examples and file lines are left out."""
        rules = []
        for rule in self.rules:
            kept = asdict(rule)
            for name in ("origin", "hit", "miss"):
                del kept[name]
            rules.append({key: value for key, value in kept.items() if value not in (None, (), "")})
        return {"rules": rules, "lists": self.lists, "verbs": self.verbs}

    @classmethod
    def from_dict(cls, plain: dict[str, Any], *, compiled: Compiled | None = None) -> RuleSet:
        """The rule set written by :meth:`to_dict`, with its compiled sequences if it has any."""

        def read(rule: dict[str, Any]) -> Rule:
            fields: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in rule.items()
            }
            return Rule(hit=(), **fields)

        rules = tuple(map(read, plain["rules"]))
        return cls(
            rules=rules,
            lists={name: tuple(words) for name, words in plain["lists"].items()},
            verbs={verb: tuple(forms) for verb, forms in plain["verbs"].items()},
            compiled=compiled,
        )

    def sha256(self) -> str:
        """Hash of everything that affects a reading (not of examples)."""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


_RULE_KEYS: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "says": str,
    "match": list,
    "hit": list,
    "miss": list,
    "category": str,
    "shows": list,
    "act": str,
    "value": str,
    "by": str,
    "axis": str,
    "direction": str,
    "reach": int,
    "disable": bool,
}


def load_packs(*overlays: Path, packs: Path = PACKS) -> RuleSet:
    """Read the shipped packs, then any overlays in order.

    An overlay is a pack file or a folder of them. A rule in it with a known ``id`` replaces that
    rule, ``disable: true`` removes it, a new ``id`` is added; its lists are merged in.

    Raises
    ------
    RuleError
        With file and line, for anything the schema does not allow.
    """
    rules: dict[str, Rule] = {}
    lists: dict[str, tuple[str, ...]] = {}
    verbs: dict[str, tuple[str, ...]] = {}
    for layer, source in enumerate((packs, *overlays)):
        for path in _pack_files(source):
            _read_pack(path, rules=rules, lists=lists, verbs=verbs, overlay=layer > 0)
    return RuleSet(rules=tuple(rules.values()), lists=lists, verbs=verbs)


def _pack_files(source: Path) -> list[Path]:
    if source.is_dir():
        found = sorted(source.glob("*.yaml"))
    elif source.is_file():
        found = [source]
    else:
        found = []
    if not found:
        raise RuleError(f"No rule pack found at {source}: give a .yaml file or a folder of them.")
    return found


class _StrictLoader(yaml.CSafeLoader):
    """Keeps line numbers and refuses duplicate keys."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise RuleError(
                f"{node.start_mark.name}:{key_node.start_mark.line + 1}: the key {key!r} is given twice."
            )
        seen[key] = loader.construct_object(value_node, deep=True)
    seen["__line__"] = node.start_mark.line + 1
    return seen


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _read_pack(
    path: Path,
    *,
    rules: dict[str, Rule],
    lists: dict[str, tuple[str, ...]],
    verbs: dict[str, tuple[str, ...]],
    overlay: bool,
) -> None:
    try:
        with path.open("rb") as stream:
            pack = _StrictLoader(stream).get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RuleError(f"{path}:{line}: not valid YAML: {error.problem}.") from None
    except (OSError, yaml.YAMLError) as error:
        raise RuleError(f"{path}: cannot be read as UTF-8 text: {error}.") from None
    if not isinstance(pack, dict):
        raise RuleError(f"{path}:1: a rule pack is a mapping with the keys rules, lists or verbs.")
    _only(path, pack, {"rules", "lists", "verbs"})
    for kind, into in (("lists", lists), ("verbs", verbs)):
        words = dict(pack.get(kind) or {})
        words.pop("__line__", None)
        for name, entries in words.items():
            where = f"{path}: {kind}.{name}"
            if name in into and not overlay:
                raise RuleError(f"{where}: this name is already used in another pack.")
            into[str(name)] = (*into.get(name, ()), *_texts(where, entries))
    seen: set[str] = set()
    for entry in pack.get("rules") or []:
        rule, disabled = _read_rule(path, entry)
        if rule.id in seen or (rule.id in rules and not overlay):
            raise RuleError(f"{rule.origin}: the rule id {rule.id!r} is already used.")
        seen.add(rule.id)
        if disabled:
            if rule.id not in rules:
                raise RuleError(f"{rule.origin}: there is no rule {rule.id!r} to disable.")
            del rules[rule.id]
        else:
            rules[rule.id] = rule


def _only(path: Path, entry: dict[str, Any], allowed: Iterable[str]) -> None:
    for key in entry:
        if key != "__line__" and key not in allowed:
            raise RuleError(
                f"{path}:{entry['__line__']}: unknown key {key!r}; "
                f"known keys are {', '.join(sorted(map(str, allowed)))}."
            )


def _texts(where: str, entries: Any) -> tuple[str, ...]:
    if not isinstance(entries, list) or not entries:
        raise RuleError(f"{where}: a list of words or sentences is needed here.")
    for entry in entries:
        if not isinstance(entry, str) or not entry.strip():
            raise RuleError(f"{where}: {entry!r} is not text; put it in quotes.")
    return tuple(entries)


def _read_rule(path: Path, entry: Any) -> tuple[Rule, bool]:
    if not isinstance(entry, dict):
        raise RuleError(f"{path}: each rule is a mapping with id, says, match and hit.")
    where = f"{path}:{entry['__line__']}"
    _only(path, entry, _RULE_KEYS)
    for key, value in entry.items():
        kind = _RULE_KEYS.get(key)
        if kind is not None and not isinstance(value, kind):
            raise RuleError(f"{where}: {key} has the wrong kind of value: {value!r}.")
    if not entry.get("id"):
        raise RuleError(f"{where}: the rule has no id.")
    disabled = bool(entry.get("disable"))
    if disabled:
        return Rule(id=entry["id"], says="", match=(), hit=(), origin=where), True
    for key in ("says", "match", "hit"):
        if not entry.get(key):
            raise RuleError(f"{where}: the rule {entry['id']} has no {key}.")
    fields: dict[str, Any] = {
        key: _texts(f"{where}: {key}", value) if isinstance(value, list) else value
        for key, value in entry.items()
        if key not in ("__line__", "disable")
    }
    rule = Rule(**fields, origin=where)
    _check_words(rule)
    return rule, False


def _check_words(rule: Rule) -> None:
    def one_of(what: str, value: str | None, allowed: tuple[str, ...]) -> None:
        if value is not None and value not in allowed:
            raise RuleError(
                f"{rule.origin}: {rule.id}: {what} {value!r} is not one of {', '.join(allowed)}."
            )

    one_of("category", rule.category, CATEGORIES)
    one_of("axis", rule.axis, AXES)
    one_of("act", rule.act, ACTS)
    one_of("by", rule.by, ACTORS)
    one_of("direction", rule.direction, DIRECTIONS)
    for shown in rule.shows:
        one_of("shows", shown, INDICATORS)
    if (rule.category is None) == (rule.axis is None):
        raise RuleError(f"{rule.origin}: {rule.id}: give either a category or an axis.")
    if rule.category == "relationship":
        one_of("value", rule.value or "", RELATIONSHIPS)
    elif rule.value is not None:
        raise RuleError(f"{rule.origin}: {rule.id}: only relationship rules have a value.")
