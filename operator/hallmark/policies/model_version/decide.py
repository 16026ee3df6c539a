"""What holds of a ModelVersion today: signature, SBOM, policy, and reviewers' decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hallmark.api.artifacts import BASELINE, REPORT, SLOT_SBOM, Manifest, final_name
from hallmark.api.common import ConditionStatus, sha256_digest
from hallmark.api.gates import failure, judge
from hallmark.api.model_approval import ApprovalReason, ModelApproval
from hallmark.api.model_approval import Decision as Verb
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ApprovalRecord, ModelVersion, SBOMSummary, VersionReason
from hallmark.api.names import OPERATOR_NAME
from hallmark.api.report import Report
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.policies.conditions import (
    ConditionUpdate,
    fails,
    holds,
    ready,
    stalled,
    unknown,
    waiting,
)
from hallmark.policies.decision import Decision, Record
from hallmark.policies.model_version.approvals import counts, first_end, is_final, next_records
from hallmark.policies.refusals import Refusal
from hallmark.policies.training_run.seal import read_report
from hallmark.supply_chain.dependencies import check_dependencies
from hallmark.supply_chain.strict_json import UnreadableJSON, parse_object
from hallmark.supply_chain.verify import SealedManifest, verify_sealed

SBOM_BYTES = 4 << 20
"""A longer SBOM is not read."""


@dataclass(frozen=True)
class VersionInputs:
    """Everything that a decision about one ModelVersion depends on.

    Args:
        version: the version.
        now: the time.
        policy_name: the name of the policy that applies.
        policy: that policy, or None where there is none.
        manifest: the text of ``manifest.json`` in the store; None where there is none.
        report: the bytes of ``report.json`` in the store; None where there is none.
        sbom: the bytes of the SBOM, read once; None where it was not read or is not there.
        approvals: the ModelApprovals that name this version.
        vouched_since: since when the approvals' identity policy has been in force, or None.
        used_by: the names of the ModelDeployments that serve it or could serve it again.
    """

    version: ModelVersion
    now: datetime
    policy_name: str
    policy: ModelPolicy | None = None
    manifest: str | None = None
    report: bytes | None = None
    sbom: bytes | None = None
    approvals: tuple[ModelApproval, ...] = ()
    vouched_since: str | None = None
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified:
    """A version whose signature holds: its manifest, and who signed it."""

    manifest: Manifest
    key_id: str


def verify(inputs: VersionInputs) -> Verified | Refusal:
    """Return the signed manifest, or why the version is not what its signature says."""
    spec = inputs.version.spec
    if inputs.policy is None:
        return Refusal(VersionReason.POLICY_MISSING, _no_policy(inputs))
    if inputs.manifest is None:
        return Refusal(
            VersionReason.SIGNATURE_INVALID,
            f"Expected manifest.json at {spec.artifact.uri}, found none; restore it or train anew.",
        )
    sealed = verify_sealed(
        inputs.manifest,
        spec.artifact.manifest_digest,
        spec.bundle,
        inputs.policy.spec.signers,
        inputs.now,
    )
    if not isinstance(sealed, SealedManifest):
        return Refusal(sealed.reason, sealed.message)
    mismatch = _contradiction(inputs.version, sealed.manifest)
    if mismatch:
        return Refusal(VersionReason.SIGNATURE_INVALID, mismatch)
    return Verified(sealed.manifest, sealed.key_id)


def _contradiction(version: ModelVersion, manifest: Manifest) -> str:
    """Return where spec and signed manifest differ; empty where they do not."""
    spec = version.spec

    def digest(name: str) -> str | None:
        entry = manifest.file(name)
        return entry.digest if entry else None

    pairs = (
        ("namespace", version.metadata.namespace, manifest.namespace),
        ("model", spec.model, manifest.model),
        ("specDigest", spec.training_run.spec_digest, manifest.spec_digest),
        ("datasetFingerprint", spec.dataset_fingerprint, manifest.dataset_fingerprint),
        ("gateReportDigest", spec.gate_report_digest, digest(REPORT)),
        ("baselineDigest", spec.baseline_digest, digest(BASELINE)),
        ("sbomDigest", spec.sbom_digest, digest(final_name(SLOT_SBOM, manifest.run_id))),
    )
    for name, said, signed in pairs:
        if said != signed:
            return (
                f"Expected '{name}' {signed or 'of a signed file'} as in the signed manifest, "
                f"found {said} in the ModelVersion."
            )
    return ""


def meets_policy(inputs: VersionInputs, verified: Verified) -> Refusal | None:
    """The sealed report clears today's floors, and no package is denied today."""
    if inputs.policy is None:
        return Refusal(VersionReason.POLICY_MISSING, _no_policy(inputs))
    report: Report | Refusal = read_report(verified.manifest, inputs.report or b"")
    if isinstance(report, Refusal):
        return Refusal(VersionReason.POLICY_FAILED, report.message)
    policy = inputs.policy.spec
    failed = failure(judge((), policy.gates, report.metrics, report.inconclusive))
    denied = check_dependencies(report.packages.items(), policy.dependencies.denied)
    said = " ".join(text for text in (failed, *(each.sentence() for each in denied)) if text)
    return Refusal(VersionReason.POLICY_FAILED, said) if said else None


