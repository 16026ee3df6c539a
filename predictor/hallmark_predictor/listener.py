"""Accepts clients: all that wait, whenever the event loop comes to it.

uvloop takes one in each turn of its loop. With much to do a turn is long, and who connects then
waits for as many turns as there are others before him, unseen by any limit.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

LOG = logging.getLogger(__name__)

BACKLOG = 2048
"""Clients whose connections were not accepted yet."""
AT_ONCE = 2048
"""Clients that are accepted before others have their turn."""
PAUSE = 0.5
"""Seconds without new clients where there are no file descriptors for them."""
UNTAKEN = 30_000
"""Milliseconds after which a connection ends whose client takes nothing of what was sent."""


def listening(host: str, port: int, *, shared: bool) -> socket.socket:
    """Return a socket at an address.

    Args:
        host: An address of this machine.
        port: Its port.
        shared: Whether other processes of the same user may listen there, too: the kernel then
            shares out the clients.

    Raises:
        OSError: the address is taken, or none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=shared)
    # The kernel cuts off who takes nothing more, with his answer; each connection inherits it.
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN)
    found.setblocking(False)
    return found


class Listener:
    """What asyncio calls a server, as far as uvicorn asks it for anything."""

    def __init__(self, sock: socket.socket, make: Callable[[], asyncio.Protocol]) -> None:
        """Begin to accept.

        Args:
            sock: Listens.
            make: Makes what answers a client.
        """
        self.sockets = (sock,)
        self._sock = sock
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._loop.add_reader(sock.fileno(), self._accept)

    def close(self) -> None:
        """Accept nobody more."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    async def wait_closed(self) -> None:
        """Return at once: connections are the server's."""

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                client, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    LOG.warning("No more clients can be accepted: %s.", error.strerror)
                    self._pause()
                    return
                continue  # He is gone by now.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opening = self._loop.create_task(self._loop.connect_accepted_socket(self._make, client))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    def _pause(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._loop.call_later(PAUSE, self._go_on)

    def _go_on(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.add_reader(self._sock.fileno(), self._accept)
