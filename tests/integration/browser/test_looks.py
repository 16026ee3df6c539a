"""Each page as a browser shows it: to everybody, on every screen, on paper, with any text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.story import Story
from tests.browser.window import DESK, PHONE, Window, window
from tests.integration import objects
from tests.integration.conftest import OPERATOR, until
from tests.integration.dashboard_hostile import PAGES, fresh, put_hostile
from tests.integration.dashboard_world import HOSTILE, Site, condition

pytestmark = pytest.mark.timeout(240)

NAMES = [
    "overview",
    "models",
    "model",
    "version",
    "compare",
    "review",
    "deployments",
    "deployment",
    "rollout",
    "run",
    "progress",
    "audit",
    "policies",
    "policy",
    "search",
    "signIn",
    "none",
]
MOVING = """[...document.querySelectorAll("*")].map((one) => getComputedStyle(one)).filter(
  (style) => parseFloat(style.transitionDuration) || style.animationName !== "none").length"""
STATES = {"good": "●", "waiting": "◐", "stopped": "■", "unknown": "?"}


@pytest.mark.parametrize(
    "look",
    [
        "light at a desk",
        "dark on a telephone",
        pytest.param("dark at a desk", marks=pytest.mark.slow),
        pytest.param("light on a telephone", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_well_formed_for_everybody(
    story: Story, windows: dict[str, Window], name: str, look: str
) -> None:
    shown = windows[look]
    shown.said.clear()
    page = shown.open(story.paths[name])

    assert shown.violations() == []
    assert shown.overflow() == 0
    assert shown.refused == []
    assert page.locator("h1").count() == 1
    assert page.locator("h1").inner_text().strip()
    for state in page.locator(".state").all_inner_texts():
        shape, _, word = state.partition(" ")
        assert STATES[re.split(r"[:\s]", word.strip())[0]] == shape
    assert page.evaluate("document.getAnimations().length") == 0
    assert all("404" in text for text in shown.said)
    assert len(shown.said) == (name == "none")


@pytest.mark.parametrize("name", ["overview", "review", "deployment", "policy", "audit"])
def test_a_page_is_well_formed_without_rights(
    browser: Browser, site: Site, story: Story, name: str
) -> None:
    with window(browser, site, "nobody", size=PHONE) as shown:
        page = shown.open(story.paths[name])

        assert shown.violations() == []
        assert shown.overflow() == 0
        told = page.locator("main").inner_text()
        expected = {
            "overview": "kubectl apply -f deployment.yaml",
            "policy": "In no namespace that you may see.",
            "audit": "No record that you may see fits.",
        }
        assert expected.get(name, "the verb 'list' on") in told


@pytest.fixture(scope="module")
def hostile(site: Site) -> dict[str, str]:
    return put_hostile(site)


@pytest.fixture(scope="module")
def wary(browser: Browser, site: Site) -> Iterator[Window]:
    with window(browser, site, "vera", size=PHONE) as shown:
        yield shown


@pytest.mark.parametrize("path", PAGES)
def test_no_text_runs_or_breaks_a_page(wary: Window, hostile: dict[str, str], path: str) -> None:
    page = wary.open(path.format(**hostile))

    assert wary.violations() == []
    assert wary.overflow() == 0
    assert wary.refused == []
    assert wary.said == []
    assert page.locator("img, iframe, main script").count() == 0
    for marked in ("{version}", "{run}", "{deployment}"):
        if path.endswith(marked):
            page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            assert HOSTILE in page.locator("body").inner_text()
            assert wary.overflow() == 0


def test_evidence_that_cannot_be_had_is_told(browser: Browser, site: Site, story: Story) -> None:
    del story
    with window(browser, site, "vera") as shown:
        name = fresh("lost")
        made = site.api.create(objects.model_version(site.namespace, name), OPERATOR)
        condition(site, made, Ready=("True", "Sealed"))
        until(lambda: site.sees("ModelVersion", name))
        page = shown.open(f"/versions/{site.namespace}/{name}")

        assert shown.violations() == []
        expect(page.locator("#data")).to_contain_text("unknown")
        expect(page.locator("#sbom")).to_contain_text("unknown")


def test_a_review_can_be_printed(browser: Browser, site: Site, story: Story) -> None:
    with window(browser, site, "rita") as shown:
        page = shown.open(story.paths["review"])
        page.emulate_media(media="print")

        expect(page.locator("form.stack")).to_be_hidden()
        expect(page.locator("header.top")).to_be_hidden()
        expect(page.locator("#decide dl")).to_be_visible()
        expect(page.locator("figure svg").first).to_be_visible()
        hidden = page.evaluate(
            "[...document.querySelectorAll('main details > *')].filter((one) =>"
            " !one.checkVisibility({contentVisibilityAuto: true})).length"
        )
        assert hidden == 0
        assert page.pdf(format="A4").startswith(b"%PDF")


@pytest.mark.parametrize("name", ["review", "version"])
def test_what_is_predicted_and_by_what_is_told(
    story: Story, windows: dict[str, Window], name: str
) -> None:
    told = windows["light at a desk"].open(story.paths[name]).locator("main").inner_text()

    assert "It predicts deny: no is the positive class, yes the other." in told
    assert re.search(r"It decides by \d+ inputs: .*pirat", told)
    assert "Sensitive attributes are among them" not in told
    assert "how well it puts rows in order: 0.5 is chance, 1 is perfect" in told


@pytest.mark.parametrize(("motion", "behaviour"), [("reduce", "auto"), ("no-preference", "smooth")])
def test_who_wants_no_motion_gets_none(
    browser: Browser, site: Site, story: Story, motion: str, behaviour: str
) -> None:
    with window(browser, site, "rita", size=DESK, reduced_motion=motion) as shown:
        page = shown.open(story.paths["deployment"])

        scrolling = "getComputedStyle(document.documentElement).scrollBehavior"
        assert page.evaluate(scrolling) == behaviour
        assert page.evaluate(MOVING) == 0
