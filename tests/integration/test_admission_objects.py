"""What belongs to whom: versions in use, guarded objects, accounts and shells, by impersonation."""

from __future__ import annotations

import contextlib

import pytest

from hallmark.api.model_approval import ReviewDecision
from hallmark.api.names import (
    LABEL_DEPLOYMENT,
    LABEL_JOB,
    LABEL_LATCH,
)
from tests.integration import objects
from tests.integration.admission_world import (
    ADMIN,
    AUTOSCALER,
    GARBAGE,
    REPLICA_SETS,
    deployment,
    expect,
    unique,
)
from tests.integration.api import Obj, RefusedError, User, path_of
from tests.integration.conftest import (
    EDITOR,
    OPERATOR,
    REVIEWER,
    World,
    binding,
    rbac,
    until,
)

__all__ = ["deployment"]

# Versions in use.


def test_a_version_in_use_is_not_deleted(world: World) -> None:
    version = objects.model_version(world.namespace, unique("used"))
    world.api.create(version, OPERATOR)
    world.api.patch(version, {"status": {"usedBy": ["a", "b"]}}, OPERATOR, "status")

    expect(lambda: world.api.delete(version), "is in use: a, b serves it or could roll back")
    world.api.patch(version, {"status": {"usedBy": []}}, OPERATOR, "status")
    world.api.delete(version)


@pytest.mark.parametrize(
    "user",
    [
        User("system:serviceaccount:kube-system:namespace-controller"),
        GARBAGE,
    ],
    ids=lambda user: user.name.rpartition(":")[2],
)
def test_a_version_in_use_goes_with_its_namespace(world: World, user: User) -> None:
    version = objects.model_version(world.namespace, unique("used"))
    world.api.create(version, OPERATOR)
    world.api.patch(version, {"status": {"usedBy": ["a"]}}, OPERATOR, "status")

    world.api.delete(version, user)


# Words that nobody has heard.

ASSESSMENT = {"vulnerability": "CVE-1", "package": "numpy", "analysis": "exploitable"}


@pytest.mark.parametrize("decision", [*ReviewDecision])
def test_no_other_reviewer_takes_a_rejection_away_before_it_was_heard(
    world: World, decision: ReviewDecision
) -> None:
    """Whoever is quick, or waits until the operator is away, would undo it for good."""
    signed = {"assessment": ASSESSMENT, "attestation": "{}"}
    more = signed if decision is ReviewDecision.ASSESSED else {}
    said = objects.model_approval(
        world.namespace, unique("said"), approver=REVIEWER.name, decision=decision, **more
    )
    world.api.create(said, REVIEWER)
    unheard = f"says {decision}, and the operator has not heard" if decision.is_final else ""
    expect(lambda: world.api.delete(said, REVIEWER), unheard)
    if unheard:
        # A reconcile that failed is no hearing.
        for type_, refusal in (("Reconciling", unheard), ("Ready", "")):
            shown = {"type": type_, "status": "True", "reason": "It", "message": ""}
            conditions = [{**shown, "lastTransitionTime": "2026-01-01T00:00:00Z"}]
            world.api.patch(said, {"status": {"conditions": conditions}}, OPERATOR, "status")
            expect(lambda: world.api.delete(said, REVIEWER), refusal)


def test_a_rejection_goes_with_its_namespace_and_with_an_administrator(world: World) -> None:
    for user in (User("system:serviceaccount:kube-system:namespace-controller"), GARBAGE, ADMIN):
        said = objects.model_approval(
            world.namespace, unique("said"), approver=REVIEWER.name, decision="Denied"
        )
        world.api.create(said, REVIEWER)
        world.api.delete(said, user)


# Guarded objects.

GUARD = {LABEL_DEPLOYMENT: "loan"}
JOB = {LABEL_JOB: "train"}


