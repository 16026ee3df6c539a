"""Withdrawn bytes stop serving, or are replaced, whatever an author, a store or a status does."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import APPS_DEPLOYMENT, MODEL_VERSION, Obj
from hallmark.errors import ArtifactError
from tests.examples import slow_but
from tests.unit.controllers.deployment_world import SHIFTED, FolderBundles, World
from tests.unit.controllers.test_deployment import with_two_versions
from tests.unit.policies.model_deployment.rollouts import version_name

DEADLINE = 121
"""Seconds after which the policy's default ends what was withdrawn."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def withdrawn_pods(world: World, number: int = 2) -> int:
    """Return how many Pods are asked for that run a version."""
    return world.running.get(number, 0)


def look(world: World, times: int = 6, *, kubelet: bool = True) -> None:
    """Let the operator look again and again, whatever the API server refuses."""
    for _ in range(times):
        world.reconcile()
        if kubelet:
            world.run_pods()
        world.wait(1)


# -- what an author writes ---------------------------------------------------------------------


def cold(world: World) -> None:
    world.wait(60)
    world.settle()


def unschedulable(world: World) -> None:
    world.ask(resources={"requests": {"cpu": "1000"}})


def request_above_limit(world: World) -> None:
    world.ask(resources={"requests": {"cpu": "4"}, "limits": {"cpu": "1"}})


def many_replicas(world: World) -> None:
    world.ask(replicas=40)


def long_deadline(world: World) -> None:
    cold(world)
    strategy = {"bake": "10s", "keepWarm": "60s", "progressDeadline": "999999h"}
    world.ask(strategy=strategy)


def never_warm(world: World) -> None:
    world.ask(strategy={"bake": "10s", "keepWarm": "0s", "progressDeadline": "30s"})
    world.settle()


def endless_bake(world: World) -> None:
    world.ask(strategy={"bake": "999999h", "keepWarm": "60s", "progressDeadline": "30s"})


def suspended(world: World) -> None:
    world.ask(suspend=True)


def paused(world: World) -> None:
    world.act("pause", "pause-1")


def manual(world: World) -> None:
    world.ask(rollback="Manual")


def blind_to_drift(world: World) -> None:
    world.ask(drift={"threshold": "999999999", "window": 1000000})


def pinned(world: World) -> None:
    world.pin(2)


def pinned_to_nothing(world: World) -> None:
    world.ask(model=None, modelVersion="no-such-version")


def drifts_as_well(world: World) -> None:
    world.traffic(SHIFTED)


AUTHORS: dict[str, Callable[[World], None]] = {
    "nothing": lambda _: None,
    "a target that is cold": cold,
    "resources that no node has": unschedulable,
    "a request above its limit": request_above_limit,
    "many replicas": many_replicas,
    "an endless progressDeadline": long_deadline,
    "keepWarm 0s": never_warm,
    "an endless bake": endless_bake,
    "suspend": suspended,
    "a pause": paused,
    "rollback Manual": manual,
    "drift that sees nothing": blind_to_drift,
    "a pin to what was withdrawn": pinned,
    "a pin to nothing": pinned_to_nothing,
    "drift at the same time": drifts_as_well,
}
PODS = ("Pods start", "no Pod starts any more")
ATTEMPTS = list(product(AUTHORS, ("revoked", "denied"), ("Rollback", "Stop"), PODS))
"""What an author does, how the bytes are withdrawn, what the policy says, and the scheduler."""


@pytest.mark.parametrize("attempt", slow_but(*ATTEMPTS[::3], of=ATTEMPTS), ids=", ".join)
def test_no_field_keeps_withdrawn_bytes_serving(
    world: World, attempt: tuple[str, str, str, str]
) -> None:
    author, how, mode, pods = attempt
    schedules = pods == "Pods start"
    world.set_policy(onRevocation=mode)
    with_two_versions(world)
    AUTHORS[author](world)
    world.judge(2, **{how: True})
    look(world, kubelet=schedules)
    if mode == "Rollback" and world.serving == 2:
        world.wait(DEADLINE)
        look(world, kubelet=schedules)
    assert world.serving == 1 or withdrawn_pods(world) == 0
    assert mode == "Rollback" or withdrawn_pods(world) == 0
    if mode == "Stop":
        assert world.recorded("rollback")[-1] == "stopped"


def test_a_warm_target_takes_over_at_once_and_scales_afterwards(world: World) -> None:
    with_two_versions(world)
    world.ask(replicas=20, resources={"requests": {"cpu": "60"}})
    world.revoke(2)
    look(world, times=3, kubelet=False)
    assert world.serving == 1
    assert world.running == {1: 20}


def test_a_cold_target_starts_with_one_pod(world: World) -> None:
    with_two_versions(world)
    world.ask(replicas=5)
    world.settle()
    cold(world)
    world.revoke(2)
    look(world, times=2, kubelet=False)
    assert world.running == {2: 5, 1: 1}
    world.run_pods()
    look(world)
    assert (world.serving, world.running) == (1, {1: 5})


