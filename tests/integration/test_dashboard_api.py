"""The backend, each route as each person: allowed, or a sentence that names the missing verb."""

from __future__ import annotations

import secrets
import socket
import time
from typing import Any

import httpx
import pytest

from hallmark.api.names import ANNOTATION_ACTION, LABEL_POLICY
from tests.integration import objects
from tests.integration.api import Obj, User
from tests.integration.conftest import OPERATOR, rbac, until
from tests.integration.dashboard_world import (
    HOSTILE,
    Site,
    put_deployment,
    put_version,
    site,
)
from tests.integration.test_rbac import rights

__all__ = ["site"]

VIEWER_ROLE = "hallmark-viewer"

pytestmark = pytest.mark.timeout(240)


def fresh(stem: str) -> str:
    return f"{stem}-{secrets.token_hex(3)}"


@pytest.fixture(scope="module")
def sealed(site: Site) -> Obj:
    """A version with its evidence in the store."""
    return put_version(site, fresh("loan"))


@pytest.fixture(scope="module")
def serving(site: Site, sealed: Obj) -> Obj:
    """A ModelDeployment that serves it."""
    return put_deployment(site, fresh("desk"), sealed)


@pytest.fixture(scope="module")
def hidden(site: Site) -> Obj:
    """A version that none of the people may see."""
    return put_version(site, fresh("secret"), namespace=site.hidden)


READS = [
    "/registry.json",
    "/api/overview",
    "/api/versions",
    "/api/versions?namespace={ns}",
    "/api/versions/{ns}/{version}",
    "/api/reviews/{ns}/{version}",
    "/api/sbom/{ns}/{version}",
    "/api/runs?namespace={ns}",
    "/api/deployments?namespace={ns}",
    "/api/deployments/{ns}/{deployment}",
    "/api/drift/{ns}/{deployment}",
    "/api/quality/{ns}/{deployment}",
    "/api/audit",
    "/api/audit/verify",
    "/openapi.json",
]


@pytest.mark.parametrize("path", READS)
def test_a_viewer_reads(site: Site, sealed: Obj, serving: Obj, path: str) -> None:
    answer = site.call("vera", "GET", _filled(site, path, sealed, serving))

    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"


def _filled(site: Site, path: str, sealed: Obj, serving: Obj) -> str:
    names = {"version": sealed["metadata"]["name"], "deployment": serving["metadata"]["name"]}
    return path.format(ns=site.namespace, **names)


@pytest.mark.parametrize("path", [path for path in READS if "{ns}" in path])
def test_somebody_without_rights_is_told_the_missing_verb(
    site: Site, sealed: Obj, serving: Obj, path: str
) -> None:
    answer = site.call("nobody", "GET", _filled(site, path, sealed, serving))

    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    missing = answer.json()["missing"][0]
    assert (missing["verb"], missing["namespace"]) == ("list", site.namespace)


@pytest.mark.parametrize("path", [path for path in READS if "{ns}" not in path])
def test_whoever_has_no_rights_sees_nothing_of_anybody(
    site: Site, sealed: Obj, hidden: Obj, path: str
) -> None:
    answer = site.call("nobody", "GET", path)

    assert answer.status_code == 200
    for name in (sealed["metadata"]["name"], hidden["metadata"]["name"], site.hidden):
        assert name not in answer.text


@pytest.mark.parametrize("path", READS)
def test_what_is_in_another_namespace_is_never_shown(
    site: Site, sealed: Obj, serving: Obj, hidden: Obj, path: str
) -> None:
    answer = site.call("vera", "GET", _filled(site, path, sealed, serving))

    assert hidden["metadata"]["name"] not in answer.text
    assert site.hidden not in answer.text


