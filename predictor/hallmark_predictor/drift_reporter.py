"""Counts the answered rows, and reports the counts in ``status.drift[<pod>]``.

The request path only copies rows into a buffer. They are counted in bulk: when they fill a
window, when the buffer is full, or when a report is due. A report that fails is made again with
newer counts; predictions never wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from hallmark.api.common import API_VERSION
from hallmark.api.model_deployment import DriftReport
from hallmark.api.names import PREDICTOR_FIELD_MANAGER
from hallmark.drift.counts import Rows
from hallmark.drift.windows import WindowCounter
from hallmark.errors import ClusterError
from hallmark_predictor.cluster_api import ClusterApi, Reply
from hallmark_predictor.logs import place_of

LOG = logging.getLogger(__name__)

BUFFER_ROWS = 4096
INTERVAL = 1.0
"""Seconds between reports while no window closes."""
MAX_PAUSE = 60.0
"""Seconds without reports after a failure that lasts, or a refusal."""


def _now() -> datetime:
    return datetime.now(UTC)


class DriftRecorder:
    """Takes rows on the event loop's thread, and counts them now and then."""

    def __init__(
        self,
        windows: WindowCounter,
        features: int,
        manifest_digest: str,
        *,
        clock: Callable[[], datetime] = _now,
        on_close: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Start empty, under a new boot id.

        Args:
            windows: Counts rows.
            features: Columns of a row.
            manifest_digest: The version that answers.
            clock: Tells the time in UTC.
            on_close: Told how many windows were closed, whenever there are any.
        """
        self.boot_id = str(uuid.uuid4())
        self._windows = windows
        self._manifest_digest = manifest_digest
        self._clock = clock
        self._on_close = on_close
        self._buffer = np.empty((BUFFER_ROWS, features), dtype=np.float32)
        self._pending = 0
        self._first = self._last = clock()
        self.rows = 0
        """Rows that were recorded since the start."""

    def record(self, rows: Rows) -> None:
        """Take answered rows, shape (rows, features)."""
        count = len(rows)
        if self._pending + count > BUFFER_ROWS:
            self._flush()
        self._last = self._clock()
        if not self._pending:
            self._first = self._last
        self.rows += count
        if count > BUFFER_ROWS:
            self._count(rows)
            return
        self._buffer[self._pending : self._pending + count] = rows
        self._pending += count
        if self._pending >= self._windows.rows_to_close:
            self._flush()

    def report(self, sequence: int) -> DriftReport:
        """Return what is to be reported now."""
        self._flush()
        return self._windows.report(self._manifest_digest, self.boot_id, sequence)

    def _flush(self) -> None:
        pending, self._pending = self._pending, 0
        if pending:
            self._count(self._buffer[:pending])

    def _count(self, rows: Rows) -> None:
        closed = self._windows.closed
        self._windows.add(rows, self._first, self._last)
        if self._windows.closed > closed:
            self._on_close(self._windows.closed - closed)


class DriftReporter:
    """Reports at once when a window closes, else each second while rows come."""

    def __init__(
        self, recorder: DriftRecorder, api: ClusterApi, namespace: str, deployment: str, pod: str
    ) -> None:
        """Prepare to report as ``pod`` on ``deployment``."""
        self._recorder = recorder
        self._api = api
        self._path = (
            f"/apis/{API_VERSION}/namespaces/{namespace}/modeldeployments/{deployment}/status"
        )
        self._pod = pod
        self._sequence = 0
        self._reported_rows = 0
        self._window_closed = asyncio.Event()
        self._pause = INTERVAL

    def window_closed(self) -> None:
        """Make the next report due now."""
        self._window_closed.set()

    async def run(self) -> None:
        """Report for ever."""
        while True:
            await self._wait()
            if self._recorder.rows != self._reported_rows:
                await self.report()

    async def report(self) -> bool:
        """Report once; tell whether it was taken."""
        self._window_closed.clear()
        rows = self._recorder.rows
        self._sequence += 1
        report = self._recorder.report(self._sequence)
        try:
            reply = await asyncio.to_thread(self._send, report)
        except ClusterError as error:
            self._back_off(str(error))
            return False
        except Exception as error:  # A failed report must not be the last one.
            self._back_off(place_of(error))
            return False
        if reply.status >= 300:
            self._back_off(f"{reply.status} {reply.message}", refused=reply.status == 422)
            return False
        self._reported_rows = rows
        self._pause = INTERVAL
        return True

    async def _wait(self) -> None:
        if self._pause > INTERVAL:
            await asyncio.sleep(self._pause)
            return
        try:
            await asyncio.wait_for(self._window_closed.wait(), INTERVAL)
        except TimeoutError:
            return

    def _back_off(self, why: str, *, refused: bool = False) -> None:
        """Wait longer; a refusal (such as that 64 Pods report already) will not soon pass."""
        self._pause = MAX_PAUSE if refused else min(2 * self._pause, MAX_PAUSE)
        LOG.warning("The drift report was not taken; next in %.0f s: %s", self._pause, why)

    def _send(self, report: DriftReport) -> Reply:
        return self._api.patch(
            self._path,
            {"fieldManager": PREDICTOR_FIELD_MANAGER},
            {"status": {"drift": {self._pod: report.to_wire()}}},
        )
