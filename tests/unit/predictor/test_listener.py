"""Who connects is accepted with all others that wait, and known by his address."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest
import uvloop

from hallmark_predictor.listener import Listener, listening

CLIENTS = 300


class _Client(asyncio.Protocol):
    def __init__(self, addresses: list[tuple[str, int]]) -> None:
        self._addresses = addresses

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._addresses.append(transport.get_extra_info("peername"))


@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_all_that_wait_are_accepted_in_a_few_turns_of_the_loop(new_loop: object) -> None:
    async def accept() -> None:
        made: list[tuple[str, int]] = []
        with ExitStack() as stack:
            own = listening("127.0.0.1", 0, shared=False)
            clients = [
                stack.enter_context(socket.create_connection(own.getsockname()))
                for _ in range(CLIENTS)
            ]
            listener = Listener(own, lambda: _Client(made))
            for _ in range(8):
                await asyncio.sleep(0.001)
            assert sorted(made) == sorted(client.getsockname() for client in clients)
            listener.close()
            listener.close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", clients[0].getpeername()[1]))

    with asyncio.Runner(loop_factory=new_loop) as runner:  # type: ignore[arg-type]
        runner.run(accept())


def test_an_address_is_shared_only_where_all_say_so() -> None:
    with listening("127.0.0.1", 0, shared=True) as one:
        port = one.getsockname()[1]
        listening("127.0.0.1", port, shared=True).close()
        with pytest.raises(OSError, match="in use"):
            listening("127.0.0.1", port, shared=False)
