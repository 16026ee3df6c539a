"""A way to the API server that can fall silent or lead nowhere for a while."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class FrozenProxy:
    """A TCP proxy on loopback; after ``freeze`` what was open before stays open and silent.

    Connections that are opened later work, as with a network that has lost a connection's state.

    Args:
        host: Where to connect to.
        port: Where to connect to.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._frozen: list[threading.Event] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._is_away = False
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def freeze(self) -> None:
        """Let nothing through on the connections that are open now."""
        for each in tuple(self._frozen):
            each.set()

    def lead_nowhere(self) -> None:
        """End every connection, and each new one at once, as where the server is away."""
        self._is_away = True
        for each in tuple(self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def lead_back(self) -> None:
        """Take connections again."""
        self._is_away = False

    def close(self) -> None:
        """End every connection and take no more."""
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in tuple(self._threads):
            thread.join()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._is_away:
                near.close()
                continue
            far = socket.create_connection(self._target)
            frozen = threading.Event()
            self._frozen.append(frozen)
            self._sockets += (near, far)
            for source, sink in ((near, far), (far, near)):
                self._start(self._pass_on, source, sink, frozen)

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket, frozen: threading.Event) -> None:
        try:
            while data := source.recv(65536):
                if frozen.is_set():
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return


@contextmanager
def frozen_proxy(host: str, port: int) -> Iterator[FrozenProxy]:
    """Yield a proxy until the block ends."""
    proxy = FrozenProxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()