def test_an_overdue_rollback_stops_and_is_completed_later(world: World) -> None:
    with_two_versions(world)
    cold(world)
    world.revoke(2)
    look(world, times=2, kubelet=False)
    assert (world.state, withdrawn_pods(world)) == ("RollingBack", 1)
    world.wait(20)
    world.set_policy(revocationDeadline="20s")
    look(world, times=2, kubelet=False)
    assert (world.state, withdrawn_pods(world)) == ("RollingBack", 0)
    assert world.recorded("rollback") == ["started", "stopped"]
    look(world)
    assert (world.serving, world.state) == (1, "Promoted")
    assert world.running == {1: 1}


def test_what_stopped_is_replaced_when_something_may_serve_again(world: World) -> None:
    with_two_versions(world)
    world.judge(1, approvals=())
    world.revoke(2)
    world.settle()
    assert world.condition("Ready") == "False/Stopped"
    assert world.running == {2: 0}
    world.judge(1)
    look(world)
    assert world.serving == 1
    assert 2 not in world.running


def test_without_a_target_what_was_withdrawn_may_be_held_by_policy(world: World) -> None:
    world.set_policy(onRevocationWithoutTarget="Hold")
    with_two_versions(world)
    world.revoke(1)
    world.revoke(2)
    world.wait(DEADLINE)
    world.settle()
    assert world.condition("Ready") == "False/NoVerifiedTarget"
    assert world.running == {2: 1}


def test_held_or_not_withdrawn_bytes_get_no_new_pod(world: World) -> None:
    world.set_policy(onRevocationWithoutTarget="Hold")
    with_two_versions(world)
    world.revoke(1)
    world.revoke(2)
    world.settle()
    world.ask(replicas=4)
    world.settle()
    assert world.running == {2: 1}


def test_without_a_policy_withdrawn_bytes_stop(world: World) -> None:
    with_two_versions(world)
    key = next(key for key in world.cluster.objects if key[0].startswith("ModelPolicy"))
    del world.cluster.objects[key]
    world.operator.cache.keep_only(*_nothing_of("ModelPolicy"), world.cluster.now())
    world.revoke(2)
    look(world)
    world.wait(DEADLINE)
    look(world)
    assert withdrawn_pods(world) == 0


def _nothing_of(kind: str) -> tuple[Any, tuple[()]]:
    from hallmark.cluster.kinds import HALLMARK_KINDS

    return next(found for found in HALLMARK_KINDS if found.kind == kind), ()


def test_a_stream_of_actions_holds_nothing_up(world: World) -> None:
    with_two_versions(world)
    world.revoke(2)
    for number in range(6):
        world.act("pause", f"again-{number}")
        world.reconcile()
        world.run_pods()
    assert world.serving == 1


def test_a_scaling_author_wins_no_time(world: World) -> None:
    with_two_versions(world)
    cold(world)
    world.revoke(2)
    for number in range(30):
        world.ask(replicas=2 + number % 7)
        world.reconcile()
        world.wait(5)
    assert withdrawn_pods(world) == 0


def test_an_author_who_changes_his_object_all_the_time_wins_no_time(world: World) -> None:
    with_two_versions(world)
    cold(world)
    world.cluster.refuse = refuse_status(ApiError("changed meanwhile", 409, "Conflict"))
    world.revoke(2)
    look(world, kubelet=False)
    world.wait(DEADLINE)
    look(world, times=2, kubelet=False)
    assert withdrawn_pods(world) == 0


# -- the store ---------------------------------------------------------------------------------


@pytest.mark.parametrize("travels", [True, False], ids=["the files travel", "only in the store"])
@pytest.mark.parametrize("mode", ["Rollback", "Stop"])
def test_the_store_is_not_needed(
    world: World, mode: str, monkeypatch: pytest.MonkeyPatch, *, travels: bool
) -> None:
    with_two_versions(world)
    world.set_policy(onRevocation=mode)

    def down(*_: object) -> None:
        raise ArtifactError("The store does not answer.")

    monkeypatch.setattr(type(world.operator.stores), "open", down)
    world.operator.bundles = FolderBundles(world.operator.stores)
    if not travels:
        world.delete_bundles()
    world.wait(30)
    world.revoke(2)
    look(world, times=3)
    assert withdrawn_pods(world) == (0 if mode == "Stop" or travels else 1)
    assert not (mode == "Rollback" and travels) or world.serving == 1
    world.wait(DEADLINE)
    look(world, times=3)
    assert withdrawn_pods(world) == 0
    monkeypatch.undo()
    world.wait(30)
    look(world)
    assert mode == "Stop" or world.serving == 1, "what passes later takes over"


# -- a status that is not taken ----------------------------------------------------------------

REFUSALS = {
    "its schema": ApiError("pods: Invalid value: null", 422, "Invalid"),
    "its size": ApiError("Request entity too large", 413, "RequestEntityTooLarge"),
    "its size for etcd": ApiError("trying to send message larger than max", 500),
    "a policy": ApiError("denied", 403, "Forbidden"),
    "no answer": ApiError("The API server did not answer."),
}


