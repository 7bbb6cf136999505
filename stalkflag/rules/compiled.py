"""Rules compiled to word sequences that a bundle can keep: read back in a moment, indexed by word.

A sequence is a row of word sets and gaps; it is filed under its *anchor*, the word set that occurs
least often in English, and is only looked at where an anchor word stands.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from stalkflag.errors import RuleError
from stalkflag.language import lookup_form
from stalkflag.rules.patterns import Gap, expand
from stalkflag.rules.schema import RuleSet

MOST_SEQUENCES = 1200
"""A rule whose patterns stand for more sequences than this must be written more simply."""

_COMMON = frozenset(
    """a an the and or but if of to in on at by for from with is was are were be been being has have
    had do does did not no so i me my you your he him his she her it its they them their we us our
    this that these those there here what who when where how all any up out off over down again
    victim suspect male female man woman person ex partner 's - now just still has got get
    """.split()
)


@dataclass(slots=True)
class Compiled:
    """All sequences of a rule set.

    ``sets`` are the distinct word sets. A sequence is ``(rule, elements, place)``: the number of
    its rule, its elements (the number of a word set, or ``-n`` for a gap of up to ``n`` words) and
    the place of its anchor among them. ``anchors`` files sequences under their anchors' words.
    """

    sets: list[list[str]] = field(default_factory=list)
    sequences: list[tuple[int, list[int], int]] = field(default_factory=list)
    anchors: dict[str, list[int]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a bundle."""
        return {"sets": self.sets, "sequences": self.sequences, "anchors": self.anchors}


def compile_rules(rules: RuleSet) -> Compiled:
    """Expand every pattern of every rule.

    Raises
    ------
    RuleError
        With file and line, for a pattern that cannot be read or stands for too many sequences.
    """
    compiled = Compiled()
    numbers: dict[tuple[str, ...], int] = {}
    anchors: dict[str, list[int]] = defaultdict(list)
    for rule_number, rule in enumerate(rules.rules):
        seen: set[tuple[int, ...]] = set()
        for pattern in rule.match:
            try:
                sequences = expand(pattern, lists=rules.lists, verbs=rules.verbs)
            except RuleError as error:
                raise RuleError(f"{rule.origin}: {rule.id}: {error}") from None
            for sequence in sequences:
                elements: list[int] = []
                choices: list[tuple[bool, int, int]] = []
                for place, element in enumerate(sequence):
                    if isinstance(element, Gap):
                        elements.append(-element.most)
                        continue
                    words = tuple(sorted({lookup_form(word) for word in element}))
                    if words not in numbers:
                        numbers[words] = len(compiled.sets)
                        compiled.sets.append(list(words))
                    elements.append(numbers[words])
                    choices.append((not _COMMON.isdisjoint(words), len(words), place))
                if tuple(elements) in seen:
                    continue
                seen.add(tuple(elements))
                place = min(choices)[2]
                for word in compiled.sets[elements[place]]:
                    anchors[word].append(len(compiled.sequences))
                compiled.sequences.append((rule_number, elements, place))
        if len(seen) > MOST_SEQUENCES:
            raise RuleError(
                f"{rule.origin}: {rule.id}: its patterns stand for {len(seen):,} word sequences "
                f"(at most {MOST_SEQUENCES:,}): use fewer nested alternatives or split the rule."
            )
    compiled.anchors = dict(anchors)
    return compiled
