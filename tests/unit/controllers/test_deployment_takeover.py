"""The former version answers until the new one has proven itself, within what the policy allows."""

from __future__ import annotations

import pytest

from hallmark.cluster.kinds import APPS_DEPLOYMENT, Obj
from tests.unit.controllers.deployment_seen import SHIFTED
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions
from tests.unit.controllers.test_deployment_withdrawal import world

__all__ = ["world"]


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("stable", [True, False], ids=["after a bake", "in the middle of one"])
def test_the_former_version_answers_while_the_new_one_proves_itself(
    world: World, replicas: int, *, stable: bool
) -> None:
    world.ask(replicas=replicas)
    world.seal(1)
    world.settle()
    if stable:
        world.wait(11)
        world.settle()
    world.seal(2)
    world.settle()
    assert (world.serving, world.state) == (2, "Promoted")
    world.evict(2)
    world.reconcile()
    assert (world.serving, world.answers()) == (1, replicas)
    assert world.status.active_model_version == "credit-v2"
    assert world.condition("Ready") == "False/Unavailable"
    assert "'credit-v1' answers" in world.message("Ready")
    assert world.recorded("promote")[-1] == "held"
    world.settle()
    assert (world.serving, world.answers()) == (2, replicas)
    assert world.recorded("promote")[-1] == "done"


def test_some_pods_of_the_new_version_are_enough(world: World) -> None:
    world.ask(replicas=3)
    world.seal(1)
    world.settle()
    world.seal(2)
    world.settle()
    world.evict(2, pods=2)
    world.reconcile()
    assert (world.serving, world.answers()) == (2, 1)


def test_a_version_that_proved_itself_keeps_the_traffic(world: World) -> None:
    with_two_versions(world)
    world.evict(2)
    world.reconcile()
    assert world.serving == 2


def test_the_traffic_never_goes_back_to_what_was_withdrawn(world: World) -> None:
    world.seal(1)
    world.settle()
    world.wait(11)
    world.settle()
    world.seal(2)
    world.settle()
    world.revoke(1)
    world.evict(2)
    world.reconcile()
    assert world.serving == 2
    assert 1 not in world.running


def test_a_stand_in_that_is_withdrawn_gives_the_traffic_back(world: World) -> None:
    world.seal(1)
    world.settle()
    world.seal(2)
    world.settle()
    world.evict(2)
    world.reconcile()
    assert world.serving == 1
    world.revoke(1)
    world.reconcile()
    assert world.serving == 2
    assert 1 not in world.running


def test_a_candidate_that_is_evicted_before_the_switch_gets_no_traffic(world: World) -> None:
    world.seal(1)
    world.settle()
    world.seal(2)
    for _ in range(3):
        world.reconcile()
    world.run_pods()
    pod = world.pods_of(2)[0]
    pod["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    world.reconcile()
    assert world.serving == 1


def test_a_former_version_goes_when_its_time_is_over(world: World) -> None:
    world.seal(1)
    world.settle()
    world.seal(2)
    world.settle()
    assert world.running == {1: 1, 2: 1}
    world.wait(31)
    world.settle()
    assert world.running == {2: 1}


# -- what the policy allows --------------------------------------------------------------------


def test_more_than_the_policy_allows_runs_with_the_maximum_and_is_said(world: World) -> None:
    world.set_policy(deployments={"maxReplicas": 2, "maxResources": {"cpu": "1", "memory": "1Gi"}})
    world.seal(1)
    world.settle()
    world.ask(replicas=9, resources={"requests": {"cpu": "1000"}, "limits": {"memory": "2Gi"}})
    world.settle()
    assert world.running == {1: 2}
    container = world.templates[0]["spec"]["containers"][0]
    assert container["resources"]["requests"]["cpu"] == "1"
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    assert world.condition("Ready") == "False/InvalidSpec"
    assert "found 9" in world.message("Ready")
    world.seal(2)
    world.settle()
    assert world.serving == 1, "nothing new starts"
    world.ask(replicas=2, resources=None)
    world.settle()
    assert world.serving == 2


def test_what_serves_after_an_acknowledged_rollback_is_said(world: World) -> None:
    with_two_versions(world)
    world.seal(3)
    world.settle()
    world.wait(11)
    world.settle()
    world.traffic(SHIFTED)
    world.settle()
    assert world.serving == 2
    world.act("acknowledge", "1")
    world.settle()
    world.wait(11)
    world.settle()
    assert world.condition("Ready") == "True/Serving"
    last = world.status.last_rollback
    assert last is not None
    said = world.message("Ready")
    assert "'credit-v2' serves" in said
    assert "instead of 'credit-v3', which is asked for" in said
    assert f"since {last.time}" in said
    assert f"which ada acknowledged at {last.acknowledged_at}" in said
    world.act("pause", "2")
    world.settle()
    assert "ada acknowledged" in world.message("Ready"), "later actions take it away from nobody"


def test_shrinking_leaves_the_template_alone(world: World) -> None:
    world.set_policy(onRevocation="Stop")
    with_two_versions(world)
    before = {obj["metadata"]["name"]: obj["spec"]["template"] for obj in workloads(world)}
    world.ask(resources={"requests": {"cpu": "3"}})
    world.revoke(2)
    world.settle()
    name = f"credit-{world.digest(2).removeprefix('sha256:')[:12]}"
    after = {obj["metadata"]["name"]: obj["spec"]["template"] for obj in workloads(world)}
    assert after[name] == before[name]


def workloads(world: World) -> list[Obj]:
    return [
        obj
        for obj in world.cluster.objects.values()
        if obj["apiVersion"] == APPS_DEPLOYMENT.api_version
    ]
