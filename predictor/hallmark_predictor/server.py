"""uvicorn, ended gently: after a signal it answers on, not ready, until nobody should come."""

from __future__ import annotations

import asyncio
import functools
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from hallmark_predictor.direct import DirectProtocol
from hallmark_predictor.guarded import GuardedProtocol
from hallmark_predictor.listener import Listener
from hallmark_predictor.serving import Serving

KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: longer than clients do, for the closing side must not
be the one that may lose a request."""
LOOK_TICKS = 50
"""Tenths of a second between looks for clients that only keep a place."""
FINISH = 20
"""Seconds that requests in flight have at the end."""


class DrainingServer(uvicorn.Server):
    """Serves until some seconds after the signal.

    A Pod that ends leaves the Service's endpoints a moment later on each node; until then new
    requests still come. While draining each answer ends its connection, so clients move on.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        serving: Serving,
        drain_seconds: float,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare to serve.

        Args:
            config: See ``server_config``.
            serving: What is served.
            drain_seconds: How long it goes on after a signal.
            on_end: Called at each signal.
        """
        super().__init__(config)
        self._on_end = on_end
        self._serving = serving
        serving.connections = self.server_state.connections
        self._drain_seconds = drain_seconds
        self._end: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept clients at the sockets."""
        # uvicorn asks of its servers what a Listener has: close and wait_closed.
        self.servers = [Listener(sock, self._protocol) for sock in sockets or ()]  # type: ignore[misc]
        self.started = True

    def _protocol(self) -> asyncio.Protocol:
        # The configured class is a protocol of uvicorn's, declared as any asyncio.Protocol.
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM, and the end of a terminal unless it is to be outlived."""
        with super().capture_signals():
            in_thread = threading.current_thread() is not threading.main_thread()
            if in_thread or signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL:
                yield
                return
            signal.signal(signal.SIGHUP, self.handle_exit)
            try:
                yield
            finally:
                signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second signal ends at once."""
        self._on_end()
        if self._end is not None or self._serving.plane is None:
            self.should_exit = True
            return
        self._serving.draining = True
        self._end = time.monotonic() + self._drain_seconds

    async def on_tick(self, counter: int) -> bool:
        """Tell, ten times a second, whether to end."""
        if self._end is not None and time.monotonic() >= self._end:
            self.should_exit = True
        if counter % LOOK_TICKS == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, GuardedProtocol):
                    connection.look()
        return await super().on_tick(counter)


def server_config(
    app: object, host: str, port: int, serving: Serving | None = None
) -> uvicorn.Config:
    """Return how uvicorn serves a predictor.

    Args:
        app: Answers requests.
        host: To listen at.
        port: To listen at.
        serving: What is answered on the connections themselves, if anything is (``direct``).
    """
    protocol = functools.partial(DirectProtocol, serving=serving) if serving else "httptools"
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # any ASGI app
        host=host,
        port=port,
        http=protocol,  # type: ignore[arg-type]  # a class of ours
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=FINISH,
    )
