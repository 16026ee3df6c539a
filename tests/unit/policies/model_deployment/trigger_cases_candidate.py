"""What can happen to a candidate, or where nothing serves, and the trigger of each."""

from __future__ import annotations

from dataclasses import replace

from hallmark.api.model_deployment import (
    ModelDeploymentStatus,
    RefusedIntent,
)
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.inputs import View
from tests.unit.policies.model_deployment.rollouts import (
    asked,
    at,
    candidate_status,
    digest,
    entry,
    pod,
    version,
    view,
    workload,
)
from tests.unit.policies.model_deployment.trigger_views import (
    AWAITING,
    FALLEN2,
    FIRST,
    PINNED1,
    RAW2,
    REVOKED2,
    STARTING,
    V1,
    V2,
    V3,
    served,
)

REFUSED2 = RefusedIntent(
    intent_hash=asked(2), manifest_digest=digest(2), reason="Denied", time=timestamp(at(0))
)


CANDIDATES: dict[str, tuple[View, str]] = {
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
}
