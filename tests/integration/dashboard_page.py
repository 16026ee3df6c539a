"""A page as a test reads it, and objects whose texts are markup."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx
import pytest

from tests.integration.dashboard_hostile import put_hostile
from tests.integration.dashboard_world import Site


class Page(HTMLParser):
    """What a page holds: elements with attributes, forms' fields, and text."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep text."""
        self.text += data

    def field(self, name: str) -> str:
        """Return the value of a form's field."""
        found = [a for tag, a in self.elements if tag == "input" and a.get("name") == name]
        return found[0].get("value") or ""

    def choice(self, value: str) -> dict[str, str | None]:
        """Return a radio button."""
        return next(a for tag, a in self.elements if tag == "input" and a.get("value") == value)


@pytest.fixture(scope="module")
def shown(site: Site) -> dict[str, str]:
    """Objects with texts that are markup, wherever an author or reviewer may write any."""
    return put_hostile(site)
