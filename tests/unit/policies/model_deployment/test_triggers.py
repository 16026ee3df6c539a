"""What happened: which trigger the cluster holds for a record, or what is waited for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from hallmark.api.common import timestamp
from hallmark.api.drift_report import Oddity
from hallmark.api.feedback import QualityState
from hallmark.api.model_deployment import (
    HistoryEntry,
    ModelDeploymentStatus,
    RefusedIntent,
    Rollout,
    RolloutState,
)
from hallmark.api.model_policy import OnNoTarget, OnRevocation
from hallmark.api.model_version import ModelVersionStatus
from hallmark.api.names import manifest_label
from hallmark.policies.model_deployment.inputs import Need, View, Wait
from hallmark.policies.model_deployment.look import bake_is_over, look
from hallmark.policies.model_deployment.triggers import (
    NoTarget,
    Overdue,
    Refused,
    RollBack,
    Stop,
)
from hallmark.policies.model_deployment.withdrawal import must_give_way, noted, withdrawn_labels
from tests.unit.policies.model_deployment.rollouts import (
    approval,
    asked,
    at,
    candidate_status,
    digest,
    drifted,
    entry,
    going_back_status,
    pod,
    policy,
    serving_status,
    version,
    view,
    workload,
)

V1, V2, V3 = version(1), version(2), version(3)
RAW2 = version(2, approvals=())
REVOKED2 = version(2, revoked=True)
DENIED2 = version(2, denied=True)
FALLEN2 = version(2, verified="SignerRevoked")
ENDED2 = version(2, verified="SignerExpired")
STOLEN2 = version(2, approvals=(approval(fallen=True),))
STARTING, AWAITING = RolloutState.STARTING, RolloutState.AWAITING_APPROVAL
PINNED = {"model": None, "model_version": "credit-v2"}
PINNED1 = {"model": None, "model_version": "credit-v1"}
STOP, BLOCK, HOLD = OnRevocation.STOP, OnRevocation.BLOCK, OnNoTarget.HOLD
ROLLBACK = OnRevocation.ROLLBACK


def served(number: int, start: float = 0) -> HistoryEntry:
    """Return what serves now, as ``spec()`` asks for it."""
    return entry(number, start=start, intent=asked(number))


SERVING1 = serving_status(served(1))
SERVING2 = serving_status(served(2, 10), entry(1, end=10))
FIRST = candidate_status(1, state=STARTING)
BACK1 = going_back_status(1, served(2, 10), entry(1, end=10))
BACK_OF_THREE = going_back_status(
    2, entry(3, start=20), entry(2, start=10, end=20), entry(1, end=10)
)
REFUSED2 = RefusedIntent(
    intent_hash=asked(2), manifest_digest=digest(2), reason="Denied", time=timestamp(at(0))
)
BAKING = serving_status(entry(1, stable=False, intent=asked(1)), state=RolloutState.PROMOTED)


def noted_at(status: ModelDeploymentStatus, seconds: float = 0) -> ModelDeploymentStatus:
    """Return the record that knows since when what serves must give way."""
    rollout = status.rollout or Rollout()
    return status.replace(rollout=rollout.replace(withdrawn_since=timestamp(at(seconds))))


def with_drift(
    status: ModelDeploymentStatus, number: int, **rollout: object
) -> ModelDeploymentStatus:
    """Return the record with a verdict on a version's traffic."""
    changed = (status.rollout or Rollout()).replace(**rollout)
    return status.replace(drift_state=drifted(number), rollout=changed)


def rejections(then: str) -> dict[str, object]:
    """Return the part of a spec that says what refused rows lead to."""
    return {"rejections": {"then": then}}


def with_rejections(then: str) -> ModelDeploymentStatus:
    """Return the record of version 2, which refuses too many rows."""
    intent = asked(2, drift=rejections(then))
    status = serving_status(entry(2, start=10, intent=intent), entry(1, end=10))
    return status.replace(drift_state=drifted(2, "NoDrift").replace(input_rejected=True))


def probing(then: str, clients: int = 1) -> dict[str, object]:
    """Return the part of a spec that says what probing leads to."""
    return {"probing": {"then": then, "clients": clients}}