def refuse_status(error: ApiError) -> Callable[[str, Obj], ApiError | None]:
    return lambda verb, _: error if verb == "status" else None


@pytest.mark.parametrize("error", REFUSALS.values(), ids=REFUSALS.keys())
@pytest.mark.parametrize("mode", ["Rollback", "Stop"])
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_a_refused_status_stops_no_enforcement(
    world: World, mode: str, error: ApiError, *, warm: bool
) -> None:
    world.set_policy(onRevocation=mode)
    with_two_versions(world)
    if not warm:
        cold(world)
    world.cluster.refuse = refuse_status(error)
    world.revoke(2)
    look(world)
    assert withdrawn_pods(world) == 0
    assert mode == "Stop" or world.serving == 1
    assert world.troubles
    assert len(world.recorded("rollback")) == (1 if mode == "Stop" else 2)
    assert world.status.active_model_version == "credit-v2", "no status was taken"
    world.cluster.refuse = None
    world.settle()
    assert mode == "Stop" or world.status.active_model_version == "credit-v1"
    assert len(world.recorded("rollback")) == (1 if mode == "Stop" else 2)


@pytest.mark.parametrize("mode", ["Rollback", "Stop"])
def test_a_restart_while_no_status_is_taken_brings_nothing_back(world: World, mode: str) -> None:
    world.set_policy(onRevocation=mode)
    with_two_versions(world)
    world.cluster.refuse = refuse_status(REFUSALS["its size"])
    world.revoke(2)
    look(world)
    for _ in range(3):
        world.reconcile(die_at=1)
        assert withdrawn_pods(world) == 0
        look(world, times=2)
        assert withdrawn_pods(world) == 0
        assert mode == "Stop" or world.serving == 1
    world.cluster.refuse = None
    world.settle()
    assert len(world.recorded("rollback")) == (1 if mode == "Stop" else 2)


@pytest.mark.parametrize("number", [1, 3], ids=["a warm version", "a candidate"])
def test_withdrawn_pods_without_traffic_go_whatever_the_status(world: World, number: int) -> None:
    with_two_versions(world)
    world.seal(3)
    world.settle(kubelet=False)
    assert world.running == {1: 1, 2: 1, 3: 1}
    world.cluster.refuse = refuse_status(REFUSALS["its schema"])
    world.revoke(number)
    world.reconcile()
    assert number not in world.running
    assert world.serving == 2


def test_a_refused_status_lets_nothing_new_serve(world: World) -> None:
    world.seal(1)
    world.settle()
    world.seal(2)
    world.cluster.refuse = refuse_status(REFUSALS["its schema"])
    look(world)
    assert (world.serving, world.running) == (1, {1: 1})


def test_the_conditions_are_shown_where_the_record_is_not_taken(world: World) -> None:
    world.set_policy(onRevocation="Stop")
    with_two_versions(world)
    written: list[Obj] = []

    def only_small(verb: str, obj: Obj) -> ApiError | None:
        if verb != "status":
            return None
        written.append(obj)
        return REFUSALS["its size"] if len(written) % 2 else None

    world.cluster.refuse = only_small
    world.revoke(2)
    world.reconcile()
    assert world.condition("Ready") == "False/Stopped"
    assert world.status.rollout is not None
    assert world.status.rollout.cause == "", "the record stands as it was taken last"


@pytest.mark.parametrize("kind", ["Service", "ServiceAccount", "PodDisruptionBudget", "ConfigMap"])
def test_a_child_that_is_not_taken_holds_up_no_other(world: World, kind: str) -> None:
    with_two_versions(world)
    for key in [key for key in world.cluster.objects if key[0].startswith(kind)]:
        if kind != "Service":
            del world.cluster.objects[key]

    def quota(verb: str, obj: Obj) -> ApiError | None:
        return ApiError("exceeded quota", 403) if (verb, obj["kind"]) == ("apply", kind) else None

    world.cluster.refuse = quota
    world.revoke(2)
    look(world)
    world.wait(DEADLINE)
    look(world)
    assert withdrawn_pods(world) == 0


def test_a_strangers_object_holds_up_nothing(world: World) -> None:
    with_two_versions(world)
    cold(world)
    name = f"credit-urls-{world.digest(1).removeprefix('sha256:')[:12]}"
    world.cluster.put(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": "bank", "labels": {"app": "theirs"}},
        }
    )
    world.revoke(2)
    look(world)
    world.wait(DEADLINE)
    look(world)
    assert withdrawn_pods(world) == 0


def test_the_last_pod_that_reported_goes(world: World) -> None:
    with_two_versions(world)
    world.traffic([40, 30, 30, 0])
    world.settle()
    assert world.status.drift_state is not None
    assert world.status.drift_state.pods
    world.evict(2)
    world.reconcile()
    assert world.status.drift_state is not None
    assert not world.status.drift_state.pods


# -- an object that goes, or is gone -----------------------------------------------------------


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
    world.make_again()
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
    world.make_again()
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


# -- a version that is evicted as it takes over ------------------------------------------------


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
