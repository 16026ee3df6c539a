"""What a benchmark measured, as one JSON line, and whether it reaches its goal."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """A measured number.

    Attributes:
        name: What was measured.
        value: The median, or what else the name says.
        unit: Such as ``s`` or ``times``.
        goal: What it must be, such as ``>= 30``; empty where it only informs.
        ok: Whether it is.
        low: The lowest that was seen.
        high: The highest that was seen.
    """

    name: str
    value: float
    unit: str
    goal: str
    ok: bool
    low: float
    high: float

    def line(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))


def figure(
    name: str,
    values: Sequence[float],
    unit: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    summary: Callable[[Sequence[float]], float] = statistics.median,
) -> Figure:
    """Return the figure of several measurements, represented by their median or another summary.

    Args:
        name: What was measured.
        values: Every measurement.
        unit: Of the values.
        at_least: The goal, if more is better.
        at_most: The goal, if less is better.
        summary: What is judged.
    """
    middle = summary(values)
    ok = (at_least is None or middle >= at_least) and (at_most is None or middle <= at_most)
    goals = [(">=", at_least), ("<=", at_most)]
    goal = " and ".join(f"{sign} {bound:g}" for sign, bound in goals if bound is not None)
    rounded = (round(number, 4) for number in (middle, min(values), max(values)))
    value, low, high = rounded
    return Figure(name, value, unit, goal, ok, low, high)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value below which so many percent of the values lie."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