def with_odd_rows(drift: dict[str, object], *kinds: Oddity) -> ModelDeploymentStatus:
    """Return the record of version 2, of which a client asks odd rows."""
    intent = asked(2, drift=drift)
    status = serving_status(entry(2, start=10, intent=intent), entry(1, end=10))
    clients = 1 if Oddity.PROBING in kinds else 0
    state = drifted(2, "NoDrift").replace(odd=list(kinds), probing_clients=clients)
    return status.replace(drift_state=state)


def feedback(then: str) -> dict[str, object]:
    """Return the part of a spec that says what answers lead to that do not come true."""
    return {"feedback": {"minimumAccuracy": "0.9", "then": then}}


def below_floor(then: str) -> ModelDeploymentStatus:
    """Return the record of version 2, whose answers do not come true as declared."""
    intent = asked(2, drift=feedback(then))
    status = serving_status(entry(2, start=10, intent=intent), entry(1, end=10))
    state = drifted(2, "NoDrift").replace(quality=QualityState(below_floor=True))
    return status.replace(drift_state=state)


def seen(given: View) -> str:
    """Return what is found in a word or two: the trigger, what is waited for, or nothing."""
    found = look(given)
    match found:
        case None:
            return "nothing"
        case Need(version=needed):
            return f"verify {needed.metadata.name}"
        case Wait(reason=reason):
            return f"wait {reason}"
        case RollBack(target=target):
            return f"RollBack {found.reason} {target.metadata.name}"
        case NoTarget() | Stop() | Overdue():
            return f"{type(found).__name__} {found.reason}"
        case Refused(refusal):
            return f"Refused {refusal.reason}"
        case _:
            return type(found).__name__


