"""The pages, as browsers get them: signed in by cookie, safe to show, and safe to press."""

from __future__ import annotations

import json
import re
import secrets
import threading
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from hallmark.api.names import ANNOTATION_ACTION
from hallmark.api.texts import sha256_digest
from tests.integration import objects
from tests.integration.api import Obj
from tests.integration.conftest import OPERATOR, until
from tests.integration.dashboard_hostile import PAGES, fresh, put_hostile
from tests.integration.dashboard_world import (
    BASELINE,
    CARD,
    HOSTILE,
    Site,
    condition,
    put_deployment,
    put_version,
    site,
)

__all__ = ["site"]

pytestmark = pytest.mark.timeout(240)


class Page(HTMLParser):
    """What a page holds: elements with attributes, forms' fields, and text."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
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


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_and_no_text_becomes_markup(
    site: Site, shown: dict[str, str], path: str
) -> None:
    with site.browser("vera") as browser:
        answer = browser.get(path.format(**shown))

    assert answer.status_code == 200, answer.text
    page = Page(answer)
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert [s["src"].split("?")[0] for s in scripts if s.get("src")] == ["/static/live.js"]
    assert len(scripts) == 1
    for tag, attributes in page.elements:
        assert tag not in {"img", "iframe", "object", "embed", "style", "base"}, tag
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action"):
            value = attributes.get(name) or "/"
            assert value.startswith(("/", "#")), value
            assert not value.startswith("//")
    assert site.hidden not in answer.text


@pytest.mark.parametrize("page", ["versions", "reviews"])
def test_a_models_purpose_and_limits_are_shown_as_text(site: Site, page: str) -> None:
    sealed = put_version(site, fresh("loan"))
    with site.browser("vera") as browser:
        answer = browser.get(f"/{page}/{site.namespace}/{sealed['metadata']['name']}")
    found = Page(answer).text
    assert "What its author says" in found
    assert CARD.use_cases[0] in found
    assert CARD.technical_limitations[0] in found


def test_sealed_files_are_kept_by_browsers_and_never_shown(site: Site) -> None:
    sealed = put_version(site, fresh("loan"))
    path = f"/versions/{site.namespace}/{sealed['metadata']['name']}"
    with site.browser("vera") as browser:
        page = browser.get(path)
        report = browser.get(f"{path}/files/report.json")
        refused = [
            browser.get(f"{path}/files/{name}").status_code
            for name in ("model.onnx", "none", "..%2fmanifest.json", "manifest.json")
        ]
        digest = sealed["spec"]["artifact"]["manifestDigest"].removeprefix("sha256:")
        store = site.gateway.store(f"models/{site.namespace}.loan/{digest}")
        store.put("Dockerfile", b"FROM evil")
        forged = browser.get(f"{path}/files/Dockerfile")
    with site.browser("nobody") as browser:
        assert browser.get(f"{path}/files/report.json").status_code == 403

    assert 'files/report.json" download' in page.text
    assert sha256_digest(report.content) == sealed["spec"]["gateReportDigest"]
    assert report.headers["content-disposition"] == 'attachment; filename="report.json"'
    assert report.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in report.headers["content-security-policy"]
    assert refused == [404] * 4
    assert (forged.status_code, "somebody changed it" in forged.text) == (404, True)


@pytest.mark.parametrize(
    "path",
    [
        "/versions/UPPER/x",
        "/versions/" + "n" * 5000 + "/x",
        "/versions/%00/x",
        "/versions/%FF/x",
        "/models/a.b/x",
        "/deployments/-/x",
        "/versions/{namespace}/" + "x" * 5000,
        "/versions/{namespace}/%3Cscript%3E",
        "/audit?offset=99999999999999999999999999999999",
        "/audit?offset=" + "9" * 5000,
        "/audit?offset=%D9%A3",
        "/audit?since=x",
        "/search?q=%00%FF",
        "/live?namespace=%00",
    ],
)
def test_no_address_is_too_odd_for_an_answer(site: Site, path: str) -> None:
    with (
        site.browser("vera") as browser,
        browser.stream("GET", path.format(namespace=site.namespace)) as answer,
    ):
        assert answer.status_code in {200, 404}


def test_what_another_policy_would_stop_is_shown_and_nothing_is_applied(site: Site) -> None:
    sealed = put_version(site, fresh("loan"))
    put_deployment(site, fresh("loose"), sealed)
    name = site.policy
    before = site.api.get(objects.model_policy(name))
    with site.browser("vera") as browser:
        page = browser.get(f"/policies/{name}")
        text = re.search(r"<textarea[^>]*>(.*?)</textarea>", page.text, re.DOTALL)[1]
        fields = {"csrf": Page(page).field("csrf"), "spec": unescape(text)}
        answer = browser.post(f"/policies/{name}/what-if", data=fields)
        closer = {**fields, "spec": f"{fields['spec']}\ndrift: {{probing: {{maxClients: 1}}}}"}
        watching = browser.post(f"/policies/{name}/what-if", data=closer)
        wrong = browser.post(f"/policies/{name}/what-if", data={**fields, "spec": "a: 1"})

    assert answer.status_code == 200, answer.text
    assert "It would newly stop" in Page(answer).text
    assert sealed["metadata"]["name"] in answer.text
    assert site.hidden not in answer.text + watching.text
    assert "would newly promote nothing" in Page(watching).text
    assert "Expected spec.drift.probing with clients at most 1" in Page(watching).text
    assert wrong.status_code == 422
    assert site.api.get(objects.model_policy(name)) == before


def test_the_headers_forbid_what_is_not_ours(site: Site, shown: dict[str, str]) -> None:
    with site.browser("vera") as browser:
        paths = ["/", "/sign-in", "/static/live.js", "/none", "/metrics", "/registry.json"]
        for path in paths:
            headers = browser.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
        assert browser.get("/").headers["cache-control"] == "no-store"


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


def test_drift_is_drawn_from_what_predictors_counted(site: Site, shown: dict[str, str]) -> None:
    with site.browser("vera") as browser:
        answer = browser.get("/deployments/{namespace}/{deployment}".format(**shown))

    assert BASELINE["rows"] == 300
    assert "PSI of income by window, and its limit" in answer.text
    assert "income: training data and the newest window" in answer.text


def test_realised_quality_is_drawn_beside_what_was_sealed(site: Site) -> None:
    active = put_version(site, fresh("loan"), 4)
    floor = {"minimumAccuracy": "0.75", "minimumOutcomes": 50}
    groups = {"groups": ["women", "men"], "groupFloor": floor, "groupGap": {"maximum": "0.1"}}
    feedback = {"window": 100, "minimumAccuracy": "0.9", **groups}
    made = put_deployment(site, fresh("truth"), active, drift={"feedback": feedback})
    name, digest = made["metadata"]["name"], active["spec"]["artifact"]["manifestDigest"]
    window = {
        "number": 1,
        "start": "2026-06-01T12:00:00Z",
        "end": "2026-06-01T13:00:00Z",
        "outcomes": 100,
        "correct": 70,
        "scored": [0] * 14 + [100],
        "happened": [0] * 14 + [70],
        "scores": [0] * 14 + [950_000],
        "groups": [{"group": "women", "outcomes": 50, "correct": 30}],
    }
    told = {"outcomes": 100, "correct": 70, "windows": [window]}
    quality = {
        "belowFloor": True,
        "voters": 1,
        "failing": 1,
        "outcomes": 100,
        "accuracy": "0.7000",
        "calibrationError": "0.2500",
        "neededOfGroup": "3.5",
        "earlier": [{"version": "7" * 16, "outcomes": 40, "accuracy": "0.8000"}],
        "groups": [
            {
                "group": "women",
                "outcomes": 50,
                "accuracy": "0.6000",
                "belowFloor": True,
                "voters": 1,
                "failing": 1,
                "evidence": "4.7",
                "lags": True,
                "behind": "men",
                "gap": "0.2500",
                "gapEvidence": "5.1",
            }
        ],
    }
    report = objects.drift_report(manifestDigest=digest, outcomes=told)
    condition(
        site,
        site.api.get(made),
        {"drift": {"pod-1": report}, "driftState": {"quality": quality}},
        Ready=("True", "Serving"),
    )
    path = f"/deployments/{site.namespace}/{name}"
    with site.browser("vera") as browser:
        until(lambda: "Realised accuracy by window" in browser.get(path).text)
        text = Page(browser.get(path)).text
    assert "Of the newest 100 outcomes 70.0 % are right" in text
    assert "1 of 1 Pod with a window of 100 outcomes are below a floor" in text
    assert "women" in text
    assert "stopped: BelowFloor" in text
    assert "0.75, in at least 50 outcomes" in text
    assert re.search(r"stopped: TooFar\s+0\.25\S* \(men\)", text)
    assert "Versions that served before" in text
    assert "7" * 16 in text
    told = site.call("vera", "GET", f"/api/quality/{site.namespace}/{name}").json()
    assert (told["below_floor"], told["accuracy"], len(told["course"])) == (True, 0.7, 1)


@pytest.mark.parametrize("path", PAGES)
def test_without_rights_a_page_says_what_is_missing_or_is_empty(
    site: Site, shown: dict[str, str], path: str
) -> None:
    with site.browser("nobody") as browser:
        answer = browser.get(path.format(**shown))

    assert answer.status_code in {200, 403}
    if "{namespace}" in path:
        assert answer.status_code == 403
        assert "the verb 'list' on" in Page(answer).text
    for name in ("version", "before", "deployment", "run"):
        assert answer.status_code == 403 or shown[name] not in answer.text


def test_errors_are_pages_for_browsers(site: Site) -> None:
    with site.browser("vera") as browser:
        missing = browser.get("/none")
        none = browser.get(f"/versions/{site.namespace}/none")
        posted = browser.post("/audit")

    assert (missing.status_code, none.status_code, posted.status_code) == (404, 404, 405)
    assert "found none" in Page(none).text


def listen(site: Site, person: str, heard: list[str], started: threading.Event) -> None:
    headers = {**site.people[person].headers, "Accept": "text/event-stream"}
    with httpx.stream("GET", f"{site.url}/live", headers=headers, timeout=40) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            started.set()
            if line.startswith("data:"):
                heard.append(line)
                return


def test_a_page_is_told_of_what_its_person_may_see_and_of_nothing_else(site: Site) -> None:
    heard: dict[str, list[str]] = {"vera": [], "nobody": []}
    threads: list[threading.Thread] = []
    for person, lines in heard.items():
        started = threading.Event()
        arguments: tuple[Any, ...] = (site, person, lines, started)
        threads.append(threading.Thread(target=listen, args=arguments, daemon=True))
        threads[-1].start()
        assert started.wait(10)
    hidden, open_ = fresh("hidden"), fresh("open")

    put_version(site, hidden, namespace=site.hidden)
    run: Obj = site.api.create(objects.training_run(site.namespace, open_))

    until(lambda: heard["vera"], 20)
    assert run["metadata"]["name"] in heard["vera"][0]
    assert hidden not in heard["vera"][0]
    assert heard["nobody"] == []
