"""Decisions in a browser: by mouse and keyboard, by two at once, and where the sign-in ends."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.story import Story
from tests.browser.window import DESK, PHONE, Window, window
from tests.integration import objects
from tests.integration.api import Obj
from tests.integration.conftest import OPERATOR, until
from tests.integration.dashboard_hostile import fresh
from tests.integration.dashboard_world import (
    HOSTILE,
    Site,
    condition,
    put_deployment,
    put_version,
)

pytestmark = pytest.mark.timeout(240)

REASON = "Read the report; the groups are close."

LINK = """(address) => {
  const link = document.createElement("a");
  link.href = address;
  link.textContent = "mail";
  document.body.append(link);
}"""
FOCUSED = """() => {
  const one = document.activeElement;
  const outlined = getComputedStyle(one).outlineStyle !== "none";
  return {id: one.id, text: one.textContent.trim(), outlined};
}"""


def said_of(site: Site, version: Obj) -> list[Obj]:
    """Return what people said of a version."""
    path = (
        f"/apis/hallmark.dev/v1alpha1/namespaces/{site.namespace}/modelapprovals"
        f"?fieldSelector=spec.modelVersion.name={version['metadata']['name']}"
    )
    found: list[Obj] = site.api.request("GET", path)["items"]
    return found


def review(site: Site, version: Obj) -> str:
    return f"/reviews/{site.namespace}/{version['metadata']['name']}"


def fill(page: Page, choice: str, reason: str) -> None:
    page.get_by_label(choice, exact=True).check()
    page.get_by_label("Reason, for whoever reads the audit log").fill(reason)


def record(page: Page) -> None:
    page.get_by_role("button", name="Record the decision").click()


@pytest.fixture
def sealed(site: Site) -> Obj:
    """Return a version that waits for a decision."""
    return put_version(site, fresh("loan"), 1)


def test_a_reviewer_needs_three_clicks_from_the_overview(
    browser: Browser, site: Site, sealed: Obj
) -> None:
    name = sealed["metadata"]["name"]
    with window(browser, site, "rita") as shown:
        page = shown.open("/")
        page.get_by_role("link", name=f"review {name}").click()
        fill(page, "Approve", REASON)
        record(page)

        expect(page.locator(".banner.good")).to_contain_text(
            f"Approved by {site.people['rita'].name}"
        )
        expect(page.locator(".banner.good code")).to_contain_text("kubectl get mapr")
        assert (shown.said, shown.refused) == ([], [])
    (made,) = said_of(site, sealed)
    assert (made["spec"]["decision"], made["spec"]["reason"]) == ("Approved", REASON)
    assert made["spec"]["manifestDigest"] == sealed["spec"]["artifact"]["manifestDigest"]


def test_the_link_in_a_mail_leads_to_the_review_although_the_cookie_is_strict(
    browser: Browser, site: Site, sealed: Obj
) -> None:
    with window(browser, site, "rita") as shown:
        other = site.url.replace("127.0.0.1", "localhost")
        shown.page.goto(f"{other}/healthz")
        shown.page.evaluate(LINK, site.url + review(site, sealed))
        shown.page.get_by_text("mail").click()

        expect(shown.page.get_by_role("heading", name="Decide")).to_be_visible()


def test_the_keyboard_alone_reaches_and_does_a_decision(
    browser: Browser, site: Site, sealed: Obj
) -> None:
    with window(browser, site, "rita") as shown:
        page = shown.open(review(site, sealed))
        for _ in range(3):
            page.keyboard.press("Tab")
            if "decision" in focused(page)["text"]:
                break
        assert focused(page)["text"] == "Skip to the decision"
        assert focused(page)["outlined"]
        page.keyboard.press("Enter")
        tab_to(page, "choice-approve")
        page.keyboard.press("ArrowDown")
        assert focused(page)["id"] == "choice-deny"
        tab_to(page, "reason")
        page.keyboard.type(REASON)
        tab_to(page, "record")
        page.keyboard.press("Enter")

        expect(page.locator(".banner.good")).to_contain_text("Denied by")
    (made,) = said_of(site, sealed)
    assert (made["spec"]["decision"], made["spec"]["reason"]) == ("Denied", REASON)


def focused(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(FOCUSED)
    return found


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until something has the focus, and see each stop on the way."""
    for _ in range(20):
        page.keyboard.press("Tab")
        found = focused(page)
        assert found["outlined"], found
        if wanted in (found["id"], found["text"].lower().split(" ")[0]):
            return
    raise AssertionError(f"The keyboard did not reach {wanted}.")


