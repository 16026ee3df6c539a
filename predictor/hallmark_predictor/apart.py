"""Counting that fails takes nothing else with it: what was answered was answered all the same."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec

from hallmark_predictor.logs import place_of

LOG = logging.getLogger(__name__)

PLACES = 64
"""So many places at which counting failed are remembered."""

Given = ParamSpec("Given")


def apart(count: Callable[Given, object], *given: Given.args, **named: Given.kwargs) -> None:
    """Count something; where that fails, it alone is lost, and the log has the place, once."""
    try:
        count(*given, **named)
    except Exception as error:
        _tell(place_of(error))


@functools.lru_cache(PLACES)
def _tell(place: str) -> None:
    LOG.error("Something was not counted: %s.", place)
