"""Whose turn it is to be sealed: a namespace's runs one after another, the oldest first. Pure.

Sealing Jobs run beside the operator, where no quota of an author's namespace counts them. Nothing
is remembered: who is before a run follows from the runs and Jobs that there are.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_SEALING = 4
"""Sealing Jobs of one namespace at the same time."""
MOST_COUNTED = 120
"""Runs that wait before one are counted up to this; it is far behind then."""


@dataclass(frozen=True)
class SealingQueue:
    """What is before a run in its namespace.

    Args:
        running: sealing Jobs that have not ended.
        waiting: trained runs without one that were created before it, ``MOST_COUNTED`` at most.
    """

    running: int = 0
    waiting: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the run may be sealed now.

        Those that wait count as if they ran: of runs that are looked at together only as many
        begin as there is room for, though none sees the other's Job yet.
        """
        return self.running + self.waiting < MOST_SEALING

    def look_again(self, poll: float) -> float:
        """Return after how many seconds to look again: whoever is far behind has time.

        Args:
            poll: how often the next one is looked at, in seconds.
        """
        return poll * (1 + min(self.waiting, MOST_COUNTED) // MOST_SEALING)


NOTHING_BEFORE = SealingQueue()


def waits(namespace: str) -> str:
    """Return a sentence for a run that has to wait; the same while it does."""
    return (
        f"It is trained, and waits for its turn: {MOST_SEALING} runs of namespace '{namespace}' "
        "are sealed at the same time, those that were created first before the others."
    )
