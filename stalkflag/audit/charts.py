"""Coordinates of the report's pictures; the template draws them as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stalkflag.audit.estimate import Interval

LABEL_WIDTH = 190
PLOT_WIDTH = 380
ROW = 26
MOST_BARS = 16
"""Rows of a picture; the table beside it has more."""

LONGEST_LABEL = 24

SQUARE, SQUARE_LEFT, SQUARE_TOP = 300, 48, 8
"""The square of a line chart: its side and where it begins, as the template's grid has it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart: a bar, and a mark with its whiskers."""

    label: str
    y: float
    width: float
    value: int
    mark: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class BarChart:
    """Bars with marks over a common scale that starts at nought."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    height: float
    left: int = LABEL_WIDTH
    width: int = LABEL_WIDTH + PLOT_WIDTH + 40


@dataclass(frozen=True, slots=True)
class Line:
    """A curve of shares in a square, and one point on it that is named."""

    points: str
    x: float
    y: float


def bar_chart(rows: Sequence[tuple[str, int, Interval]]) -> BarChart:
    """A picture of counts with estimates.

    Parameters
    ----------
    rows
        For each row its label, the length of its bar, and the estimate marked on it.
    """
    shown = rows[:MOST_BARS]
    most = max([1.0, *(max(float(n), estimate.high) for _, n, estimate in shown)])
    step = nice_step(most / 5)
    top = step * math.ceil(most / step)

    def x(value: float) -> float:
        return round(LABEL_WIDTH + PLOT_WIDTH * value / top, 1)

    bars = tuple(
        Bar(
            label=label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…",
            y=ROW * place + 8,
            width=round(x(number) - LABEL_WIDTH, 1),
            value=number,
            mark=x(estimate.value),
            low=x(estimate.low),
            high=x(estimate.high),
        )
        for place, (label, number, estimate) in enumerate(shown)
    )
    ticks = tuple((x(step * n), f"{step * n:,g}") for n in range(round(top / step) + 1))
    return BarChart(bars, ticks, ROW * len(shown) + 8)


def nice_step(least: float) -> float:
    """The smallest of 1, 2 or 5 times a power of ten that is at least this, and at least 1.

    >>> nice_step(0.3), nice_step(3), nice_step(12), nice_step(60)
    (1.0, 5.0, 20.0, 100.0)
    """
    power = 10.0 ** math.floor(math.log10(max(least, 1.0)))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= least)


def line_chart(curve: Sequence[tuple[float, float]], named: tuple[float, float]) -> Line:
    """A picture of a curve of shares, with one point named."""

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return round(SQUARE_LEFT + SQUARE * point[0], 1), round(
            SQUARE_TOP + SQUARE * (1 - point[1]), 1
        )

    points = " ".join(f"{x},{y}" for x, y in map(place, curve))
    x, y = place(named)
    return Line(points, x, y)