CASES: dict[str, tuple[View, str]] = {
    # Nothing serves.
    "without a version it is waited for": (
        view(ModelDeploymentStatus(), version(9, model="other")),
        "wait VersionMissing",
    ),
    "a version that is asked for becomes the candidate": (
        view(ModelDeploymentStatus(), V1),
        "Intended",
    ),
    "a refused intent is not tried again": (
        view(ModelDeploymentStatus(refused=[REFUSED2]), V2),
        "nothing",
    ),
    # A candidate is verified.
    "a candidate's bytes are verified": (view(candidate_status(1), V1), "verify credit-v1"),
    "a candidate without a policy waits": (
        view(candidate_status(1), V1, verified=(1,), unruled=True),
        "wait PolicyMissing",
    ),
    "a verified and approved candidate is cleared": (
        view(candidate_status(1), V1, verified=(1,)),
        "Cleared",
    ),
    "a verified candidate waits for approval": (
        view(candidate_status(2), RAW2, verified=(2,)),
        "Unapproved",
    ),
    "an old verification is made again": (
        view(candidate_status(1), V1, verified=(1,), verified_at=at(0), now=at(11)),
        "verify credit-v1",
    ),
    "a verification of ten seconds ago counts": (
        view(candidate_status(1), V1, verified=(1,), verified_at=at(0), now=at(10)),
        "Cleared",
    ),
    "a foreign object of a needed name holds the candidate up": (
        view(candidate_status(1), V1, verified=(1,), foreign=("Service 'credit' is foreign.",)),
        "wait ForeignObject",
    ),
    "a denied candidate is refused": (
        view(candidate_status(2), version(2, denied=True)),
        "Refused Denied",
    ),
    "a revoked candidate is refused": (view(candidate_status(2), REVOKED2), "Refused Revoked"),
    "a candidate whose signer was revoked is refused": (
        view(candidate_status(2), FALLEN2),
        "Refused KeyRevoked",
    ),
    "a candidate whose signature does not hold is held up": (
        view(candidate_status(2), version(2, verified="SignatureInvalid"), verified=(2,)),
        "wait VerificationFailed",
    ),
    "a candidate that nobody asks for any more is withdrawn": (
        view(candidate_status(2, entry(1, intent=asked(1, **PINNED1))), V1, V2, **PINNED1),
        "Withdrawn",
    ),
    "a candidate whose version is gone is withdrawn": (
        view(candidate_status(2), version(9, model="other")),
        "Withdrawn",
    ),
    "another intent replaces the candidate": (
        view(candidate_status(2, served(1)), V1, V2, V3),
        "Intended",
    ),
    # It waits for approval.
    "an approval clears a candidate that waited": (
        view(candidate_status(2, state=AWAITING), V2, verified=(2,)),
        "Cleared",
    ),
    "a candidate without approval waits on": (
        view(candidate_status(2, state=AWAITING), RAW2, verified=(2,)),
        "wait AwaitingApproval",
    ),
    # It starts.
    "a ready candidate is promoted": (
        view(FIRST, V1, verified=(1,), workloads=(workload(1),)),
        "Ready",
    ),
    "just before promotion the bytes are verified once more": (
        view(FIRST, V1, workloads=(workload(1),)),
        "verify credit-v1",
    ),
    "just before promotion the version's own checks are looked at once more": (
        view(
            candidate_status(2, state=STARTING),
            version(2, verified="SignatureInvalid"),
            verified=(2,),
            workloads=(workload(2),),
        ),
        "wait VerificationFailed",
    ),
    "a candidate whose Pods are not ready waits": (
        view(FIRST, V1, verified=(1,), workloads=(workload(1, ready=0),)),
        "wait Starting",
    ),
    "a candidate without a workload waits": (view(FIRST, V1, verified=(1,)), "wait Starting"),
    "Pods with another trust are not the candidate's": (
        view(FIRST, V1, verified=(1,), workloads=(workload(1, trust="f" * 64),)),
        "wait Starting",
    ),
    "half of the Pods are not enough": (
        view(FIRST, V1, verified=(1,), workloads=(workload(1, replicas=2),), replicas=2),
        "wait Starting",
    ),
    "ready Pods of a smaller size are not enough": (
        view(FIRST, V1, verified=(1,), workloads=(workload(1),), replicas=2),
        "wait Starting",
    ),
    "Pods that are about to be taken away are not enough": (
        view(FIRST, V1, verified=(1,), workloads=(workload(1, ready=2),), replicas=2),
        "wait Starting",
    ),
    "ready Pods of an older template are not enough": (
        view(FIRST, V1, verified=(1,), workloads=(replace(workload(1), settled=False),)),
        "wait Starting",
    ),
    "a candidate scaled to zero waits": (
        view(FIRST, V1, verified=(1,), replicas=0),
        "wait Starting",
    ),
    "a suspended promotion waits": (
        view(FIRST, V1, verified=(1,), workloads=(workload(1),), suspend=True),
        "wait Suspended",
    ),
    "a paused promotion waits": (
        view(FIRST.replace(paused=True), V1, verified=(1,), workloads=(workload(1),)),
        "wait Suspended",
    ),
    "a released candidate does not wait": (
        view(
            candidate_status(1, state=STARTING, released=True),
            V1,
            verified=(1,),
            workloads=(workload(1),),
            suspend=True,
        ),
        "Ready",
    ),
    "a withdrawn approval takes the candidate's Pods away": (
        view(candidate_status(2, state=STARTING), RAW2, verified=(2,), workloads=(workload(2),)),
        "Unapproved",
    ),
    "a predictor that refuses refuses the candidate": (
        view(FIRST, V1, verified=(1,), pods=(pod(1, exit_code=10),)),
        "Refused PredictorRefused",
    ),
    "a predictor that crashed is waited for": (
        view(FIRST, V1, verified=(1,), pods=(pod(1, exit_code=1),)),
        "wait Starting",
    ),
    "a candidate that does not start in time is refused": (
        view(FIRST, V1, verified=(1,), now=at(30)),
        "Refused ProgressDeadlineExceeded",
    ),
    "a frozen candidate has all the time": (
        view(FIRST, V1, verified=(1,), now=at(30), suspend=True),
        "wait Starting",
    ),
    # It serves.
    "what serves as it is asked for is left alone": (view(SERVING2, V1, V2), "nothing"),
    "a newer version is an intent": (view(SERVING1, V1, V2), "Intended"),
    "what serves needs no policy": (view(SERVING1, V1, unruled=True), "nothing"),
    "a revoked version rolls back": (
        view(SERVING2, V1, REVOKED2, verified=(1,), **PINNED),
        "RollBack RevocationRollback credit-v1",
    ),
    "a denied version serves on where the policy only blocks": (
        view(SERVING2, V1, DENIED2, under=policy(on_revocation=BLOCK), **PINNED),
        "Intended",
    ),
    "a version whose signer was revoked stops": (
        view(SERVING2, V1, FALLEN2, verified=(1,), **PINNED),
        "Stop RevocationRollback",
    ),
    "a version whose signer was revoked rolls back where the policy says so": (
        view(SERVING2, V1, FALLEN2, verified=(1,), under=policy(on_key_revocation=ROLLBACK)),
        "RollBack RevocationRollback credit-v1",
    ),
    "a version whose signer was revoked serves on where the policy only blocks": (
        view(SERVING2, V1, FALLEN2, under=policy(on_key_revocation=BLOCK), **PINNED1),
        "Intended",
    ),
    "the strictest counts where a version and its signer were revoked": (
        view(
            SERVING2,
            V1,
            version(2, revoked=True, verified="SignerRevoked"),
            verified=(1,),
            under=policy(on_revocation=STOP, on_key_revocation=BLOCK),
        ),
        "Stop RevocationRollback",
    ),
    "a version whose signer ended rolls back": (
        view(SERVING2, V1, ENDED2, verified=(1,), **PINNED),
        "RollBack RevocationRollback credit-v1",
    ),
    "a version whose only approver's key was revoked stops": (
        view(SERVING2, V1, STOLEN2, verified=(1,), **PINNED),
        "Stop RevocationRollback",
    ),
    "it stops also where that approval was deleted": (
        view(SERVING2, V1, version(2, approvals=(approval(fallen=True, withdrawn=True),))),
        "Stop RevocationRollback",
    ),
    "a version that has enough approvals without the revoked key is left alone": (
        view(SERVING2, V1, version(2, approvals=(approval(), approval("paul", fallen=True)))),
        "nothing",
    ),
    "a version that would have too few with it as well is not the key's matter": (
        view(SERVING2, V1, STOLEN2, under=policy(minimum=2)),
        "nothing",
    ),
    "a revoked key's approval of another deployment is not this one's matter": (
        view(SERVING2, V1, version(2, approvals=(approval(fallen=True, targets=("x",)),))),
        "nothing",
    ),
    "a version whose approval was only withdrawn serves on": (
        view(SERVING2, V1, version(2, approvals=(approval(withdrawn=True),))),
        "nothing",
    ),
    "without a policy the defaults hold for a revoked key": (
        view(SERVING2, V1, FALLEN2, unruled=True),
        "Stop RevocationRollback",
    ),
    "without a policy the defaults hold for a denial": (
        view(SERVING2, V1, DENIED2, unruled=True),
        "wait PolicyMissing",
    ),
    "a revoked version stops where the policy says so": (
        view(SERVING2, V1, REVOKED2, verified=(1,), under=policy(on_revocation=STOP)),
        "Stop RevocationRollback",
    ),
    "a revoked version serves on where the policy only blocks": (
        view(SERVING2, V1, REVOKED2, under=policy(on_revocation=BLOCK), **PINNED),
        "Intended",
    ),
    "a rollback's target is verified first": (
        view(SERVING2, V1, REVOKED2, **PINNED),
        "verify credit-v1",
    ),
    "a revoked version without a target stops": (
        view(SERVING2, version(1, revoked=True), REVOKED2, **PINNED),
        "Stop RevocationRollback",
    ),
    "a revoked version without a target is held where the policy says so": (
        view(
            SERVING2,
            version(1, revoked=True),
            REVOKED2,
            under=policy(on_revocation_without_target=HOLD),
            **PINNED,
        ),
        "NoTarget RevocationRollback",
    ),
    "a denied version rolls back": (
        view(SERVING2, V1, version(2, denied=True), verified=(1,), **PINNED),
        "RollBack RevocationRollback credit-v1",
    ),
    "a denied version stops where the policy says so": (
        view(SERVING2, V1, version(2, denied=True), under=policy(on_revocation=STOP)),
        "Stop RevocationRollback",
    ),
    "a revoked version needs no policy to stop at the deadline": (
        view(noted_at(SERVING2), V1, REVOKED2, unruled=True, now=at(120)),
        "Stop RevocationRollback",
    ),
    "before the deadline a target that is being checked is waited for": (
        view(
            noted_at(SERVING2),
            version(1).replace(status=ModelVersionStatus(approvals=[approval()])),
            REVOKED2,
            verified=(1,),
            now=at(119),
        ),
        "wait Verifying",
    ),
    "at the deadline it is waited for no longer": (
        view(
            noted_at(SERVING2),
            version(1).replace(status=ModelVersionStatus(approvals=[approval()])),
            REVOKED2,
            verified=(1,),
            now=at(120),
        ),
        "Stop RevocationRollback",
    ),
    "at the deadline a revoked version stops": (
        view(noted_at(SERVING2), V1, REVOKED2, verified=(1,), now=at(120)),
        "Stop RevocationRollback",
    ),
    "at the deadline a rollback under way stops it": (
        view(noted_at(BACK1), V1, REVOKED2, verified=(1,), now=at(120)),
        "Overdue RevocationRollback",
    ),
    "at the deadline it is held where the policy says so": (
        view(
            noted_at(BACK1),
            V1,
            REVOKED2,
            verified=(1,),
            workloads=(workload(1),),
            under=policy(on_revocation_without_target=HOLD),
            now=at(120),
        ),
        "TargetReady",
    ),
    "one ready Pod takes over from a revoked version": (
        view(
            BACK1,
            V1,
            REVOKED2,
            verified=(1,),
            workloads=(workload(1, ready=1, replicas=1),),
            replicas=5,
        ),
        "TargetReady",
    ),
    "one ready Pod does not take over from what drifted": (
        view(
            BACK1,
            V1,
            V2,
            verified=(1,),
            workloads=(workload(1, ready=1, replicas=1),),
            replicas=5,
        ),
        "wait RollingBack",
    ),
    "a warm Pod takes over while its workload restarts": (
        view(
            BACK1,
            V1,
            REVOKED2,
            verified=(1,),
            workloads=(replace(workload(1), settled=False),),
            pods=(pod(1, ready=True),),
        ),
        "TargetReady",
    ),
    "a target that is checked does not hold up an older one that passes": (
        view(
            serving_status(served(3, 20), entry(2, start=10, end=20), entry(1, end=10)),
            V1,
            version(2).replace(status=ModelVersionStatus(approvals=[approval()])),
            version(3, revoked=True),
            verified=(1, 2),
        ),
        "RollBack RevocationRollback credit-v1",
    ),
    "an object that is being deleted starts nothing": (
        view(SERVING1, V1, V2, verified=(2,), ending=True),
        "wait Deleting",
    ),
    "an object that is being deleted stops what was revoked": (
        view(SERVING2, V1, REVOKED2, verified=(1,), ending=True),
        "Stop RevocationRollback",
    ),
    "refused rows roll back where the spec says so": (
        view(with_rejections("Rollback"), V1, V2, verified=(1,), drift=rejections("Rollback")),
        "RollBack DriftRollback credit-v1",
    ),
    "refused rows only alert elsewhere": (
        view(with_rejections("Alert"), V1, V2, verified=(1,), drift=rejections("Alert")),
        "nothing",
    ),
    **{
        f"probing {what}": (
            view(with_odd_rows(drift, *kinds), V1, V2, verified=(1,), drift=drift),
            expected,
        )
        for what, drift, kinds, expected in (
            (
                "rolls back where the spec says so",
                probing("Rollback"),
                [Oddity.PROBING],
                "RollBack DriftRollback credit-v1",
            ),
            (
                "of fewer clients than declared does not",
                probing("Rollback", 2),
                [Oddity.PROBING],
                "nothing",
            ),
            ("only alerts elsewhere", probing("Alert"), [Oddity.PROBING], "nothing"),
            ("that nothing is declared of only alerts", {}, [Oddity.PROBING], "nothing"),
            (
                "is not what borderline applicants do",
                probing("Rollback"),
                [Oddity.BORDERLINE, Oddity.OUTSIDE],
                "nothing",
            ),
        )
    },
    "answers that do not come true roll back where the spec says so": (
        view(below_floor("Rollback"), V1, V2, verified=(1,), drift=feedback("Rollback")),
        "RollBack DriftRollback credit-v1",
    ),
    "answers that do not come true only alert elsewhere": (
        view(below_floor("Alert"), V1, V2, verified=(1,), drift=feedback("Alert")),
        "nothing",
    ),
    "drift rolls back": (
        view(with_drift(SERVING2, 2), V1, V2, verified=(1,)),
        "RollBack DriftRollback credit-v1",
    ),
    "drift of another version does nothing": (
        view(with_drift(SERVING2, 1), V1, V2, verified=(1,)),
        "nothing",
    ),
    "drift only tells where rollback is manual": (
        view(
            with_drift(serving_status(entry(2, intent=asked(2, rollback="Manual"))), 2),
            V2,
            verified=(2,),
            rollback="Manual",
        ),
        "nothing",
    ),
    "drift rolls back once": (
        view(with_drift(SERVING2, 2, drift_rollback_spent=True), V1, V2, verified=(1,)),
        "nothing",
    ),
    "drift of what was stopped does nothing": (
        view(
            with_drift(SERVING2, 2, state=RolloutState.HELD, cause="Stopped"),
            V1,
            V2,
            verified=(1,),
        ),
        "nothing",
    ),
    "a new intent cannot hide drift": (
        view(with_drift(SERVING2, 2), V1, V2, V3, verified=(1,)),
        "RollBack DriftRollback credit-v1",
    ),
    # A rollback is under way.
    "a target that runs takes over": (
        view(BACK1, V1, V2, verified=(1,), workloads=(workload(1),)),
        "TargetReady",
    ),
    "a target scaled to zero takes over at once": (
        view(BACK1, V1, V2, verified=(1,), replicas=0),
        "TargetReady",
    ),
    "a target's Pods with another trust do not count": (
        view(BACK1, V1, V2, verified=(1,), workloads=(workload(1, trust="f" * 64),)),
        "wait RollingBack",
    ),
    "a target that runs is verified once more": (
        view(BACK1, V1, V2, workloads=(workload(1),)),
        "verify credit-v1",
    ),
    "a target that starts is waited for": (view(BACK1, V1, V2, verified=(1,)), "wait RollingBack"),
    "a target that is revoked gives way to another": (
        view(BACK_OF_THREE, V1, REVOKED2, V3, verified=(1,)),
        "RollBack DriftRollback credit-v1",
    ),
    "a target that is gone gives way to another": (
        view(BACK_OF_THREE, V1, V3, verified=(1,)),
        "RollBack DriftRollback credit-v1",
    ),
    "a target that does not start gives way to another": (
        view(BACK_OF_THREE, V1, V2, V3, verified=(1, 2), now=at(30)),
        "RollBack DriftRollback credit-v1",
    ),
    "a target that refuses and is the last one is missed": (
        view(BACK1, V1, V2, verified=(1,), pods=(pod(1, exit_code=10),)),
        "NoTarget DriftRollback",
    ),
    "a new intent waits for the rollback": (
        view(BACK1, V1, V2, V3, verified=(1,)),
        "wait RollingBack",
    ),
    # It bakes.
    "what baked is stable": (view(BAKING, V1, now=at(10)), "Settled"),
    "what bakes is left alone": (view(BAKING, V1, now=at(9)), "nothing"),
    "what drifted does not bake": (
        view(with_drift(BAKING, 1, drift_rollback_spent=True), V1, now=at(10)),
        "nothing",
    ),
    "a revoked version does not bake": (
        view(BAKING, version(1, revoked=True), now=at(10), under=policy(on_revocation=BLOCK)),
        "nothing",
    ),
    "what serves bakes while a candidate waits": (
        view(
            candidate_status(
                2, entry(1, stable=False), state=AWAITING, intent_hash=asked(2, **PINNED)
            ),
            V1,
            RAW2,
            verified=(2,),
            now=at(10),
            **PINNED,
        ),
        "Settled",
    ),
    "a stable version is settled again after an acknowledgement": (
        view(serving_status(served(1), state=RolloutState.IDLE), V1),
        "Settled",
    ),
}


