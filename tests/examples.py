"""How many examples a property is tried with."""

from typing import Any

from hypothesis import settings

USUAL = 100
"""How many Hypothesis tries where nothing is said."""


def examples(count: int, **others: Any) -> settings:  # noqa: ANN401
    """Return the settings of a property that is tried ``count`` times, and longer where asked.

    Args:
        count: how many examples the profile ``same`` tries (`make test`).
        others: further settings of Hypothesis.
    """
    return settings(max_examples=count * settings.default.max_examples // USUAL, **others)
