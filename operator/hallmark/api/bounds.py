"""What bounds requests and reports: numbers that models and counters share, without pydantic."""

from __future__ import annotations

import struct
from enum import StrEnum

FLOAT32_MAX = (2 - 2**-23) * 2.0**127
"""The greatest number that the served form takes."""
MAX_WINDOWS = 5
"""So many closed windows a report holds."""
MAX_REFUSED_FEATURES = 5
"""So many features a report names as being at fault."""
LATENCY_BOUNDS = (1, 5, 25, 100, 500)
"""Milliseconds: the upper bounds of ``RequestCounts.latency``; its last bucket has none."""
PROBERS = 3
"""So many clients that probe a report names, by numbers; and one for each other oddity."""
SCORE_BINS = 15
"""Of equal width, from 0 to 1: calibration is counted in these, as training measures it."""
SCORE_SCALE = 10_000
"""Scores are told as whole numbers of so many parts of one."""
OUTCOME_WINDOWS = 5
"""So many closed windows of outcomes a report holds."""
EARLIER_VERSIONS = 10
"""So many versions that served before a Pod counts outcomes of: as many as a history has."""
SCORE_BOUNDS = ("0.01", "0.02", "0.05", "0.1", "0.2")
"""How far two scores of a row may be apart: what predictors tell apart."""


class Oddity(StrEnum):
    """What is odd of a client's rows."""

    BORDERLINE = "Borderline"
    """More of them are near the decision boundary than chance explains."""
    OUTSIDE = "Outside"
    """More of them lie outside the training region than chance explains."""
    PROBING = "Probing"
    """They are near the boundary and go along it in small steps."""


def as_float32(number: float) -> float:
    """Return the nearest float32.

    Raises:
        OverflowError: the number is beyond them all.
    """
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded
