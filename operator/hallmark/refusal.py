"""A refusal: a value that says why something is not done, never an error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """Why something is refused: a reason of the kind's enum, and a sentence."""

    reason: str
    message: str
