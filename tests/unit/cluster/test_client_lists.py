"""How the client reads lists and watches, from a server on this machine that says what we want."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client as kubernetes_client

from hallmark.cluster.client import LARGEST_BODY, ApiCluster
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import CONFIG_MAP, Obj
from hallmark.cluster.lists import ListGone, Selection

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SELECTION = Selection(CONFIG_MAP, "bank", {"a": "b", "c": "d"})


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[ApiCluster]:
    """Yield a client of a server that answers everything alike."""
    application = web.Application()
    application.router.add_get("/{path:.*}", handler)
    async with TestServer(application) as server:
        address = kubernetes_client.Configuration(host=str(server.make_url("")).rstrip("/"))
        cluster = ApiCluster(kubernetes_client.ApiClient(address))
        try:
            yield cluster
        finally:
            await cluster.close()


def listed(items: list[Obj], token: str = "") -> bytes:
    metadata = {"resourceVersion": "7", **({"continue": token} if token else {})}
    return json.dumps({"kind": "ConfigMapList", "metadata": metadata, "items": items}).encode()


def saying(data: bytes, status: int = 200) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=data, status=status, content_type="application/json")

    return handler


async def test_a_page_is_asked_for_and_read() -> None:
    asked: list[tuple[str, dict[str, str]]] = []
    body = listed([{"metadata": {"name": "one"}}], token="next")

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append((request.path, dict(request.query)))
        return web.Response(body=body)

    async with answering(handler) as cluster:
        page = await cluster.page(SELECTION, 16, "")
        await cluster.page(SELECTION, 8, "next")
    assert page is not None
    assert page.objects == [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}]
    assert (page.version, page.token, page.size) == ("7", "next", len(body))
    path, labels = "/api/v1/namespaces/bank/configmaps", "a=b,c=d"
    assert asked == [
        (path, {"labelSelector": labels, "limit": "16"}),
        (path, {"labelSelector": labels, "limit": "8", "continue": "next"}),
    ]


@pytest.mark.parametrize(
    ("limit", "is_taken"),
    [
        pytest.param(2, False, id="a page of several objects that is too large is not read"),
        pytest.param(1, True, id="a single object is taken however large it is"),
    ],
)
async def test_large_pages(limit: int, *, is_taken: bool) -> None:
    huge: Obj = {"metadata": {"name": "one"}, "data": {"a": "x" * LARGEST_BODY}}
    async with answering(saying(listed([huge]))) as cluster:
        page = await cluster.page(SELECTION, limit, "")
    assert (page is not None) == is_taken


async def test_a_list_whose_continuation_is_gone_is_a_refusal() -> None:
    body = json.dumps({"kind": "Status", "code": 410, "message": "too old"}).encode()
    async with answering(saying(body, 410)) as cluster:
        with pytest.raises(ApiError) as refusal:
            await cluster.page(SELECTION, 16, "old")
    assert (refusal.value.status, refusal.value.retryable) == (410, True)


def event(name: str, size: int = 0) -> Obj:
    return {"type": "ADDED", "object": {"metadata": {"name": name}, "data": {"a": "x" * size}}}


@pytest.mark.parametrize(
    "chunk", [1, 7, 1000, 10**9], ids=lambda size: f"in pieces of {size} bytes"
)
async def test_a_watch_yields_whole_events(chunk: int) -> None:
    events = [event("one"), event("two", 300), event("three")]
    data = "\n".join(map(json.dumps, events)).encode() + b"\n\n" + b'{"cut'

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.query["resourceVersion"] == "7"
        assert request.query["allowWatchBookmarks"] == "true"
        response = web.StreamResponse()
        await response.prepare(request)
        for start in range(0, len(data), chunk):
            await response.write(data[start : start + chunk])
        return response

    async with answering(handler) as cluster:
        found = [found async for found in cluster.watch(SELECTION, "7", 300, 10.0)]
    assert found == events


async def test_an_event_may_be_longer_than_a_line_of_a_stream() -> None:
    large = event("large", 3_000_000)
    async with answering(saying(json.dumps(large).encode() + b"\n")) as cluster:
        assert [found async for found in cluster.watch(SELECTION, "7", 300, 10.0)] == [large]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(410, ListGone, id="a version that is gone"),
        pytest.param(403, ApiError, id="a right that is missing"),
        pytest.param(500, ApiError, id="a server in trouble"),
    ],
)
async def test_a_watch_that_is_refused(status: int, error: type[Exception]) -> None:
    async with answering(saying(b"{}", status)) as cluster:
        with pytest.raises(error):
            async for _ in cluster.watch(SELECTION, "7", 300, 10.0):
                pass
