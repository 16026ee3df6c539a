"""The store away: what serves, scales and rolls back on, and what is said where it cannot."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from hallmark.supply_chain import carried
from tests.unit.controllers.deployment_seen import CALM, SHIFTED
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions


@pytest.fixture
def world(tmp_path: Path) -> World:
    return with_two_versions(World(tmp_path))


def take_away(world: World) -> None:
    world.wait(3)
    world.away = True


def test_small_bundles_travel_with_what_serves_and_with_its_target(world: World) -> None:
    assert sorted(world.bundles) == [1, 2]
    assert all(obj["immutable"] for obj in world.bundles.values())
    assert all(obj["metadata"]["ownerReferences"] for obj in world.bundles.values())
    store = world.status.store
    assert store is not None
    assert (store.needed, store.needed_for_rollback) == (False, False)
    world.seal(3)
    world.settle()
    world.wait(11)
    world.settle()
    assert sorted(world.bundles) == [1, 2, 3] or sorted(world.bundles) == [2, 3]
    world.wait(120)
    world.settle()
    assert sorted(world.bundles) == [2, 3], "no more than what serves and its target"


@pytest.mark.parametrize("warm", [True, False], ids=["to warm Pods", "to Pods that must start"])
def test_drift_rolls_back_without_the_store(world: World, *, warm: bool) -> None:
    if not warm:
        world.wait(60)
        world.settle()
        assert world.running == {2: 1}
    take_away(world)
    world.traffic(SHIFTED)
    world.settle()
    assert (world.serving, world.state) == (1, "Stable")
    assert world.answers() == 1


def test_a_restarted_operator_watches_drift_without_the_store(world: World) -> None:
    take_away(world)
    world.operator = world._operator()
    world.traffic(CALM)
    world.settle()
    assert world.condition("DriftDetected") == "False/NoDrift"


def test_a_revocation_without_the_store_goes_to_the_version_that_travels(world: World) -> None:
    take_away(world)
    world.revoke(2)
    world.settle()
    assert world.serving == 1
    assert world.answers() == 1


def test_what_serves_is_scaled_and_restarted_without_the_store(world: World) -> None:
    take_away(world)
    world.ask(replicas=2)
    world.settle()
    world.evict(2)
    world.settle()
    assert world.answers() == 2


def test_a_new_version_waits_for_the_store(world: World) -> None:
    take_away(world)
    world.seal(3)
    world.settle()
    assert (world.serving, world.state) == (2, "Verifying")
    assert "could not be reached" in world.message("Verified")
    world.away = False
    world.wait(6)
    world.settle()
    assert world.serving == 3


def test_carried_files_that_are_lost_come_back_with_the_store(world: World) -> None:
    take_away(world)
    world.delete_bundles()
    world.settle()
    store = world.status.store
    assert store is not None
    assert store.needed
    assert store.needed_for_rollback
    assert "not in the cluster (yet)" in store.message
    world.away = False
    world.wait(31)
    world.settle()
    assert sorted(world.bundles) == [1, 2]
    assert world.carries(1)
    assert world.carries(2)


@pytest.mark.parametrize("name", carried.CARRIED_FILES)
def test_carried_files_that_were_swapped_verify_nothing_and_are_replaced(
    world: World, name: str
) -> None:
    world.wait(60)
    world.settle()
    world.bundles[1]["binaryData"][name] = b64encode(b"other").decode()
    take_away(world)
    world.traffic(SHIFTED)
    world.settle()
    assert world.serving == 2, "nothing vouches for the target's bytes"
    world.away = False
    world.wait(31)
    world.settle()
    assert world.serving == 1
    assert world.carries(1)


def test_the_files_of_another_version_under_its_name_verify_nothing(world: World) -> None:
    world.wait(60)
    world.settle()
    world.bundles[1]["binaryData"] = world.bundles[2]["binaryData"]
    take_away(world)
    world.traffic(SHIFTED)
    world.settle()
    assert world.serving == 2


def test_a_revoked_key_counts_for_carried_files_too(world: World) -> None:
    """The signature is checked with the policy's keys of today."""
    world.wait(60)
    world.settle()
    take_away(world)
    policy = world.cluster.objects[("ModelPolicyhallmark.dev/v1alpha1", "", "default")]
    policy["spec"]["signers"][0]["revokedAt"] = "2026-11-25T12:00:00Z"
    world.traffic(SHIFTED)
    world.settle()
    assert world.serving == 2


def test_a_large_bundle_does_not_travel_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("hallmark.policies.model_deployment.carrying", "hallmark.bundles.bundles"):
        monkeypatch.setattr(f"{module}.CARRIED_BYTES", 100)
    world = with_two_versions(World(tmp_path))
    assert world.bundles == {}
    store = world.status.store
    assert store is not None
    assert (store.needed, store.needed_for_rollback) == (True, True)
    assert "more than the 100 that travel" in store.message
    take_away(world)
    world.traffic(SHIFTED)
    world.settle()
    assert world.serving == 2
    world.away = False
    world.wait(6)
    world.settle()
    assert world.serving == 1


def test_what_travels_goes_with_its_owner(world: World) -> None:
    world.delete()
    world.settle()
    assert world.bundles == {}
