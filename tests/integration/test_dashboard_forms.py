"""What is sent from the dashboard's pages: signing in, decisions and actions, nothing forged."""

from __future__ import annotations

import json
import re
import secrets

import httpx
import pytest

from hallmark.api.names import ANNOTATION_ACTION
from tests.integration import objects
from tests.integration.conftest import OPERATOR, until
from tests.integration.dashboard_hostile import fresh
from tests.integration.dashboard_page import Page, shown
from tests.integration.dashboard_world import (
    HOSTILE,
    Site,
    condition,
    put_deployment,
    put_version,
    site,
)

__all__ = ["shown", "site"]

pytestmark = pytest.mark.timeout(240)


def test_signing_in_keeps_the_token_where_nobody_reads_it(site: Site) -> None:
    token = site.people["vera"].token
    answer = httpx.post(f"{site.url}/sign-in", data={"token": f"  {token}\n"})

    cookie = answer.headers["set-cookie"]
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert token not in cookie
    assert 0 < int(re.search(r"Max-Age=(\d+)", cookie)[1]) <= 3600 * 8


@pytest.mark.parametrize("token", ["", "no", "a.b.c", "x" * 20000, "Ünïcode"])
def test_a_bad_token_signs_nobody_in_and_says_what_to_do(site: Site, token: str) -> None:
    answer = httpx.post(f"{site.url}/sign-in", data={"token": token})

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "kubectl create token" in Page(answer).text


def test_another_site_signs_nobody_in(site: Site) -> None:
    headers = {"Origin": "https://evil.example"}
    data = {"token": site.people["vera"].token}
    answer = httpx.post(f"{site.url}/sign-in", data=data, headers=headers)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("cookie", ["", "x", "AAAA" * 50, "%00", "ä"])
def test_a_cookie_that_is_not_ours_leads_to_the_sign_in(site: Site, cookie: str) -> None:
    headers = {"Accept": "text/html", "Cookie": f"hallmark={cookie}".encode()}
    answer = httpx.get(f"{site.url}/", headers=headers)

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/reviews/a/b", {"Sec-Fetch-Site": "cross-site"}, id="of another site"),
        pytest.param("/reviews/a/b", {"Origin": "https://evil.example"}, id="of another origin"),
        pytest.param("/sign-out", {}, id="for no page with a form"),
    ],
)
def test_nobody_else_puts_words_into_a_form(site: Site, path: str, headers: dict[str, str]) -> None:
    headers = {"Accept": "text/html", **headers}
    answer = httpx.post(f"{site.url}{path}", data={"reason": "evil"}, headers=headers)

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_what_is_too_long_to_be_kept_is_told(site: Site) -> None:
    data = {"spec": secrets.token_hex(10_000), "csrf": ""}
    path = f"{site.url}/policies/{site.policy}/what-if"
    answer = httpx.post(path, data=data, headers={"Accept": "text/html"})

    assert answer.status_code == 401
    assert "too long to be kept" in Page(answer).text
    assert len(answer.headers["set-cookie"]) < 4096


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/audit?since=x&actor=%3Cb%3E", "/audit?since=x&actor=%3Cb%3E"),
        ("/models/" + "n" * 3000 + "/x", "/"),
    ],
)
def test_a_sign_in_leads_to_where_one_was_going(site: Site, path: str, to: str) -> None:
    with httpx.Client(base_url=site.url, headers={"Accept": "text/html"}) as client:
        assert client.get(path).headers["location"] == "/sign-in"
        signed = client.post("/sign-in", data={"token": site.people["vera"].token})

    assert (signed.status_code, signed.headers["location"]) == (303, to)


def test_signing_out_forgets_the_cookie(site: Site) -> None:
    with site.browser("vera") as browser:
        csrf = Page(browser.get("/")).field("csrf")
        assert browser.post("/sign-out", data={"csrf": csrf}).status_code == 303

        assert browser.get("/").headers["location"] == "/sign-in"


