"""How much of a property or a matrix is tried: a part in `make test`, all in `make test-all`."""

from collections.abc import Iterable
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import settings

USUAL = 100
"""How many examples Hypothesis tries of its own accord."""


def examples(count: int, **others: Any) -> settings:  # noqa: ANN401
    """Return the settings of a property.

    Args:
        count: how many examples are tried, in proportion to what the profile says (see
            `tests/conftest.py`) where Hypothesis would try a hundred.
        others: further settings of Hypothesis.
    """
    return settings(max_examples=max(1, count * settings.default.max_examples // USUAL), **others)


def slow_but(*quick: object, of: Iterable[Any]) -> list[Any]:
    """Return the cases of a matrix; all but the quick ones are marked slow."""
    cases = list(of)
    missing = [case for case in quick if case not in cases]
    assert not missing, f"Expected quick cases that are among all, found {missing}."
    return [case if case in quick else pytest.param(case, marks=pytest.mark.slow) for case in cases]


def in_pairs(*factors: Iterable[Any]) -> list[Any]:
    """Return the cases of a matrix; all are marked slow but a few in which each pair stands.

    Args:
        factors: the values of each factor; a case has one of each. Whatever two values of two
            factors do together, a case that is not slow shows it.
    """
    cases = list(product(*factors))
    pairs = {case: set(combinations(enumerate(case), 2)) for case in cases}
    missing = set().union(*pairs.values())
    quick = []
    while missing:
        quick.append(max(cases, key=lambda case: len(pairs[case] & missing)))
        missing -= pairs[quick[-1]]
    return [pytest.param(*case, marks=() if case in quick else pytest.mark.slow) for case in cases]
