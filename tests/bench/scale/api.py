"""The hands' client of the API server: few parts, so that it costs little beside the operator."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import yaml

from tests.integration.api import RefusedError

Obj = dict[str, Any]
Thing = TypeVar("Thing")

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
WHOLE = "application/json"
BRIEF = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Answers hold the metadata alone: the hands know what they wrote."""
LINE_BYTES = 1 << 21
"""The longest line of a watch, which is one object."""


class Api:
    """The API server as one user sees it."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server
        self.writes = 0
        """Requests so far that changed something."""

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        content: str = WHOLE,
        accept: str = BRIEF,
    ) -> Obj:
        """Send a request and return the answer; a body that is text is JSON already.

        Raises:
            RefusedError: the API server did not do it.
        """
        self.writes += method != "GET"
        encoded = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
        data = None if body is None else encoded
        headers = {"Content-Type": content, "Accept": accept}
        async with self._session.request(
            method, self._server + path, data=data, headers=headers
        ) as answer:
            found: Obj = json.loads(await answer.read())
            if answer.status >= 300:
                raise RefusedError(answer.status, f"{method} {path}: {found.get('message', '')}")
            return found

    async def get(self, path: str) -> Obj:
        """Return an object or a list, whole."""
        return await self.call("GET", path, accept=WHOLE)

    async def merge(self, path: str, change: Obj, manager: str = "hands") -> Obj:
        """Send a JSON merge patch."""
        return await self.call("PATCH", f"{path}?fieldManager={manager}", change, MERGE)

    async def delete(self, path: str) -> None:
        """Delete an object at once; one that is gone is fine."""
        with suppress(RefusedError):
            await self.call("DELETE", f"{path}?gracePeriodSeconds=0")

    async def watch(self, path: str, labels: str = "") -> AsyncIterator[tuple[str, Obj]]:
        """Yield each object that there is as ADDED, then every change, until cancelled.

        A watch that the API server ends (a slow reader's, or an old one) begins anew, so an
        object may come as ADDED again.
        """
        query = {"watch": "1", "resourceVersion": "0", "labelSelector": labels}
        while True:
            with suppress(aiohttp.ClientPayloadError):
                async for event in self._events(path, query):
                    yield event["type"], event["object"]

    async def _events(self, path: str, query: dict[str, str]) -> AsyncIterator[Obj]:
        async with self._session.get(
            self._server + path, params=query, timeout=aiohttp.ClientTimeout()
        ) as stream:
            async for line in stream.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Api]:
    """Yield a client with a kubeconfig's certificate or token."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    headers = {}
    if "token" in user:
        headers["Authorization"] = f"Bearer {user['token']}"
    else:
        _load_certificate(context, user)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=0),
        headers=headers,
        read_bufsize=LINE_BYTES,
        timeout=aiohttp.ClientTimeout(total=30),
    ) as session:
        yield Api(session, cluster["server"])


def _load_certificate(context: ssl.SSLContext, user: Obj) -> None:
    """Give the context the user's certificate; ssl takes it from files alone."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for part in ("client-certificate-data", "client-key-data"):
            file = Path(folder) / part
            file.touch(mode=0o600)
            file.write_bytes(base64.b64decode(user[part]))
            files.append(str(file))
        context.load_cert_chain(*files)


async def for_all(
    things: Iterable[Thing], work: Callable[[Thing], Awaitable[object]], at_once: int
) -> None:
    """Do the work for each thing, in order, so many at the same time."""
    waiting = iter(things)

    async def go_on() -> None:
        for thing in waiting:
            await work(thing)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(go_on())
