"""From a key of the queue to the reconcile function of its kind, with errors and metrics."""

from __future__ import annotations

import asyncio
import time

from hallmark.api.conditions import SummaryCondition, TroubleReason
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
from hallmark.controllers.runtime import (
    RECONCILED,
    RECONCILERS,
    Operator,
    StatusReport,
    log,
    shown,
)
from hallmark.controllers.trouble import unexpected
from hallmark.errors import HallmarkError
from hallmark.policies.conditions import holds
from hallmark.policies.decision import Event

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
            # Where the API server does not answer, nothing can be shown.
            if not (isinstance(error, ApiError) and error.status == 0):
                await _report(operator, key, type(error).__name__, str(error))
    except TimeoutError:
        message = f"A look at this object took more than {RECONCILE_SECONDS:.0f} s and is repeated."
        log.error(message, **_named(key))
        await _report(operator, key, TroubleReason.TIMED_OUT, message)
    except Exception as error:
        place = {"namespace": key.namespace or "", "name": key.name}
        message = unexpected(key.kind, error, **place)
        await _report(operator, key, TroubleReason.INTERNAL_ERROR, message)
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


async def _report(operator: Operator, key: Key, reason: str, message: str) -> None:
    """Show in the object that its reconcile fails; Ready stays what it was."""
    try:
        current = await operator.cluster.get(key.kind, key.namespace, key.name)
        if current is None:
            return
        known = shown(current, SummaryCondition.RECONCILING)
        events = () if known and known.reason == reason else (Event(reason, message, warning=True),)
        report = StatusReport(operator, current, events)
        await report.write(None, (holds(SummaryCondition.RECONCILING, reason, message),))
        report.tell()
    except Exception as second:
        error_type = type(second).__name__
        log.warning("The trouble could not be reported.", **_named(key), error=error_type)


def _named(key: Key) -> dict[str, str]:
    return {"kind": key.kind.kind, "namespace": key.namespace or "", "name": key.name}
