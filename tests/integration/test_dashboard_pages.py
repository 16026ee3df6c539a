"""The pages, as browsers get them: signed in by cookie, safe to show, and safe to press."""

from __future__ import annotations

import re
import threading
from html import unescape
from typing import Any

import httpx
import pytest

from hallmark.api.texts import sha256_digest
from tests.integration import objects
from tests.integration.api import Obj
from tests.integration.conftest import until
from tests.integration.dashboard_hostile import PAGES, fresh
from tests.integration.dashboard_page import Page, shown
from tests.integration.dashboard_world import (
    BASELINE,
    CARD,
    Site,
    condition,
    put_deployment,
    put_version,
    site,
)

__all__ = ["shown", "site"]

pytestmark = pytest.mark.timeout(240)


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
