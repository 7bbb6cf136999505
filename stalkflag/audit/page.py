"""The audit report as one HTML page that needs nothing but itself."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stalkflag import __version__
from stalkflag.assessment import INDICATORS
from stalkflag.audit.accuracy import Accuracy
from stalkflag.audit.charts import bar_chart, line_chart
from stalkflag.audit.counts import READ_TO_FIND, STEPS, Breakdown, Counts, Summary
from stalkflag.audit.estimate import Interval
from stalkflag.audit.forms import Review
from stalkflag.audit.reading import Quote
from stalkflag.errors import MissingExtra

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_ROWS = 40
"""Values of a column that a table shows."""

MOST_QUOTES = 3
"""Pieces of evidence that the review list shows for an indicator."""

_TIES = {"ex_intimate": "former partner", "current_partner": "current partner"}


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    counts: Counts

    @property
    def interval(self) -> Interval:
        return self.counts.interval


def render_report(
    summary: Summary,
    *,
    source: str,
    title: str = "Stalking audit",
    accuracy: Accuracy | None = None,
    review: Review | None = None,
    with_text: bool = False,
    text_column: str | None = None,
    made_on: datetime.date | None = None,
) -> str:
    """The page as HTML.

    Parameters
    ----------
    source
        What the reports come from, as the page names it.
    accuracy, review
        What a reviewed sample says, and the sample.
    with_text
        Whether words of the narratives may be shown: quotes of evidence, and the narrative itself
        if ``text_column`` is given.

    Raises
    ------
    MissingExtra
        If Jinja is not installed.
    """
    recorded = summary.offences is not None
    reports = "reports not recorded as stalking" if recorded else "reports"
    expected = "Expected misrecorded stalking" if recorded else "Expected stalking"
    shares = _read_shares(summary)
    missed = accuracy.get("missed") if accuracy else None
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=title,
            source=source,
            version=__version__,
            made_on=(made_on or datetime.date.today()).isoformat(),
            all=summary.all,
            suggestions=summary.suggestions,
            first_date=summary.first_date,
            last_date=summary.last_date,
            recorded=recorded,
            with_text=with_text,
            text_column=text_column,
            accuracy=accuracy,
            missed=missed,
            interval=summary.all.interval,
            half=summary.if_odds_were(0.5),
            twice=summary.if_odds_were(2.0),
            raised=summary.raised,
            parts=_parts(summary, recorded=recorded),
            without=_without(summary, recorded=recorded),
            says_reports=reports,
            says_open=reports,
            says_expected=expected,
            says_bar="suggested as stalking" + (", recorded otherwise" if recorded else ""),
            says_mark=expected.lower(),
            read_shares=shares,
            read_ninety=next((s["part"] for s in shares if s["share"] == 0.9), 0.0),
            gain=_gain(summary, shares),
            reviewed_ninety=_reviewed_ninety(summary, review) if review and recorded else None,
            listed=summary.listed,
            dated=summary.years is not None,
            places=[place.name for place in summary.places],
            **_offences_read(summary),
        )
    )


def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise MissingExtra("report", "The audit report") from None
    environment = Environment(
        loader=PackageLoader("stalkflag.audit", ""),
        autoescape=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "number": lambda value: f"{value:,}",
        "estimate": _estimate,
        "percent": _percent,
        "tie": lambda value: _TIES.get(value, value),
        "cell": lambda value: "" if value is None else str(value),
        "shown": _shown,
    }
    return environment


def _estimate(value: float) -> str:
    """Whole reports, or one decimal where there are few."""
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"


def _percent(share: float) -> str:
    """A share as a percentage; what is above nothing and below all is never shown as either."""
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.999 < share < 1:
        return "over 99.9 %"
    return f"{share * 100:.3g} %" if share < 0.1 else f"{share * 100:.1f} %"


def _shown(quotes: Iterable[Quote], with_text: bool) -> list[Quote]:
    """The first few things that show each indicator, each said once unless its words are shown."""
    seen: dict[Any, Quote] = {}
    for quote in quotes:
        seen.setdefault((quote.indicator, quote.rule, quote.text if with_text else ""), quote)
    return [
        quote
        for indicator in INDICATORS
        for quote in [one for one in seen.values() if one.indicator == indicator][:MOST_QUOTES]
    ]


def _parts(summary: Summary, *, recorded: bool) -> list[dict[str, Any]]:
    found = [summary.years, *summary.places, summary.offences, summary.relationships]
    return [
        _part(number, breakdown, recorded=recorded, in_order=breakdown is summary.years)
        for number, breakdown in enumerate(part for part in found if part)
    ]


def _part(number: int, breakdown: Breakdown, *, recorded: bool, in_order: bool) -> dict[str, Any]:
    rows = [_Row(_TIES.get(name, name), counts) for name, counts in breakdown.values.items()]
    rows.sort(key=lambda row: row.name if in_order else (-row.counts.expected, row.name))
    shown = rows[-MOST_ROWS:] if in_order else rows[:MOST_ROWS]
    most = max(shown, key=lambda row: row.counts.expected)
    what = "misrecorded stalking is" if recorded else "stalking is"
    return {
        "id": f"part-{number}",
        "name": breakdown.name.lower(),
        "rows": shown,
        "left_out": len(rows) - len(shown),
        "chart": bar_chart([(row.name, row.counts.missed, row.interval) for row in shown]),
        "says": f"Most {what} expected for {most.name}: {_estimate(most.counts.expected)}.",
    }


def _without(summary: Summary, *, recorded: bool) -> list[str]:
    """What is not broken down, and what would do it."""
    found = []
    if summary.years is None:
        found.append("Years are not shown: name the column with the date with --date-column.")
    if not summary.places:
        found.append("Stations are not shown: name the column with --by.")
    if not recorded:
        found.append("Recorded offences are not shown: name the column with --recorded-as.")
    return found


def _read_shares(summary: Summary) -> list[dict[str, Any]]:
    if not summary.all.expected:
        return []
    found = []
    for share in READ_TO_FIND:
        reports = summary.read_to_find(share)
        found.append({"share": share, "reports": reports, "part": reports / summary.all.open})
    return found


def _gain(summary: Summary, shares: Sequence[dict[str, Any]]) -> Any:
    ninety = next((s for s in shares if s["share"] == 0.9), None)
    return line_chart(summary.gain(), (ninety["part"], 0.9)) if ninety else None


def _reviewed_ninety(summary: Summary, review: Review) -> dict[str, Any] | None:
    """How much must be read to find 90 % of the missed stalking, by the reviewed sample's weights."""
    settled = review.settled
    reviewed: dict[str, int] = {}
    for unit in settled:
        reviewed[unit.stratum] = reviewed.get(unit.stratum, 0) + 1
    weights = {s.name: s.size / reviewed[s.name] for s in review.strata if s.name in reviewed}
    found = sorted(
        (
            (unit.p_stalking, weights[unit.stratum])
            for unit in settled
            if unit.p_stalking is not None
            and unit.label == "stalking"
            and unit.recorded != "stalking"
        ),
        reverse=True,
    )
    if not found or not summary.all.open:
        return None
    sums = np.cumsum([weight for _, weight in found])
    least = found[int(np.searchsorted(sums, 0.9 * sums[-1] - 1e-9))][0]
    read = int(summary.probabilities[math.floor(least * STEPS + 1e-6) :].sum())
    return {"least": least, "part": read / summary.all.open, "found": len(found)}


def _offences_read(summary: Summary) -> dict[str, Any]:
    if summary.offences is None:
        return {"offences_read": [], "offences_left_out": 0}
    counted = sorted(summary.offences.values.items(), key=lambda one: (-one[1].reports, one[0]))
    rows = [
        {"name": name, "label": summary.recorded_labels.get(name, ""), "reports": counts.reports}
        for name, counts in counted
    ]
    most = 5 * MOST_ROWS
    return {"offences_read": rows[:most], "offences_left_out": max(0, len(rows) - most)}
