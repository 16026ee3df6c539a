"""Counts the answered rows, and reports the counts in ``status.drift[<pod>]``, or that none came.

The request path only copies rows into a buffer. They are counted in bulk: when they fill a
window, when the buffer is full, or when a report is due. A report that fails is made again with
newer counts; predictions never wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from hallmark.api.names import PREDICTOR_FIELD_MANAGER
from hallmark.api.structs import DriftReport, DriftWindow
from hallmark.api.texts import API_VERSION
from hallmark.drift.counts import CountedRows, Rows
from hallmark.drift.outcome_counter import OutcomeCounter
from hallmark.drift.probing import ClientWatch
from hallmark.drift.refusals import RefusalCounter, Refusals
from hallmark.drift.rejection_counter import RejectionCounter
from hallmark.drift.windows import WindowCounter
from hallmark.errors import ClusterError
from hallmark_predictor.apart import apart
from hallmark_predictor.cluster_api import ClusterApi, Reply
from hallmark_predictor.logs import place_of
from hallmark_predictor.report_schedule import INTERVAL, Schedule
from hallmark_predictor.request_counter import RequestCounter
from hallmark_predictor.threads import in_thread

if TYPE_CHECKING:
    from hallmark.drift.mirrored import MirrorCounter

LOG = logging.getLogger(__name__)

BUFFER_ROWS = 4096
OnClose = Callable[[int, Sequence[DriftWindow]], None]
"""Takes how many windows were closed, and those that are kept, oldest first."""


def _now() -> datetime:
    return datetime.now(UTC)


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class DriftRecorder:
    """Takes rows on the event loop's thread, and counts them now and then."""

    def __init__(
        self,
        windows: WindowCounter,
        columns: int,
        manifest_digest: str,
        *,
        clock: Callable[[], datetime] = _now,
        on_close: OnClose = lambda count, kept: None,
        on_refuse: Callable[[], None] = lambda: None,
        rejections: RejectionCounter | None = None,
        requests: RequestCounter | None = None,
        watch: ClientWatch | None = None,
        outcomes: OutcomeCounter | None = None,
    ) -> None:
        """Start empty, under a new boot id.

        Args:
            windows: Counts rows.
            columns: Of a row, with those that tell what the model said of it.
            manifest_digest: The version that answers.
            clock: Tells the time in UTC.
            on_close: Told whenever windows were closed.
            on_refuse: Told whenever rows were refused.
            rejections: Counts refused rows by client, where a limit is declared.
            requests: Counts requests; None: the report tells nothing of them.
            watch: Looks for odd rows, where the version has a region to hold them against.
            outcomes: Counts what became true of answers, where feedback is declared.
        """
        self.boot_id = str(uuid.uuid4())
        self._windows = windows
        self._manifest_digest = manifest_digest
        self._clock = clock
        self._on_close = on_close
        self._on_refuse = on_refuse
        self._requests = requests
        self._refused = RefusalCounter()
        self._rejections = rejections
        self._watch = watch
        self._outcomes = outcomes
        self.mirror: MirrorCounter | None = None
        """Counts how a candidate answers copies, while requests are copied."""
        self._senders: list[tuple[str, int]] = []
        """Whose the rows in the buffer are, where they are watched."""
        self._buffer = np.empty((BUFFER_ROWS, columns), dtype=np.float32)
        self._bytes = memoryview(self._buffer.data).cast("B")
        self._row_bytes = 4 * columns
        self._pending = 0
        self._first = self._last = clock()
        self.rows = 0
        """Rows that were recorded since the start."""

    def record(self, rows: Rows, client: str = "", said: Rows | None = None) -> None:
        """Take answered rows.

        Args:
            rows: Shape (rows, features).
            client: The address of who sent them.
            said: Shape (rows, 2): the model's score and label of each; None where the rows have
                these columns themselves.
        """
        count = len(rows)
        if self._requests is not None:
            self._requests.fair.rows(client, count, 0)
        if self._rejections is not None:
            apart(self._rejections.add, client, count, 0, self._clock())
        if self._pending + count > BUFFER_ROWS:
            self._flush()
        self._last = self._clock()
        if not self._pending:
            self._first = self._last
        self.rows += count
        for start in range(0, count, BUFFER_ROWS):
            part = slice(start, start + BUFFER_ROWS)
            self._take(rows[part], client, None if said is None else said[part])

    def _take(self, rows: Rows, client: str, said: Rows | None) -> None:
        """Put rows into the buffer, which has room for them."""
        end = self._pending + len(rows)
        taken = self._buffer[self._pending : end]
        if said is None:
            taken[:] = rows
        else:
            taken[:, : rows.shape[1]], taken[:, rows.shape[1] :] = rows, said
        self._pending = end
        if self._watch is not None:
            self._senders.append((client, len(rows)))
        if end >= self._windows.rows_to_close or end == BUFFER_ROWS:
            self._flush()

    def record_packed(self, rows: Sequence[bytes], clients: Sequence[str]) -> None:
        """Take answered rows, each of a request of its own; what ``record`` does, sooner.

        Args:
            rows: Each as float32 in the machine's order.
            clients: The address of who sent it, of each.
        """
        now = self._clock()
        if self._requests is not None:
            for client in clients:
                self._requests.fair.row(client)
        if self._rejections is not None:
            for client in clients:
                apart(self._rejections.add, client, 1, 0, now)
        self.rows += len(rows)
        at = 0
        while at < len(rows):
            if not self._pending:
                self._first = now
            self._last = now
            most = min(self._windows.rows_to_close, BUFFER_ROWS) - self._pending
            part = b"".join(rows[at : at + most])
            start = self._pending * self._row_bytes
            self._bytes[start : start + len(part)] = part
            taken = len(part) // self._row_bytes
            if self._watch is not None:
                self._senders += [(client, 1) for client in clients[at : at + taken]]
            at += taken
            self._pending += taken
            if taken == most:
                self._flush()

    def refuse(self, refusals: Refusals, client: str = "") -> None:
        """Take the rows at fault in a refused request, and the address of who sent them."""
        self._refused.add(refusals)
        if self._requests is not None:
            self._requests.fair.rows(client, 0, refusals.rows)
        if self._rejections is not None:
            apart(self._rejections.add, client, 0, refusals.rows, self._clock())
        self._on_refuse()

    @property
    def seen(self) -> int:
        """Rows that were answered or refused since the start, requests, outcomes, and copies.

        More than before is something to tell, also where every request fails.
        """
        requests = self._requests.count if self._requests else 0
        told = self._outcomes.told if self._outcomes else 0
        copies = self.mirror.copies if self.mirror else 0
        return self.rows + self._refused.rows + requests + told + copies

    def report(self, sequence: int) -> DriftReport:
        """Return what is to be reported now."""
        self._flush()
        report = self._windows.report(self._manifest_digest, self.boot_id, sequence)
        return report.replace(
            refused_rows=self._refused.rows,
            refused=self._refused.most(),
            rejections=self._rejections.kept if self._rejections else [],
            requests=self._requests.told() if self._requests else None,
            answers=self._requests.blocks.kept if self._requests and self._requests.blocks else [],
            odd=self._watch.report() if self._watch else None,
            outcomes=self._outcomes.report() if self._outcomes else None,
            mirror=self.mirror.told() if self.mirror else None,
        )

    def _flush(self) -> None:
        pending, self._pending = self._pending, 0
        if not pending:
            return
        if self._watch is not None:
            senders, self._senders = self._senders, []
            apart(self._watch.look, self._buffer[:pending], senders, self._first)
        apart(self._count, self._buffer[:pending])

    def _count(self, rows: CountedRows) -> None:
        before = self._windows.closed
        self._windows.add(rows, self._first, self._last)
        count = self._windows.closed - before
        if count:
            apart(self._on_close, count, self._windows.kept)