@pytest.mark.parametrize(("given", "expected"), CASES.values(), ids=CASES.keys())
def test_what_happened(given: View, expected: str) -> None:
    assert seen(given) == expected


@pytest.mark.parametrize("cause", ["Stopped", "RevocationRollback"])
def test_what_was_decided_about_a_revocation_is_not_decided_again(cause: str) -> None:
    held = serving_status(served(2, 10), entry(1, end=10), state=RolloutState.HELD, cause=cause)
    under = policy(on_revocation_without_target=HOLD)
    given = view(held, version(1, revoked=True), REVOKED2, under=under, **PINNED)
    assert "Rollback" not in seen(given)


@pytest.mark.parametrize("cause", ["Stopped", "RevocationRollback"])
def test_what_passes_later_takes_over_from_what_was_revoked(cause: str) -> None:
    held = serving_status(served(2, 10), entry(1, end=10), state=RolloutState.HELD, cause=cause)
    given = view(held, V1, REVOKED2, verified=(1,), **PINNED)
    assert seen(given) == "RollBack RevocationRollback credit-v1"


@pytest.mark.parametrize(
    ("healthy", "seconds", "over"),
    [(None, 100, False), (at(0), 9.9, False), (at(0), 10, True), (at(5), 10, False)],
    ids=["never healthy", "too short", "long enough", "with a break"],
)
def test_the_bake(healthy: datetime | None, seconds: float, over: bool) -> None:
    head = entry(1).replace(healthy_since=timestamp(healthy) if healthy else None)
    assert bake_is_over(view(BAKING, V1, now=at(seconds)), head) is over


