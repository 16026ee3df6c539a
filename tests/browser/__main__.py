"""``make screenshots``: pictures of each page, light and dark, into docs/images.

A real API server, a real dashboard and the real HMDA table; who looks is a reviewer, and at a
Deployment an engineer.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.story import tell
from tests.browser.window import Theme, browsing, window
from tests.integration.conftest import ROOT, enforcing, world_of
from tests.integration.dashboard_world import site_of

IMAGES = ROOT / "docs" / "images"
SIZE = (1200, 800)
TALLEST = 1100
"""Pixels of a page that are shown; evidence goes on below."""
QUALITY = 72
LEFT_OUT = {"rollout", "progress", "none"}
THEMES: tuple[Theme, ...] = ("light", "dark")


def main() -> int:
    """Take the pictures, and say how large they are together."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        enforcing("screenshots") as cluster,
        site_of(world_of(cluster), Path(folder), "", None) as site,
        browsing() as browser,
    ):
        story = tell(site)
        for theme in THEMES:
            with (
                window(browser, site, "rita", theme=theme, size=SIZE) as reviewer,
                window(browser, site, "otto", theme=theme, size=SIZE) as engineer,
            ):
                for name, path in story.paths.items():
                    if name not in LEFT_OUT:
                        shown = engineer if name == "deployment" else reviewer
                        taken = picture(shown.open(path))
                        (IMAGES / f"{name}-{theme}.webp").write_bytes(taken)
    size = sum(file.stat().st_size for file in IMAGES.glob("*.webp"))
    print(f"docs/images: {len(list(IMAGES.glob('*.webp')))} pictures, {size / 1e6:.2f} MB")
    return 0


def picture(page: Page) -> bytes:
    """Return a page as WebP, which Playwright itself does not write."""
    height = min(int(page.evaluate("document.documentElement.scrollHeight")), TALLEST)
    # What stays in sight while one scrolls is as tall as the window.
    page.set_viewport_size({"width": SIZE[0], "height": height})
    clip = {"x": 0, "y": 0, "width": SIZE[0], "height": height, "scale": 1}
    wanted = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": True, "clip": clip}
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", wanted)["data"]
    page.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})
    return base64.b64decode(taken)


if __name__ == "__main__":
    sys.exit(main())