def test_a_sign_in_that_ends_meanwhile_loses_no_typed_reason(
    browser: Browser, site: Site, sealed: Obj
) -> None:
    with window(browser, site, "remy") as shown:
        page = shown.open(review(site, sealed))
        fill(page, "Approve", REASON + HOSTILE)
        page.get_by_label("Deployments that may serve it").fill("desk")
        page.context.clear_cookies(name="hallmark")
        record(page)

        expect(page.get_by_role("alert")).to_contain_text("what you typed is kept")
        assert said_of(site, sealed) == []
        assert shown.violations() == []
        page.get_by_label("Token").fill(site.people["remy"].token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator(".banner")).to_contain_text("nothing was recorded yet")
        expect(page.get_by_label("Reason, for whoever")).to_have_value(REASON + HOSTILE)
        expect(page.get_by_label("Deployments that may serve it")).to_have_value("desk")
        assert page.locator("input[name=decision]:checked").count() == 0
        page.get_by_label("Approve", exact=True).check()
        record(page)
        expect(page.locator(".banner.good")).to_contain_text("Approved by")
        shown.open(review(site, sealed))
        expect(page.get_by_label("Reason, for whoever")).to_have_value("")
        assert (shown.said[1:], shown.refused) == ([], [])
    assert [made["spec"]["reason"] for made in said_of(site, sealed)] == [REASON + HOSTILE]


def test_who_signs_in_first_comes_to_where_he_was_going(
    browser: Browser, site: Site, sealed: Obj
) -> None:
    with window(browser, site) as shown:
        page = shown.open(review(site, sealed))
        assert urlsplit(page.url).path == "/sign-in"
        page.get_by_label("Token").fill(site.people["vera"].token)
        page.get_by_role("button", name="Sign in").click()

        expect(page).to_have_url(site.url + review(site, sealed))


def test_who_lacks_a_right_sees_the_missing_verb_and_can_press_nothing(
    browser: Browser, site: Site, sealed: Obj, story: Story
) -> None:
    with window(browser, site, "vera") as shown:
        page = shown.open(review(site, sealed))
        expect(page.locator("#decide")).to_contain_text("the verb 'approve' on modelversions")
        expect(page.get_by_label("Approve", exact=True)).to_be_disabled()
        expect(page.get_by_role("button", name="Record the decision")).to_be_disabled()
        page = shown.open(story.paths["deployment"])
        expect(page.locator("#act")).to_contain_text("the verb 'rollback' on modeldeployments")
        expect(page.get_by_role("button", name="Ask the operator")).to_be_disabled()


