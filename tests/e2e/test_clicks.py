"""The whole story by clicking, in a real browser, on the node: review, serve, roll back, hold."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.window import browsing
from tests.e2e.harness import forward, objects
from tests.e2e.harness.dashboard import Dashboard
from tests.e2e.harness.objects import AUTHOR, REVIEWER
from tests.e2e.harness.traffic import cycle
from tests.e2e.harness.world import DASHBOARD, SYSTEM, World

BANK = "e2e-clicks"
DESK = "desk"
ENGINEER = "otto"
FIRST, SECOND = "loan-v1", "loan-v2"
PEOPLE = {
    AUTHOR: "hallmark-author",
    REVIEWER: "hallmark-reviewer",
    ENGINEER: "hallmark-engineer",
}
SHIFTED = cycle(objects.loan_rows(2000, seed=8, scale=2.5), 40)
SOON = 60_000
"""Milliseconds in which the operator acts and the page shows it."""


@pytest.fixture(scope="module")
def dashboard(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard, and two versions that alice trained."""
    world.namespace(BANK)
    for person, role in PEOPLE.items():
        world.account(BANK, person, role)
    data = {objects.DATA_KEY: objects.loan_csv()}
    world.api.apply(objects.config_map(BANK, "loans", data))
    for seed, name in enumerate((FIRST, SECOND)):
        world.api.apply(objects.training_run(BANK, name, seed=seed), user=AUTHOR)
    file = tmp_path_factory.mktemp("forward") / "pid"
    yield Dashboard(world, forward.begin(world.cluster, file, DASHBOARD, SYSTEM), BANK)
    forward.end(file)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser, for as long as nothing else needs an event loop."""
    with browsing() as opened:
        yield opened


@contextmanager
def signed_in(browser: Browser, dashboard: Dashboard, person: str) -> Iterator[Page]:
    """Yield a page of a browser in which a person signed in by hand; no script may have failed."""
    context = browser.new_context(base_url=dashboard.url)
    failed: list[str] = []
    try:
        page = context.new_page()
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto("/sign-in")
        page.get_by_label("Token").fill(dashboard.token(person))
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).not_to_have_text("Sign in")
        yield page
    finally:
        context.close()
    assert failed == []


def test_the_story_of_a_model_is_told_by_clicking(
    world: World, dashboard: Dashboard, browser: Browser
) -> None:
    for name in (FIRST, SECOND):
        world.wait_for("TrainingRun", BANK, name, "Ready=True", seconds=180)
        world.wait_for("ModelVersion", BANK, name, "Verified=True")
    with signed_in(browser, dashboard, REVIEWER) as page:
        _approve(page, FIRST)
        _approve(page, SECOND)
    for name in (FIRST, SECOND):
        world.wait_for("ModelVersion", BANK, name, "Approved=True")
    world.api.apply(objects.model_deployment(BANK, DESK, FIRST), user=AUTHOR)
    world.wait_field("ModelDeployment", BANK, DESK, "status.stableModelVersion", FIRST)

    with signed_in(browser, dashboard, ENGINEER) as page:
        page.goto("/")
        page.get_by_role("link", name=f"{BANK}/{DESK}").first.click()
        headline = page.get_by_role("heading", level=1)
        expect(headline).to_contain_text(FIRST)
        world.api.patch(
            "ModelDeployment", BANK, DESK, {"spec": {"modelVersion": SECOND}}, user=AUTHOR
        )
        world.wait_field("ModelDeployment", BANK, DESK, "status.stableModelVersion", SECOND)
        # The page was not loaded again: what happens comes to it.
        expect(headline).to_contain_text(SECOND, timeout=SOON)
        with world.traffic(BANK, DESK, SHIFTED) as traffic:
            expect(headline).to_contain_text("DriftRollback", timeout=SOON)
        assert not traffic.tally.failures, traffic.tally.summary()
        assert traffic.tally.changes() == [SECOND, FIRST]

        _act(page, "Hold", reason="Until the branch has been asked.", end="4h")
        world.wait_for("ModelDeployment", BANK, DESK, "OnHold=True")
        expect(page.get_by_text("Until the branch has been asked.").first).to_be_visible(
            timeout=SOON
        )
        _act(page, "Unhold", reason="The branch knows.")
        world.wait_for("ModelDeployment", BANK, DESK, "OnHold=False")
        _act(page, "Acknowledge", reason="Seasonal.")
        world.until(
            lambda: world.api.get("ModelDeployment", BANK, DESK)["status"]["lastRollback"].get(
                "acknowledged"
            ),
            "the rollback to be acknowledged",
        )

        page.get_by_role("link", name="Audit").click()
        page.get_by_role("link", name="Verify the whole log").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("whole")


def _approve(page: Page, version: str) -> None:
    page.goto("/")
    page.get_by_role("link", name=f"review {version}").click()
    page.get_by_label("Approve", exact=True).check()
    page.get_by_label("Reason, for whoever reads the audit log").fill("Read the report.")
    page.get_by_role("button", name="Record the decision").click()
    expect(page.locator(".banner.good")).to_contain_text("Approved by")


def _act(page: Page, action: str, *, reason: str, end: str = "") -> None:
    page.goto(f"/deployments/{BANK}/{DESK}")
    page.get_by_label(action, exact=True).check()
    page.get_by_label("End of a hold").fill(end)
    page.get_by_label("Reason, for whoever reads the audit log").fill(reason)
    page.get_by_role("button", name="Ask the operator").click()
    expect(page.locator(".banner.good")).to_be_visible()
