"""Start and stop: the operator's parts and its background work."""

from __future__ import annotations

import asyncio
import gc
import os
from contextlib import suppress

import kopf

from hallmark.api.common import build_models
from hallmark.audit import AuditLog
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.evidence import EvidenceMemory
from hallmark.bundles.stores import Stores
from hallmark.cluster.cache import Key, ObjectCache
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.drift_monitor import DriftMonitor
from hallmark.controllers import dispatch, heartbeat, logs, tasks
from hallmark.controllers.event_queue import EventQueue
from hallmark.controllers.feed_watch import watch_feed
from hallmark.controllers.guards import GuardWatch
from hallmark.controllers.keeper import Keeper
from hallmark.controllers.queue import Outcome, WorkQueue
from hallmark.controllers.runtime import Operator, log
from hallmark.controllers.settings import Settings
from hallmark.controllers.watches import Watches, configure
from hallmark.errors import HallmarkError

GARBAGE = 50_000
"""Containers that are made before the garbage collector looks, 700 where nobody says anything else.

A page of a list is some 50,000 of them; the collector goes through them again and again while it
is parsed, and finds nothing, for a third of the time.
"""


@kopf.on.startup()
async def _start(memo: kopf.Memo, settings: kopf.OperatorSettings, **_: object) -> None:
    gc.set_threshold(GARBAGE)
    build_models()
    logs.configure()
    configure(settings)
    try:
        cluster = await ApiCluster.connect()
        operator = await build_operator(Settings.from_environment(), cluster)
    except HallmarkError as error:
        # Any other error would make kopf try again in silence; the process ends instead.
        raise kopf.PermanentError(str(error)) from error
    memo.operator = operator
    seen = heartbeat.Heartbeat(operator.settings.longest_silence_seconds)
    keeper = Keeper(operator)
    guards = GuardWatch(operator, cluster, keeper.guards.wanted)
    watches = Watches(operator, cluster, seen, guards)
    operator.outside, operator.hold = keeper, keeper.hold
    operator.no_routes = watches.routes.missing
    memo.keeper = keeper
    memo.runner = await heartbeat.serve(operator, seen, lambda: watches.ages)
    memo.background = [
        asyncio.create_task(work)
        for work in (
            *(informer.run() for informer in watches.informers),
            watches.routes.run(),
            keeper.run(),
            _watch_guards(guards, watches, keeper),
            _reconcile(operator, watches, keeper),
            dispatch.resync(operator),
            operator.events.run(),
            watch_feed(operator),
            heartbeat.beat(operator),
        )
    ]
    for task in memo.background:
        task.add_done_callback(_end_if_dead)
    log.info("The operator has started.", namespace=operator.settings.namespace)


async def _watch_guards(guards: GuardWatch, watches: Watches, keeper: Keeper) -> None:
    """Follow what Hallmark rests on, once it is known what an earlier process saw of it."""
    await keeper.loaded.wait()
    await guards.run(watches.policies)


async def _reconcile(operator: Operator, watches: Watches, keeper: Keeper) -> None:
    """Reconcile once everything is known and the whole audit log is verified, until cancelled.

    Liveness waits for neither. A log that cannot be verified for long holds decisions up by itself;
    those that take trust or traffic away do not wait for it.
    """
    await watches.synced()
    keeper.deletions.begin()
    with suppress(TimeoutError):
        async with asyncio.timeout(operator.settings.audit_patience_seconds):
            await keeper.started.wait()
    log.info("The cluster is in memory.", objects=len(operator.cache))
    gc.freeze()  # What is in memory stays; nothing of it is garbage to look for.
    dispatch.look_at_all(operator)
    await operator.queue.run()


async def build_operator(settings: Settings, cluster: ApiCluster) -> Operator:
    """Return the operator's parts.

    Raises:
        HallmarkError: the audit key or log cannot be used.
    """

    async def reconcile(key: Key) -> Outcome:
        return await dispatch.reconcile(operator, key)

    stores = Stores(settings.store_credentials)
    operator = Operator(
        settings=settings,
        cluster=cluster,
        cache=ObjectCache(),
        audit=await asyncio.to_thread(AuditLog.open, settings.audit_log, settings.audit_key),
        queue=WorkQueue(reconcile),
        stores=stores,
        bundles=Bundles(stores),
        drift=DriftMonitor(),
        evidence=EvidenceMemory(),
        events=EventQueue(cluster),
        server_time=cluster.time,
    )
    cluster.observe = operator.observe
    cluster.known = operator.cache.get
    return operator


@kopf.on.cleanup()
async def _stop(memo: kopf.Memo, **_: object) -> None:
    await tasks.end(memo.background)
    await memo.operator.reader.close()
    await memo.runner.cleanup()
    await memo.keeper.close()
    await asyncio.to_thread(memo.operator.audit.close)
    await memo.operator.cluster.close()


def _end_if_dead(task: asyncio.Task[None]) -> None:
    """End the process when background work ends by itself; Kubernetes starts it again.

    ``os._exit``, because an orderly end would wait for what is broken.
    """
    if not task.cancelled():
        log.critical("Background work ended; so does the operator.", error=repr(task.exception()))
        os._exit(1)
