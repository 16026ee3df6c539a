"""Requests to what serves: one that could not be sent is sent again, one that was sent is not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from hallmark_dashboard.predicting import send

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _ask(handler: Handler, after: float) -> int:
    """Send a request to a server that listens only after so many seconds; return the status."""
    port = _free_port()
    app = web.Application()
    app.router.add_post("/predict", handler)
    runner = web.AppRunner(app)
    await runner.setup()

    async def listen() -> None:
        await asyncio.sleep(after)
        await web.TCPSite(runner, "127.0.0.1", port).start()

    listening = asyncio.create_task(listen())
    try:
        async with (
            aiohttp.ClientSession() as client,
            await send(client, f"http://127.0.0.1:{port}/predict", b"{}") as answer,
        ):
            return answer.status
    finally:
        await listening
        await runner.cleanup()


def test_a_pod_that_the_network_lets_in_a_moment_later_is_reached() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response()

    assert asyncio.run(_ask(answer, after=0.3)) == 200


def test_rows_that_were_sent_are_not_sent_again() -> None:
    asked: list[str] = []

    async def hang_up(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        assert request.transport
        request.transport.close()
        return web.Response()

    with pytest.raises(aiohttp.ClientError):
        asyncio.run(_ask(hang_up, after=0))
    assert asked == ["/predict"]


def test_what_is_never_there_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hallmark_dashboard.predicting.PAUSES", (0.0, 0.0))

    async def ask() -> None:
        async with aiohttp.ClientSession() as client:
            await send(client, f"http://127.0.0.1:{_free_port()}/predict", b"{}")

    with pytest.raises(aiohttp.ClientConnectorError):
        asyncio.run(ask())
