"""How much of the container's memory the requests in flight may take.

A request is admitted before its body is read, by what it will need at most: its bytes twice (as
they come, and joined) and its answer. What becomes of a large body while it is parsed is many
times its size, so that large ones are parsed one after the other, in memory that is kept for it.
What clients send without being admitted, and that they are connected, has parts of its own
(``guarded``).
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from msgspec import Struct

from hallmark.files import read_line
from hallmark_predictor.problems import BadRequest, refuse

MAX_BODY = 8 * 1024 * 1024
"""Bytes that a request may have; fewer where the memory is small."""
MIN_BODY = 64 * 1024
"""And no fewer than these."""
SMALL = 512 * 1024
"""Bytes that a small request needs at most, with its answer."""
PARSED = 32
"""Bytes of Python objects that a byte of JSON becomes at most: ``{},`` is an object of 64 bytes."""
_SHARE = 3
"""A part of what is left is for parsing, the rest for bodies and answers that wait."""
_EIGHTH = 8
"""And parts for connections and for what came over them and was not admitted yet."""
MAX_CONNECTIONS = 2048
"""Open connections above which requests are turned away: each waits for those before it."""
MIN_CONNECTIONS = 64
CONNECTION = 32 * 1024
"""Bytes that a connection takes at most besides bodies: its head, and requests in a queue."""

FRAMEWORK = 24 * 1024 * 1024
"""Bytes of what is imported for the first request that needs it: FastAPI, which brings pydantic
(``later``), the parser of unusual bodies, and the metrics' format. It takes 18 MiB, and 22 where
modules must be compiled first."""

_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")


class Budget(Struct, frozen=True):
    """Bytes for requests."""

    max_body: int
    """That one body may have."""
    in_flight: int
    """That all together may need at once."""
    unread: int = MAX_BODY
    """What may have come that nobody asked for yet."""
    connections: int = MAX_CONNECTIONS
    """How many clients may be connected at a time."""


class Allowance(Struct, frozen=True):
    """What a process may take, besides what the kernel says.

    Attributes:
        limit: Bytes for all workers together; None: as the kernel says.
        workers: How many processes share it.
    """

    limit: int | None = None
    workers: int = 1


ALL = Allowance()
"""What the kernel leaves to a single process."""


def budget(left: int) -> Budget:
    """Return what may be spent of the memory that is left when the model has been loaded."""
    max_body = max(MIN_BODY, min(MAX_BODY, left // _SHARE // PARSED))
    connections = max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, left // _EIGHTH // CONNECTION))
    unread = max(MIN_BODY, left // _EIGHTH)
    rest = left - PARSED * max_body - unread - CONNECTION * connections
    return Budget(max_body, max(4 * max_body, rest), unread, connections)


def memory_left(given: Allowance = ALL) -> int:
    """Return how many bytes the process may still take."""
    return max(0, min(_left(given)))


def memory_limit(given: Allowance = ALL) -> int:
    """Return how many bytes all processes together may take."""
    known = [given.limit, *(_number(_CGROUP / name) for name in _LIMITS)]
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([physical, *(limit for limit in known if limit is not None)])


def claimed() -> int:
    """Return how many bytes this process takes: in memory, and for what is imported later."""
    return _statm()[1] + (0 if "fastapi" in sys.modules else FRAMEWORK)


def _left(given: Allowance) -> Iterator[int]:
    pages, _ = _statm()
    yield memory_limit(given) // given.workers - claimed()
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        yield address_space - pages


def _statm() -> tuple[int, int]:
    """Return the process's address space and what of it is in memory, in bytes."""
    size, resident, *_ = read_line(Path("/proc/self/statm")).split()
    page = os.sysconf("SC_PAGE_SIZE")
    return int(size) * page, int(resident) * page


def _number(path: Path) -> int | None:
    """Return the number that a file holds; None where there is none, such as ``max``."""
    try:
        return int(read_line(path))
    except (OSError, ValueError):
        return None


class Room:
    """The memory for requests, and how much of it is free. For the event loop's thread alone."""

    def __init__(self, given: Budget) -> None:
        """Start with all of it free."""
        self.max_body = given.max_body
        self.max_unread = given.unread
        self.max_connections = given.connections
        self.free = given.in_flight
        self.spare = given.in_flight // 8
        """For small requests alone, so that large ones do not shut everybody out."""

    def hold(self) -> Held:
        """Return the place of one request, empty."""
        return Held(self)


class Held:
    """What one request holds of the room."""

    def __init__(self, room: Room) -> None:
        """Hold nothing."""
        self._room = room
        self._bytes = 0

    def reach(self, size: int) -> bool:
        """Hold so many bytes in all; tell whether there was room."""
        more = max(0, size - self._bytes)
        spare = self._room.spare if size > SMALL else 0
        if more > self._room.free - spare:
            return False
        self._room.free -= more
        self._bytes += more
        return True

    def release(self) -> None:
        """Give all of it back."""
        self._room.free += self._bytes
        self._bytes = 0


def no_room(size: int, answer: int, room: Room, held: Held) -> BadRequest | None:
    """Hold the room for a body and its answer, or return why there is none.

    Args:
        size: Bytes of the body.
        answer: Bytes that its answer has at most.
        room: Of all requests.
        held: The request's place.
    """
    if size > room.max_body:
        return refuse(
            "the body",
            f"at most {room.max_body} bytes",
            "more",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )
    if held.reach(2 * size + answer):
        return None
    return overloaded(f"memory for {size} bytes")


def overloaded(expected: str) -> BadRequest:
    """Return the refusal of a request that may be sent again soon."""
    return refuse(
        "the request",
        f"{expected}; send it again in a second, or ask for more replicas or memory",
        "too much at once",
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
