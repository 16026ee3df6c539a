"""The operator as a process, with what it costs and what it asks for."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass

from tests.bench.measuring import processor_seconds, resident
from tests.bench.scale.trail import Trail
from tests.integration.operator_process import Installation

PRODUCTION = {"HALLMARK_HEARTBEAT_SECONDS": "10"}
"""What the shipped operator has, where the tests' installation is faster."""
_SAMPLE_SECONDS = 0.25
_BUSY_SHARE = 0.25
"""Of a core, in a sample: more than any heartbeat needs."""
MEGABYTE = 1e6


@dataclass
class MeasuredOperator:
    """The operator's process and its requests."""

    installation: Installation
    trail: Trail
    quiet: float
    """Seconds: an operator that asks for nothing and computes nothing for so long has settled."""

    @property
    def pid(self) -> int:
        """The process."""
        assert self.installation.process is not None, "the operator does not run"
        return self.installation.process.pid

    async def start(self) -> None:
        """Start it; return when it listens."""
        self.installation.start(**PRODUCTION)
        await asyncio.to_thread(self.installation.wait_until_healthy)

    def kill(self) -> None:
        """End it without a warning."""
        self.installation.end(signal.SIGKILL)

    def processor_seconds(self) -> float:
        """Return how long it has kept a core busy; 0 where it does not run."""
        return 0.0 if self.installation.process is None else processor_seconds(self.pid)

    def megabytes(self, name: str = "VmRSS") -> float:
        """Return its memory, today's or the peak (``VmHWM``)."""
        return resident(name, self.pid) / MEGABYTE

    async def settled(self, seconds: float) -> float | None:
        """Wait until nothing happens any more.

        Args:
            seconds: the longest wait.

        Returns:
            The moment (``time.monotonic``) at which it last did something; None where it never
            came to rest.
        """
        self.trail.read()
        last, spent = time.monotonic(), self.processor_seconds()
        end = last + seconds
        while (now := time.monotonic()) < end:
            await asyncio.sleep(_SAMPLE_SECONDS)
            before, spent = spent, self.processor_seconds()
            share = (spent - before) / (time.monotonic() - now)
            asked = any(not request.routine for request in self.trail.read())
            if asked or share > _BUSY_SHARE:
                last = time.monotonic()
            elif time.monotonic() - last >= self.quiet:
                return last
        return None
