"""One browser, and a window of it for each person: what it shows, says and refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.programs import axe_core, chromium
from tests.integration.dashboard_world import Site

Theme = Literal["light", "dark"]
DESK = (1280, 800)
PHONE = (320, 700)
_WATCH = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.refused.push(`${event.violatedDirective}: ${event.blockedURI || event.sample}`);
});
"""
_AXE = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.map(
  (found) => `${found.id}: ${found.help}: ` +
    found.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`).join("; "))"""


@contextmanager
def browsing() -> Iterator[Browser]:
    """Yield a Chromium without a screen."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Window:
    """A window in which somebody is signed in.

    Attributes:
        site: the dashboard.
        page: what Playwright steers.
        said: errors on the console, exceptions of scripts, and dialogs that opened.
    """

    site: Site
    page: Page
    said: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to an address of the site, and wait until it is shown."""
        self.page.goto(self.site.url + path, wait_until="load")
        return self.page

    @property
    def refused(self) -> list[str]:
        """What the content security policy kept this page from."""
        return list(self.page.evaluate("window.refused"))

    def violations(self) -> list[str]:
        """Return what axe-core finds on this page, as sentences."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(axe_core())
        found: list[str] = self.page.evaluate(_AXE)
        return found

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


@contextmanager
def window(
    browser: Browser,
    site: Site,
    person: str = "",
    *,
    theme: Theme = "light",
    size: tuple[int, int] = DESK,
    **more: Any,  # noqa: ANN401
) -> Iterator[Window]:
    """Yield a window of its own cookies in which somebody is signed in, or nobody."""
    context = browser.new_context(
        color_scheme=theme, viewport={"width": size[0], "height": size[1]}, **more
    )
    try:
        context.add_init_script(_WATCH)
        if person:
            _sign_in(context, site, person)
        yield _listened(Window(site, context.new_page()))
    finally:
        context.close()


def _sign_in(context: BrowserContext, site: Site, person: str) -> None:
    with site.browser(person):
        cookie = {"name": "hallmark", "value": site.cookies[person], "url": site.url}
        context.add_cookies([cookie])  # type: ignore[list-item]


def _listened(made: Window) -> Window:
    made.page.on("pageerror", lambda error: made.said.append(f"exception: {error}"))
    made.page.on(
        "console",
        lambda told: made.said.append(f"console: {told.text}") if told.type == "error" else None,
    )

    def refuse(dialog: Any) -> None:  # noqa: ANN401
        made.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    made.page.on("dialog", refuse)
    return made