def guarded(kind: str, namespace: str, name: str, labels: dict[str, str]) -> Obj:
    """Return a labelled object of a kind."""
    if kind == "Pod":
        return objects.pod(namespace, name, labels)
    if kind == "Service":
        return objects.service(namespace, name, labels, {"app": name})
    if kind in {"Deployment", "ReplicaSet", "Job"}:
        made = objects.workload(kind, namespace, name, {})
    elif kind == "EndpointSlice":
        made = objects.endpoint_slice(namespace, name, name)
    else:
        made = objects.config_map(namespace, name)
        made["kind"] = kind
        made["apiVersion"] = {
            "NetworkPolicy": "networking.k8s.io/v1",
            "PodDisruptionBudget": "policy/v1",
            "Role": "rbac.authorization.k8s.io/v1",
        }.get(kind, "v1")
        if kind == "NetworkPolicy":
            made["spec"] = {"podSelector": {}}
        if kind == "PodDisruptionBudget":
            made["spec"] = {"minAvailable": 1, "selector": {}}
    made["metadata"]["labels"] = {**made["metadata"].get("labels", {}), **labels}
    return made


KINDS = [
    "Pod",
    "Service",
    "Deployment",
    "ReplicaSet",
    "Job",
    "EndpointSlice",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Role",
]


