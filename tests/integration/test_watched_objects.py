"""The operator's watches receive nothing that a stranger made."""

from __future__ import annotations

from functools import partial

import pytest

from hallmark.api.names import LABEL_MANAGED_BY, MANAGED_BY
from tests.integration import objects
from tests.integration.api import Obj, User
from tests.integration.bounded_metadata import ADMIN, said, tried, unique
from tests.integration.conftest import EDITOR, OPERATOR, World, until

REPLICA_SETS = User("system:serviceaccount:kube-system:replicaset-controller")

WATCHED = {LABEL_MANAGED_BY: MANAGED_BY}


@pytest.fixture(scope="module", autouse=True)
def _in_force(world: World) -> None:
    """Wait until the policy that is tested here acts."""
    bad = objects.config_map(world.namespace, "bad", WATCHED)
    until(lambda: bool(tried(world, bad, EDITOR)))


def watched(kind: str, namespace: str, name: str) -> Obj:
    """Return an unlabelled object of a kind that the operator watches."""
    if kind == "Pod":
        return objects.pod(namespace, name)
    if kind == "Service":
        return objects.service(namespace, name, {}, {"app": name})
    if kind == "ConfigMap":
        return objects.config_map(namespace, name)
    return objects.workload(kind, namespace, name, {})


@pytest.mark.parametrize("kind", ["Pod", "Service", "ConfigMap", "Deployment", "Job"])
def test_the_operators_watches_receive_nothing_of_strangers(world: World, kind: str) -> None:
    bad, good = (watched(kind, world.namespace, unique("stranger")) for _ in range(2))
    bad["metadata"]["labels"] = WATCHED
    others = watched(kind, world.namespace, unique("helm"))
    others["metadata"]["labels"] = {LABEL_MANAGED_BY: "Helm"}
    refusal = f"carries the label {LABEL_MANAGED_BY}: {MANAGED_BY}: only the operator creates"

    for user in (EDITOR, ADMIN):
        assert refusal in tried(world, bad, user)
    for obj in (good, others):
        world.api.create(obj, EDITOR)
        for door in ("", "status", "ephemeralcontainers", "resize"):
            change = {"metadata": {"labels": WATCHED}}
            said(partial(world.api.patch, obj, change, ADMIN, door))
            found = world.api.get(obj)["metadata"].get("labels", {})
            assert found.get(LABEL_MANAGED_BY) != MANAGED_BY, door
    world.api.create(bad, REPLICA_SETS if kind == "Pod" else OPERATOR)
    change = {"metadata": {"annotations": {"a": "b"}}}
    assert refusal in said(lambda: world.api.patch(bad, change, EDITOR))
    world.api.delete(bad, ADMIN)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job", "CronJob", "DaemonSet"])
def test_a_workload_of_a_stranger_makes_nothing_that_is_watched(world: World, kind: str) -> None:
    bad = objects.workload(kind, world.namespace, unique("bad"), WATCHED)
    helm = {LABEL_MANAGED_BY: "Helm"}
    good = objects.workload(kind, world.namespace, unique("good"), helm)

    # A Job takes its Pods' labels itself, so that another policy may be the first to refuse.
    assert f"{LABEL_MANAGED_BY}: {MANAGED_BY}" in tried(world, bad, EDITOR)
    assert tried(world, good, EDITOR) == ""


def test_a_cron_job_of_a_stranger_makes_no_watched_job(world: World) -> None:
    bad = objects.workload("CronJob", world.namespace, unique("bad"), {})
    bad["spec"]["jobTemplate"]["metadata"] = {"labels": WATCHED}

    assert "would carry the label" in tried(world, bad, EDITOR)
