"""Factories for tests of rollouts: versions, policies, inputs, and a world that answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hallmark.api.artifacts import Trust
from hallmark.api.common import Condition, ConditionStatus, ObjectMeta, timestamp
from hallmark.api.model_approval import Decision
from hallmark.api.model_deployment import (
    Drift,
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
    TrustedKey,
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
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Verification, Workload
from hallmark.policies.model_deployment.trust import trust_of
from hallmark.policies.refusals import Refusal

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
NAMESPACE, NAME, MODEL = "bank", "credit", "credit"
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
) -> ApprovalRecord:
    return ApprovalRecord(
        uid=f"approval-{approver}",
        name=f"by-{approver}",
        decision=Decision.APPROVED,
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
        metadata=ObjectMeta(
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
) -> ModelPolicy:
    return ModelPolicy(
        metadata=ObjectMeta(name="default", uid="policy-uid"),
        spec=ModelPolicySpec(
            signers=[POLICY_KEY],
            approvals=Approvals(
                minimum=minimum, on_revocation=on_revocation, on_no_target=on_no_target
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
        metadata=ObjectMeta(
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


def trust(given: DeploymentInputs, number: int) -> Trust:
    """Return the trust of a version that verified."""
    found = trust_of(given, version(number))
    assert found is not None
    return found
