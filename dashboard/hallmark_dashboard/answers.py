"""Answers of other servers: never read further than they may be long."""

from __future__ import annotations

import aiohttp


async def read_at_most(answer: aiohttp.ClientResponse, largest: int) -> bytes | None:
    """Return an answer's body, or None where it is longer than ``largest`` bytes."""
    data = bytearray()
    async for chunk in answer.content.iter_any():
        data += chunk
        if len(data) > largest:
            answer.close()
            return None
    return bytes(data)
