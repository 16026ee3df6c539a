"""Server-sent events: something changed that the person may see; the page fetches the rest."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from hallmark.cluster.cache import Key
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, MODEL_VERSION, TRAINING_RUN
from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.access.rights import NAMESPACED_KINDS, Sight
from hallmark_dashboard.problems import Problem
from hallmark_dashboard.services import Services, services_of
from hallmark_dashboard.signed_in import Person
from hallmark_dashboard.watch import Listener

router = APIRouter(include_in_schema=False)

PAUSE_SECONDS = 1.0
"""Changes that come within so long are told together."""
QUIET_SECONDS = 15.0
"""So often something is sent, so that a dead connection is noticed."""
LONGEST_SECONDS = 600.0
"""After so long a page connects again."""
MOST_OF_ONE = 12
"""Pages that one person follows at a time."""

_open: Counter[str] = Counter()


@router.get("/live")
async def live(request: Request, caller: Person, namespace: str = "", since: str = "") -> Response:
    """Tell a page of changes, in one namespace or in all, since it was made or last told."""
    known = request.headers.get("last-event-id", since)
    after = int(known) if re.fullmatch(r"[0-9]{1,18}", known) else None
    if _open[caller.key] >= MOST_OF_ONE:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"At most {MOST_OF_ONE} pages are followed at a time; close one.",
            retry_after=10,
        )
    return StreamingResponse(
        _events(services_of(request), caller, namespace, after), media_type="text/event-stream"
    )


async def _events(
    services: Services, caller: Caller, namespace: str, after: int | None
) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_SECONDS
    _open[caller.key] += 1
    services.metrics.listeners.inc()
    try:
        async with services.watch.listening(after) as listener:
            if listener is None:
                yield "event: end\ndata: {}\nretry: 60000\n\n"
                return
            yield "retry: 5000\n\n"
            while loop.time() < end:
                told = await _next(services, caller, namespace, listener)
                if told is None:
                    yield "event: end\ndata: {}\n\n"
                    return
                yield told
    finally:
        services.metrics.listeners.dec()
        _open[caller.key] -= 1
        if not _open[caller.key]:
            del _open[caller.key]


async def _next(
    services: Services, caller: Caller, namespace: str, listener: Listener
) -> str | None:
    """Return the next event, a comment where nothing happens, None at the end."""
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            await listener.woken.wait()
        if not listener.ended:
            await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        pass
    if listener.ended:
        return None
    changed, overflowed = listener.take()
    serial = services.watch.serial
    spaces = {key.namespace for key in changed if key.namespace}
    try:
        # The token may have ended, and rights may have been taken away, since the page was made.
        known = await services.callers.caller(caller.token)
        sight = await services.rights.sight(known, spaces)
    except Problem:
        return None
    seen = visible(changed, sight, namespace)
    if not seen and not overflowed:
        return ": nothing\n\n"
    data = json.dumps({"sentence": sentence(seen), "href": address(seen)})
    return f"event: change\nid: {serial}\ndata: {data}\n\n"


def visible(changed: Iterable[Key], sight: Sight, namespace: str) -> list[Key]:
    """Return the changed objects that a person may see and a page is about."""
    return sorted(
        key
        for key in changed
        if key.kind in NAMESPACED_KINDS
        and sight.sees(key.kind, key.namespace)
        and (not namespace or key.namespace == namespace)
    )


_PAGES = {MODEL_VERSION: "versions", MODEL_DEPLOYMENT: "deployments", TRAINING_RUN: "runs"}


def address(changed: list[Key]) -> str:
    """Return where the first changed object is shown that has a page of its own, or nothing."""
    for key in changed:
        if key.kind in _PAGES and key.namespace:
            return f"/{_PAGES[key.kind]}/{quote(key.namespace)}/{quote(key.name)}"
    return ""


def sentence(changed: list[Key]) -> str:
    """Say which objects changed."""
    if not changed:
        return "Much changed; the page was brought up to date."
    first = changed[0]
    others = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"Changed just now: {first.kind.kind} {first.namespace}/{first.name}{others}."
