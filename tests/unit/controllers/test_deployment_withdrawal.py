"""Withdrawn bytes stop serving, or are replaced, whatever an author, a store or a status does."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import Obj
from hallmark.errors import ArtifactError
from tests.examples import slow_but
from tests.unit.controllers.deployment_seen import SHIFTED
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.folder_stores import FolderBundles
from tests.unit.controllers.test_deployment import with_two_versions

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


@pytest.mark.parametrize("under_way", [False, True], ids=["a later version", "its candidate"])
@pytest.mark.parametrize("kind", [{}, {"type": "Canary"}, {"mirror": {}}], ids=str)
@pytest.mark.parametrize("replicas", [1, 3])
def test_what_stopped_is_replaced_by_the_next_version_whatever_its_replicas(
    tmp_path: Path, replicas: int, kind: dict[str, Any], under_way: bool
) -> None:
    strategy = {"bake": "10s", "progressDeadline": "30s", **kind}
    world = World(tmp_path, replicas=replicas, strategy=strategy)
    world.seal(1)
    world.settle()
    if under_way:
        world.seal(2)
        world.settle()
    world.revoke(1)
    world.settle()
    world.seal(2)
    world.settle()
    assert world.shared == {2: replicas}


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
