"""Factories for tests of rollouts: versions, policies, inputs, and a world that answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hallmark.api.columns import FeatureType
from hallmark.api.common import NamespacedMeta, ObjectMeta
from hallmark.api.conditions import Condition, ConditionStatus
from hallmark.api.drift import Drift
from hallmark.api.drift_state import DriftState
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_deployment import (
    HistoryEntry,
    ModelDeployment,
    ModelDeploymentSpec,
    ModelDeploymentStatus,
    Outcome,
    Rollout,
    RolloutState,
    Strategy,
)
from hallmark.api.model_policy import (
    Approvals,
    Images,
    ModelPolicy,
    ModelPolicySpec,
    OnNoTarget,
    OnRevocation,
    Store,
)
from hallmark.api.model_version import (
    ApprovalRecord,
    Artifact,
    ModelVersion,
    ModelVersionSpec,
    ModelVersionStatus,
    Requester,
    RunReference,
)
from hallmark.api.names import manifest_label
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.api.texts import timestamp
from hallmark.api.trust import Trust, TrustedKey
from hallmark.policies.model_deployment.inputs import (
    DeploymentInputs,
    PodState,
    Verification,
    View,
    Workload,
)
from hallmark.policies.model_deployment.intent import intent_hash
from hallmark.policies.model_deployment.triggers import WATCHED
from hallmark.policies.model_deployment.trust import trust_of
from hallmark.refusal import Refusal

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
NAMESPACE, NAME, MODEL = "bank", "credit", "credit"
BASELINE = Baseline(
    rows=1000,
    features=[
        BaselineFeature(name="income", type=FeatureType.NUMBER, edges=[1.0], counts=[500, 500, 0])
    ],
)
POLICY_KEY = TrustedKey(key_id="a" * 64, public_key="-----BEGIN PUBLIC KEY-----")


def digest(number: int) -> str:
    """Return the manifest digest of version ``number``."""
    return "sha256:" + f"{number:02x}" * 32


def at(seconds: float) -> datetime:
    """Return the moment so many seconds after the start."""
    return NOW + timedelta(seconds=seconds)


def version_name(number: int) -> str:
    return f"credit-v{number}"


def approval(
    approver: str = "rita",
    *,
    accepted: bool = True,
    withdrawn: bool = False,
    targets: tuple[str, ...] = (),
    not_after: datetime | None = None,
    fallen: bool = False,
) -> ApprovalRecord:
    """Return a record of an approval; one that is ``fallen`` fell with the approver's key."""
    if fallen:
        held = approval(approver, withdrawn=withdrawn, targets=targets)
        return held.replace(accepted=False, reason="KeyRevoked", key_id="b" * 64)
    return ApprovalRecord(
        uid=f"approval-{approver}",
        name=f"by-{approver}",
        decision=ReviewDecision.APPROVED,
        approver=approver,
        accepted=accepted,
        withdrawn=withdrawn,
        reason="Accepted",
        time=timestamp(NOW),
        not_after=timestamp(not_after) if not_after else None,
        targets=list(targets),
    )


def condition(type_: str, *, true: bool = True, reason: str = "SignatureValid") -> Condition:
    return Condition(
        type=type_,
        status=ConditionStatus.TRUE if true else ConditionStatus.FALSE,
        reason=reason,
        message=f"{type_} is {true}.",
        last_transition_time="2026-11-25T11:00:00Z",
    )


def version(
    number: int = 1,
    *,
    model: str = MODEL,
    approvals: tuple[ApprovalRecord, ...] | None = None,
    denied: bool = False,
    revoked: bool = False,
    verified: str = "SignatureValid",
) -> ModelVersion:
    """Return a ModelVersion that may serve, unless told otherwise."""
    conditions = [
        condition("Verified", true=verified == "SignatureValid", reason=verified),
        condition("PolicyPassed"),
        *([condition("Denied", reason="Denied")] if denied else []),
        *([condition("Revoked", reason="Revoked")] if revoked else []),
    ]
    return ModelVersion(
        metadata=NamespacedMeta(
            name=version_name(number), namespace=NAMESPACE, uid=f"version-{number}"
        ),
        spec=ModelVersionSpec(
            model=model,
            version=number,
            training_run=RunReference(
                name=version_name(number), uid=f"run-{number}", spec_digest=digest(200)
            ),
            requested_by=Requester(name="ada", authenticated=True),
            artifact=Artifact(
                uri=f"s3://models/models/{NAMESPACE}.{model}/{digest(number)[7:]}/",
                manifest_digest=digest(number),
                size=1000,
            ),
            dataset_fingerprint=digest(201),
            gate_report_digest=digest(202),
            sbom_digest=digest(203),
            baseline_digest=digest(204),
            bundle="{}",
        ),
        status=ModelVersionStatus(
            conditions=conditions,
            approvals=list((approval(),) if approvals is None else approvals),
        ),
    )


