"""The backend, each route as each person: allowed, or a sentence that names the missing verb."""

from __future__ import annotations

import secrets
import socket
import time

import httpx
import pytest

from hallmark.api.names import LABEL_POLICY
from tests.integration import objects
from tests.integration.api import Obj, User
from tests.integration.conftest import OPERATOR, rbac, until
from tests.integration.dashboard_hostile import fresh
from tests.integration.dashboard_served import hidden, sealed, serving
from tests.integration.dashboard_world import HOSTILE, Site, put_version, site
from tests.integration.test_rbac import rights

__all__ = ["hidden", "sealed", "serving", "site"]

VIEWER_ROLE = "hallmark-viewer"

pytestmark = pytest.mark.timeout(240)


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
