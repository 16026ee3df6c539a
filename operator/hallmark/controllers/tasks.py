"""The end of background tasks, also of one that swallows a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

PATIENCE = 6.0
"""Seconds after which a task that goes on is cancelled again; longer than a last effort takes."""


async def end(tasks: Collection[asyncio.Task[None]], patience: float = PATIENCE) -> None:
    """Cancel tasks until all of them have ended.

    A cancellation is an exception, and whatever a task waits in may lose it (``asyncio.wait_for``
    does before Python 3.12, where its time and its result come together). A task that was
    cancelled once and goes on would keep the process from ending.

    Args:
        tasks: What is to end; what went wrong in them is theirs to tell.
        patience: Seconds until what goes on is cancelled again.
    """
    while going := [task for task in tasks if not task.done()]:
        for task in going:
            task.cancel()
        await asyncio.wait(going, timeout=patience)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # Looked at, or asyncio says that nobody did.
