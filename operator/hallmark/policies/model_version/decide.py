"""What holds of a ModelVersion today: signature, SBOM, policy, and reviewers' decisions.

What people decided (a denial, a revocation, a revoked key) is found without the store's help. What
the files say is added where they were read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hallmark.api.conditions import ConditionStatus, SummaryCondition
from hallmark.api.latch import Latch
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_version import (
    ApprovalRecord,
    ModelVersionStatus,
    RolledBack,
    VersionCondition,
)
from hallmark.api.reasons import VersionReason
from hallmark.keys import moments_of
from hallmark.policies.conditions import (
    ConditionUpdate,
    fails,
    holds,
    ready,
    stalled,
    unknown,
    waiting,
)
from hallmark.policies.decision import Decision
from hallmark.policies.model_version.approvals import counting, needs
from hallmark.policies.model_version.audit import approval_records, verify_records
from hallmark.policies.model_version.checks import check_evidence, no_policy, signer_refusal
from hallmark.policies.model_version.inputs import Evidence, VersionInputs
from hallmark.policies.model_version.records import (
    Hearing,
    fell_with_its_key,
    final_of,
    final_word,
    first_end,
    next_latch,
    next_records,
    who_decided,
)
from hallmark.policies.model_version.renewal import last_of
from hallmark.policies.model_version.words import digest_of, words_in_force
from hallmark.refusal import Refusal

_C = VersionCondition
ASK_AGAIN = timedelta(seconds=2)
"""When the API server is asked again who vouches for reviewers' names."""
READING = "The sealed files are being read from the store."


def decide_version(inputs: VersionInputs) -> Decision:
    """Return what holds of a version today."""
    evidence = _evidence(inputs)
    records = next_records(_hearing(inputs))
    status = _status(inputs, evidence, records)
    checks = _checks(inputs, evidence)
    return Decision(
        conditions=(*checks, *_decisions(inputs, records), *_overall(inputs, checks, records)),
        status=status,
        records=(*verify_records(inputs, checks[0]), *approval_records(inputs, records)),
        requeue=_next_look(inputs, records),
    )


def heard(inputs: VersionInputs) -> VersionInputs:
    """Return the inputs with what reviewers say of vulnerabilities today, this moment's included.

    The files are held against it, so that whoever reads them must know it before the decision.
    """
    spec = inputs.policy.spec if inputs.policy else None
    rules = spec.dependencies.vulnerabilities if spec else None
    if rules is None or rules.vex is None:
        return inputs
    records = next_records(_hearing(inputs))
    return replace(inputs, words=words_in_force(records, spec, inputs.now))


def _evidence(inputs: VersionInputs) -> Evidence | None:
    """Return what the files say, or None where they were not read."""
    revoked = signer_refusal(inputs)
    if revoked is not None:
        return Evidence(refusal=revoked, sbom=inputs.version.status.sbom)
    if inputs.known is not None:
        return inputs.known
    return None if inputs.unread else check_evidence(inputs)


def _hearing(inputs: VersionInputs) -> Hearing:
    return Hearing(
        version=inputs.version,
        approvals=inputs.approvals,
        keys=inputs.policy.spec.approvers if inputs.policy else None,
        vouched_since=inputs.vouched_since,
        now=inputs.now,
        vouching_known=inputs.vouching_known,
        twins=inputs.twins,
        latch=inputs.latch,
        present=inputs.present,
        shown=inputs.shown,
        must_show=inputs.policy is not None and inputs.policy.spec.approvals.require_shown,
        rolled_back=rolled_back(inputs),
    )


def rolled_back(inputs: VersionInputs) -> RolledBack | None:
    """Return the last time that the bytes had to give way, wherever that stands."""
    remembered = inputs.latch.rolled_back if inputs.latch else None
    return last_of(inputs.rolled_back, remembered, inputs.version.status.rolled_back)


def _status(
    inputs: VersionInputs, evidence: Evidence | None, records: Sequence[ApprovalRecord]
) -> ModelVersionStatus:
    before = inputs.version.status
    status = before.replace(
        approvals=list(records),
        used_by=sorted(inputs.used_by)[:64],
        rolled_back=rolled_back(inputs),
    )
    if evidence is None:
        return status
    return status.replace(
        sbom=evidence.sbom,
        key_id=evidence.key_id or before.key_id,
        policy_digest=inputs.policy.spec.digest if inputs.policy else None,
        feed_digest=evidence.feed or None,
        vex_digest=evidence.vex or None,
    )


def latch_to_write(inputs: VersionInputs, decision: Decision) -> Latch | None:
    """Return what is to be remembered of the bytes, where that is more than is remembered."""
    if not isinstance(decision.status, ModelVersionStatus):
        return None
    status = decision.status
    wanted = next_latch(inputs.version, status.approvals, inputs.latch, status.rolled_back)
    return None if wanted == inputs.latch else wanted


def _next_look(inputs: VersionInputs, records: Sequence[ApprovalRecord]) -> float | None:
    """Return the seconds until something ends by itself, or None."""
    policy = inputs.policy.spec if inputs.policy else None
    approvers = policy.approvers if policy else []
    asked = policy.approvals if policy else None
    waiting = counting(records, asked, inputs.now, rolled_back(inputs)).waiting
    ends: list[datetime | None] = [
        first_end(records, inputs.now),
        *waiting,
        inputs.believed_until,
        *moments_of(approvers, inputs.now),
        None if inputs.vouching_known else inputs.now + ASK_AGAIN,
    ]
    moments = [moment for moment in ends if moment is not None and moment > inputs.now]
    return (min(moments) - inputs.now).total_seconds() + 1 if moments else None


