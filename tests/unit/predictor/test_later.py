"""FastAPI is made once, by whoever comes first; who fails to make it spoils it for nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hallmark_predictor.later import Later
from tests.unit.predictor.test_app import serving

if TYPE_CHECKING:
    from starlette.types import ASGIApp


async def test_what_could_not_be_made_is_made_for_who_asks_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, make = [0], Later._make

    def short_of_memory(self: Later) -> ASGIApp:
        made[0] += 1
        if made[0] == 1:
            raise MemoryError
        return make(self)

    monkeypatch.setattr(Later, "_make", short_of_memory)
    later = Later(serving())
    with pytest.raises(MemoryError):
        await later.made()
    one, other = await asyncio.gather(later.made(), later.made())
    assert one is other is await later.made()
    assert made == [2]
