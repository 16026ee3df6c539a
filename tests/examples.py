"""How much of a property or a matrix is tried: a part in `make test`, all in `make test-all`."""

from collections.abc import Iterable
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