def policy(
    *,
    minimum: int = 1,
    on_revocation: OnRevocation = OnRevocation.ROLLBACK,
    on_no_target: OnNoTarget = OnNoTarget.HOLD,
    on_revocation_without_target: OnNoTarget = OnNoTarget.STOP,
    on_key_revocation: OnRevocation = OnRevocation.STOP,
) -> ModelPolicy:
    return ModelPolicy(
        metadata=ObjectMeta(name="default", uid="policy-uid"),
        spec=ModelPolicySpec(
            signers=[POLICY_KEY],
            approvals=Approvals(
                minimum=minimum,
                on_revocation=on_revocation,
                on_no_target=on_no_target,
                on_revocation_without_target=on_revocation_without_target,
                on_key_revocation=on_key_revocation,
            ),
            store=Store(uri="s3://models", endpoint="http://store:7070"),
            images=Images(trainer="trainer:1", sealer="operator:1", predictor="predictor:1"),
        ),
    )


STRATEGY = Strategy(bake="10s", keep_warm="60s", progress_deadline="30s")


def spec(**changes: object) -> ModelDeploymentSpec:
    fields: dict[str, object] = {"strategy": STRATEGY, "drift": Drift(window=100), **changes}
    if "model_version" not in fields:
        fields.setdefault("model", MODEL)
    return ModelDeploymentSpec.model_validate(fields)


def deployment(
    status: ModelDeploymentStatus | None = None,
    annotations: dict[str, str] | None = None,
    **changes: object,
) -> ModelDeployment:
    return ModelDeployment(
        metadata=NamespacedMeta(
            name=NAME,
            namespace=NAMESPACE,
            uid="deployment-uid",
            generation=1,
            annotations=annotations or {},
        ),
        spec=spec(**changes),
        status=status or ModelDeploymentStatus(),
    )


def entry(
    number: int,
    *,
    start: float = 0,
    end: float | None = None,
    stable: bool = True,
    intent: str = "",
) -> HistoryEntry:
    ended = {"to": timestamp(at(end)), "outcome": Outcome.REPLACED} if end is not None else {}
    serving = Outcome.STABLE if stable else Outcome.SERVING
    return HistoryEntry.model_validate(
        {
            "version": version_name(number),
            "manifest_digest": digest(number),
            "from": timestamp(at(start)),
            "outcome": serving,
            "was_stable": stable,
            "intent_hash": intent or f"intent-{number}",
            "trust_sha256": f"{number:02x}" * 32,
            "healthy_since": timestamp(at(start)),
            **ended,
        }
    )


def serving_status(
    *entries: HistoryEntry, state: RolloutState = RolloutState.STABLE, **rollout: object
) -> ModelDeploymentStatus:
    """Return the record of a Deployment whose newest entry serves."""
    head = entries[0]
    fields: dict[str, object] = {
        "state": state,
        "intent_hash": head.intent_hash,
        "model_version": head.version,
        "manifest_digest": head.manifest_digest,
        "trust_sha256": head.trust_sha256,
        "since": head.from_,
        "drift_since": head.from_,
        **rollout,
    }
    return ModelDeploymentStatus(
        active_model_version=head.version,
        active_digest=head.manifest_digest,
        history=list(entries),
        rollout=Rollout.model_validate(fields),
    )


def asked(number: int, **changes: object) -> str:
    """Return the intent's hash of a version under ``spec(**changes)``."""
    return intent_hash(digest(number), spec(**changes))


