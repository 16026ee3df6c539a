"""What each trigger does to the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from hallmark.api.canary import CanaryCounts, CanaryRecord
from hallmark.api.mirror import MirrorRecord
from hallmark.api.model_deployment import LastRollback, ModelDeploymentStatus, Outcome, RolloutState
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.analysis import Evidence
from hallmark.policies.model_deployment.inputs import DeploymentInputs
from hallmark.policies.model_deployment.intent import intend
from hallmark.policies.model_deployment.transitions import TABLE, follow
from hallmark.policies.model_deployment.triggers import (
    WATCHED,
    Acknowledged,
    Cleared,
    Intended,
    Mirrored,
    NoTarget,
    Overdue,
    Ready,
    Refused,
    RollBack,
    Settled,
    Stepped,
    Stop,
    TargetReady,
    Trigger,
    Unapproved,
    Withdrawn,
)
from hallmark.policies.model_deployment.trust import trust_sha256
from hallmark.refusal import Refusal
from tests.unit.policies.model_deployment.rollouts import (
    at,
    candidate_status,
    digest,
    entry,
    going_back_status,
    inputs,
    serving_status,
    spec,
    trust,
    version,
    version_name,
    workload,
)

S = RolloutState
V1, V2, V3 = version(1), version(2), version(3)
NOW = at(60)
GIVEN = inputs(V1, V2, V3, verified=(1, 2, 3), now=NOW)
SEEN = Evidence(all=CanaryCounts(rows=250, rejected=5), fair=CanaryCounts(rows=90))
TWO = (entry(2, start=10), entry(1, start=0, end=10))
TRIGGERS: tuple[Trigger, ...] = (
    Intended(intend(V3, spec())),
    Withdrawn(),
    Unapproved("It has 0 of 1 approvals."),
    Cleared(V3),
    Refused(Refusal("Denied", "A reviewer denied it.")),
    Ready(),
    Mirrored(),
    Stepped(1, SEEN),
    Settled(),
    RollBack(V1, "DriftRollback", "It drifted."),
    TargetReady(),
    NoTarget("DriftRollback", "It drifted."),
    Stop("RevocationRollback", "It was revoked."),
    Overdue("RevocationRollback", "It was revoked, and nothing took over in time."),
    Acknowledged(),
)
STEP = CanaryRecord(step=0, started=timestamp(at(20)), rows=100, rejected=3)
COPIES = MirrorRecord(started=timestamp(at(20)), dropped=3)
STATUS: dict[RolloutState, ModelDeploymentStatus] = {
    S.IDLE: serving_status(*TWO, state=S.IDLE),
    S.VERIFYING: candidate_status(3, *TWO),
    S.AWAITING_APPROVAL: candidate_status(3, *TWO, state=S.AWAITING_APPROVAL),
    S.STARTING: candidate_status(3, *TWO, state=S.STARTING),
    S.MIRRORING: candidate_status(3, *TWO, state=S.MIRRORING, mirror=COPIES),
    S.CANARY: candidate_status(3, *TWO, state=S.CANARY, canary=STEP),
    S.PROMOTED: serving_status(entry(2, start=10, stable=False), TWO[1], state=S.PROMOTED),
    S.STABLE: serving_status(*TWO),
    S.REFUSED: candidate_status(3, *TWO, state=S.REFUSED, reason="Denied"),
    S.ROLLING_BACK: going_back_status(1, *TWO),
    S.HELD: serving_status(*TWO, state=S.HELD, reason="NoVerifiedTarget", cause="DriftRollback"),
}


def after(
    trigger: Trigger, status: ModelDeploymentStatus, given: DeploymentInputs = GIVEN
) -> ModelDeploymentStatus:
    """Return the record after a trigger that has a cell in the table."""
    followed = follow(trigger, status, given)
    assert followed is not None
    return followed


def rollout(status: ModelDeploymentStatus) -> dict[str, Any]:
    assert status.rollout is not None
    return status.rollout.model_dump()


def test_there_is_one_of_each_trigger_and_state() -> None:
    assert {type(trigger) for trigger in TRIGGERS} == set(get_args(Trigger))
    assert set(STATUS) == set(RolloutState)


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: type(trigger).__name__)
@pytest.mark.parametrize("state", RolloutState)
def test_every_cell_leaves_a_record_that_holds(state: RolloutState, trigger: Trigger) -> None:
    before = STATUS[state]
    followed = follow(trigger, before, GIVEN)
    expected = TABLE.get((state, type(trigger)))
    if followed is None:
        assert expected is None
        return
    assert followed.rollout is not None
    assert followed.rollout.state is expected
    assert followed.rollout.since is not None
    assert ModelDeploymentStatus.model_validate(followed.to_wire()) == followed
    moved = isinstance(trigger, Ready | TargetReady)
    assert (followed.active_digest != before.active_digest) is moved
    assert followed.history[0].manifest_digest == followed.active_digest
    assert [served.to for served in followed.history].count(None) == 1
    assert (followed.rollout.canary is not None) is (expected is S.CANARY)
    assert (followed.rollout.mirror is not None) is (expected is S.MIRRORING)
    if expected not in {S.AWAITING_APPROVAL, *WATCHED}:
        assert followed.candidate_digest is None, "a candidate is shown that is none"


def test_an_intent_is_put_on_record() -> None:
    refused = candidate_status(2, TWO[1], state=S.REFUSED, reason="Denied", message="No.")
    asked = intend(V3, spec())
    made = rollout(after(Intended(asked), refused))
    assert made["model_version"] == "credit-v3"
    assert made["intent_hash"] == asked.hash
    assert (made["reason"], made["message"], made["trust_sha256"]) == ("", "", "")


def test_a_step_notes_what_was_seen_and_begins_anew() -> None:
    first = after(Stepped(0, Evidence()), STATUS[S.STARTING])
    assert rollout(first)["canary"]["started"] == timestamp(NOW)
    second = rollout(after(Stepped(1, SEEN), STATUS[S.CANARY]))
    assert second["canary"] == {
        **STEP.model_dump(),
        "step": 1,
        "rows": 250,
        "rejected": 5,
        "fair": CanaryCounts(rows=90).model_dump(),
        "short_since": timestamp(NOW),
    }
    assert second["since"] == timestamp(NOW), "the pause counts from the step's beginning"


def test_a_withdrawn_candidate_leaves_what_serves() -> None:
    left = after(Withdrawn(), STATUS[S.STARTING].replace())
    assert rollout(left)["model_version"] == "credit-v2"
    assert rollout(left)["trust_sha256"] == TWO[0].trust_sha256
    assert left.refused == []


def test_an_unapproved_candidate_has_no_pods() -> None:
    waits = after(Unapproved("x"), STATUS[S.STARTING])
    assert waits.candidate_model_version == "credit-v3"
    assert rollout(waits)["trust_sha256"] == ""


def test_a_cleared_candidate_starts_with_the_trust_of_today() -> None:
    started = after(Cleared(V3), STATUS[S.VERIFYING])
    assert started.candidate_digest == digest(3)
    assert rollout(started)["trust_sha256"] == trust_sha256(trust(GIVEN, 3))


def test_a_refused_candidate_is_remembered_by_its_intent() -> None:
    refused = after(Refused(Refusal("Denied", "No. " * 500)), STATUS[S.VERIFYING])
    first = refused.refused[0]
    assert (first.manifest_digest, first.reason) == (digest(3), "Denied")
    assert first.intent_hash == rollout(STATUS[S.VERIFYING])["intent_hash"]
    assert len(rollout(refused)["message"]) == 1024


def test_the_same_refusal_is_remembered_once_and_ten_in_all() -> None:
    status = STATUS[S.VERIFYING]
    for number in (*range(4, 20), 19):
        status = after(
            Refused(Refusal("Denied", "No.")),
            candidate_status(number).replace(refused=status.refused),
        )
    assert len(status.refused) == 10
    assert [entry.manifest_digest for entry in status.refused[:2]] == [digest(19), digest(18)]


def test_a_promoted_candidate_serves_and_the_former_has_ended() -> None:
    rolled_back = LastRollback(
        from_="a",
        to="b",
        from_digest=digest(8),
        to_digest=digest(9),
        reason="DriftRollback",
        time=timestamp(at(0)),
    )
    status = candidate_status(
        3, *TWO, state=S.STARTING, drift_rollback_spent=True, released=True, cause="x"
    )
    promoted = after(Ready(), status.replace(last_rollback=rolled_back))
    head, former = promoted.history[:2]
    assert (head.version, head.outcome, head.was_stable) == ("credit-v3", Outcome.SERVING, False)
    assert (former.version, former.outcome) == ("credit-v2", Outcome.REPLACED)
    assert former.to == timestamp(NOW)
    made = rollout(promoted)
    assert not made["drift_rollback_spent"]
    assert not made["released"]
    assert (made["cause"], made["drift_since"]) == ("", timestamp(NOW))
    assert promoted.drift_state is not None
    assert promoted.drift_state.manifest_digest == digest(3)
    assert promoted.last_rollback is not None
    assert promoted.last_rollback.acknowledged


def test_the_same_bytes_under_another_intent_go_on_in_the_history() -> None:
    status = candidate_status(2, *TWO, state=S.STARTING, intent_hash="another")
    promoted = after(Ready(), status)
    assert [served.version for served in promoted.history] == ["credit-v2", "credit-v1"]
    assert promoted.history[0].was_stable
    assert promoted.history[0].intent_hash == "another"


def test_the_history_is_bounded_and_keeps_the_newest_stable() -> None:
    old = [entry(n, start=n, end=n + 1, stable=n == 1) for n in range(10, 0, -1)]
    promoted = after(Ready(), candidate_status(12, *old, state=S.STARTING))
    assert len(promoted.history) == 10
    assert promoted.history[-1].version == version_name(1)


def test_what_settled_is_stable() -> None:
    settled = after(Settled(), STATUS[S.PROMOTED])
    assert settled.stable_digest == digest(2)
    assert (settled.history[0].outcome, settled.history[0].was_stable) == (Outcome.STABLE, True)


def test_turning_back_refuses_what_serves() -> None:
    turned = after(RollBack(V1, "DriftRollback", "It drifted."), STATUS[S.STARTING])
    assert [entry.manifest_digest for entry in turned.refused] == [digest(2)]
    made = rollout(turned)
    assert (made["model_version"], made["reason"]) == ("credit-v1", "DriftRollback")
    assert (made["message"], made["drift_rollback_spent"]) == ("It drifted.", True)


@pytest.mark.parametrize(
    ("reason", "spent"),
    [("DriftRollback", True), ("RevocationRollback", False), ("ManualRollback", False)],
)
def test_only_drift_spends_its_rollback(reason: str, spent: bool) -> None:
    for trigger in (RollBack(V1, reason, "x"), NoTarget(reason, "x"), Stop(reason, "x")):
        assert rollout(after(trigger, STATUS[S.STABLE]))["drift_rollback_spent"] is spent


def test_another_target_keeps_the_cause_and_refuses_the_lost_one() -> None:
    status = going_back_status(2, entry(3, start=20), entry(2, start=10, end=20), TWO[1])
    lost = RollBack(V1, "Another", "It did not start.", lost="ProgressDeadlineExceeded")
    turned = after(lost, status)
    assert rollout(turned)["reason"] == "DriftRollback"
    assert [(r.manifest_digest, r.reason) for r in turned.refused] == [
        (digest(2), "ProgressDeadlineExceeded")
    ]


@pytest.mark.parametrize(
    ("running", "known", "kept"),
    [("01" * 32, True, True), ("01" * 32, False, False), ("f" * 64, True, False)],
    ids=["warm Pods", "warm Pods whose trust is gone", "Pods with another trust"],
)
def test_a_target_keeps_the_trust_of_its_warm_pods(running: str, known: bool, kept: bool) -> None:
    given = inputs(V1, V2, verified=(1, 2), workloads=(workload(1, trust=running),), now=NOW)
    trusts = {"01" * 32: trust(given, 1)} if known else {}
    turned = after(
        RollBack(V1, "ManualRollback", "x"), STATUS[S.STABLE], replace(given, trusts=trusts)
    )
    today = trust_sha256(trust(given, 1))
    assert rollout(turned)["trust_sha256"] == ("01" * 32 if kept else today)


def test_a_rollback_that_is_done_is_told() -> None:
    back = after(TargetReady(), STATUS[S.ROLLING_BACK])
    last = back.last_rollback
    assert last is not None
    assert (last.from_, last.to, last.reason, last.message) == (
        "credit-v2",
        "credit-v1",
        "DriftRollback",
        "Why.",
    )
    assert (back.stable_digest, back.history[0].outcome) == (digest(1), Outcome.STABLE)
    assert back.history[1].outcome is Outcome.ROLLED_BACK
    assert not last.acknowledged


@pytest.mark.parametrize(
    ("trigger", "reason", "cause"),
    [
        (NoTarget("DriftRollback", "x"), "NoVerifiedTarget", "DriftRollback"),
        (Stop("DriftRollback", "x"), "Stopped", "Stopped"),
    ],
    ids=["held", "stopped"],
)
def test_without_a_target_the_cause_is_kept(trigger: Trigger, reason: str, cause: str) -> None:
    made = rollout(after(trigger, STATUS[S.STABLE]))
    assert (made["reason"], made["cause"]) == (reason, cause)


def test_an_acknowledgement_lets_drift_count_afresh() -> None:
    spent = serving_status(*TWO, drift_rollback_spent=True, cause="DriftRollback")
    made = after(Acknowledged(), spent)
    assert made.drift_state is not None
    assert made.drift_state.verdict == "Inconclusive"
    assert rollout(made)["drift_since"] == timestamp(NOW)
    assert not rollout(made)["drift_rollback_spent"]
    assert rollout(made)["cause"] == ""


def test_a_state_that_stays_keeps_its_time() -> None:
    baking = candidate_status(3, entry(2, stable=False), state=S.STARTING)
    assert rollout(after(Settled(), baking))["since"] == rollout(baking)["since"]
    acknowledged = after(Acknowledged(), baking)
    assert rollout(acknowledged)["since"] == timestamp(NOW), "drift counts afresh from now"
