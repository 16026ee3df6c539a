"""What the dashboard's backend writes, as each person: allowed, or a sentence that says why not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from hallmark.api.names import ANNOTATION_ACTION
from tests.integration import objects
from tests.integration.api import Obj
from tests.integration.conftest import until
from tests.integration.dashboard_hostile import fresh
from tests.integration.dashboard_served import sealed, serving
from tests.integration.dashboard_world import Site, put_deployment, put_version, site

__all__ = ["sealed", "serving", "site"]

pytestmark = pytest.mark.timeout(240)


def train_body(site: Site, **changes: Any) -> Obj:  # noqa: ANN401
    return {
        "namespace": site.namespace,
        "name": fresh("run"),
        "model": "loan",
        "records": [{"income": 1.5, "purpose": "car", "approved": "yes"}],
        "schema": {
            "features": [
                {"name": "income", "type": "Number"},
                {"name": "purpose", "type": "Category", "categories": ["car", "home"]},
            ],
            "target": {"name": "approved", "positive": "yes"},
        },
        **changes,
    }


def approve_body(site: Site, sealed: Obj, **changes: Any) -> Obj:  # noqa: ANN401
    return {
        "namespace": site.namespace,
        "modelVersion": sealed["metadata"]["name"],
        "decision": "Approved",
        "reason": "Read.",
        "manifestDigest": sealed["spec"]["artifact"]["manifestDigest"],
        "dryRun": True,
        **changes,
    }


WRITES = {
    "train": ("/train", {"alice"}, ("create", "trainingruns")),
    "approve": ("/approve_model", {"rita", "remy"}, ("approve", "modelversions")),
    "deploy a new one": ("/deploy", {"alice"}, ("create", "modeldeployments")),
    "deploy again": ("/deploy", {"alice", "otto"}, ("patch", "modeldeployments")),
    "rollback": ("/rollback", {"otto"}, ("rollback", "modeldeployments")),
    "pause": ("/action", {"otto"}, ("pause", "modeldeployments")),
    "promote": ("/action", {"otto"}, ("promote", "modeldeployments")),
    "hold": ("/action", {"otto"}, ("hold", "modeldeployments")),
}


def body_of(site: Site, what: str, sealed: Obj, serving: Obj) -> Obj:
    name = serving["metadata"]["name"]
    action = {"namespace": site.namespace, "deployment": name, "reason": "Why.", "dryRun": True}
    return {
        "train": train_body(site, dryRun=True),
        "approve": approve_body(site, sealed),
        "deploy a new one": {
            "namespace": site.namespace,
            "name": fresh("new"),
            "model": "loan",
            "dryRun": True,
        },
        "deploy again": {
            "namespace": site.namespace,
            "name": name,
            "model": "loan",
            "replicas": 2,
            "dryRun": True,
        },
        "rollback": action,
        "pause": {**action, "action": "pause"},
        "promote": {**action, "action": "promote"},
        "hold": {**action, "action": "hold", "until": "4h"},
    }[what]


@pytest.mark.parametrize("person", ["vera", "rita", "alice", "otto", "nobody"])
@pytest.mark.parametrize("what", WRITES)
def test_each_person_may_do_exactly_what_the_roles_say(
    site: Site, sealed: Obj, serving: Obj, what: str, person: str
) -> None:
    path, allowed, (verb, resource) = WRITES[what]
    answer = site.call(person, "POST", path, body_of(site, what, sealed, serving))

    if person in allowed:
        assert answer.status_code in {200, 201, 202}, answer.text
        assert answer.json()["by"] == site.people[person].name
        return
    assert answer.status_code == 403, answer.text
    missing = answer.json()["missing"]
    named = {(right["verb"], right["resource"]) for right in missing}
    unseen = {("list", right["resource"]) for right in missing}
    assert (verb, resource) in named or named == unseen
    for right in missing:
        assert f"'{right['verb']}' on {right['resource']}" in answer.json()["detail"]


def test_a_run_is_made_of_rows_in_the_persons_own_name(site: Site) -> None:
    body = train_body(site)
    answer = site.call("alice", "POST", "/train", body)

    assert answer.status_code == 201, answer.text
    made = site.api.get(objects.training_run(site.namespace, body["name"]))
    assert made["spec"]["requestedBy"] == site.people["alice"].name
    assert made["spec"]["dataset"]["format"] == "JSONLines"
    assert made["spec"]["dataset"]["records"] == (
        '{"approved":"yes","income":1.5,"purpose":"car"}\n'
    )
    shown = site.call("alice", "GET", f"/train/{site.namespace}/{body['name']}")
    assert shown.json()["row"]["name"] == body["name"]
    assert 'income":1.5' not in shown.text


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        pytest.param({"colour": 1}, "colour", "no such field", id="an unknown field"),
        pytest.param(
            {"trainer": {"sed": 1}}, "trainer.sed", "no such field", id="an unknown field deep in"
        ),
        pytest.param({"model": "No"}, "model", "pattern", id="a name that is none"),
        pytest.param({"model": None}, "model", "string", id="null"),
        pytest.param({"records": []}, "records", "at least 1", id="no rows"),
        pytest.param({"records": None}, "records", "either", id="neither rows nor a dataset"),
        pytest.param({"records": [{"a": [1]}]}, "records", "", id="a row with a list in it"),
        pytest.param({"records": [{"a": "x" * 140000}]}, "records", "131072", id="too many rows"),
        pytest.param({"records": [{"a": 2**60}]}, "records", "2^53", id="a number too great"),
        pytest.param({"dryRun": "perhaps"}, "dryRun", "boolean", id="a word for a truth value"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected_and_found(
    site: Site, changes: Obj, field: str, expected: str
) -> None:
    answer = site.call("alice", "POST", "/train", train_body(site, **changes))

    assert answer.status_code == 422, answer.text
    errors = {error["field"]: error for error in answer.json()["errors"]}
    (found,) = [error for name, error in errors.items() if name.startswith(field)][:1]
    assert expected in found["expected"]
    assert found["found"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"{", 422, id="half an object"),
        pytest.param(b"[]", 422, id="a list"),
        pytest.param(b'{"namespace":"a","namespace":"b"}', 422, id="too little"),
        pytest.param(b"\xff\xfe", 422, id="no text"),
        pytest.param(b"[" * 100_000, 422, id="nested without end"),
        pytest.param(b'{"a":"' + b"x" * 600_000 + b'"}', 413, id="too long"),
    ],
)
def test_a_body_that_is_none_is_a_problem_and_no_crash(
    site: Site, data: bytes, status: int
) -> None:
    headers = {**site.people["alice"].headers, "Content-Type": "application/json"}
    answer = httpx.post(site.url + "/train", content=data, headers=headers)

    assert answer.status_code in {status, 400}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_same_key_twice_is_refused(site: Site) -> None:
    text = f'{{"namespace":"x","namespace":"{site.namespace}","deployment":"a","reason":"x"}}'
    headers = {**site.people["otto"].headers, "Content-Type": "application/json"}
    answer = httpx.post(site.url + "/rollback", content=text, headers=headers)

    assert answer.status_code == 400
    assert "twice" in answer.json()["detail"]


def test_what_the_api_server_refuses_comes_back_in_its_own_words(site: Site) -> None:
    schema = {
        "features": [{"name": "a", "type": "Category"}],
        "target": {"name": "a"},
    }
    answer = site.call("alice", "POST", "/train", train_body(site, schema=schema))

    assert answer.status_code == 422
    assert "needs 'categories'" in answer.text
    assert any("categories" in error["expected"] for error in answer.json()["errors"])


def test_two_reviewers_at_once_both_count_and_the_same_one_twice_is_told(site: Site) -> None:
    sealed = put_version(site, fresh("loan"))
    body = approve_body(site, sealed, dryRun=False)

    first = site.call("rita", "POST", "/approve_model", body)
    second = site.call("remy", "POST", "/approve_model", body)
    again = site.call("rita", "POST", "/approve_model", body)

    assert (first.status_code, second.status_code) == (201, 201), first.text + second.text
    assert again.status_code == 409
    assert "already" in again.json()["detail"]
    made = site.api.get(objects.model_approval(site.namespace, first.json()["name"]))
    assert made["spec"]["approver"] == site.people["rita"].name
    assert made["spec"]["manifestDigest"] == sealed["spec"]["artifact"]["manifestDigest"]
    assert made["spec"]["modelVersion"]["uid"] == sealed["metadata"]["uid"]


def test_a_decision_on_other_bytes_than_were_read_is_refused(site: Site, sealed: Obj) -> None:
    body = approve_body(site, sealed, manifestDigest="sha256:" + "0" * 64)
    answer = site.call("rita", "POST", "/approve_model", body)

    assert answer.status_code == 409
    assert answer.json()["errors"][0]["field"] == "manifestDigest"


def test_a_decision_names_what_was_shown_and_not_what_was_shown_before(site: Site) -> None:
    old, new = put_version(site, fresh("loan")), put_version(site, fresh("loan"), 2)
    name = new["metadata"]["name"]

    def shown() -> str:
        path = f"/api/reviews/{site.namespace}/{name}"
        return str(site.call("rita", "GET", path).json()["shown_digest"])

    def decided(digest: str, decision: str = "Approved") -> httpx.Response:
        body = approve_body(site, new, shownDigest=digest, decision=decision)
        return site.call("rita", "POST", "/approve_model", body)

    before = shown()
    put_deployment(site, fresh("a"), old, model=None, modelVersion=name)
    until(lambda: shown() != before)
    late, right = decided(before), decided(shown())

    assert late.status_code == 409
    assert f"'{old['metadata']['name']}' serves" in late.json()["detail"]
    assert right.status_code == 201, right.text
    assert right.json()["object"]["spec"]["shownDigest"] == shown()
    assert decided(before, "Denied").status_code == 201


def test_a_reason_that_admission_cannot_read_is_refused_here(site: Site, serving: Obj) -> None:
    body = {
        "namespace": site.namespace,
        "deployment": serving["metadata"]["name"],
        "reason": 'a "quoted" reason',
    }
    answer = site.call("otto", "POST", "/rollback", body)

    assert answer.status_code == 422
    assert "double quotes" in answer.json()["detail"]


def test_a_rollback_is_the_annotation_in_the_persons_name(site: Site, serving: Obj) -> None:
    name = serving["metadata"]["name"]
    body = {"namespace": site.namespace, "deployment": name, "reason": "Complaints."}
    answer = site.call("otto", "POST", "/rollback", body)

    assert answer.status_code == 202, answer.text
    found = site.api.get(serving)["metadata"]["annotations"][ANNOTATION_ACTION]
    assert answer.json()["actionId"] in found
    assert site.people["otto"].name in found