def test_of_two_reviewers_the_second_sees_what_the_first_did_and_nothing_is_decided_twice(
    browser: Browser, site: Site, sealed: Obj
) -> None:
    with (
        window(browser, site, "rita") as first,
        window(browser, site, "rita") as again,
        window(browser, site, "remy") as second,
    ):
        for shown, choice in ((first, "Deny"), (again, "Deny"), (second, "Approve")):
            fill(shown.open(review(site, sealed)), choice, REASON)
        record(first.page)
        expect(first.page.locator(".banner.good")).to_contain_text("Denied by")
        latch(site, sealed)

        said = second.page.locator("#earlier")
        expect(said).to_contain_text("Denied", timeout=20_000)
        expect(said).to_contain_text("rita")
        expect(second.page.locator("#news")).to_contain_text("Changed just now")
        expect(second.page.get_by_label("Reason, for whoever")).to_have_value(REASON)
        record(second.page)
        expect(second.page.get_by_role("alert")).to_contain_text("Ask for a new run.")
        expect(second.page.get_by_label("Reason, for whoever")).to_have_value(REASON)
        record(again.page)
        expect(again.page.get_by_role("alert")).to_contain_text("said so already")
    assert len(said_of(site, sealed)) == 1


def latch(site: Site, version: Obj) -> None:
    """Do as the operator does with a denial."""
    (made,) = said_of(site, version)
    record_ = {
        "uid": made["metadata"]["uid"],
        "name": made["metadata"]["name"],
        "decision": "Denied",
        "approver": made["spec"]["approver"],
        "accepted": True,
        "reason": "Accepted",
        "time": "2026-06-01T12:00:00Z",
    }
    told = {"Denied": ("True", "Denied"), "Ready": ("False", "Refused")}
    condition(site, version, {"approvals": [record_]}, **told)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["at a desk", "on a telephone"])
def test_live_updates_move_no_button(browser: Browser, site: Site, size: tuple[int, int]) -> None:
    active = put_version(site, fresh("loan"), 1)
    made = put_deployment(site, fresh("desk"), active)
    with window(browser, site, "otto", size=size, reduced_motion="reduce") as shown:
        page = shown.open(f"/deployments/{site.namespace}/{made['metadata']['name']}")
        page.get_by_label("Pause", exact=True).check()
        button = page.get_by_role("button", name="Ask the operator")
        button.scroll_into_view_if_needed()
        before = button.bounding_box()

        for rows in (8, 1):
            write_history(site, made, active, rows)
            expect(page.locator("#history tbody tr")).to_have_count(rows, timeout=20_000)
            assert button.bounding_box() == pytest.approx(before, abs=1)
        assert page.get_by_label("Pause", exact=True).is_checked()
        assert (shown.said, shown.refused) == ([], [])


def write_history(site: Site, made: Obj, active: Obj, rows: int) -> None:
    entry = {
        "version": active["metadata"]["name"],
        "manifestDigest": active["spec"]["artifact"]["manifestDigest"],
        "from": "2026-06-01T12:00:00Z",
        "outcome": "Replaced",
    }
    site.api.patch(made, {"status": {"history": [entry] * rows}}, OPERATOR, "status")


def test_an_engineer_acts_by_clicking(browser: Browser, site: Site) -> None:
    made = put_deployment(site, fresh("desk"), put_version(site, fresh("loan"), 1))
    with window(browser, site, "otto", size=PHONE) as shown:
        page = shown.open(f"/deployments/{site.namespace}/{made['metadata']['name']}")
        page.get_by_role("link", name="Act", exact=True).click()
        fill(page, "Pause", REASON)
        page.get_by_role("button", name="Ask the operator").click()

        expect(page.locator(".banner.good")).to_contain_text("Asked to pause")
        expect(page.locator("#act")).to_contain_text("An action waits to be run")
    annotations = site.api.get(made)["metadata"]["annotations"]
    assert re.search(REASON.split(";", maxsplit=1)[0], annotations["hallmark.dev/action"])


def test_a_page_says_when_it_is_no_longer_followed(browser: Browser, site: Site) -> None:
    shown: Window
    with window(browser, site, "vera") as shown:
        page = shown.open("/")
        page.context.clear_cookies(name="hallmark")
        site.api.create(objects.training_run(site.namespace, fresh("run")))

        expect(page.locator("#news")).to_contain_text("The sign-in ended", timeout=20_000)
        until(lambda: page.locator("#news a").get_attribute("href") == "/sign-in")
