"""An application that answers always the same, on the predictor's server: the server's own cost."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvicorn
import uvloop

from hallmark_predictor.server import server_config

HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % 200),
    (b"hallmark-model-version", b"credit-1"),
    (b"hallmark-manifest-digest", b"sha256:" + b"0" * 64),
]
BODY = b"{" + b" " * 198 + b"}"


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
    """Read the request and answer."""
    if scope["type"] != "http":
        return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def serve(port: int) -> None:
    await uvicorn.Server(server_config(app, "127.0.0.1", port)).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
