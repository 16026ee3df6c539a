"""The further processes of a Pod: started, listened to, started again where one ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from hallmark.drift.refusals import Refusals
from hallmark_predictor.active_watch import Traffic
from hallmark_predictor.feed import Happened, Known, framed, happenings
from hallmark_predictor.logs import place_of
from hallmark_predictor.server import FINISH
from hallmark_predictor.serving import Serving

LOG = logging.getLogger("hallmark_predictor")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds until a worker that ended is started again; doubled while they end soon."""
SOON = 60.0
"""Seconds."""
_QUEUE = 4 * 1024 * 1024
"""Bytes of messages that may wait; the kernel may allow less."""


class Workers:
    """A number of processes that answer beside this one, and tell it what happens."""

    def __init__(self, command: Sequence[str], number: int, serving: Serving) -> None:
        """Prepare to start them.

        Args:
            command: Starts one; it gets the ends of its sockets as an argument more.
            number: How many.
            serving: Counts for all.
        """
        self._command = command
        self._number = number
        self._serving = serving
        self._processes: set[Process] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._truths: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()
        self._traffic = Traffic()

    def start(self) -> None:
        """Start all."""
        self._tasks = [asyncio.create_task(self._keep()) for _ in range(self._number)]

    def tell(self, traffic: Traffic) -> None:
        """Tell all which version has the traffic, and of which requests copies are made."""
        self._traffic = traffic
        for writer in self._writers:
            writer.write(self._told())

    def _told(
        self, metrics: bytes | None = None, truth: tuple[int, int, bytes] | None = None
    ) -> bytes:
        copies = self._traffic.copies
        asked = (copies.candidate, copies.since, copies.percent) if copies else None
        return framed(Known(self._serving.active_digest, metrics, truth, asked))

    def end(self) -> None:
        """Let all end as this process does: they drain, and no other is started."""
        self._ending.set()
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)

    async def ended(self) -> None:
        """Return when all have told everything and ended; who takes long is killed."""
        if not self._tasks:
            return
        self.end()
        _, late = await asyncio.wait(self._tasks, timeout=FINISH)
        if late:
            for process in self._processes:
                with suppress(ProcessLookupError):
                    process.kill()
            await asyncio.wait(late, timeout=1)

    async def _keep(self) -> None:
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
        while not self._ending.is_set():
            began = loop.time()
            try:
                await self._run()
            except Exception as error:  # The others go on.
                LOG.error("A worker could not be started: %s.", place_of(error))
            if not self._ending.is_set():
                self._serving.metrics.worker_ends += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._ending.wait()
            pause = min(2 * pause, LONGEST_PAUSE) if loop.time() - began < SOON else FIRST_PAUSE

    async def _run(self) -> None:
        """Start one, and count what it tells until it has ended."""
        ups, downs = socket.socketpair(), socket.socketpair()
        ups[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _QUEUE)
        theirs = ups[1].fileno(), downs[1].fileno()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, f"--feed={theirs[0]},{theirs[1]}", pass_fds=theirs
            )
        finally:
            ups[1].close()
            downs[1].close()
        self._processes.add(process)
        reader, up = await asyncio.open_connection(sock=ups[0])
        _, down = await asyncio.open_connection(sock=downs[0])
        self._writers.add(down)
        try:
            if self._ending.is_set():
                process.terminate()
            down.write(self._told())
            async for happened in happenings(reader):
                self._count(happened, down)
        finally:
            self._writers.discard(down)
            up.close()
            down.close()
            code = await process.wait()
            self._processes.discard(process)
            if not self._ending.is_set():
                LOG.warning("A worker ended with the code %d; another one is started.", code)

    def _count(self, happened: Happened, down: asyncio.StreamWriter) -> None:
        plane = self._serving.plane
        if plane is None:
            raise RuntimeError("There is no worker without a model.")
        count(happened, self._serving, plane.model.columns)
        if happened.asks:
            down.write(self._told(metrics=self._serving.metrics.exposition()))
        for number, body in happened.truths:
            task = asyncio.create_task(self._take(number, body, down))
            self._truths.add(task)
            task.add_done_callback(self._truths.discard)

    async def _take(self, number: int, body: bytes, down: asyncio.StreamWriter) -> None:
        """Take feedback that a worker was sent, and tell it the answer."""
        truth = self._serving.truth
        if truth is None:
            raise RuntimeError("There is no worker that takes feedback alone.")
        status, answer = await truth.answer(body)
        down.write(self._told(truth=(number, status, answer)))


def count(happened: Happened, serving: Serving, columns: int) -> None:
    """Count what happened in a worker as if it had happened here.

    Args:
        happened: What its message says.
        serving: Counts.
        columns: Of a counted row.
    """
    rows = np.frombuffer(happened.rows, dtype=np.float32).reshape(-1, columns)
    start = 0
    for client, length, faults in happened.came:
        if faults is None:
            serving.count(rows[start : start + length], client)
            start += length
        else:
            told = {(feature, reason): number for feature, reason, number in faults}
            serving.refused(Refusals(length, told), client)
    for request in happened.requests:
        serving.metrics.request(*request)
    for reason in happened.rejections:
        serving.metrics.rejected(reason)
    for copied in happened.copied:
        serving.count_copies(copied)