class DriftReporter:
    """Reports when the schedule says so, and once more at the end."""

    def __init__(
        self,
        recorder: DriftRecorder,
        api: ClusterApi,
        path: str,
        pod: str,
        schedule: Schedule,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[asyncio.Event, float | None], Awaitable[None]] = _wait,
    ) -> None:
        """Prepare to report.

        Args:
            recorder: Knows the counts.
            api: The API server.
            path: The status that is patched; see ``status_path``.
            pod: Whose entry is written.
            schedule: Knows when.
            clock: Tells seconds, as the schedule's times.
            wait: Waits for an event, at most so many seconds.
        """
        self._recorder = recorder
        self._api = api
        self._path = path
        self._pod = pod
        self._schedule = schedule
        self._clock = clock
        self._wait = wait
        self._sequence = 0
        self._told_seen = 0
        self._woken = asyncio.Event()
        self._ended = False

    def windows_closed(self, drifts: Sequence[bool]) -> None:
        """Take whether each window that was closed drifts, oldest first."""
        self._schedule.closed(drifts)
        self._woken.set()

    def rows_refused(self) -> None:
        """Take that rows were refused."""
        self._schedule.refused()
        self._woken.set()

    def outcomes_told(self) -> None:
        """Take that a window of outcomes was closed."""
        self._schedule.refused()
        self._woken.set()

    def version_activated(self) -> None:
        """Count afresh: the version has got the traffic."""
        self._schedule.restart(self._clock())
        self._woken.set()

    def end(self) -> None:
        """Let ``run`` report once more, if there is anything new, and return."""
        self._ended = True
        self._woken.set()

    async def run(self) -> None:
        """Report until the end."""
        while not self._ended:
            seconds = self._schedule.due(self._recorder.seen) - self._clock()
            if seconds <= 0:
                await self.report()
            else:
                # Rows wake nobody; they may bring the next report forward.
                await self._wait(self._woken, min(seconds, INTERVAL))
                self._woken.clear()
        if self._recorder.seen != self._told_seen:
            await self.report()

    async def report(self) -> bool:
        """Report once; tell whether it was taken."""
        seen = self._recorder.seen
        self._sequence += 1
        told = self._schedule.sending(self._clock(), seen)
        try:
            report = self._recorder.report(self._sequence).replace(
                next_within=self._schedule.next_within(told)
            )
            reply = await in_thread(lambda: self._send(report), "drift-report")
        except ClusterError as error:
            return self._failed(str(error))
        except Exception as error:  # A failed report must not be the last one.
            return self._failed(place_of(error))
        if reply.status >= 300:
            return self._failed(f"{reply.status} {reply.message}", no_room=has_no_room(reply))
        self._told_seen = seen
        self._schedule.accepted(told, self._clock())
        return True

    def _failed(self, why: str, *, no_room: bool = False) -> bool:
        self._schedule.failed(self._clock(), no_room=no_room)
        # With more Pods than fit it is usual to wait for a place.
        level = logging.INFO if no_room else logging.WARNING
        LOG.log(level, "The drift report was not taken and will be tried again: %s", why)
        return False

    def _send(self, report: DriftReport) -> Reply:
        return self._api.patch(
            self._path,
            {"fieldManager": PREDICTOR_FIELD_MANAGER},
            {"status": {"drift": {self._pod: report.to_wire()}}},
        )


def status_path(namespace: str, deployment: str) -> str:
    """Return the path of a ModelDeployment's status."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/modeldeployments/{deployment}/status"


def has_no_room(reply: Reply) -> bool:
    """Tell whether other Pods' reports take all the room: by their number, or by their size."""
    return "status.drift: Too many" in reply.message or "too large" in reply.message
