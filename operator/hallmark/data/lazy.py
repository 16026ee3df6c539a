"""A property that is computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class lazy(Generic[T]):
    """As ``functools.cached_property``, without its lock.

    Before Python 3.12 that is one lock for all objects of a class: threads that look at different
    columns would wait for each other. Here two threads may compute the same value, which harms not.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        """Make a property of a method."""
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn under which name the value is kept."""
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> T:
        """Compute the value and keep it; from then on it stands before this property."""
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
