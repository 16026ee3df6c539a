"""The operator killed at each write, and anything that may happen in between, in any order."""

# ruff: noqa: D102 - rules say by their names what happens
from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hallmark.api.model_deployment import ActionName, ModelDeploymentStatus
from hallmark.api.texts import parse_timestamp
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import HTTP_ROUTE
from tests.examples import examples
from tests.unit.controllers.deployment_seen import CALM, SHIFTED
from tests.unit.controllers.deployment_world import World
from tests.unit.controllers.test_deployment import with_two_versions
from tests.unit.controllers.test_deployment_withdrawal import REFUSALS, refuse_status

MOST_WRITES = 18
"""No reconcile writes more often."""


@pytest.mark.parametrize("write", range(1, MOST_WRITES))
def test_a_rollout_cut_at_a_write_is_completed(tmp_path: Path, write: int) -> None:
    world = World(tmp_path)
    world.seal(1)
    world.settle()
    world.wait(11)
    world.settle()
    world.seal(2)
    cut_each_state(world, write)
    assert (world.serving, world.state) == (2, "Promoted")
    assert world.recorded("promote") == ["promoted", "stable", "promoted"]
    assert [each.version for each in world.status.history] == ["credit-v2", "credit-v1"]


@pytest.mark.parametrize("warm", [True, False], ids=["to warm Pods", "to Pods that must start"])
@pytest.mark.parametrize("write", range(1, MOST_WRITES))
def test_a_rollback_cut_at_a_write_is_completed(tmp_path: Path, write: int, *, warm: bool) -> None:
    world = with_two_versions(World(tmp_path))
    if not warm:
        world.wait(60)
        world.settle()
    world.traffic(SHIFTED)
    cut_each_state(world, write)
    assert (world.serving, world.state) == (1, "Stable")
    assert world.recorded("rollback") == ["started", "completed"]
    assert world.recorded("drift") == ["detected"]
    world.traffic(SHIFTED)
    cut_each_state(world, write)
    assert world.serving == 1


def cut_each_state(world: World, write: int) -> None:
    """Let every other reconcile be cut at that write, until nothing changes."""
    for _ in range(6):
        world.reconcile(die_at=write)
        world.reconcile()
        world.run_pods()
    world.settle()


def test_a_recorded_rollback_is_completed_to_the_same_target(tmp_path: Path) -> None:
    world = with_two_versions(World(tmp_path))
    world.seal(3)
    world.settle()
    world.wait(11)
    world.settle()
    world.traffic(SHIFTED)
    while world.state != "RollingBack":
        world.reconcile(die_at=1)
    assert world.status.rollout is not None
    assert world.status.rollout.model_version == "credit-v2"
    world.traffic(CALM)
    world.ask(drift={"threshold": "5", "window": 100})
    world.reconcile()
    assert world.serving == 2


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
def test_traffic_led_back_before_the_status_is_completed_or_undone(
    tmp_path: Path, refusal: ApiError
) -> None:
    completed, undone, withdrawn = (led_back_without_a_status(tmp_path / n, refusal) for n in "abc")
    completed.settle()
    assert (completed.serving, completed.state) == (1, "Stable")
    assert completed.recorded("rollback") == ["started", "completed"]
    # What nobody decides any more is as if it had not been begun: the status says who serves.
    undone.traffic(CALM)
    undone.ask(drift={"threshold": "5", "window": 100})
    undone.settle()
    assert (undone.serving, undone.status.active_model_version) == (2, "credit-v2")
    withdrawn.judge(1, revoked=True)
    withdrawn.settle()
    assert withdrawn.serving == 2
    assert withdrawn.condition("Ready") == "False/NoVerifiedTarget"


def led_back_without_a_status(folder: Path, refusal: ApiError) -> World:
    """Kill the operator when a rollback to warm Pods led the traffic back, and wrote no status."""
    folder.mkdir()
    world = with_two_versions(World(folder))
    world.traffic(SHIFTED)
    world.cluster.refuse = refuse_status(refusal)
    assert not world.reconcile(die_at=1)
    assert world.recorded("rollback") == ["started"]
    assert (world.serving, world.status.active_model_version) == (1, "credit-v2")
    world.cluster.refuse = None
    return world


OVERDUE = timedelta(seconds=121)


def since(status: ModelDeploymentStatus, now: datetime) -> timedelta:
    """Return for how long the operator has known that what serves must give way."""
    noted = status.rollout.withdrawn_since if status.rollout else None
    return now - parse_timestamp(noted) if noted else timedelta()


