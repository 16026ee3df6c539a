"""Counts by client in blocks, each closed once enough came that few clients do not decide."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar

from hallmark.api.texts import timestamp
from hallmark.drift.clients import Clients, Share, judged

Block = TypeVar("Block")


class BlockCounter(Generic[Block]):
    """Counts in columns for each client, and keeps the newest closed blocks."""

    def __init__(self, columns: int, minimum: int, keep: int) -> None:
        """Start empty.

        Args:
            columns: In which is counted.
            minimum: How much makes a block.
            keep: How many blocks are kept.
        """
        self._columns, self._minimum = columns, minimum
        self._closed: deque[Block] = deque(maxlen=keep)
        self._number = 0
        self._begin()

    def _begin(self) -> None:
        self._clients = Clients(self._columns)
        self._look_at = self._minimum
        self._since: datetime | None = None

    @property
    def kept(self) -> list[Block]:
        """The newest blocks, oldest first."""
        return list(self._closed)

    def _look(self, since: datetime) -> bool:
        """Close the block if it can be judged; tell whether it was.

        Call it once the clients' total is ``_look_at``: every client is looked at, so that it is
        too dear for each request.
        """
        self._look_at = self._clients.total + max(1, self._minimum // 4)
        block = self._block(self._number + 1, timestamp(since))
        if block is None:
            return False
        self._number += 1
        self._closed.append(block)
        self._begin()
        return True

    @abstractmethod
    def _block(self, number: int, start: str) -> Block | None:
        """Return the block that has come together, or None where it cannot be judged yet."""

    def _judged(self, found: Sequence[int], of: Sequence[int], minimum: int) -> Share | None:
        """Return the share of some columns in others that decides (``clients.judged``)."""
        return judged(self._clients.fair(found, of), self._clients.everything(found, of), minimum)
