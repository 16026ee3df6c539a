"""How often somebody may ask: token buckets, bounded in number. Pure but for its memory."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MOST_BUCKETS = 8192


@dataclass(frozen=True)
class Rate:
    """So many requests a second in the long run, and so many at once."""

    per_second: float
    burst: int


ADDRESS = Rate(50, 300)
"""Of an address: behind a proxy there are many people."""
IDENTITY = Rate(20, 120)
"""Of a person."""
SIGN_IN = Rate(1, 20)
"""Attempts to sign in, of an address."""
WRITES = Rate(2, 30)
"""Decisions and other writes, of a person."""


class Buckets:
    """A bucket for each key; a key that was not heard of for long has a full one.

    Args:
        rate: how fast buckets fill, and how much they hold.
        clock: seconds that never go back.
        most: buckets that are kept, the last used ones.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float], most: int = MOST_BUCKETS) -> None:
        self._rate = rate
        self._clock = clock
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> int:
        """Take one from a bucket; return 0, or after how many whole seconds there is one."""
        now = self._clock()
        held, then = self._buckets.get(key, (float(self._rate.burst), now))
        held = min(float(self._rate.burst), held + (now - then) * self._rate.per_second)
        allowed = held >= 1
        self._buckets[key] = (held - 1 if allowed else held, now)
        self._buckets.move_to_end(key)
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - held) / self._rate.per_second))

    def __len__(self) -> int:
        """Return how many buckets there are."""
        return len(self._buckets)


def address_key(host: str) -> str:
    """Return what stands for an address: of IPv6 the network of 64 bits, which one person has."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        if mapped is not None:
            return str(mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
