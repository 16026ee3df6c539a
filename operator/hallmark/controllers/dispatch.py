"""From a key of the queue to the reconcile function of its kind, with errors and metrics."""

from __future__ import annotations

import asyncio
import time

from hallmark.cluster.client import ApiError
from hallmark.cluster.kinds import HALLMARK_KINDS, MODEL_POLICY
from hallmark.controllers import metrics
from hallmark.controllers.queue import Key
from hallmark.controllers.runtime import RECONCILERS, Operator, log, write_status
from hallmark.errors import HallmarkError
from hallmark.policies.conditions import holds

ALL = "*"
"""The name that stands for every object of a kind (in a namespace)."""
RECONCILE_SECONDS = 120.0
"""A reconcile that takes longer is cancelled and repeated."""


async def reconcile(operator: Operator, key: Key) -> bool:
    """Look at one object, or ask for a look at each that ``*`` stands for.

    Returns:
        False where it failed and is to be repeated with backoff.
    """
    started = time.perf_counter()
    outcome = "error"
    try:
        async with asyncio.timeout(RECONCILE_SECONDS):
            await (_expand if key.name == ALL else _one)(operator, key)
        outcome = "ok"
    except HallmarkError as error:
        # A conflict is the normal answer to a stale read; the repeat reads anew.
        stale = isinstance(error, ApiError) and error.status == 409
        outcome = "conflict" if stale else "error"
        log.warning("A reconcile is repeated.", **_named(key), error=str(error))
        if not stale:
            await _report(operator, key, error)
    except TimeoutError:
        log.error("A reconcile took too long and is repeated.", **_named(key))
    except Exception:
        log.exception("A reconcile met a bug and is repeated.", **_named(key))
    metrics.RECONCILES.labels(key.kind.kind, outcome).inc()
    metrics.RECONCILE_SECONDS.labels(key.kind.kind).observe(time.perf_counter() - started)
    return outcome == "ok"


async def resync(operator: Operator) -> None:
    """Ask for a look at every object, now and every few minutes, until cancelled.

    Watches coalesce and may end in silence; nothing may depend on an event alone.
    """
    while True:
        for kind in HALLMARK_KINDS:
            operator.queue.request(kind, None, ALL)
        await asyncio.sleep(operator.settings.resync_seconds)


async def _one(operator: Operator, key: Key) -> None:
    if key.kind in RECONCILERS:
        await RECONCILERS[key.kind](operator, key.namespace, key.name)


async def _expand(operator: Operator, key: Key) -> None:
    for each in await operator.cluster.list(key.kind, key.namespace):
        metadata = each["metadata"]
        namespace = None if key.kind == MODEL_POLICY else metadata["namespace"]
        operator.queue.request(key.kind, namespace, metadata["name"])


async def _report(operator: Operator, key: Key, error: HallmarkError) -> None:
    """Show in the object that its reconcile fails; Ready stays what it was."""
    if key.name == ALL or (isinstance(error, ApiError) and error.status == 0):
        return
    try:
        current = await operator.cluster.get(key.kind, key.namespace, key.name)
        if current is not None:
            trouble = holds("Reconciling", type(error).__name__, str(error))
            await write_status(operator, current, None, (trouble,))
    except ApiError as second:
        log.warning("The trouble could not be reported.", **_named(key), error=str(second))


def _named(key: Key) -> dict[str, str]:
    return {"kind": key.kind.kind, "namespace": key.namespace or "", "name": key.name}