@pytest.mark.parametrize("label", [GUARD, JOB], ids=["of a ModelDeployment", "of a Job"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_labelled_object_is_the_operators_alone(
    world: World, kind: str, label: dict[str, str]
) -> None:
    ours = guarded(kind, world.namespace, unique("ours"), label)
    theirs = guarded(kind, world.namespace, unique("theirs"), {})
    refusal = f"carries the label {next(iter(label))}: only the operator creates"

    expect(lambda: world.api.create(ours), refusal)
    world.api.create(ours, as_operator(kind))
    change: Obj = {"metadata": {"annotations": {"a": "b"}}}
    expect(lambda: world.api.patch(ours, change), refusal)
    unlabel: Obj = {"metadata": {"labels": {next(iter(label)): None}}}
    expect(lambda: world.api.patch(ours, unlabel), refusal)
    expect(lambda: world.api.delete(ours, OWNER), refusal)
    world.api.create(theirs)
    expect(lambda: world.api.patch(theirs, {"metadata": {"labels": label}}), refusal)
    world.api.patch(theirs, change)
    world.api.delete(theirs)


OWNER = User("nora")
"""Has every right to the namespace's objects, and none of Hallmark's."""
CLEANER = User("carl")
"""Has the same, and Hallmark's verb clean-up."""
GROUPS = ["", "apps", "batch", "discovery.k8s.io", "networking.k8s.io", "policy"]


@pytest.fixture(scope="module", autouse=True)
def _owners(world: World) -> None:
    everything = {
        "apiGroups": [*GROUPS, "rbac.authorization.k8s.io"],
        "resources": ["*"],
        "verbs": ["*"],
    }
    cleaning = {
        "apiGroups": ["hallmark.dev"],
        "resources": ["modeldeployments", "trainingruns"],
        "verbs": ["clean-up"],
    }
    place = {"namespace": world.namespace}
    for name, rules, users in (
        ("everything", [everything], (OWNER, CLEANER)),
        ("cleaning", [cleaning], (CLEANER,)),
    ):
        world.api.create(rbac("Role", name, world.namespace, rules=rules))
        for user in users:
            world.api.create(binding("RoleBinding", user, "Role", name, world.namespace))
    until(lambda: world.api.may(OWNER, "delete", "pods", **place))
    until(lambda: world.api.may(CLEANER, "clean-up", "trainingruns", group="hallmark.dev", **place))


@pytest.mark.parametrize("user", [ADMIN, CLEANER], ids=["administrator", "clean-up"])
@pytest.mark.parametrize("label", [GUARD, JOB], ids=["of a ModelDeployment", "of a Job"])
@pytest.mark.parametrize("kind", KINDS)
def test_who_runs_the_cluster_deletes_and_orphans_nothing(
    world: World, kind: str, label: dict[str, str], user: User | None
) -> None:
    ours = guarded(kind, world.namespace, unique("ours"), label)
    made = world.api.create(ours, as_operator(kind))
    path = path_of(ours)
    refusal = "must not be left without an owner"

    for options in ({"propagationPolicy": "Orphan"}, {"orphanDependents": True}):
        expect(lambda body=options: world.api.request("DELETE", path, body, user), refusal)
    query = "?propagationPolicy=Orphan"
    expect(lambda: world.api.request("DELETE", path + query, None, user), refusal)
    change: Obj = {"metadata": {"finalizers": ["orphan"]}}
    expect(lambda: world.api.patch(ours, change, user), "only the operator creates")
    assert world.api.get(ours)["metadata"]["uid"] == made["metadata"]["uid"]
    world.api.delete(ours, user)


@pytest.mark.parametrize("user", [ADMIN, EDITOR], ids=["administrator", "editor"])
def test_what_is_remembered_of_bytes_is_nobodys_to_change_or_delete(
    world: World, user: User | None
) -> None:
    labels = {LABEL_LATCH: "a" * 40}
    latch = objects.config_map(world.namespace, unique("latch"), labels)
    other = objects.config_map(world.namespace, unique("other"))
    refusal = f"carries the label {LABEL_LATCH}: it remembers for good"

    expect(lambda: world.api.create(latch, user), refusal)
    world.api.create(latch, OPERATOR)
    expect(lambda: world.api.patch(latch, {"data": {"a": "b"}}, user), refusal)
    unlabel: Obj = {"metadata": {"labels": {LABEL_LATCH: None}}}
    expect(lambda: world.api.patch(latch, unlabel, user), refusal)
    expect(lambda: world.api.delete(latch, user), refusal)
    world.api.create(other)
    expect(lambda: world.api.patch(other, {"metadata": {"labels": labels}}, user), refusal)
    world.api.delete(other)
    world.api.delete(latch, GARBAGE)


def as_operator(kind: str) -> User:
    """Return who makes objects of a kind: the operator, or a controller for it."""
    controllers = {
        "Pod": "replicaset",
        "ReplicaSet": "deployment",
        "EndpointSlice": "endpointslice",
    }
    if kind in controllers:
        return User(f"system:serviceaccount:kube-system:{controllers[kind]}-controller")
    return OPERATOR


def test_a_pod_of_a_strangers_does_not_join_by_any_door(world: World) -> None:
    pod = objects.pod(world.namespace, unique("pod"))
    world.api.create(pod, EDITOR)
    labels = {"metadata": {"labels": GUARD}}

    for door in ("", "status", "ephemeralcontainers", "resize"):
        with contextlib.suppress(RefusedError):
            world.api.patch(pod, labels, ADMIN, door)
        assert LABEL_DEPLOYMENT not in world.api.get(pod)["metadata"].get("labels", {}), door


@pytest.mark.parametrize("label", [GUARD, JOB], ids=["of a ModelDeployment", "of a Job"])
@pytest.mark.parametrize(
    "kind",
    [
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "DaemonSet",
        "ReplicationController",
        "Job",
        "CronJob",
    ],
)
def test_a_workload_does_not_make_labelled_pods(
    world: World, kind: str, label: dict[str, str]
) -> None:
    bad = objects.workload(kind, world.namespace, unique("bad"), label)
    good = objects.workload(kind, world.namespace, unique("good"), {})

    # A Job takes its Pods' labels itself, so that another policy may be the first to refuse.
    expect(lambda: world.api.create(bad, EDITOR), f"the label {LABEL_DEPLOYMENT.split('/')[0]}/")
    world.api.create(good, EDITOR)
    world.api.delete(good)


def test_a_cron_job_does_not_make_labelled_jobs(world: World) -> None:
    bad = objects.workload("CronJob", world.namespace, unique("bad"), {})
    bad["spec"]["jobTemplate"]["metadata"] = {"labels": JOB}

    expect(lambda: world.api.create(bad, EDITOR), "would carry the label")


def test_the_replicas_of_a_version_are_the_operators(world: World) -> None:
    ours = objects.workload("Deployment", world.namespace, unique("ours"), {})
    for labels in (ours["spec"]["template"]["metadata"], ours["spec"]["selector"]):
        labels[next(iter(labels))] = GUARD
    ours["metadata"]["labels"] = GUARD
    world.api.create(ours, OPERATOR)
    theirs = objects.workload("Deployment", world.namespace, unique("theirs"), {})
    world.api.create(theirs)
    change = {"spec": {"replicas": 0}}

    for user in (EDITOR, AUTOSCALER):
        expect(lambda user=user: world.api.patch(ours, change, user, "scale"), "scale that instead")  # type: ignore[misc]
        world.api.patch(theirs, change, user, "scale")


def test_a_service_of_a_stranger_does_not_select_predictors(world: World) -> None:
    bad = objects.service(world.namespace, unique("bad"), {}, GUARD)
    good = objects.service(world.namespace, unique("good"), {}, {"app": "x"})

    expect(lambda: world.api.create(bad, EDITOR), "must not select by a label of hallmark.dev")
    world.api.create(good, EDITOR)
    change = {"spec": {"selector": {"hallmark.dev/manifest": "abc"}}}
    expect(lambda: world.api.patch(good, change, EDITOR), "must not select")


def test_a_guarded_service_takes_no_address_from_a_stranger(world: World) -> None:
    name = unique("loan")
    world.api.create(objects.service(world.namespace, name, GUARD, GUARD), OPERATOR)
    bad = objects.endpoint_slice(world.namespace, unique("bad"), name)
    good = objects.endpoint_slice(world.namespace, unique("good"), "another")
    refusal = f"Service {name} belongs to a ModelDeployment"

    def refused() -> bool:
        try:
            world.api.create(bad, dry_run=True)
        except RefusedError as error:
            return refusal in str(error)
        return False

    until(refused)
    world.api.create(good)
    change = {"metadata": {"labels": {"kubernetes.io/service-name": name}}}
    expect(lambda: world.api.patch(good, change), refusal)
    controller = User("system:serviceaccount:kube-system:endpointslice-controller")
    world.api.create(bad, controller)


# Predictors' ServiceAccounts.


def test_a_predictors_account_is_for_its_pods_alone(world: World, deployment: str) -> None:
    account = f"{deployment}-predictor"
    theirs = objects.pod(world.namespace, unique("pod"), serviceAccountName=account)
    other = objects.pod(
        world.namespace, unique("pod"), {LABEL_DEPLOYMENT: "other"}, serviceAccountName=account
    )
    ours = objects.pod(
        world.namespace, unique("pod"), {LABEL_DEPLOYMENT: deployment}, serviceAccountName=account
    )
    refusal = f"belongs to the predictors of ModelDeployment {deployment} alone"

    expect(lambda: world.api.create(theirs, EDITOR), refusal)
    expect(lambda: world.api.create(theirs, REPLICA_SETS), refusal)
    expect(lambda: world.api.create(other, REPLICA_SETS), refusal)
    world.api.create(ours, REPLICA_SETS)


def test_an_account_that_only_sounds_like_a_predictors_is_left_alone(world: World) -> None:
    pod = objects.pod(world.namespace, unique("pod"), serviceAccountName="kserve-predictor")

    world.api.create(pod, EDITOR)


def test_a_stranger_makes_no_token_of_a_predictor(world: World, deployment: str) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    account["metadata"] = {"name": f"{deployment}-predictor", "namespace": world.namespace}
    world.api.create(account)
    path = f"/api/v1/namespaces/{world.namespace}/serviceaccounts/{deployment}-predictor/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}

    expect(lambda: world.api.request("POST", path, request, EDITOR), "belongs to the predictors")
    world.api.request("POST", path, request)


# Shells.


@pytest.mark.parametrize("label", [GUARD, JOB], ids=["of a ModelDeployment", "of a Job"])
def test_nobody_runs_commands_in_a_pod(world: World, label: dict[str, str]) -> None:
    ours = objects.pod(world.namespace, unique("ours"), label)
    theirs = objects.pod(world.namespace, unique("theirs"))
    world.api.create(ours, REPLICA_SETS)
    world.api.create(theirs)
    # A Pod without a node is as far as a command gets here; admission comes before.
    unreached = "does not have a host assigned"

    def run(pod: Obj, user: User | None, door: str) -> None:
        path = f"{path_of(pod, subresource=door)}?command=id&container=it&stdout=true"
        world.api.request("POST", path, user=user)

    def is_refused() -> bool:
        with pytest.raises(RefusedError) as refused:
            run(ours, EDITOR, "exec")
        return "nobody runs commands in it" in str(refused.value)

    until(is_refused)
    expect(lambda: run(ours, EDITOR, "attach"), "nobody runs commands in it")
    expect(lambda: run(theirs, EDITOR, "exec"), unreached)
    expect(lambda: run(ours, ADMIN, "exec"), unreached)
