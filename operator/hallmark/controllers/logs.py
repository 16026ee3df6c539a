"""The operator's log."""

from __future__ import annotations

import logging

from hallmark import logs


def configure() -> None:
    """Write the operator's log, without what kopf tells of each event and object it handles."""
    logs.configure()
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
