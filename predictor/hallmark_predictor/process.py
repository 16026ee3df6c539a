"""The process: verify, load, serve, report."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from hallmark.api.documents import Drift
from hallmark.api.files import REFUSED_EXIT_CODE
from hallmark.api.structs import DriftWindow
from hallmark.drift.answer_counter import answer_counter
from hallmark.drift.budget import kept_windows
from hallmark.drift.rejection_counter import rejection_counter
from hallmark.errors import ConfigurationError, HallmarkError
from hallmark_predictor import logs
from hallmark_predictor.active_watch import ActiveWatch, Traffic
from hallmark_predictor.cluster_api import ClusterApi
from hallmark_predictor.cpus import cpu_limit, worker_count
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.drift_reporter import DriftRecorder, DriftReporter, status_path
from hallmark_predictor.later import Later
from hallmark_predictor.listener import listening
from hallmark_predictor.loader import load
from hallmark_predictor.logs import place_of
from hallmark_predictor.memory import Allowance, claimed, memory_limit
from hallmark_predictor.metrics import Metrics
from hallmark_predictor.model import Model
from hallmark_predictor.prover import Prover
from hallmark_predictor.receipts import receipts_of
from hallmark_predictor.report_schedule import Schedule
from hallmark_predictor.routes import routes
from hallmark_predictor.server import DrainingServer, server_config
from hallmark_predictor.serving import Serving
from hallmark_predictor.settings import ApiServer, Settings, read_settings
from hallmark_predictor.threads import in_thread
from hallmark_predictor.truth import truth_of
from hallmark_predictor.truth_metrics import families
from hallmark_predictor.verification import Refused

if TYPE_CHECKING:
    from hallmark_predictor.mirroring import Mirroring
    from hallmark_predictor.workers import Workers

LOG = logging.getLogger("hallmark_predictor")

LAST_REPORT_SECONDS = 2.0
"""How long the end waits for the last drift report."""


class Predictor:
    """The process: an HTTP server from the start, a model once it was verified."""

    def __init__(self, settings: Settings, prover: Prover) -> None:
        """Prepare; ``run`` begins.

        Args:
            settings: What it is told.
            prover: Has the runtime for the proof at the start.
        """
        self._settings = settings
        self._prover = prover
        self._serving = Serving(Metrics(), Allowance(settings.memory))
        app = routes(self._serving, Later(self._serving))
        config = server_config(app, settings.host, settings.port, self._serving)
        self._server = DrainingServer(
            config, self._serving, settings.drain_seconds, self._end_workers
        )
        self._workers: Workers | None = None
        self._mirroring: Mirroring | None = None
        self._failure: tuple[int, str] | None = None
        self._reporter: DriftReporter | None = None

    async def run(self) -> int:
        """Serve until a signal or a refusal; return the exit code."""
        host, port = self._settings.host, self._settings.port
        try:
            own = listening(host, port, shared=(self._settings.workers or cpu_limit() or 1) >= 2)
        except OSError as error:
            message = f"Nothing can listen at {host}, port {port}: {error.strerror}."
            _tell_the_end(self._settings.termination_log, message)
            return 1
        loading = asyncio.create_task(self._bring_up())
        await self._server.serve([own])
        if self._workers:
            await self._workers.ended()
        if self._reporter:
            self._reporter.end()
            await asyncio.wait([loading], timeout=LAST_REPORT_SECONDS)
        loading.cancel()
        if self._failure is None:
            return 0
        code, message = self._failure
        _tell_the_end(self._settings.termination_log, message)
        return code

    def _start_workers(self) -> None:
        """Start further processes, if there may be any; this one has the model."""
        allowed = self._serving.allowance
        number = self._settings.workers or worker_count(
            cpu_limit(), memory_limit(allowed), claimed()
        )
        if number == 1:
            return
        from hallmark_predictor.workers import Workers

        self._serving.allowance = Allowance(allowed.limit, number)
        command = [sys.executable, "-m", "hallmark_predictor", *sys.argv[1:], f"--workers={number}"]
        self._workers = Workers(command, number - 1, self._serving)
        self._serving.metrics.workers = number

    def _end_workers(self) -> None:
        if self._workers:
            self._workers.end()

    async def _bring_up(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            outcome = await in_thread(lambda: self._load(loop), "load")
            if isinstance(outcome, Refused):
                self._serving.metrics.verification_failures += 1
                self._fail(REFUSED_EXIT_CODE, outcome.message)
                return
            self._serve(outcome)
        except HallmarkError as error:
            self._fail(1, str(error))
        except Exception as error:
            self._fail(1, f"The model could not be loaded: {place_of(error)}.")
        else:
            if self._reporter:
                await self._reporter.run()

    def _load(self, loop: asyncio.AbstractEventLoop) -> Model | Refused:
        def progress(sentence: str) -> None:
            LOG.warning("%s", sentence)
            loop.call_soon_threadsafe(setattr, self._serving, "waiting_for", sentence)

        try:
            return load(self._settings, datetime.now(UTC), progress, self._prover)
        finally:
            self._prover.close()

    def _fail(self, code: int, message: str) -> None:
        self._failure = (code, message)
        self._server.should_exit = True

    def _serve(self, model: Model) -> None:
        def windows_closed(count: int, kept: Sequence[DriftWindow]) -> None:
            self._serving.metrics.drift_windows += count
            if self._reporter:
                ends = range(max(1, len(kept) - count + 1), len(kept) + 1)
                self._reporter.windows_closed([model.drifts(kept[:end]) for end in ends])

        def rows_refused() -> None:
            if self._reporter:
                self._reporter.rows_refused()

        def outcomes_told() -> None:
            if self._reporter:
                self._reporter.outcomes_told()

        trust, server = model.trust, self._settings.api_server

        def serves_alone() -> bool:
            serving = self._serving
            told = server is None or serving.active_digest == trust.manifest_digest
            return told and not serving.draining

        plane = DataPlane(model, receipts_of(self._settings, trust, model.schema))
        truth = truth_of(plane, outcomes_told, serves_alone)
        self._serving.metrics.counter.blocks = answer_counter(trust.drift)
        recorder = DriftRecorder(
            model.windows,
            model.columns,
            trust.manifest_digest,
            on_close=windows_closed,
            on_refuse=rows_refused,
            rejections=rejection_counter(trust.drift),
            watch=model.watch,
            requests=self._serving.metrics.counter,
            outcomes=truth.counter if truth else None,
        )
        self._serving.metrics.stability(model.newest_stability)
        # What was made until now stays: the collector need not look at it, not even once.
        gc.freeze()
        gc.enable()
        if server is None:
            LOG.warning("Not in a cluster: drift is not reported, the active version not watched.")
        else:
            self._reporter = self._make_reporter(recorder, server, trust.drift)
        self._start_workers()
        if truth is not None:
            self._serving.truth = truth
            self._serving.metrics.truth(lambda: families(truth))
        self._serving.start(plane, recorder)
        if self._workers:
            self._workers.start()
        LOG.info("Serving %s, manifest %s.", trust.model_version, trust.manifest_digest)
        if server is not None:
            self._watch(server, plane, recorder)

    def _make_reporter(
        self, recorder: DriftRecorder, server: ApiServer, drift: Drift
    ) -> DriftReporter:
        path = status_path(self._settings.namespace, self._settings.deployment)
        schedule = Schedule(drift.consecutive, time.monotonic(), random.random, kept_windows(drift))
        return DriftReporter(recorder, ClusterApi(server), path, self._settings.pod, schedule)

    def _watch(self, server: ApiServer, plane: DataPlane, recorder: DriftRecorder) -> None:
        """Follow which version has the traffic, and which gets copies of it."""
        own_digest = plane.model.trust.manifest_digest
        loop = asyncio.get_running_loop()
        where = self._settings.namespace, self._settings.deployment

        def follow(traffic: Traffic) -> None:
            digest = traffic.digest
            if self._reporter and digest == own_digest != self._serving.active_digest:
                self._reporter.version_activated()
            self._serving.active_digest = digest
            if self._mirroring is None and traffic.copies is not None:
                from hallmark_predictor.mirror_counts import CountedHere
                from hallmark_predictor.mirroring import Mirroring

                counts = CountedHere(self._serving, recorder)
                processes = self._serving.metrics.workers
                self._mirroring = Mirroring(self._settings, self._serving, plane, counts, processes)
            if self._mirroring is not None:
                self._mirroring.follow(traffic)
            if self._workers:
                self._workers.tell(traffic)

        def tell(traffic: Traffic) -> None:
            loop.call_soon_threadsafe(follow, traffic)

        watch = ActiveWatch(ClusterApi(server), *where, tell)
        threading.Thread(target=watch.run, name="active-watch", daemon=True).start()


def _tell_the_end(path: Path, message: str) -> None:
    LOG.error("%s", message)
    try:
        path.write_text(message[:4000])
    except OSError as error:
        LOG.warning("%s cannot be written: %s.", path, error.strerror)


def run() -> int:
    """Run the predictor; return its exit code: 10 is a refusal, which no retry can mend."""
    logs.configure()
    try:
        settings = read_settings(sys.argv[1:], os.environ)
    except ConfigurationError as error:
        _tell_the_end(Path(os.environ.get("TERMINATION_LOG", "/dev/termination-log")), str(error))
        return 1
    prover = Prover(settings.trust_file, datetime.now(UTC))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if settings.feed is None:
            return runner.run(Predictor(settings, prover).run())
        from hallmark_predictor.worker import Worker

        return runner.run(Worker(settings, prover).run())