def test_a_message_names_what_was_passed_over() -> None:
    found = look(view(with_drift(SERVING2, 2), version(1, denied=True), V2))
    assert isinstance(found, NoTarget)
    assert "income (PSI 0.4000)" in found.message
    assert "'credit-v1' was denied" in found.message


def test_one_approval_of_another_deployment_does_not_count() -> None:
    elsewhere = version(1, approvals=(approval(targets=("another",)),))
    assert seen(view(candidate_status(1), elsewhere, verified=(1,))) == "Unapproved"


@pytest.mark.parametrize("how", ["denied", "revoked"])
def test_bytes_that_were_withdrawn_under_another_name_give_way(how: str) -> None:
    twin = version(3, **{how: True})
    artifact = twin.spec.artifact.replace(manifest_digest=digest(2))
    twin = twin.replace(spec=twin.spec.replace(artifact=artifact))
    given = view(SERVING2, V1, version(2), twin, verified=(1,))
    assert must_give_way(given) is not None
    assert withdrawn_labels(
        replace(given.inputs, workloads={manifest_label(digest(2)): workload(2)})
    )
    assert must_give_way(view(SERVING2, V1, version(2), version(3, **{how: True}))) is None


@pytest.mark.parametrize(
    ("recorded", "kept", "since"),
    [
        pytest.param(3, 5, 3, id="what stands on record"),
        pytest.param(None, 5, 5, id="what the API server did not take"),
        pytest.param(None, None, 9, id="nothing yet"),
    ],
)
def test_the_time_of_what_was_withdrawn_runs_from_when_it_was_first_seen(
    recorded: float | None, kept: float | None, since: float
) -> None:
    status = SERVING2 if recorded is None else noted_at(SERVING2, recorded)
    given = view(status, V1, version(2, revoked=True), now=at(9)).inputs
    given = replace(given, withdrawn_since=None if kept is None else timestamp(at(kept)))
    found = noted(status, given)
    assert found is not None
    assert found.withdrawn_since == timestamp(at(since))
