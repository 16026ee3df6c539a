"""Who may write a status: the operator, and a predictor its own entry alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hallmark.api.bounds import MAX_REFUSED_FEATURES
from hallmark.api.names import (
    LABEL_DEPLOYMENT,
    PREDICTOR_FIELD_MANAGER,
)
from hallmark.drift.room import MAX_ENTRIES
from hallmark_predictor.cluster_api import ClusterApi, Reply
from hallmark_predictor.drift_reporter import has_no_room, status_path
from hallmark_predictor.settings import ApiServer
from tests.integration import objects
from tests.integration.admission_world import (
    ADMIN,
    REPLICA_SETS,
    deployment,
    expect,
    predictor,
    unique,
)
from tests.integration.api import Obj
from tests.integration.conftest import (
    OPERATOR,
    World,
)

__all__ = ["deployment"]
STATUS = {"status": {"conditions": []}}


@pytest.mark.parametrize(
    "make",
    [
        objects.training_run,
        objects.model_version,
        objects.model_approval,
        objects.model_deployment,
        lambda _, name: objects.model_policy(name),
    ],
    ids=["TrainingRun", "ModelVersion", "ModelApproval", "ModelDeployment", "ModelPolicy"],
)
def test_only_the_operator_writes_a_status(world: World, make: Callable[[str, str], Obj]) -> None:
    obj = make(world.namespace, unique("status"))
    world.api.create(obj, OPERATOR if obj["kind"] == "ModelVersion" else ADMIN)

    world.api.patch(obj, STATUS, OPERATOR, "status")
    expect(lambda: world.api.patch(obj, STATUS, ADMIN, "status"), "Only the operator writes")


def test_only_the_operator_creates_a_model_version(world: World) -> None:
    version = objects.model_version(world.namespace, unique("version"))

    expect(lambda: world.api.create(version), "Only the operator writes modelversions")
    world.api.create(version, OPERATOR)
    labels = {"metadata": {"labels": {"hallmark.dev/model": "other"}}}
    expect(lambda: world.api.patch(version, labels), "Only the operator writes modelversions")


def big(features: int, bins: int) -> Obj:
    return objects.drift_report(counts={f"f{n}": [1] * bins for n in range(features)})


REPORTS: dict[str, tuple[Obj, str]] = {
    "its own entry": ({"drift": {"mine": objects.drift_report()}}, ""),
    "its own entry with windows": (
        {
            "drift": {
                "mine": objects.drift_report(
                    windows=[
                        {
                            "number": 1,
                            "rows": 3,
                            "start": "2026-01-01T00:00:00Z",
                            "end": "2026-01-01T00:00:01Z",
                            "counts": {"income": [1, 2, 0]},
                        }
                    ]
                )
            }
        },
        "",
    ),
    "another Pod's entry": (
        {"drift": {"mine": objects.drift_report(), "other": objects.drift_report(sequence=2)}},
        "Pod mine may change its own entry of status.drift alone",
    ),
    "another Pod's entry alone": (
        {"drift": {"other": objects.drift_report(sequence=2)}},
        "Pod mine may change its own entry",
    ),
    "a new entry for another Pod": (
        {"drift": {"mine": objects.drift_report(), "third": objects.drift_report()}},
        "Pod mine may change its own entry",
    ),
    "the removal of another Pod's entry": (
        {"drift": {"mine": objects.drift_report(), "other": None}},
        "Pod mine may change its own entry",
    ),
    "the removal of all entries": ({"drift": None}, "Pod mine may change its own entry"),
    "a field of the status that is there": (
        {"drift": {"mine": objects.drift_report()}, "replicas": 2},
        "status.drift alone",
    ),
    "a new field of the status": (
        {"drift": {"mine": objects.drift_report()}, "activeModelVersion": "loan-v9"},
        "status.drift alone",
    ),
    "the removal of a field of the status": (
        {"drift": {"mine": objects.drift_report()}, "replicas": None},
        "status.drift alone",
    ),
    "as many counts as are allowed": ({"drift": {"mine": big(64, 256)}}, ""),
    "more counts than are allowed": (
        {"drift": {"mine": big(65, 256)}},
        "at most 16384 counts",
    ),
    "a feature with an endless name": (
        {"drift": {"mine": objects.drift_report(counts={"x" * 64: [1, 2]})}},
        "names of at most 63 characters",
    ),
    "refused rows of as many features as are allowed": (
        {
            "drift": {
                "mine": objects.drift_report(
                    refusedRows=2**53 - 1,
                    refused=[
                        {
                            "feature": f"f{number}",
                            "missing": 1,
                            "wrongType": 2,
                            "unseenCategory": 3,
                            "outOfRange": 2**53 - 1,
                        }
                        for number in range(MAX_REFUSED_FEATURES)
                    ],
                )
            }
        },
        "",
    ),
    "refused rows of more features than are allowed": (
        {
            "drift": {
                "mine": objects.drift_report(
                    refused=[{"feature": f"f{n}"} for n in range(MAX_REFUSED_FEATURES + 1)]
                )
            }
        },
        "status.drift.mine.refused: Too many",
    ),
    "a refused row under a name that is anybody's text": (
        {"drift": {"mine": objects.drift_report(refused=[{"feature": "jane@example.org"}])}},
        "status.drift.mine.refused[0].feature",
    ),
    "fewer than no refused rows": (
        {"drift": {"mine": objects.drift_report(refusedRows=-1)}},
        "status.drift.mine.refusedRows",
    ),
    "a report that breaks the schema": (
        {"drift": {"mine": objects.drift_report(sequence=0)}},
        "status.drift.mine.sequence",
    ),
    "more entries than are allowed": (
        {"drift": {f"p{n}": objects.drift_report() for n in range(64)}},
        "status.drift: Too many",
    ),
}


@pytest.mark.parametrize(("status", "refusal"), REPORTS.values(), ids=REPORTS.keys())
def test_a_predictor_writes(world: World, deployment: str, status: Obj, refusal: str) -> None:
    target = objects.model_deployment(world.namespace, deployment)
    user = predictor(world, deployment, "mine")

    expect(lambda: world.api.patch(target, {"status": status}, user, "status"), refusal)


def test_a_predictor_does_not_remove_its_own_entry(world: World, deployment: str) -> None:
    target = objects.model_deployment(world.namespace, deployment)
    user = predictor(world, deployment, "other")
    change = {"status": {"drift": {"other": None}}}

    expect(lambda: world.api.patch(target, change, user, "status"), "must not remove its entry")
    world.api.patch(target, change, OPERATOR, "status")


REPORTERS: dict[str, tuple[str, str, str]] = {
    "a token without a Pod": ("", "", "bound to a Pod"),
    "an account of another ModelDeployment": (
        "mine",
        "foreign-predictor",
        "and the predictors of ModelDeployment",
    ),
}


@pytest.mark.parametrize(("pod", "account", "refusal"), REPORTERS.values(), ids=REPORTERS.keys())
def test_a_report_is_not_taken_from(
    world: World, deployment: str, pod: str, account: str, refusal: str
) -> None:
    target = objects.model_deployment(world.namespace, deployment)
    user = predictor(world, deployment, pod, account)
    change = {"status": {"drift": {"mine": objects.drift_report()}}}

    expect(lambda: world.api.patch(target, change, user, "status"), refusal)


def test_a_token_of_a_pod_reports_for_that_pod(
    world: World, deployment: str, tmp_path: Path
) -> None:
    target = objects.model_deployment(world.namespace, deployment)
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    account["metadata"] = {"name": f"{deployment}-predictor", "namespace": world.namespace}
    world.api.create(account)
    name = unique("pod")
    pod = world.api.create(
        objects.pod(
            world.namespace,
            name,
            {LABEL_DEPLOYMENT: deployment},
            serviceAccountName=account["metadata"]["name"],
        ),
        REPLICA_SETS,
    )
    bound = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": pod["metadata"]["uid"]}
    path = f"/api/v1/namespaces/{world.namespace}/serviceaccounts/{deployment}-predictor/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}

    def token(spec: Obj) -> str:
        made = world.api.request("POST", path, {**request, "spec": spec})
        return str(made["status"]["token"])

    address = urlsplit(world.api.server)
    (tmp_path / "ca.crt").write_text(world.api.authority)
    client = ClusterApi(ApiServer(address.hostname or "", address.port or 0, tmp_path))

    def report(pod: str, token: str) -> Reply:
        (tmp_path / "token").write_text(token)
        entry = {"status": {"drift": {pod: objects.drift_report()}}}
        query = {"fieldManager": PREDICTOR_FIELD_MANAGER}
        return client.patch(status_path(world.namespace, deployment), query, entry)

    own, free = token({"boundObjectRef": bound}), token({})
    many = {f"p{number}": objects.drift_report() for number in range(MAX_ENTRIES - 1)}
    world.api.patch(target, {"status": {"drift": many}}, OPERATOR, "status")
    assert has_no_room(report(name, own)), "sixty-four others have"
    room = {"p0": None, "p1": None}
    world.api.patch(target, {"status": {"drift": room}}, OPERATOR, "status")
    assert report(name, own) == Reply(200, "")
    assert "may change its own entry" in report("other-pod", own).message
    assert "bound to a Pod" in report(name, free).message
    assert name in world.api.get(target)["status"]["drift"]
    client.close()
