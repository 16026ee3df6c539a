"""Watches the snapshot of OSV: where it was replaced, every version is looked at again."""

from __future__ import annotations

import asyncio

from hallmark.cluster.kinds import MODEL_VERSION
from hallmark.controllers.runtime import Operator, log
from hallmark.supply_chain.vulnerabilities import Known


async def watch_feed(operator: Operator) -> None:
    """Look again and again, until cancelled.

    Before the first look nothing is judged by the snapshot: what was shown of versions stands.
    """
    seen: Known | None = None
    while True:
        seen = await look(operator, seen)
        await asyncio.sleep(operator.settings.osv_seconds)


async def look(operator: Operator, seen: Known | None) -> Known:
    """Look at the snapshot, ask for a look at all versions if it is another one, and return it.

    Args:
        operator: the shared parts.
        seen: the snapshot at the look before; None: there was none.
    """
    found = await asyncio.to_thread(operator.feed.about, (), operator.clock())
    if found != seen:
        log.info("The snapshot of OSV was read.", digest=found.digest, trouble=found.trouble)
        for key in operator.cache.keys(MODEL_VERSION):
            operator.queue.request(key)
    return found
