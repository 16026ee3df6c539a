"""The bounds of the histogram in which predictors count how long answers take."""

from __future__ import annotations

from bisect import bisect_left

from hallmark.api.bounds import LATENCY_BOUNDS
from hallmark.api.texts import parse_duration


def bound_of(max_latency: str) -> int:
    """Return the place of the first of ``LATENCY_BOUNDS`` that a limit fits in."""
    return bisect_left(LATENCY_BOUNDS, parse_duration(max_latency).total_seconds() * 1000)