def summarise(sbom: bytes | None, digest: str) -> SBOMSummary | None:
    """Return the SBOM in short if these are the sealed bytes."""
    if sbom is None or sha256_digest(sbom) != digest:
        return None
    try:
        document = parse_object(sbom, SBOM_BYTES)
    except UnreadableJSON:
        return None
    return SBOMSummary(
        components=_components(document.get("components")),
        spec_version=str(document.get("specVersion", "")),
    )


def _components(found: object) -> int:
    items = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return len(items) + sum(_components(each.get("components")) for each in items)


def uses(deployment: ModelDeployment, version: ModelVersion) -> bool:
    """Tell whether a ModelDeployment serves the version, starts it, or could roll back to it."""
    status, name = deployment.status, version.metadata.name
    named = {
        status.active_model_version,
        status.stable_model_version,
        status.candidate_model_version,
        status.rollout.model_version if status.rollout else None,
    }
    targets = {each.version for each in status.history if each.was_stable}
    return name in named | targets


def decide_version(inputs: VersionInputs) -> Decision:
    """Return what holds of a version today."""
    version = inputs.version
    if version.metadata.deletion_timestamp:
        return Decision()
    verified = verify(inputs)
    policy = None if isinstance(verified, Refusal) else meets_policy(inputs, verified)
    records = _records(inputs)
    summary = version.status.sbom or summarise(inputs.sbom, version.spec.sbom_digest)
    status = version.status.replace(
        approvals=list(records),
        used_by=sorted(inputs.used_by)[:64],
        sbom=summary,
        key_id=version.status.key_id if isinstance(verified, Refusal) else verified.key_id,
    )
    checks = _checks(verified, policy, summary)
    end = first_end(records, inputs.now)
    return Decision(
        conditions=(*checks, *_decisions(inputs, records), *_overall(checks, records)),
        status=status,
        records=(*_verify_record(inputs, checks[0]), *_approval_records(inputs, records)),
        requeue=None if end is None else (end - inputs.now).total_seconds() + 1,
    )


def _records(inputs: VersionInputs) -> tuple[ApprovalRecord, ...]:
    if inputs.policy is None:
        # Nobody can be judged without the policy's keys; what was latched stays.
        return tuple(inputs.version.status.approvals)
    return next_records(
        inputs.version,
        inputs.approvals,
        inputs.policy.spec.approvers,
        inputs.vouched_since,
        inputs.now,
    )


def _checks(
    verified: Verified | Refusal, policy: Refusal | None, summary: SBOMSummary | None
) -> tuple[ConditionUpdate, ConditionUpdate, ConditionUpdate]:
    """Return Verified, SBOMReady and PolicyPassed."""
    if isinstance(verified, Refusal):
        missing = verified.reason == VersionReason.POLICY_MISSING
        claim = unknown if missing else fails
        reason = VersionReason.POLICY_MISSING if missing else VersionReason.PENDING
        return (
            claim("Verified", verified.reason, verified.message),
            unknown("SBOMReady", reason, "The signature does not hold."),
            unknown("PolicyPassed", reason, "The signature does not hold."),
        )
    return (
        holds("Verified", VersionReason.SIGNATURE_VALID, f"Signed by the key {verified.key_id}."),
        holds("SBOMReady", VersionReason.SBOM_RECORDED)
        if summary
        else fails(
            "SBOMReady", VersionReason.PENDING, "The sealed SBOM was not found in the store."
        ),
        fails("PolicyPassed", policy.reason, policy.message)
        if policy
        else holds("PolicyPassed", VersionReason.POLICY_PASSED),
    )


def _decisions(
    inputs: VersionInputs, records: Sequence[ApprovalRecord]
) -> tuple[ConditionUpdate, ...]:
    """Return Approved, Denied and Revoked."""
    denied = _final(records, Verb.DENIED)
    revoked = _final(records, Verb.REVOKED)
    return (
        _approved(inputs, records, revoked or denied),
        holds("Denied", VersionReason.DENIED, _who(denied))
        if denied
        else fails("Denied", VersionReason.NOT_DENIED),
        holds("Revoked", VersionReason.REVOKED, _who(revoked))
        if revoked
        else fails("Revoked", VersionReason.NOT_REVOKED),
    )