def decision(page: Page, **changes: str) -> dict[str, str]:
    return {
        "csrf": page.field("csrf"),
        "manifestDigest": page.field("manifestDigest"),
        "shownDigest": page.field("shownDigest"),
        "decision": "Approved",
        "reason": "Read.",
        "targets": "",
        "notAfter": "",
        **changes,
    }


def test_a_reviewer_decides_on_the_page(site: Site) -> None:
    sealed = put_version(site, fresh("loan"))
    path = f"/reviews/{site.namespace}/{sealed['metadata']['name']}"
    with site.browser("rita") as browser:
        page = Page(browser.get(path))
        fields = decision(page, targets="desk, other", notAfter="720h", reason=HOSTILE)
        answer = browser.post(path, data=fields)
        assert answer.status_code == 303, answer.text
        after = Page(browser.get(answer.headers["location"]))

    assert "Approved by" in after.text
    path = (
        f"/apis/hallmark.dev/v1alpha1/namespaces/{site.namespace}/modelapprovals"
        f"?fieldSelector=spec.modelVersion.name={sealed['metadata']['name']}"
    )
    (made,) = site.api.request("GET", path)["items"]
    assert made["spec"]["targets"] == ["desk", "other"]
    assert made["spec"]["shownDigest"] == page.field("shownDigest")
    assert made["spec"]["reason"] == HOSTILE
    assert made["spec"]["approver"] == site.people["rita"].name


def test_a_link_cannot_claim_that_something_was_done(site: Site) -> None:
    with site.browser("rita") as browser:
        answer = browser.get("/?did=eyJzYWlkIjoieCJ9")

    assert answer.status_code == 200
    assert "See what came of it" not in answer.text


@pytest.mark.parametrize(
    ("change", "headers", "status"),
    [
        pytest.param({"csrf": ""}, {}, 403, id="without the token"),
        pytest.param({"csrf": "x" * 32}, {}, 403, id="with another token"),
        pytest.param({}, {"Origin": "https://evil.example"}, 403, id="from another site"),
        pytest.param({}, {"Origin": "null"}, 403, id="from nowhere"),
        pytest.param({}, {"Sec-Fetch-Site": "cross-site"}, 403, id="as the browser says"),
        pytest.param({}, {"Sec-Fetch-Site": "same-site"}, 403, id="from a neighbour"),
        pytest.param({"decision": "Perhaps"}, {}, 422, id="with a decision that is none"),
        pytest.param({"reason": "  "}, {}, 422, id="without a reason"),
        pytest.param({"extra": "1"}, {}, 422, id="with a field more"),
        pytest.param({"manifestDigest": "sha256:" + "0" * 64}, {}, 409, id="on other bytes"),
        pytest.param({"shownDigest": "sha256:" + "0" * 64}, {}, 409, id="on what is not shown"),
        pytest.param({"notAfter": "yesterday"}, {}, 422, id="with an end that is none"),
    ],
)
def test_a_forged_or_wrong_form_decides_nothing(
    site: Site, shown: dict[str, str], change: dict[str, str], headers: dict[str, str], status: int
) -> None:
    path = "/reviews/{namespace}/{version}".format(**shown)
    with site.browser("rita") as browser:
        fields = decision(Page(browser.get(path)), **change)
        answer = browser.post(path, data=fields, headers=headers)

    assert answer.status_code == status, answer.text
    assert "Hallmark" in answer.text
    if status == 422 and "extra" not in change:
        assert 'name="reason"' in answer.text


def test_json_by_cookie_needs_the_token_too(site: Site, shown: dict[str, str]) -> None:
    body = {
        "namespace": site.namespace,
        "deployment": shown["deployment"],
        "reason": "x",
        "dryRun": True,
    }
    with site.browser("otto") as browser:
        csrf = Page(browser.get("/")).field("csrf")
        without = browser.post("/rollback", json=body, headers={"Accept": "application/json"})
        right = browser.post("/rollback", json=body, headers={"x-hallmark-csrf": csrf})

    assert (without.status_code, right.status_code) == (403, 202), right.text


