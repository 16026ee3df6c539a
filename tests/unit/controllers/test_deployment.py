"""Stories of a ModelDeployment, told to the real controller in a world in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.controllers.deployment_seen import CALM, SHIFTED
from tests.unit.controllers.deployment_world import World
from tests.unit.policies.model_deployment.rollouts import approval


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def with_two_versions(world: World) -> World:
    """Serve version 1 until it is stable, then version 2 until it is."""
    for number in (1, 2):
        world.seal(number)
        world.settle()
        world.wait(11)
        world.settle()
    assert (world.serving, world.state) == (2, "Stable")
    return world


def test_an_approved_version_serves_and_becomes_stable(world: World) -> None:
    world.seal(1)
    world.settle()
    assert (world.serving, world.state) == (1, "Promoted")
    assert world.condition("Ready") == "True/Baking"
    world.wait(11)
    world.settle()
    assert world.condition("Ready") == "True/Serving"
    assert world.status.stable_model_version == "credit-v1"
    assert world.recorded("verify") == ["passed"]
    assert world.recorded("promote") == ["promoted", "stable"]


def test_an_unapproved_version_gets_no_pod_and_then_serves(world: World) -> None:
    world.seal(1, approved=False)
    world.settle()
    assert world.condition("Ready") == "False/AwaitingApproval"
    assert world.condition("Reconciling").startswith("True")
    assert not world.running
    world.judge(1)
    world.settle()
    assert world.serving == 1


def test_nothing_happens_while_there_is_no_version(world: World) -> None:
    world.settle()
    assert world.condition("Ready") == "False/VersionMissing"
    assert not world.running


def test_a_newer_version_takes_over_and_the_former_stays_warm_for_a_while(world: World) -> None:
    with_two_versions(world)
    assert world.running == {1: 1, 2: 1}
    world.wait(60)
    world.settle()
    assert world.running == {2: 1}


def test_flipped_bytes_are_refused_and_what_serves_goes_on(world: World) -> None:
    world.seal(1)
    world.settle()
    world.seal(2)
    world.corrupt_bytes(2)
    world.settle()
    assert world.condition("Verified") == "False/VerificationFailed"
    assert "model.onnx" in world.message("Verified")
    assert world.condition("Stalled") == "True/VerificationFailed"
    assert (world.serving, world.running) == (1, {1: 1})
    world.corrupt_bytes(2)
    world.ask(replicas=2)
    world.settle()
    assert (world.serving, world.running) == (1, {1: 2}), "scaling retries nothing"


def test_a_refusing_predictor_refuses_the_candidate(world: World) -> None:
    world.seal(1)
    world.settle()
    world.refusing.add(2)
    world.seal(2)
    world.settle()
    assert world.condition("Verified") == "False/PredictorRefused"
    assert "not the one that was sealed" in world.message("Ready")
    assert (world.serving, world.running) == (1, {1: 1})


def test_a_candidate_that_never_starts_is_refused_at_the_deadline(world: World) -> None:
    world.seal(1)
    world.settle()
    world.seal(2)
    world.settle(kubelet=False)
    assert world.running == {1: 1, 2: 1}
    world.wait(31)
    world.settle(kubelet=False)
    assert world.condition("Stalled") == "True/ProgressDeadlineExceeded"
    assert (world.serving, world.running) == (1, {1: 1})


def test_a_denied_candidate_is_refused(world: World) -> None:
    world.pin(1)
    world.seal(1, approved=False)
    world.settle()
    world.judge(1, approvals=(), denied=True)
    world.settle()
    assert world.condition("Stalled") == "True/Denied"
    assert world.condition("Approved") == "False/Denied"


def test_drift_rolls_back_once_and_then_only_tells(world: World) -> None:
    with_two_versions(world)
    spec = world.spec
    world.traffic(SHIFTED)
    world.settle()
    assert world.serving == 1
    assert world.condition("RolledBack") == "True/DriftRollback"
    assert world.condition("Ready") == "False/DriftRollback"
    assert world.condition("Stalled") == "True/DriftRollback"
    assert world.running == {1: 1}
    last = world.status.last_rollback
    world.traffic(SHIFTED)
    world.settle()
    assert world.condition("DriftDetected") == "True/TargetDrifts"
    assert (world.serving, world.status.last_rollback) == (1, last)
    assert world.recorded("rollback") == ["started", "completed"]
    assert world.spec == spec


def test_calm_traffic_changes_nothing(world: World) -> None:
    with_two_versions(world)
    world.traffic(CALM)
    world.settle()
    assert world.condition("DriftDetected") == "False/NoDrift"
    assert world.serving == 2


def test_drift_without_a_target_holds(world: World) -> None:
    with_two_versions(world)
    world.judge(1, revoked=True)
    world.traffic(SHIFTED)
    world.settle()
    assert world.condition("Ready") == "False/NoVerifiedTarget"
    assert "credit-v1" in world.message("Ready")
    assert world.serving == 2


def test_drift_without_a_target_stops_where_the_policy_says_so(world: World) -> None:
    with_two_versions(world)
    world.set_policy(onNoTarget="Stop")
    world.judge(1, revoked=True)
    world.traffic(SHIFTED)
    world.settle()
    assert world.condition("Ready") == "False/Stopped"
    assert world.running == {2: 0}


def test_a_target_with_bad_bytes_is_passed_over(world: World) -> None:
    with_two_versions(world)
    world.corrupt_bytes(1)
    world.traffic(SHIFTED)
    world.settle()
    assert world.condition("Ready") == "False/NoVerifiedTarget"
    assert world.serving == 2


def test_a_target_that_is_not_warm_is_started_before_traffic_moves(world: World) -> None:
    with_two_versions(world)
    world.wait(60)
    world.settle()
    world.traffic(SHIFTED)
    world.settle(kubelet=False)
    assert (world.state, world.serving) == ("RollingBack", 2)
    assert world.running == {1: 1, 2: 1}
    world.settle()
    assert (world.state, world.serving) == ("Stable", 1)


def test_with_manual_rollback_drift_only_tells(world: World) -> None:
    world.ask(rollback="Manual")
    with_two_versions(world)
    world.traffic(SHIFTED)
    world.settle()
    assert world.condition("DriftDetected") == "True/DriftDetected"
    assert world.serving == 2
    assert world.recorded("drift") == ["detected"]


def test_revocation_rolls_back(world: World) -> None:
    with_two_versions(world)
    world.judge(2, revoked=True)
    world.settle()
    assert world.serving == 1
    # With 'model' the newest approved version is now the one that serves: it is what is asked for.
    assert world.condition("Ready") == "True/Baking"
    assert world.condition("RolledBack") == "False/NotRolledBack"
    assert world.status.last_rollback is not None
    assert world.status.last_rollback.reason == "RevocationRollback"


def test_revocation_of_a_pinned_version_rolls_back_and_stalls(world: World) -> None:
    with_two_versions(world)
    world.pin(2)
    world.settle()
    world.judge(2, revoked=True)
    world.settle()
    assert world.serving == 1
    assert world.condition("RolledBack") == "True/RevocationRollback"


def test_revocation_with_block_only_blocks(world: World) -> None:
    with_two_versions(world)
    world.set_policy(onRevocation="Block")
    world.judge(2, revoked=True)
    world.settle()
    assert world.serving == 2
    assert world.condition("Approved") == "False/Revoked"


def test_revocation_with_stop_stops(world: World) -> None:
    with_two_versions(world)
    world.set_policy(onRevocation="Stop")
    world.judge(2, revoked=True)
    world.settle()
    assert world.condition("Ready") == "False/Stopped"
    assert world.running == {2: 0}
    world.act("acknowledge", "1")
    world.settle()
    assert world.running == {2: 0}, "a revoked version does not come back by an acknowledgement"


def test_withdrawal_of_what_serves_changes_nothing(world: World) -> None:
    with_two_versions(world)
    world.judge(2, approvals=())
    world.settle()
    assert (world.serving, world.state) == (2, "Stable")


def test_suspend_freezes_promotion_until_a_person_promotes(world: World) -> None:
    world.seal(1)
    world.settle()
    world.ask(suspend=True)
    world.seal(2)
    world.settle()
    assert world.condition("Ready") == "False/Suspended"
    assert (world.serving, world.running) == (1, {1: 1, 2: 1})
    world.wait(100)
    world.settle()
    assert world.serving == 1
    world.act("promote", "1")
    world.settle()
    assert world.serving == 2
    assert world.status.last_action is not None


def test_pause_and_resume(world: World) -> None:
    world.seal(1)
    world.settle()
    world.act("pause", "1")
    world.seal(2)
    world.settle()
    assert world.serving == 1
    world.act("resume", "2")
    world.settle()
    assert world.serving == 2


def test_abort_refuses_the_candidate(world: World) -> None:
    world.seal(1)
    world.settle()
    world.seal(2)
    world.settle(kubelet=False)
    world.act("abort", "1", reason="Not today.")
    world.settle()
    assert (world.serving, world.running) == (1, {1: 1})
    assert world.condition("Stalled") == "True/Aborted"


def test_a_person_rolls_back_and_acknowledges(world: World) -> None:
    with_two_versions(world)
    world.act("rollback", "1", reason="Complaints.")
    world.settle()
    assert world.serving == 1
    assert world.condition("RolledBack") == "True/ManualRollback"
    world.act("acknowledge", "2")
    world.settle()
    assert world.condition("Ready") == "True/Serving"
    assert world.condition("RolledBack") == "False/NotRolledBack"
    assert [r.actor for r in world.ledger.records.values() if r.event == "action"] == ["ada"] * 2


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", '{"id": "1"}', '{"id": "1", "action": "explode", "by": "x"}', "[" * 5000],
    ids=["cut off", "a list", "null", "no action", "unknown action", "deeply nested"],
)
def test_an_unreadable_action_is_said_once(world: World, text: str) -> None:
    world.seal(1)
    world.annotate(text)
    world.settle()
    last = world.status.last_action
    assert last is not None
    assert last.outcome.startswith("Nothing was done")
    assert world.serving == 1


def test_a_new_intent_before_promotion_replaces_the_candidate(world: World) -> None:
    world.seal(1)
    world.settle()
    world.seal(2)
    world.settle(kubelet=False)
    world.seal(3)
    world.settle(kubelet=False)
    assert world.running == {1: 1, 3: 1}
    world.settle()
    assert world.serving == 3


def test_asking_for_what_serves_drops_the_candidate(world: World) -> None:
    world.pin(1)
    world.seal(1)
    world.settle()
    world.seal(2)
    world.pin(2)
    world.settle(kubelet=False)
    world.pin(1)
    world.settle()
    assert (world.serving, world.running) == (1, {1: 1})
    assert world.condition("Ready") == "True/Baking"


def test_scaled_to_zero_a_candidate_waits_for_pods(world: World) -> None:
    world.ask(replicas=0)
    world.seal(1)
    world.settle()
    assert world.serving == 0
    world.wait(100)
    world.settle()
    assert world.state == "Starting"
    world.ask(replicas=2)
    world.settle()
    assert (world.serving, world.running) == (1, {1: 2})


def test_another_drift_threshold_is_promoted_in_place(world: World) -> None:
    with_two_versions(world)
    world.ask(drift={"threshold": "0.3", "window": 100})
    world.settle()
    assert (world.serving, world.switches[-1:]) == (2, world.switches[-1:])
    assert [each.version for each in world.status.history] == ["credit-v2", "credit-v1"]


def test_a_later_approval_restarts_no_pod(world: World) -> None:

    with_two_versions(world)
    before = world.cluster.objects
    templates = [
        o["spec"]["template"] for o in before.values() if o.get("spec", {}).get("template")
    ]
    world.judge(2, approvals=(approval(), approval("paul")))
    world.settle()
    after = world.cluster.objects
    assert templates == [
        o["spec"]["template"] for o in after.values() if o.get("spec", {}).get("template")
    ]


def test_a_deleted_secret_is_made_again_when_pods_wait_for_it(world: World) -> None:
    world.seal(1)
    world.settle()
    world.delete_urls()
    world.reconcile()
    assert world.secrets == [], "no watch tells of it"
    world.let_pods_wait()
    world.reconcile()
    assert len(world.secrets) == 1


def test_a_deleted_trust_is_made_again(world: World) -> None:
    with_two_versions(world)
    world.delete_trust()
    world.settle()
    assert any("-trust-" in key[2] for key in world.cluster.objects)
    assert world.serving == 2
