"""Start and stop: the operator's parts and its background work."""

from __future__ import annotations

import asyncio
import os

import kopf

from hallmark.audit import AuditLog
from hallmark.bundles.stores import Stores
from hallmark.cluster.client import ApiCluster, ApiError
from hallmark.cluster.kinds import HALLMARK_KINDS
from hallmark.controllers import dispatch, heartbeat, logs, watches
from hallmark.controllers.queue import Key, WorkQueue
from hallmark.controllers.runtime import Operator, log
from hallmark.controllers.settings import Settings
from hallmark.errors import ConfigurationError, HallmarkError


@kopf.on.startup()
async def _start(memo: kopf.Memo, settings: kopf.OperatorSettings, **_: object) -> None:
    logs.configure()
    watches.configure(settings)
    try:
        operator = await build_operator(Settings.from_environment())
    except HallmarkError as error:
        # Any other error would make kopf try again in silence; the process ends instead.
        raise kopf.PermanentError(str(error)) from error
    memo.operator = operator
    memo.heartbeat = heartbeat.Heartbeat(operator.settings.longest_silence_seconds)
    memo.runner = await heartbeat.serve(operator, memo.heartbeat)
    memo.background = [
        asyncio.create_task(each)
        for each in (_decide(operator), dispatch.resync(operator), heartbeat.beat(operator))
    ]
    for task in memo.background:
        task.add_done_callback(_end_if_dead)
    log.info("The operator has started.", namespace=operator.settings.namespace)


async def _decide(operator: Operator) -> None:
    """Reconcile once the whole audit log is verified; liveness does not wait for it."""
    await asyncio.to_thread(operator.audit.verify_rest)
    await operator.queue.run()


async def build_operator(settings: Settings) -> Operator:
    """Return the operator's parts, connected and checked.

    Raises:
        HallmarkError: something is missing: credentials, a kind, the audit key.
    """
    cluster = await ApiCluster.connect()
    await _check_kinds(cluster)

    async def reconcile(key: Key) -> bool:
        return await dispatch.reconcile(operator, key)

    operator = Operator(
        settings=settings,
        cluster=cluster,
        audit=await asyncio.to_thread(AuditLog.open, settings.audit_log, settings.audit_key),
        queue=WorkQueue(reconcile),
        stores=Stores(settings.store_credentials),
    )
    return operator


async def _check_kinds(cluster: ApiCluster) -> None:
    """End the start where a kind is not installed; kopf would wait for it in silence."""
    for kind in HALLMARK_KINDS:
        try:
            await cluster.list(kind)
        except ApiError as error:
            raise ConfigurationError(
                f"Expected to list {kind.plural}, found that it cannot be done; install crds/ "
                f"and the operator's roles. {error}"
            ) from error


@kopf.on.cleanup()
async def _stop(memo: kopf.Memo, **_: object) -> None:
    for task in memo.background:
        task.cancel()
    await asyncio.gather(*memo.background, return_exceptions=True)
    await memo.runner.cleanup()
    await asyncio.to_thread(memo.operator.audit.close)
    await memo.operator.cluster.close()


def _end_if_dead(task: asyncio.Task[None]) -> None:
    """End the process when background work ends by itself; Kubernetes starts it again.

    ``os._exit``, because an orderly end would wait for what is broken.
    """
    if not task.cancelled():
        log.critical("Background work ended; so does the operator.", error=repr(task.exception()))
        os._exit(1)
