"""Tables of what must not matter, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from stalkflag.cli.tables import console

if TYPE_CHECKING:
    from stalkflag.training.invariance import Invariance
    from stalkflag.training.slices import SliceGap


def print_invariance(rows: Sequence[Invariance], *, title: str, ref: str) -> None:
    """What changed, change by change, against the share that may."""
    table = Table(
        *("", "number", "changed (95 % interval)", "shift of P(stalking)", "target", ""),
        title=f"{title} ({ref}): suggestions that changed",
        title_justify="left",
    )
    for row in rows:
        table.add_row(
            row.change,
            str(row.narratives),
            f"{row.share:.1%} ({row.changed_low:.1%} to {row.changed_high:.1%})"
            if row.narratives
            else "-",
            f"{row.shift:+.3f} ({row.shift_low:+.3f} to {row.shift_high:+.3f})"
            if row.narratives
            else "-",
            f"{row.target:.0%}",
            row.verdict,
        )
    console().print(table)


def print_slices(rows: Sequence[SliceGap], *, ref: str) -> None:
    """Accuracy and stalking recall by the sexes as written, and the widest gap."""
    table = Table(
        *("sexes as written", "narratives", "accuracy", "stalking recall", "suggested stalking"),
        *("referred",),
        title=f"By the sexes as written ({ref})",
        title_justify="left",
    )
    for row in rows:
        table.add_row(
            row.value,
            "" if row.narratives is None else str(row.narratives),
            *("-" if x is None else f"{x:.3f}" for x in row.figures()),
        )
    console().print(table)
