"""The error budget: how much evidence a window needs, so that chance alone seldom ever rolls back.

Each window of a Deployment's life gets a share, and all shares add up to one: see
``hallmark.drift.evidence``. Without numpy, for who only shows what is spent.
"""

from __future__ import annotations

from math import ceil, log, log1p
from typing import TYPE_CHECKING

from hallmark.api.bounds import MAX_WINDOWS

if TYPE_CHECKING:
    from hallmark.api.drift import Drift

EVIDENCE_ROWS = 500
"""So many rows evidence is gathered from, where the windows that must drift hold fewer."""
MOST_WINDOWS = 2**53 - 1
"""What a count in a status holds at most."""
FIRST_RECORD = 63
"""Windows, less one, that are put on record with the first verdict."""
MAJORITY = 2.0
"""More than half of the Pods must be wrong at once: by Markov's inequality that is at most twice
as likely as that one of them is."""


def kept_windows(drift: Drift) -> int:
    """Return how many closed windows a report holds: those that decide, and enough for evidence."""
    return max(drift.consecutive, min(MAX_WINDOWS, ceil(EVIDENCE_ROWS / drift.window)))


def weight(window: int) -> float:
    """Return the share of the budget of the martingale that begins at a window, from 1 on.

    ``1 / (1 + ln s)`` less the same of ``s + 1``, so that all shares add up to one and fall hardly
    faster than ``1 / s``: the ten thousandth window needs e^13.9 times the evidence of a single
    look, the hundredth e^8.
    """
    return log1p(1 / window) / ((1 + log(window)) * (1 + log(window + 1)))


def needed(drift: Drift, features: int, window: int) -> float:
    """Return the natural logarithm of the e-value that a feature needs.

    Args:
        drift: The budget, ``falseRollbackRisk``.
        features: How many are watched; each gets the same part.
        window: Which one it is in the life of the ModelDeployment.
    """
    return needed_by(float(drift.false_rollback_risk), features, window)


def needed_by(risk: float, parts: int, window: int) -> float:
    """Return the same of any budget.

    Args:
        risk: How likely chance alone may ever be taken for more.
        parts: How many questions share it.
        window: Which one it is in the life of the ModelDeployment.
    """
    return log(MAJORITY * parts / (risk * weight(window)))


def as_text(log_value: float) -> str:
    """Return the power of ten that an e-value is, with one digit after the point."""
    return f"{log_value / log(10):.1f}"


def spent(drift: Drift, window: int) -> float:
    """Return which part of the budget the martingales before a window have had, 0 to the risk."""
    return float(drift.false_rollback_risk) * (1 - 1 / (1 + log(max(1, window))))


def rounded_up(window: int) -> int:
    """Return the number under which windows are put on record: a power of four, seldom written.

    The first one lasts an hour of windows of a minute. Only an operator that starts, and Pods that
    start after it, go on at what is on record: weak evidence then needs up to four times as much,
    or a hundred times in the first hour.
    """
    if not window:
        return 0
    bits = max(FIRST_RECORD, window - 1).bit_length()
    return min(MOST_WINDOWS, 1 << (bits + bits % 2))
