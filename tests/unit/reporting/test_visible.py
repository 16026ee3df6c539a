"""A text from outside turns no other words, on a page of the dashboard or of a report."""

from __future__ import annotations

import unicodedata

import pytest
from jinja2 import Environment
from markupsafe import Markup

from hallmark.reporting.page import TEMPLATES as OF_REPORTS
from hallmark.reporting.parts import visible
from hallmark_dashboard.pages.render import TEMPLATES as OF_PAGES

TURNING = [
    sign
    for sign in map(chr, range(0x2FFFF))
    if unicodedata.bidirectional(sign)
    in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
]
KEPT = ["שלום", "مرحبا", "👩‍🔬 ✅", "Ünï", "a\u200eb", "名前", ""]
SHOWN = """{% macro cell(text) %}<td title="{{ text }}">{{ text }}</td>{% endmacro -%}
{{ cell(said) }}{{ said }}{{ said|e }}"""


def shown(templates: Environment, said: str) -> str:
    return templates.from_string(SHOWN).render(said=said)


def test_all_that_turn_are_known() -> None:
    assert len(TURNING) == 9
    assert all(visible(sign) != sign for sign in TURNING)


@pytest.mark.parametrize("sign", TURNING, ids=unicodedata.name)
@pytest.mark.parametrize("templates", [OF_PAGES, OF_REPORTS], ids=["dashboard", "report"])
def test_what_turns_words_is_written_out(templates: Environment, sign: str) -> None:
    found = shown(templates, f"approved by {sign}rita")

    assert sign not in found
    assert found.count(f"approved by ‹U+{ord(sign):04X}›rita") == 4


@pytest.mark.parametrize("text", KEPT)
@pytest.mark.parametrize("templates", [OF_PAGES, OF_REPORTS], ids=["dashboard", "report"])
def test_letters_of_every_script_stay(templates: Environment, text: str) -> None:
    assert shown(templates, text).count(text or "<td") >= 1
    assert visible(text) == text


def test_what_was_escaped_is_not_escaped_again() -> None:
    assert shown(OF_PAGES, "<b>") == shown(OF_PAGES, "<b>").replace("&amp;lt;", "")
    assert isinstance(visible(Markup("<b>\u202e</b>")), Markup)
