"""Escalation over linked reports: how often, what kinds of act, how grave, and after what warning.

Words for a person to weigh; not a risk score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from stalkflag.assessment import ACTS, Assessment


@dataclass(frozen=True, slots=True)
class Change:
    """Something that the later reports of a set show and the earlier ones do not.

    ``kind`` is ``frequency``, ``variety``, ``severity`` or ``persistence``; ``reports`` are places
    in the set. Words for a person to weigh, not a risk score.
    """

    kind: str
    says: str
    reports: tuple[int, ...]


def escalation(
    dates: Sequence[date | None], alone: Sequence[Assessment], showing: Sequence[int]
) -> list[Change]:
    """What the later reports of a set show and the earlier ones do not.

    Parameters
    ----------
    dates
        When each report happened, if that is known.
    alone
        Each report's own assessment, in the same order.
    showing
        The places of the reports that show conduct on different occasions.
    """
    found: list[Change] = []
    dated = [index for index in showing if dates[index]]
    days = [day.toordinal() for index in dated if (day := dates[index])]
    gaps = [later - earlier for earlier, later in pairwise(days)]
    if len(gaps) > 1:
        half = len(gaps) // 2
        before, after = sum(gaps[:half]) / half, sum(gaps[half:]) / (len(gaps) - half)
        if 2 * after <= before:
            found.append(
                Change(
                    "frequency",
                    f"The reports came about {before:.0f} days apart at first and {after:.0f} later.",
                    tuple(dated),
                )
            )
    acts: set[str] = set()
    cues: set[str] = set()
    for number, index in enumerate(showing):
        one = alone[index]
        new = [act for act in ACTS if act in one.shown_acts() and act not in acts]
        said = list(dict.fromkeys(c.says for c in one.risk_cues if c.says not in cues))
        if number:
            if new:
                found.append(
                    Change("variety", f"Acts not reported before: {', '.join(new)}.", (index,))
                )
            found += [Change("severity", f"Not reported before: {says}", (index,)) for says in said]
        acts.update(new)
        cues.update(said)
    warned = next((index for index, one in enumerate(alone) if one.orders), None)
    later = tuple(index for index in showing if warned is not None and index > warned)
    if warned is not None and later:
        says = "It went on after an order, bail or a police response was on record."
        found.append(Change("persistence", says, (warned, *later)))
    return found