def _checks(inputs: VersionInputs, evidence: Evidence | None) -> tuple[ConditionUpdate, ...]:
    """Return Verified, SBOMReady and PolicyPassed; where the files were not read what was shown."""
    if evidence is None:
        return tuple(_unread(inputs))
    if evidence.refusal is not None:
        return _refused(evidence.refusal)
    policy = evidence.policy
    return (
        holds(_C.VERIFIED, VersionReason.SIGNATURE_VALID, f"Signed by the key {evidence.key_id}."),
        holds(_C.SBOM_READY, VersionReason.SBOM_RECORDED)
        if evidence.sbom
        else fails(
            _C.SBOM_READY, VersionReason.PENDING, "The sealed SBOM was not found in the store."
        ),
        fails(_C.POLICY_PASSED, policy.reason, policy.message)
        if policy
        else holds(_C.POLICY_PASSED, VersionReason.POLICY_PASSED, evidence.remark),
    )


def _unread(inputs: VersionInputs) -> Iterator[ConditionUpdate]:
    for type_ in (_C.VERIFIED, _C.SBOM_READY, _C.POLICY_PASSED):
        shown = inputs.version.status.condition(type_)
        if (
            shown is None
            or shown.status is ConditionStatus.UNKNOWN
            or shown.reason in _NOT_BY_THE_FILES
            or (type_ is _C.POLICY_PASSED and _rests_on_other_words(inputs))
        ):
            yield unknown(type_, VersionReason.PENDING, inputs.trouble or READING)
        else:
            yield ConditionUpdate(type_, shown.status, shown.reason, shown.message)


def _rests_on_other_words(inputs: VersionInputs) -> bool:
    """Whether a verdict may have needed the word of a reviewer who says something else by now."""
    found = inputs.version.status.vex_digest
    return found is not None and found != digest_of(inputs.words)


_NOT_BY_THE_FILES = (
    VersionReason.POLICY_MISSING,
    VersionReason.SIGNER_REVOKED,
    VersionReason.SIGNER_EXPIRED,
)
"""Reasons that the files did not give, and that do not hold any more."""


def _refused(refusal: Refusal) -> tuple[ConditionUpdate, ...]:
    missing = refusal.reason == VersionReason.POLICY_MISSING
    claim = unknown if missing else fails
    reason = VersionReason.POLICY_MISSING if missing else VersionReason.PENDING
    return (
        claim(_C.VERIFIED, refusal.reason, refusal.message),
        unknown(_C.SBOM_READY, reason, "The signature does not hold."),
        unknown(_C.POLICY_PASSED, reason, "The signature does not hold."),
    )


def _decisions(
    inputs: VersionInputs, records: Sequence[ApprovalRecord]
) -> tuple[ConditionUpdate, ...]:
    """Return Approved, Denied and Revoked."""
    denied = final_of(records, ReviewDecision.DENIED)
    revoked = final_of(records, ReviewDecision.REVOKED)
    return (
        _approved(inputs, records, revoked or denied),
        holds(_C.DENIED, VersionReason.DENIED, who_decided(denied))
        if denied
        else fails(_C.DENIED, VersionReason.NOT_DENIED),
        holds(_C.REVOKED, VersionReason.REVOKED, who_decided(revoked))
        if revoked
        else fails(_C.REVOKED, VersionReason.NOT_REVOKED),
    )


def _approved(
    inputs: VersionInputs, records: Sequence[ApprovalRecord], final: ApprovalRecord | None
) -> ConditionUpdate:
    if final is not None:
        return fails(_C.APPROVED, VersionReason(final.decision), who_decided(final))
    if inputs.policy is None:
        return fails(_C.APPROVED, VersionReason.POLICY_MISSING, no_policy(inputs))
    asked = inputs.policy.spec.approvals
    counted = counting(records, asked, inputs.now, rolled_back(inputs))
    found = needs(asked, counted.approvers)
    if found.enough:
        by = ", ".join(counted.approvers)
        return holds(_C.APPROVED, VersionReason.APPROVED, f"Approved by {by}.")
    fallen = sorted({record.approver for record in records if fell_with_its_key(record)})
    more = counted.sentence
    more += f" Approvals by {', '.join(fallen)} fell with a revoked key." if fallen else ""
    if not inputs.vouching_known:
        more += " Plain decisions wait: the API server does not say who vouches for names."
    return fails(
        _C.APPROVED,
        VersionReason.AWAITING_APPROVAL,
        f"{found.sentence}; a reviewer creates a ModelApproval with this version's uid and "
        f"digests.{more}",
    )


def _overall(
    inputs: VersionInputs, checks: Sequence[ConditionUpdate], records: Sequence[ApprovalRecord]
) -> tuple[ConditionUpdate, ...]:
    """Return the kstatus triple: Ready means sealed, verified and not rejected."""
    final = final_word(records)
    if final is not None:
        return stalled(VersionReason(final.decision), who_decided(final))
    pending = None
    for check in checks:
        if check.reason == VersionReason.POLICY_MISSING:
            return stalled(VersionReason.POLICY_MISSING, check.message)
        if check.status is ConditionStatus.FALSE and check.reason != VersionReason.PENDING:
            return stalled(VersionReason.REFUSED, check.message)
        if check.reason == VersionReason.PENDING:
            pending = check
    if pending is not None:
        return waiting(VersionReason.PENDING, pending.message)
    sealed, settled, moving = ready(VersionReason.SEALED, "Verified; usable where it is approved.")
    if inputs.trouble:
        # It was ready when its files were last read.
        settled = holds(
            SummaryCondition.RECONCILING, VersionReason.STORE_UNAVAILABLE, inputs.trouble
        )
    return sealed, settled, moving