def candidate_status(
    number: int,
    *entries: HistoryEntry,
    state: RolloutState = RolloutState.VERIFYING,
    **rollout: object,
) -> ModelDeploymentStatus:
    """Return the record of a candidate beside what serves, if anything does."""
    before = serving_status(*entries) if entries else ModelDeploymentStatus()
    started = state in WATCHED
    shown = started or state is RolloutState.AWAITING_APPROVAL
    fields: dict[str, object] = {
        "state": state,
        "intent_hash": asked(number),
        "model_version": version_name(number),
        "manifest_digest": digest(number),
        "trust_sha256": f"{number:02x}" * 32 if started else "",
        "since": timestamp(NOW),
        **rollout,
    }
    return before.replace(
        candidate_model_version=version_name(number) if shown else None,
        candidate_digest=digest(number) if shown else None,
        rollout=Rollout.model_validate(fields),
    )


def going_back_status(
    number: int, *entries: HistoryEntry, reason: str = "DriftRollback", **rollout: object
) -> ModelDeploymentStatus:
    """Return the record of a rollback from the newest entry to version ``number``."""
    fields: dict[str, object] = {
        "state": RolloutState.ROLLING_BACK,
        "intent_hash": entries[0].intent_hash,
        "model_version": version_name(number),
        "manifest_digest": digest(number),
        "trust_sha256": f"{number:02x}" * 32,
        "since": timestamp(NOW),
        "reason": reason,
        "message": "Why.",
        **rollout,
    }
    return serving_status(*entries).replace(rollout=Rollout.model_validate(fields))


def drifted(number: int, verdict: str = "Drift") -> DriftState:
    """Return the state in which the version's traffic has drifted."""
    return DriftState.model_validate(
        {
            "verdict": verdict,
            "manifest_digest": digest(number),
            "top": [{"feature": "income", "psi": "0.4000"}],
        }
    )


def workload(number: int, *, ready: int = 1, replicas: int = 1, trust: str = "") -> Workload:
    return Workload(
        manifest=manifest_label(digest(number)),
        trust_sha256=trust or f"{number:02x}" * 32,
        image="predictor:1",
        replicas=replicas,
        pods=replicas,
        ready=ready,
        settled=True,
    )


def verification(number: int, *, moment: datetime = NOW, refused: str = "") -> Verification:
    return Verification(
        manifest_digest=digest(number),
        at=moment,
        manifest="" if refused else "{}",
        refusal=Refusal("VerificationFailed", refused) if refused else None,
    )


def inputs(
    *versions: ModelVersion,
    on: ModelDeployment | None = None,
    under: ModelPolicy | None = None,
    verified: tuple[int, ...] = (),
    workloads: tuple[Workload, ...] = (),
    now: datetime = NOW,
) -> DeploymentInputs:
    """Return what a decision is made from; without versions, those that verified."""
    found = versions or tuple(version(each) for each in verified)
    return DeploymentInputs(
        deployment=on or deployment(),
        now=now,
        policy=under or policy(),
        versions=found,
        workloads={each.manifest: each for each in workloads},
        verifications={digest(each): verification(each, moment=now) for each in verified},
    )


def pod(
    number: int, *, ready: bool = False, exit_code: int | None = None, message: str = ""
) -> PodState:
    """Return a Pod of a version, with the trust that the factories record."""
    return PodState(
        name=f"pod-{number}",
        manifest=manifest_label(digest(number)),
        trust_sha256=f"{number:02x}" * 32,
        ready=ready,
        exit_code=exit_code,
        message=message,
    )


def view(
    status: ModelDeploymentStatus,
    *versions: ModelVersion,
    under: ModelPolicy | None = None,
    verified: tuple[int, ...] = (),
    workloads: tuple[Workload, ...] = (),
    now: datetime = NOW,
    pods: tuple[PodState, ...] = (),
    foreign: tuple[str, ...] = (),
    unruled: bool = False,
    ending: bool = False,
    verified_at: datetime | None = None,
    **changes: object,
) -> View:
    """Return a record in its surroundings; without a policy where ``unruled``."""
    on = deployment(status, **changes)
    if ending:
        on = on.replace(metadata=on.metadata.replace(deletion_timestamp=timestamp(now)))
    given = inputs(*versions, on=on, under=under, verified=verified, workloads=workloads, now=now)
    made = {digest(number): verification(number, moment=verified_at or now) for number in verified}
    given = replace(given, pods=pods, foreign=foreign, verifications=made)
    return View(replace(given, policy=None) if unruled else given, status)


def trust(given: DeploymentInputs, number: int) -> Trust:
    """Return the trust of a version that verified."""
    found = trust_of(given, version(number))
    assert found is not None
    return found
