"""A search that finds more than a page holds says how many there are in its first line."""

from __future__ import annotations

from importlib.resources import files

import pytest

from hallmark_dashboard.pages.render import TEMPLATES
from hallmark_dashboard.views.search import MOST, search
from tests.unit.dashboard.objects import version


def shown(text: str, count: int) -> str:
    versions = [version(f"loan-v{number}", number=number) for number in range(1, count + 1)]
    found, more = search(text, versions, [], [])
    # Without the frame around each page, which asks who looks.
    source = (files("hallmark_dashboard") / "templates" / "search.html").read_text()
    body = TEMPLATES.from_string(source.replace('{% extends "frame.html" %}', ""))
    return body.render(text=text, found=found, more=more)


@pytest.mark.parametrize(
    ("count", "headline"),
    [
        pytest.param(0, "<h1>0 objects for “loan”</h1>", id="none"),
        pytest.param(1, "<h1>1 object for “loan”</h1>", id="one"),
        pytest.param(MOST, f"<h1>{MOST} objects for “loan”</h1>", id="as many as fit"),
        pytest.param(
            MOST + 1,
            f"<h1>{MOST + 1} objects for “loan”; here the first {MOST}</h1>",
            id="one more",
        ),
        pytest.param(
            1200, f"<h1>1,200 objects for “loan”; here the first {MOST}</h1>", id="many more"
        ),
    ],
)
def test_the_first_line_counts_all(count: int, headline: str) -> None:
    text = shown("loan", count)

    assert headline in text
    assert text.count("<li>") == min(count, MOST)
