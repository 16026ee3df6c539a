"""Withdrawn bytes stop though their object goes, is gone, or cannot be read."""

from __future__ import annotations

import pytest

from hallmark.cluster.kinds import MODEL_VERSION
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions
from tests.unit.controllers.test_deployment_withdrawal import look, withdrawn_pods, world
from tests.unit.policies.model_deployment.rollouts import version_name

__all__ = ["world"]


@pytest.mark.parametrize("mode", ["Rollback", "Stop"])
@pytest.mark.parametrize("finalizer", ["example.org/backup", "foregroundDeletion", "orphan"])
@pytest.mark.parametrize("first", ["deleted", "revoked"])
def test_an_object_that_is_being_deleted_stops(
    world: World, mode: str, finalizer: str, first: str
) -> None:
    world.set_policy(onRevocation=mode)
    with_two_versions(world)
    if first == "deleted":
        world.let_end(finalizer)
        world.settle()
        assert world.running.get(2) == 1, "what serves goes on until the object is gone"
    world.revoke(2)
    if first == "revoked":
        world.let_end(finalizer)
    world.settle()
    assert withdrawn_pods(world) == 0
    assert world.condition("Ready") == "False/Stopped"
    assert "stopped" in world.recorded("rollback")


def test_for_an_object_that_is_being_deleted_nothing_is_made(world: World) -> None:
    world.seal(1)
    world.settle()
    world.let_end("foregroundDeletion")
    before = world.children
    world.seal(2)
    world.ask(replicas=3)
    world.settle()
    assert (world.children, world.running) == (before, {1: 1})
    assert world.condition("Ready") == "False/Deleting"
    for key in [key for key in world.cluster.objects if key[0].startswith("Service")]:
        del world.cluster.objects[key]
    world.settle()
    assert world.serving == 0, "the garbage collector has begun"


def test_what_an_orphaning_deletion_leaves_is_removed(world: World) -> None:
    with_two_versions(world)
    assert world.children
    world.delete(orphan=True)
    world.reconcile()
    assert world.children == []


def test_an_ordinary_deletion_is_the_garbage_collectors(world: World) -> None:
    with_two_versions(world)
    world.delete()
    world.reconcile()
    assert world.children == []


def test_a_deployment_made_again_over_orphans_serves(world: World) -> None:
    with_two_versions(world)
    world.delete(orphan=True)
    world.make()
    world.revoke(2)
    world.reconcile()
    assert withdrawn_pods(world) == 0, "before anything new starts"
    world.settle()
    assert world.condition("Ready") == "True/Baking"
    assert (world.serving, world.running) == (1, {1: 1})


def test_a_secret_that_was_left_behind_is_no_strangers(world: World) -> None:
    with_two_versions(world)
    world.delete(orphan=True)
    for key, obj in list(world.cluster.objects.items()):
        if obj["kind"] not in {"Secret", "ModelVersion", "ModelPolicy", "Namespace"}:
            del world.cluster.objects[key]
    world.make()
    world.settle()
    assert world.condition("Ready") == "True/Baking"


def test_a_child_that_lost_its_owner_is_adopted_while_its_owner_serves(world: World) -> None:
    with_two_versions(world)
    for obj in world.cluster.objects.values():
        if obj["kind"] in {"Service", "Deployment"} and "ownerReferences" in obj["metadata"]:
            obj["metadata"]["ownerReferences"] = []
    world.settle()
    assert (world.serving, world.running) == (2, {1: 1, 2: 1})
    assert all(
        obj["metadata"]["ownerReferences"]
        for obj in world.cluster.objects.values()
        if obj["kind"] == "Service" or obj["apiVersion"] == "apps/v1"
    )


def test_a_version_that_is_being_deleted_is_still_judged(world: World) -> None:
    with_two_versions(world)
    key = world.cluster.key_of(
        {
            "apiVersion": MODEL_VERSION.api_version,
            "kind": MODEL_VERSION.kind,
            "metadata": {"name": version_name(2), "namespace": "bank"},
        }
    )
    world.cluster.objects[key]["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    world.revoke(2)
    look(world)
    assert world.serving == 1


def test_an_object_that_cannot_be_read_stops_too(world: World) -> None:
    with_two_versions(world)
    key = next(key for key in world.cluster.objects if key[0] == "Deploymenthallmark.dev/v1alpha1")
    world.cluster.objects[key]["spec"]["replicas"] = "many"
    world.asked = world.spec
    world.reconcile()
    assert world.condition("Ready") == "False/InvalidSpec"
    assert world.running == {1: 1, 2: 1}
    world.revoke(2)
    look(world)
    assert withdrawn_pods(world) == 0