def test_what_a_person_may_not_do_is_disabled_with_the_missing_verb(
    site: Site, shown: dict[str, str]
) -> None:
    with site.browser("vera") as browser:
        review = Page(browser.get("/reviews/{namespace}/{version}".format(**shown)))
        deployment = Page(browser.get("/deployments/{namespace}/{deployment}".format(**shown)))

    assert "disabled" in review.choice("Approved")
    assert "the verb 'approve' on modelversions.hallmark.dev" in review.text
    assert "disabled" in deployment.choice("rollback")
    assert "the verb 'rollback' on modeldeployments.hallmark.dev" in deployment.text


def test_whoever_asked_for_a_version_is_told_that_it_would_not_count(site: Site) -> None:
    name = fresh("loan")
    sealed = objects.model_version(
        site.namespace, name, requestedBy={"name": site.people["rita"].name, "authenticated": True}
    )
    made = site.api.create(sealed, OPERATOR)
    condition(site, made, Ready=("True", "Sealed"), Approved=("False", "AwaitingApproval"))
    until(lambda: site.sees("ModelVersion", name))
    with site.browser("rita") as browser:
        page = Page(browser.get(f"/reviews/{site.namespace}/{name}"))

    assert "disabled" in page.choice("Approved")
    assert "disabled" not in page.choice("Denied")
    assert "cannot approve it" in page.text


def test_an_engineer_acts_on_the_page(site: Site, shown: dict[str, str]) -> None:
    path = "/deployments/{namespace}/{deployment}".format(**shown)
    with site.browser("otto") as browser:
        page = Page(browser.get(path))
        fields = {"csrf": page.field("csrf"), "action": "pause", "target": "", "reason": "a\r\nb"}
        answer = browser.post(path, data=fields)
        assert answer.status_code == 303, answer.text
        assert "Asked to pause" in Page(browser.get(answer.headers["location"])).text

    found = site.api.get(objects.model_deployment(site.namespace, shown["deployment"]))
    asked = json.loads(found["metadata"]["annotations"][ANNOTATION_ACTION])
    assert (asked["action"], asked["reason"], asked["by"]) == (
        "pause",
        "a b",
        site.people["otto"].name,
    )


def test_an_engineer_holds_on_the_page_and_the_overview_tells_until_when(site: Site) -> None:
    made = put_deployment(site, fresh("held"), put_version(site, fresh("loan"), 3))
    name = made["metadata"]["name"]
    until(lambda: site.sees("Deployment", name))
    path = f"/deployments/{site.namespace}/{name}"
    with site.browser("otto") as browser:
        fields = {"csrf": Page(browser.get(path)).field("csrf"), "action": "hold", "target": ""}
        wrong = browser.post(path, data={**fields, "reason": "Audit.", "until": "Friday"})
        assert "expected a moment such as" in Page(wrong).text
        answer = browser.post(path, data={**fields, "reason": "Audit.", "until": "4h"})
        assert answer.status_code == 303, answer.text
    found = site.api.get(made)
    asked = json.loads(found["metadata"]["annotations"][ANNOTATION_ACTION])
    assert (asked["action"], asked["reason"]) == ("hold", "Audit.")
    held = {"id": asked["id"], "by": asked["by"], "reason": "Audit.", "until": asked["until"]}
    sentence = "OnHold it is."
    condition(
        site,
        found,
        {
            "hold": {**held, "since": "2026-06-01T12:00:00Z"},
            "lastAction": {"id": asked["id"], "outcome": "Held.", "time": "2026-06-01T12:00:00Z"},
        },
        OnHold=("True", "OnHold"),
        Ready=("True", "Serving"),
    )
    until(lambda: sentence in site.call("vera", "GET", "/api/overview").text)
    with site.browser("otto") as browser:
        assert sentence in Page(browser.get("/")).text
        page = Page(browser.get(path))
        assert sentence in page.text
        assert "disabled" in page.choice("rollback")
        assert "disabled" not in page.choice("unhold")
