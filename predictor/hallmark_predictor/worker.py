"""One of the further processes of a Pod: verifies and loads the model itself, answers, and tells.

It listens only when it can answer, reports nothing, watches nothing, and ends with the first
process.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from hallmark_predictor.active_watch import Copies, Traffic
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.feed import Known, Teller, ToldMetrics, knowledge
from hallmark_predictor.later import Later
from hallmark_predictor.listener import listening
from hallmark_predictor.loader import load
from hallmark_predictor.memory import Allowance
from hallmark_predictor.prover import Prover
from hallmark_predictor.receipts import receipts_of
from hallmark_predictor.routes import routes
from hallmark_predictor.server import DrainingServer, server_config
from hallmark_predictor.serving import Serving
from hallmark_predictor.settings import Settings
from hallmark_predictor.verification import Refused

if TYPE_CHECKING:
    from hallmark_predictor.mirroring import Mirroring

LOG = logging.getLogger("hallmark_predictor")

ASK_SECONDS = 5.0
"""That the metrics may take, and feedback."""
_BUSY = (
    b'{"error":"Expected the outcomes to be counted within 5 seconds, found no answer yet; '
    b'send them again: none counts twice."}'
)


class Worker:
    """The process."""

    def __init__(self, settings: Settings, prover: Prover) -> None:
        """Prepare; ``run`` begins.

        Args:
            settings: What the first process was told, and the sockets that lead to it.
            prover: Has the runtime for the proof at the start.
        """
        if settings.feed is None:
            raise ValueError("A worker is started by another process.")
        up, self._down = (socket.socket(fileno=number) for number in settings.feed)
        self._settings = settings
        self._prover = prover
        self._teller = Teller(up)
        metrics = ToldMetrics(self._teller)
        self._serving = Serving(metrics, Allowance(settings.memory, settings.workers or 1))
        self._serving.exposition = self._exposition
        self._asked: list[asyncio.Future[bytes]] = []
        self._tickets = 0
        self._mirroring: Mirroring | None = None
        self._truths: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        app = routes(self._serving, Later(self._serving))
        config = server_config(app, settings.host, settings.port, self._serving)
        self._server = DrainingServer(config, self._serving, settings.drain_seconds)

    async def run(self) -> int:
        """Serve until a signal, or the end of the first process; return the exit code."""
        try:
            found = load(self._settings, datetime.now(UTC), LOG.warning, self._prover)
        finally:
            self._prover.close()
        if isinstance(found, Refused):
            LOG.error("%s", found.message)
            return 1
        gc.freeze()
        gc.enable()
        receipts = receipts_of(self._settings, found.trust, found.schema)
        if receipts is not None:
            self._serving.truth = self
        plane = DataPlane(found, receipts)
        self._serving.start(plane, self._teller)
        following = asyncio.create_task(self._follow(plane))
        own = listening(self._settings.host, self._settings.port, shared=True)
        await self._server.serve([own])
        following.cancel()
        if self._mirroring is not None:
            self._mirroring.follow(Traffic())
            await asyncio.sleep(0)  # What was under way is told.
        self._teller.tell()
        return 0

    async def _follow(self, plane: DataPlane) -> None:
        reader, _ = await asyncio.open_connection(sock=self._down)
        async for known in knowledge(reader):
            self._serving.active_digest = known.active
            self._mirror(known, plane)
            if known.metrics is not None:
                for future in self._asked:
                    if not future.done():
                        future.set_result(known.metrics)
                self._asked.clear()
            if known.truth is not None:
                number, status, body = known.truth
                told = self._truths.get(number)
                if told is not None and not told.done():
                    told.set_result((status, body))
        self._server.should_exit = True

    def _mirror(self, known: Known, plane: DataPlane) -> None:
        """Copy what the first process copies, or answer copies as it does."""
        copies = Copies(*known.copies) if known.copies else None
        if self._mirroring is None and copies is not None:
            from hallmark_predictor.mirror_counts import ToldCounts
            from hallmark_predictor.mirroring import Mirroring

            counts, processes = ToldCounts(self._teller), self._settings.workers or 1
            self._mirroring = Mirroring(self._settings, self._serving, plane, counts, processes)
        if self._mirroring is not None:
            self._mirroring.follow(Traffic(known.active, copies))

    async def answer(self, body: bytes) -> tuple[int, bytes]:
        """Let the first process take feedback; return the answer's status and JSON."""
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._tickets += 1
        number = self._tickets
        self._truths[number] = future
        self._teller.truth(number, body)
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await future
        except TimeoutError:
            return HTTPStatus.SERVICE_UNAVAILABLE, _BUSY
        finally:
            del self._truths[number]

    async def _exposition(self) -> bytes:
        """Return the metrics of all processes."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked.append(future)
        self._teller.ask()
        async with asyncio.timeout(ASK_SECONDS):
            return await future
