"""What commands need that do their work on this machine: an extra, imported when it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hallmark.errors import ConfigurationError

EXTRA = "hallmark-operator[local]"


@contextmanager
def needs_the_extra() -> Iterator[None]:
    """Say which extra has what is missing.

    Raises:
        ConfigurationError: a package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing.startswith("hallmark"):
            raise
        raise ConfigurationError(
            f"Expected the package '{missing}', which this command needs; install it: "
            f'pip install "{EXTRA}"'
        ) from error
