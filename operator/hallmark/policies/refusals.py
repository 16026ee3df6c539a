"""Refusals as values, and the chain of named checks that leads to one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from hallmark.refusal import Refusal

Inputs = TypeVar("Inputs")


def evaluate(chain: Iterable[Callable[[Inputs], Refusal | None]], inputs: Inputs) -> Refusal | None:
    """Return the first violation of a chain, or None where every check passes."""
    for check in chain:
        refusal = check(inputs)
        if refusal is not None:
            return refusal
    return None