class Deployments(RuleBasedStateMachine):
    """Everything that people, Pods, time and crashes may do; ``World`` checks the promises."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="hallmark-world-"))
        self.world = World(self.folder)
        self.sealed = 0
        self.actions = 0
        self.judged: set[int] = set()
        self.revocation, self.no_other = "Rollback", "Stop"

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(versions=st.integers(0, 2))
    def begin(self, versions: int) -> None:
        """Begin with versions that were stable: chance alone seldom gets so far."""
        for _ in range(versions):
            self.seal(approved=True)
            self.bake()

    @rule()
    def bake(self) -> None:
        self.settle()
        self.world.wait(11)
        self.settle()

    @precondition(lambda self: self.sealed < 4)
    @rule(approved=st.booleans())
    def seal(self, *, approved: bool) -> None:
        self.sealed += 1
        self.world.seal(self.sealed, approved=approved)

    @precondition(lambda self: self.sealed)
    @rule(data=st.data(), what=st.sampled_from(["approve", "withdraw", "deny", "revoke"]))
    def judge(self, data: st.DataObject, what: str) -> None:
        number = data.draw(st.integers(1, self.sealed))
        if number in self.judged:
            return
        if what in {"deny", "revoke"}:
            self.judged.add(number)
        changes: dict[str, dict[str, object]] = {
            "approve": {},
            "withdraw": {"approvals": ()},
            "deny": {"denied": True},
            "revoke": {"revoked": True},
        }
        self.world.judge(number, **changes[what])

    @precondition(lambda self: self.sealed)
    @rule(data=st.data())
    def flip_or_restore_a_byte(self, data: st.DataObject) -> None:
        self.world.corrupt_bytes(data.draw(st.integers(1, self.sealed)))

    @precondition(lambda self: self.sealed)
    @rule(data=st.data())
    def pin(self, data: st.DataObject) -> None:
        self.world.pin(data.draw(st.integers(1, self.sealed)))

    @rule()
    def follow(self) -> None:
        self.world.ask(model="credit", modelVersion=None)

    @rule(replicas=st.integers(0, 2))
    def scale(self, replicas: int) -> None:
        self.world.ask(replicas=replicas)

    @rule(suspend=st.booleans())
    def suspend(self, *, suspend: bool) -> None:
        self.world.ask(suspend=suspend)

    @rule(threshold=st.sampled_from(["0.2", "0.3"]))
    def tune(self, threshold: str) -> None:
        self.world.ask(drift={"threshold": threshold, "window": 100})

    @rule(
        no_target=st.sampled_from(["Hold", "Stop"]),
        no_other=st.sampled_from(["Hold", "Stop"]),
        revocation=st.sampled_from(["Block", "Rollback", "Stop"]),
    )
    def change_the_policy(self, no_target: str, no_other: str, revocation: str) -> None:
        self.revocation, self.no_other = revocation, no_other
        self.world.set_policy(
            onNoTarget=no_target,
            onRevocation=revocation,
            onRevocationWithoutTarget=no_other,
            revocationDeadline="20s",
        )

    @precondition(lambda self: self.sealed)
    @rule(data=st.data(), pods=st.integers(1, 2))
    def evict(self, data: st.DataObject, pods: int) -> None:
        self.world.evict(data.draw(st.integers(1, self.sealed)), pods)

    @rule()
    def refuse_every_status(self) -> None:
        """What must stop stops all the same; the operator may be started anew meanwhile."""
        self.world.cluster.refuse = refuse_status(REFUSALS["its size"])
        for number in range(6):
            self.world.reconcile(die_at=1 if number == 3 else None)
            self.world.run_pods()
            self.world.wait(1)
        self.must_have_stopped()
        self.world.cluster.refuse = None

    @rule(action=st.sampled_from(ActionName), seconds=st.sampled_from([5, 20, 200]))
    def act(self, action: ActionName, seconds: int) -> None:
        self.actions += 1
        if action is ActionName.HOLD:
            self.world.hold(seconds, str(self.actions))
        else:
            self.world.act(action, str(self.actions))

    @rule(seconds=st.sampled_from([1, 11, 31, 61]))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds)

    @rule(shifted=st.booleans())
    def traffic(self, *, shifted: bool) -> None:
        self.world.traffic(SHIFTED if shifted else CALM)

    @rule()
    def run_pods(self) -> None:
        self.world.run_pods()

    @rule()
    def lose_the_trust(self) -> None:
        self.world.delete_trust()

    @rule(how=st.sampled_from(["at once", "by Pods", "by a route"]))
    def choose_the_strategy(self, how: str) -> None:
        canary = {"steps": [{"weight": 30, "pause": "5s"}, {"weight": 60, "pause": "5s"}]}
        route = {"route": {"parentRefs": [{"name": "public"}]}} if how == "by a route" else {}
        times = {"bake": "10s", "keepWarm": "60s", "progressDeadline": "30s"}
        more = {} if how == "at once" else {"type": "Canary", "canary": {**canary, **route}}
        self.world.ask(strategy={**times, **more})

    @rule(says=st.sampled_from([{"Accepted": "True", "ResolvedRefs": "True"}, {}, None]))
    def let_the_gateway_say(self, says: dict[str, str] | None) -> None:
        self.world.gateway = says

    @rule(there=st.booleans())
    def install_or_remove_gateway_api(self, *, there: bool) -> None:
        self.world.no_routes = "" if there else "The cluster has no HTTPRoutes."
        if not there:
            self.lose_the_route()

    @rule()
    def lose_the_route(self) -> None:
        for obj in self.world._of(HTTP_ROUTE):
            del self.world.cluster.objects[self.world.cluster.key_of(obj)]

    @rule(weight=st.integers(0, 100))
    def edit_the_route(self, weight: int) -> None:
        for obj in self.world._of(HTTP_ROUTE):
            for backend, share in zip(
                obj["spec"]["rules"][0]["backendRefs"], (100 - weight, weight), strict=True
            ):
                backend["weight"] = share
            obj["metadata"]["generation"] += 1

    @precondition(lambda self: self.sealed)
    @rule(data=st.data(), shifted=st.booleans(), refused=st.sampled_from([0, 0, 50]))
    def hear_a_version(self, data: st.DataObject, refused: int, *, shifted: bool) -> None:
        number = data.draw(st.integers(1, self.sealed))
        self.world.report(number, SHIFTED if shifted else CALM, refused=refused)

    @rule()
    def lose_the_carried_files(self) -> None:
        self.world.delete_bundles()

    @rule(away=st.booleans())
    def take_the_store_away(self, *, away: bool) -> None:
        self.world.away = away
        self.world.wait(3)

    @rule(die_at=st.integers(1, 12))
    def reconcile_and_die(self, die_at: int) -> None:
        self.world.reconcile(die_at)

    @rule(times=st.integers(1, 4))
    def reconcile(self, times: int) -> None:
        for _ in range(times):
            self.world.reconcile()

    @rule()
    def settle(self) -> None:
        self.world.settle()
        self.must_be_consistent()

    def must_have_stopped(self) -> None:
        """What was withdrawn has no Pods, where the policy lets nothing else happen."""
        if self.revocation == "Stop":
            withdrawn = {n for n in self.world.running if self.world.is_withdrawn(n)}
            assert not any(self.world.running[number] for number in withdrawn)

    def must_be_consistent(self) -> None:
        """At rest, what is on record is what is in the cluster."""
        world, status = self.world, self.world.status
        active = status.active_model_version
        assert status.rollout is None or not status.rollout.stand_in, "all Pods are ready"
        assert world.serving == (int(active.removeprefix("credit-v")) if active else 0)
        self.must_have_stopped()
        self.must_be_routed()
        if self.revocation == "Rollback" and self.no_other == "Stop" and world.serving:
            overdue = world.is_withdrawn(world.serving) and since(status, world.now) > OVERDUE
            assert not overdue or not world.running.get(world.serving)
        if status.rollout and status.rollout.state in {"AwaitingApproval", "Verifying"}:
            assert status.rollout.model_version not in {f"credit-v{n}" for n in world.running} or (
                world.status.active_digest == status.rollout.manifest_digest
                or world.status.rollout.model_version in {h.version for h in status.history}
            )

    def must_be_routed(self) -> None:
        """All requests go to what serves, but for the weight of a step."""
        world, asked = self.world, self.world.asked["strategy"].get("canary") or {}
        if not world.serving or "route" not in asked or world.no_routes:
            assert world.routed == {}
            return
        weights = [step["weight"] for step in asked["steps"]]
        assert sum(world.routed.values()) == 100
        others = world.routed.keys() - {world.serving, 0}
        assert {world.routed[number] for number in others} <= set(weights)
        assert not others or world.state == "Canary"

    @invariant()
    def the_spec_is_never_written(self) -> None:
        assert self.world.spec == self.world.asked


TestDeployments = Deployments.TestCase
TestDeployments.settings = examples(
    25,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
