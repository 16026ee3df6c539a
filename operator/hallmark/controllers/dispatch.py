"""From a key of the queue to the reconcile function of its kind, with errors and metrics."""

from __future__ import annotations

import asyncio
import time

from hallmark.api.common import SummaryCondition
from hallmark.cluster.cache import Key
from hallmark.cluster.cluster import CONFLICT, ApiError
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    TRAINING_RUN,
)
from hallmark.controllers import metrics
from hallmark.controllers.queue import Outcome
from hallmark.controllers.runtime import RECONCILED, RECONCILERS, Operator, StatusReport, log
from hallmark.errors import HallmarkError
from hallmark.policies.conditions import holds

RECONCILE_SECONDS = 120.0
"""A reconcile that takes longer is cancelled and repeated."""
FIRST_LOOK = (MODEL_POLICY, MODEL_DEPLOYMENT, MODEL_VERSION, MODEL_APPROVAL, TRAINING_RUN)
"""The order in which objects are looked at after a start: what serves comes first."""


async def reconcile(operator: Operator, key: Key) -> Outcome:
    """Look at one object, and say how that ended."""
    started = time.perf_counter()
    outcome = Outcome.FAILED
    RECONCILED.set(key)
    try:
        async with asyncio.timeout(RECONCILE_SECONDS):
            await RECONCILERS[key.kind](operator, key.namespace, key.name)
        outcome = Outcome.DONE
    except HallmarkError as error:
        if isinstance(error, ApiError) and error.status == CONFLICT:
            outcome = Outcome.STALE
            log.info("A decision was stale and is made again.", **_named(key), error=str(error))
        else:
            log.warning("A reconcile is repeated.", **_named(key), error=str(error))
            await _report(operator, key, error)
    except TimeoutError:
        log.error("A reconcile took too long and is repeated.", **_named(key))
    except Exception:
        log.exception("A reconcile met a bug and is repeated.", **_named(key))
    metrics.RECONCILES.labels(key.kind.kind, outcome).inc()
    metrics.RECONCILE_SECONDS.labels(key.kind.kind).observe(time.perf_counter() - started)
    return outcome


def look_at_all(operator: Operator) -> None:
    """Ask for a look at every object."""
    for kind in FIRST_LOOK:
        for key in operator.cache.keys(kind):
            operator.queue.request(key)


async def resync(operator: Operator) -> None:
    """Ask for a look at every object now and then, until cancelled.

    Nothing waits for it: watches tell of changes and delays of moments. It mends what a bug forgot.
    """
    while True:
        await asyncio.sleep(operator.settings.resync_seconds)
        look_at_all(operator)


async def _report(operator: Operator, key: Key, error: HallmarkError) -> None:
    """Show in the object that its reconcile fails; Ready stays what it was."""
    if isinstance(error, ApiError) and error.status == 0:
        return
    try:
        current = await operator.cluster.get(key.kind, key.namespace, key.name)
        if current is not None:
            trouble = holds(SummaryCondition.RECONCILING, type(error).__name__, str(error))
            await StatusReport(operator, current).write(None, (trouble,))
    except ApiError as second:
        log.warning("The trouble could not be reported.", **_named(key), error=str(second))


def _named(key: Key) -> dict[str, str]:
    return {"kind": key.kind.kind, "namespace": key.namespace or "", "name": key.name}
