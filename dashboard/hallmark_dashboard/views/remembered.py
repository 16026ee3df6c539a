"""What was made of an object is kept as long as the object is: parsed objects never change."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def remembered(make: Callable[[Given], Made]) -> Callable[[Given], Made]:
    """Return a function that makes its answer once for each object.

    Args:
        make: pure; of one immutable object that can be referred to weakly. What it returns is
            shared, and must not be changed.
    """
    kept: dict[int, tuple[weakref.ref[Given], Made]] = {}

    @wraps(make)
    def answer(given: Given) -> Made:
        place = id(given)
        found = kept.get(place)
        if found is not None and found[0]() is given:
            return found[1]
        made = make(given)
        kept[place] = (weakref.ref(given, lambda gone: _forget(place, gone)), made)
        return made

    def _forget(place: int, gone: weakref.ref[Given]) -> None:
        found = kept.get(place)
        if found is not None and found[0] is gone:
            del kept[place]

    return answer
