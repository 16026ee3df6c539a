"""A dashboard with a story, and a browser to look at it with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser

from tests.browser.story import Story, tell
from tests.browser.window import DESK, PHONE, Theme, Window, browsing, window
from tests.integration.dashboard_world import Site, site

__all__ = ["site"]

LOOKS: dict[str, tuple[Theme, tuple[int, int]]] = {
    "light at a desk": ("light", DESK),
    "dark at a desk": ("dark", DESK),
    "light on a telephone": ("light", PHONE),
    "dark on a telephone": ("dark", PHONE),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser; it is fetched where it is missing.

    Not for the session: while Playwright runs, its event loop is the thread's, and no other can be.
    """
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="session")
def story(site: Site) -> Story:
    """Return what the dashboard shows."""
    return tell(site)


@pytest.fixture(scope="module")
def windows(browser: Browser, site: Site) -> Iterator[dict[str, Window]]:
    """Yield a reviewer's windows, by how they look."""
    with ExitStack() as opened:
        yield {
            name: opened.enter_context(window(browser, site, "rita", theme=theme, size=size))
            for name, (theme, size) in LOOKS.items()
        }
