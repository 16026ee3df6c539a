"""FastAPI, imported when somebody first asks for one of its routes.

Its import, which brings pydantic, takes a quarter of a second and 13 MiB, and neither predictions
nor probes need it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hallmark_predictor.serving import Serving
from hallmark_predictor.threads import in_thread

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Later:
    """An application that is made in a thread, once; who asks before waits for it.

    If it could not be made, as where memory is short, who asks next has it tried again.
    """

    def __init__(self, serving: Serving) -> None:
        """Make nothing yet.

        Args:
            serving: What is served.
        """
        self._serving = serving
        self._making: asyncio.Task[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        app = await self.made()
        await app(scope, receive, send)

    async def made(self) -> ASGIApp:
        """Return the application."""
        if self._making is None or _failed(self._making):
            self._making = asyncio.create_task(in_thread(self._make, "routes"))
        return await asyncio.shield(self._making)

    def _make(self) -> ASGIApp:
        from hallmark_predictor.app import framework

        return framework(self._serving)


def _failed(task: asyncio.Task[ASGIApp]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