def _approved(
    inputs: VersionInputs, records: Sequence[ApprovalRecord], final: ApprovalRecord | None
) -> ConditionUpdate:
    if final is not None:
        reason = VersionReason.DENIED if final.decision is Verb.DENIED else VersionReason.REVOKED
        return fails("Approved", reason, _who(final))
    if inputs.policy is None:
        return fails("Approved", VersionReason.POLICY_MISSING, _no_policy(inputs))
    approvers = sorted({each.approver for each in records if counts(each, inputs.now)})
    minimum = inputs.policy.spec.approvals.minimum
    if len(approvers) >= minimum:
        return holds("Approved", VersionReason.APPROVED, f"Approved by {', '.join(approvers)}.")
    return fails(
        "Approved",
        VersionReason.AWAITING_APPROVAL,
        f"{len(approvers)} of {minimum} approvals; a reviewer creates a ModelApproval with this "
        f"version's uid and digests.",
    )


def _overall(
    checks: Sequence[ConditionUpdate], records: Sequence[ApprovalRecord]
) -> tuple[ConditionUpdate, ...]:
    """Return the kstatus triple: Ready means sealed, verified and not rejected."""
    final = _final(records, Verb.REVOKED) or _final(records, Verb.DENIED)
    if final is not None:
        reason = VersionReason.DENIED if final.decision is Verb.DENIED else VersionReason.REVOKED
        return stalled(reason, _who(final))
    pending = None
    for each in checks:
        if each.reason == VersionReason.POLICY_MISSING:
            return stalled(VersionReason.POLICY_MISSING, each.message)
        if each.status is ConditionStatus.FALSE and each.reason != VersionReason.PENDING:
            return stalled(VersionReason.REFUSED, each.message)
        if each.reason == VersionReason.PENDING:
            pending = each
    if pending is not None:
        return waiting(VersionReason.PENDING, pending.message)
    return ready(VersionReason.SEALED, "Verified; usable where it is approved.")


def _final(records: Sequence[ApprovalRecord], verb: Verb) -> ApprovalRecord | None:
    return next((each for each in records if is_final(each) and each.decision is verb), None)


def _who(record: ApprovalRecord | None) -> str:
    if record is None:
        return ""
    return f"{record.decision} by {record.approver} (ModelApproval '{record.name}'); this is final."


def _no_policy(inputs: VersionInputs) -> str:
    return (
        f"Expected the ModelPolicy '{inputs.policy_name}', found none; ask the platform team to "
        f"create it."
    )


# --- for the audit log ------------------------------------------------------------------------

_EVENTS = {
    Verb.APPROVED: AuditEvent.APPROVE,
    Verb.DENIED: AuditEvent.DENY,
    Verb.REVOKED: AuditEvent.REVOKE,
}


def _verify_record(inputs: VersionInputs, verdict: ConditionUpdate) -> tuple[Record, ...]:
    """Return the record of a change of Verified; nothing where it stayed as it was."""
    before = inputs.version.status.condition("Verified")
    if verdict.status is ConditionStatus.UNKNOWN or (
        before is not None and before.status is verdict.status
    ):
        return ()
    since = before.last_transition_time if before else ""
    uid = inputs.version.metadata.uid
    holds_now = verdict.status is ConditionStatus.TRUE
    outcome = AuditOutcome.VERIFIED if holds_now else AuditOutcome.REFUSED
    return (
        _record(
            inputs,
            f"verify:{uid}:{outcome}:{since}",
            AuditEvent.VERIFY,
            outcome,
            verdict.reason,
            message=verdict.message,
        ),
    )


def _approval_records(
    inputs: VersionInputs, records: Sequence[ApprovalRecord]
) -> tuple[Record, ...]:
    """Return a record for each decision that is new, withdrawn or fallen."""
    before = {each.uid: each for each in inputs.version.status.approvals}
    made = []
    for each in records:
        old = before.get(each.uid)
        details = {"approvalUid": each.uid, "approval": each.name}
        if old is None or old.accepted != each.accepted:
            event = _EVENTS[each.decision]
            outcome = AuditOutcome.ACCEPTED if each.accepted else AuditOutcome.REFUSED
            key = f"{event}:{each.uid}:{outcome}"
            made.append(
                _record(
                    inputs, key, event, outcome, each.reason, each.approver, each.message, details
                )
            )
        if each.withdrawn and not (old and old.withdrawn):
            key = f"withdraw:{each.uid}"
            made.append(
                _record(
                    inputs,
                    key,
                    AuditEvent.WITHDRAW,
                    AuditOutcome.WITHDRAWN,
                    ApprovalReason.WITHDRAWN,
                    details=details,
                )
            )
    return tuple(made)


def _record(
    inputs: VersionInputs,
    decision_id: str,
    event: AuditEvent,
    outcome: AuditOutcome,
    reason: str,
    actor: str = OPERATOR_NAME,
    message: str = "",
    details: dict[str, str] | None = None,
) -> Record:
    metadata = inputs.version.metadata
    spec = inputs.version.spec
    digest = {"model": spec.model, "manifestDigest": spec.artifact.manifest_digest}
    return Record(
        decision_id=decision_id,
        event=event,
        kind="ModelVersion",
        namespace=metadata.namespace or "",
        name=metadata.name,
        uid=metadata.uid,
        outcome=outcome,
        reason=reason,
        message=message,
        actor=actor,
        details={**digest, **(details or {})},
    )
