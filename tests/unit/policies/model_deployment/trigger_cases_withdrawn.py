"""What follows where people withdrew what serves: by policy, by key, by the deadline."""

from __future__ import annotations

from dataclasses import replace

from hallmark.api.model_policy import OnRevocation
from hallmark.api.model_version import ModelVersionStatus
from hallmark.policies.model_deployment.inputs import View
from tests.unit.policies.model_deployment.rollouts import (
    approval,
    at,
    entry,
    pod,
    policy,
    serving_status,
    version,
    view,
    workload,
)
from tests.unit.policies.model_deployment.trigger_views import (
    BACK1,
    BLOCK,
    FALLEN2,
    HOLD,
    PINNED,
    PINNED1,
    REVOKED2,
    SERVING1,
    SERVING2,
    STOP,
    V1,
    V2,
    noted_at,
    served,
)

DENIED2 = version(2, denied=True)
ENDED2 = version(2, verified="SignerExpired")
STOLEN2 = version(2, approvals=(approval(fallen=True),))
ROLLBACK = OnRevocation.ROLLBACK


WITHDRAWN: dict[str, tuple[View, str]] = {
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
}
