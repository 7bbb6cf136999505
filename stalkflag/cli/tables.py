"""Tables of measures for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 100


def console() -> Console:
    """Standard output, plain where it is no terminal and never narrower than the tables."""
    shown = Console(highlight=False)
    return shown if shown.is_terminal else Console(highlight=False, width=max(WIDTH, shown.width))


def print_coverage(
    rows: Sequence[dict[str, Any]], *, title: str, stalking_share: float | None = None
) -> None:
    """The share referred against the error kept, as more is referred."""
    if stalking_share is not None:
        title += f", for files with {stalking_share:.1%} stalking"
    table = Table(
        "refer between",
        "referred",
        "wrong of the others",
        "stalking missed of those kept as another",
        "at most",
        "not stalking of those kept as stalking",
        "at most",
        title=f"Referral ({title}; 95 % upper limits of each row alone)",
        title_justify="left",
    )
    for row in rows:
        table.add_row(
            f"{row['level']:.2f} and {1 - row['level']:.2f}",
            f"{row['referred']:.1%}",
            f"{row['wrong_kept']:.1%}",
            f"{row['missed']} of {row['kept_as_other']}, {row['missed_share']:.1%}",
            f"{row['missed_at_most']:.1%}",
            f"{row['false']} of {row['kept_as_stalking']}, {row['false_share']:.1%}",
            f"{row['false_at_most']:.1%}",
        )
    console().print(table)


def print_compared(rows: Sequence[dict[str, Any]], *, first: str, second: str) -> None:
    """The difference between two models, figure by figure."""
    table = Table(
        "",
        "number",
        "first",
        "second",
        "difference",
        "95 % interval",
        "second is",
        title=f"{second} against {first}",
        title_justify="left",
    )
    for row in rows:
        table.add_row(
            row["what"],
            str(row["number"]),
            f"{row['first']:.3f}",
            f"{row['second']:.3f}",
            f"{row['difference']:+.3f}",
            f"{row['low']:+.3f} to {row['high']:+.3f}",
            row["verdict"],
        )
    console().print(table)
