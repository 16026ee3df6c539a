"""The checksums of python-stdnum, loaded when one is first needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache


@cache
def _validator(module: str) -> Callable[[str], bool]:
    validator: Callable[[str], bool] = importlib.import_module(f"stdnum.{module}").is_valid
    return validator


def is_valid(module: str, number: str) -> bool:
    """Whether a number passes; the module is python-stdnum's, such as ``de.idnr``."""
    return _validator(module)(number)