def test_a_hidden_object_and_none_look_the_same(site: Site, hidden: Obj) -> None:
    there = site.call("vera", "GET", f"/api/versions/{site.hidden}/{hidden['metadata']['name']}")
    not_there = site.call("vera", "GET", f"/api/versions/{site.hidden}/none")

    assert there.status_code == not_there.status_code == 403
    assert there.json() == not_there.json()


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("token", ["", "garbage", "a.b.c", "Bearer x"])
def test_without_a_token_that_the_api_server_knows_nothing_is_read(
    site: Site, path: str, token: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = site.call("", "GET", path.format(ns="x", version="y", deployment="z"), **headers)

    assert answer.status_code == 401
    assert answer.json()["status"] == 401
    assert "kubectl create token" in answer.json()["detail"]
    assert answer.headers["www-authenticate"].startswith("Bearer")


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


def test_the_bill_and_the_dockerfile_are_held_against_the_policy(site: Site, sealed: Obj) -> None:
    body = {"namespace": site.namespace, "modelVersion": sealed["metadata"]["name"]}
    answer = site.call("vera", "POST", "/scan_sbom", body)

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["dockerfile"].startswith("FROM python")
    assert [part["name"] for part in found["bill"]["components"]][:2] == ["numpy", "scikit-learn"]
    assert "zope-interface" in found["violations"][0]
    assert not found["passed"]


def test_what_somebody_changed_in_the_store_is_not_shown(site: Site) -> None:
    # A report that no other test has read: what was verified once is kept under its digest.
    sealed = put_version(site, fresh("loan"), seed=secrets.randbelow(10**6))
    digest = sealed["spec"]["artifact"]["manifestDigest"].removeprefix("sha256:")
    store = site.gateway.store(f"models/{site.namespace}.loan/{digest}")
    store.put("report.json", b'{"forged": true}')
    name = sealed["metadata"]["name"]

    answer = site.call("vera", "GET", f"/api/reviews/{site.namespace}/{name}")

    assert answer.status_code == 200
    assert "somebody changed it" in answer.json()["report_sentence"]


def test_predictions_need_the_verb_and_say_when_nothing_answers(site: Site, serving: Obj) -> None:
    body = {
        "namespace": site.namespace,
        "deployment": serving["metadata"]["name"],
        "instances": [{"income": 1}],
    }
    refused = site.call("vera", "POST", "/predict", body)
    allowed = site.call("alice", "POST", "/predict", body)

    assert refused.status_code == 403
    assert refused.json()["missing"][0]["verb"] == "predict"
    assert allowed.status_code == 502
    assert "did not answer" in allowed.json()["detail"]


def test_lists_come_in_parts(site: Site, sealed: Obj) -> None:
    path = f"/api/versions?namespace={site.namespace}&limit=1"
    first = site.call("vera", "GET", path).json()

    assert len(first["items"]) == 1
    if first["total"] > 1:
        assert first["next"] == 1
    assert site.call("vera", "GET", path + "&offset=9999").json()["items"] == []
    assert site.call("vera", "GET", "/api/versions?limit=0").status_code == 422


def test_the_audit_log_shows_what_a_person_may_see(site: Site) -> None:
    found = site.call("vera", "GET", "/api/audit").json()

    assert [record["seq"] for record in found["items"]] == [3, 1]
    assert found["items"][0]["message"] == HOSTILE
    only = site.call("vera", "GET", "/api/audit?name=v0").json()
    assert [record["seq"] for record in only["items"]] == [1]
    assert site.call("vera", "GET", "/api/audit?since=yesterday").status_code == 422


def test_the_audit_log_is_verified(site: Site) -> None:
    found = site.call("vera", "GET", "/api/audit/verify").json()

    assert (found["ok"], found["records"]) == (True, 3)
    assert "is signed with the key" in found["signature"]


def test_a_token_that_was_withdrawn_ends_within_seconds(site: Site) -> None:
    home = site.people["vera"].name.split(":")[2]
    account: Obj = {"apiVersion": "v1", "kind": "ServiceAccount"}
    account["metadata"] = {"name": fresh("temp"), "namespace": home}
    site.api.create(account)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = f"/api/v1/namespaces/{home}/serviceaccounts/{account['metadata']['name']}/token"
    token = site.api.request("POST", path, request)["status"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert site.call("", "GET", "/api/overview", **headers).status_code == 200

    site.api.delete(account)

    until(lambda: site.call("", "GET", "/api/overview", **headers).status_code == 401, 25)


def test_metrics_name_nobodys_objects(site: Site, sealed: Obj) -> None:
    assert httpx.request("PROPFIND", site.url + "/none").status_code in {404, 405}
    text = site.call("", "GET", "/metrics").text

    assert "PROPFIND" not in text
    assert "hallmark_dashboard_watch_age_seconds" in text
    assert 'route="/api/versions/{namespace}/{name}"' in text
    for name in (site.namespace, sealed["metadata"]["name"]):
        assert name not in text


def test_the_description_has_an_example_for_each_body(site: Site) -> None:
    described = site.call("vera", "GET", "/openapi.json").json()

    bodies = {
        path: operation["post"]["requestBody"]["content"]["application/json"]
        for path, operation in described["paths"].items()
        if "post" in operation
    }
    assert set(bodies) == {
        "/train",
        "/approve_model",
        "/deploy",
        "/rollback",
        "/action",
        "/predict",
        "/scan_sbom",
        "/api/policies/{name}/what_if",
    }
    assert all(body["examples"] for body in bodies.values())


def test_the_dashboard_itself_may_read_the_five_kinds_and_write_nothing(site: Site) -> None:
    account = User("system:serviceaccount:hallmark-system:hallmark-dashboard")
    kinds = ("trainingruns", "modelversions", "modelapprovals", "modeldeployments")
    read = (*kinds, "modelpolicies", "namespaces")
    expected = {resource: {"get", "list", "watch"} for resource in read}

    found = rights(site.world, account)
    assert found.pop("tokenreviews") == {"create"}
    assert found == expected
    for resource, group in (("secrets", ""), ("pods", ""), ("configmaps", ""), ("users", "")):
        for verb in ("get", "list", "create", "impersonate"):
            assert not site.api.may(account, verb, resource, group=group)


def test_a_store_that_does_not_answer_holds_up_no_page(site: Site) -> None:
    name = fresh("far")
    labels = {LABEL_POLICY: name}
    silent = socket.create_server(("127.0.0.1", 0))
    far = {"uri": "s3://hallmark", "endpoint": f"http://127.0.0.1:{silent.getsockname()[1]}"}
    site.api.create(objects.model_policy(name, store=far))
    space: Obj = {"apiVersion": "v1", "kind": "Namespace"}
    space["metadata"] = {"name": name, "labels": labels}
    site.api.create(space)
    vera = site.people["vera"]
    home, account = vera.name.split(":")[2:]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": VIEWER_ROLE}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": home}
    site.api.create(rbac("RoleBinding", "vera", name, roleRef=role, subjects=[subject]))
    site.api.create(objects.model_version(name, "far"), OPERATOR)
    until(lambda: site.sees("ModelVersion", "far"))
    until(lambda: site.sees("Namespace", name))
    until(lambda: site.call("vera", "GET", f"/api/versions?namespace={name}").status_code == 200)

    first = site.call("vera", "GET", f"/api/reviews/{name}/far")
    begun = time.monotonic()
    again = site.call("vera", "GET", f"/api/reviews/{name}/far")
    took = time.monotonic() - begun
    silent.close()

    assert (first.status_code, again.status_code) == (200, 200)
    assert "did not answer" in first.json()["report_sentence"]
    assert took < 2
