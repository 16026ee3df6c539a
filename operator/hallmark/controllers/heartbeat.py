"""Liveness: the operator writes a heartbeat and must see it through its own watch.

A watcher can die while the process lives; then nothing is reconciled and nobody notices. The
heartbeat goes the way every event goes, so a dead way makes ``/healthz`` fail.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hallmark.api import names
from hallmark.cluster.cluster import ApiError, ForeignObject
from hallmark.cluster.kinds import CONFIG_MAP
from hallmark.controllers import metrics
from hallmark.controllers.runtime import Operator, log
from hallmark.resources.labels import standard_labels


class Heartbeat:
    """When the operator last saw itself.

    Args:
        longest_silence: Seconds without an own heartbeat in the watch after which the operator
            counts as dead.
        clock: Seconds from any start.
    """

    def __init__(self, longest_silence: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest_silence = longest_silence
        self._clock = clock
        self._seen = clock()

    def seen(self) -> None:
        """Note that the watch delivered a heartbeat."""
        self._seen = self._clock()

    @property
    def age(self) -> float:
        """Seconds since the last one, or since the start."""
        return self._clock() - self._seen

    @property
    def alive(self) -> bool:
        """Tell whether watches deliver."""
        return self.age < self._longest_silence


async def beat(operator: Operator) -> None:
    """Write the heartbeat every few seconds, until cancelled."""
    while True:
        try:
            wanted = _config_map(operator)
            place = (CONFIG_MAP, operator.settings.namespace, names.HEARTBEAT_CONFIG_MAP)
            written = await operator.cluster.apply(wanted, operator.cache.get(*place))
            if isinstance(written, ForeignObject):
                log.error("The heartbeat cannot be written.", error=written.sentence())
        except ApiError as error:
            log.warning("The heartbeat was not written.", error=str(error))
        await asyncio.sleep(operator.settings.heartbeat_seconds)


def _config_map(operator: Operator) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.HEARTBEAT_CONFIG_MAP,
            "namespace": operator.settings.namespace,
            "labels": standard_labels(names.OPERATOR_NAME, "heartbeat"),
        },
        "data": {"beat": operator.clock().isoformat()},
    }


async def serve(
    operator: Operator, heartbeat: Heartbeat, ages: Callable[[], Mapping[str, float]]
) -> web.AppRunner:
    """Serve ``/healthz`` and ``/metrics`` on their ports; clean the runner up at the end.

    Args:
        operator: the shared parts.
        heartbeat: when the operator last saw itself.
        ages: seconds since each watch last said anything.
    """

    async def health(_: web.Request) -> web.Response:
        if heartbeat.alive:
            return web.Response(text="ok\n")
        text = f"No heartbeat came through the watch for {heartbeat.age:.0f} s.\n"
        return web.Response(text=text, status=503)

    async def show_metrics(_: web.Request) -> web.Response:
        metrics.HEARTBEAT_AGE.set(heartbeat.age)
        for kind, age in ages().items():
            metrics.WATCH_AGE.labels(kind).set(age)
        metrics.CACHED_OBJECTS.set(len(operator.cache))
        metrics.QUEUE_DEPTH.set(operator.queue.depth)
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", health), web.get("/metrics", show_metrics)])
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    for port in {operator.settings.health_port, operator.settings.metrics_port}:
        await web.TCPSite(runner, port=port).start()
    return runner
