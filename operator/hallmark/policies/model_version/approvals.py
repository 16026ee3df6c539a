"""Which decisions of reviewers count for a ModelVersion, and what they add up to.

A decision is looked at once, when the operator first sees it, and latched by the object's uid: who
created it cannot be proved later. What may change afterwards only takes away (a deletion, an end,
a revoked key); a denial and a revocation stay for ever.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hallmark.api.common import parse_timestamp, timestamp
from hallmark.api.model_approval import ApprovalReason, ModelApproval, ReviewDecision
from hallmark.api.model_policy import ApproverKey
from hallmark.api.model_version import ApprovalRecord, ModelVersion
from hallmark.policies.model_version.attestation import verify_attestation
from hallmark.policies.refusals import Refusal, evaluate

SETTLING = timedelta(seconds=5)
"""How long after its creation an admission policy may not act yet on every API server."""
MAX_RECORDS = 64


@dataclass(frozen=True)
class Ballot:
    """One decision, and what it is held against.

    Args:
        approval: the object.
        version: the ModelVersion of the name that it decides on.
        keys: the policy's approver keys.
        vouched_since: since when the identity policy has been in force, or None.
        earlier: what was decided about other approvals of this version.
        now: when the operator sees it.
    """

    approval: ModelApproval
    version: ModelVersion
    keys: Sequence[ApproverKey]
    vouched_since: str | None
    earlier: Sequence[ApprovalRecord]
    now: datetime


def names_this_object(ballot: Ballot) -> Refusal | None:
    """The approval is of this ModelVersion, not of another that had its name."""
    asked, found = ballot.approval.spec.model_version.uid, ballot.version.metadata.uid
    if asked == found:
        return None
    return Refusal(
        ApprovalReason.UID_MISMATCH,
        f"Expected a decision on ModelVersion '{ballot.version.metadata.name}' with uid {found}, "
        f"found uid {asked}: another object that had this name. Look at the new one and decide "
        f"again.",
    )


def names_these_bytes(ballot: Ballot) -> Refusal | None:
    """All three digests are the version's."""
    asked, sealed = ballot.approval.spec, ballot.version.spec
    pairs = (
        ("manifestDigest", asked.manifest_digest, sealed.artifact.manifest_digest),
        ("sbomDigest", asked.sbom_digest, sealed.sbom_digest),
        ("gateReportDigest", asked.gate_report_digest, sealed.gate_report_digest),
    )
    for name, found, expected in pairs:
        if found != expected:
            return Refusal(
                ApprovalReason.DIGEST_MISMATCH,
                f"Expected '{name}' {expected} as in ModelVersion "
                f"'{ballot.version.metadata.name}', found {found}; look at its evidence and decide "
                f"again.",
            )
    return None


def name_is_vouched_for(ballot: Ballot) -> Refusal | None:
    """The approver's key, or the API server through the identity policy, vouches for the name.

    An object with an attestation may come from a relay, so then only the attestation counts.
    """
    approval = ballot.approval
    if approval.spec.attestation:
        return verify_attestation(ballot.version.spec.model, approval.spec, ballot.keys, ballot.now)
    created = approval.metadata.creation_timestamp
    if ballot.vouched_since is not None and created is not None:
        acting = parse_timestamp(ballot.vouched_since) + SETTLING
        if acting <= parse_timestamp(created):
            return None
    return Refusal(
        ApprovalReason.ADMISSION_POLICY_MISSING,
        "Expected the admission policy 'hallmark-approval-identity' and its binding, unchanged "
        "and older than this approval, found that nobody vouches for the approver's name; ask the "
        "platform team to install manifests/base/admission, then create a new ModelApproval.",
    )


def is_not_the_requester(ballot: Ballot) -> Refusal | None:
    """Nobody approves what they asked for; deny or revoke it they may.

    A relay that named another requester asked as well. Where nobody vouches for either name, only
    the signature of a key that the policy lists counts.
    """
    spec, requester = ballot.approval.spec, ballot.version.spec.requested_by
    if spec.decision is not ReviewDecision.APPROVED:
        return None
    if not (requester.authenticated or requester.relay or spec.attestation):
        return Refusal(
            ApprovalReason.ADMISSION_POLICY_MISSING,
            f"Expected the admission policy 'hallmark-requester-identity' and its binding, "
            f"unchanged and older than the run of this version, found that nobody vouches for who "
            f"created it ('{requester.name}' is only what it says), so that it may have been the "
            f"approver; give an attestation, or train it again where that policy is in force.",
        )
    for name, said in ((requester.name, "asked for"), (requester.relay, "created the run of")):
        if name is not None and _is_same_person(name, spec.approver):
            return Refusal(
                ApprovalReason.SELF_APPROVAL,
                f"'{spec.approver}' {said} this version and cannot approve it; ask another "
                f"reviewer.",
            )
    return None


def _is_same_person(name: str, other: str) -> bool:
    """Tell whether two names may be one person's: a relay's word may be written otherwise."""
    one, two = (
        "".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in (name, other)
    )
    return one == two


def has_not_approved_before(ballot: Ballot) -> Refusal | None:
    """The same person's approval counts once."""
    spec = ballot.approval.spec
    if spec.decision is not ReviewDecision.APPROVED:
        return None
    for record in ballot.earlier:
        covers = not record.targets or (spec.targets and set(spec.targets) <= set(record.targets))
        if record.approver == spec.approver and covers and counts(record, ballot.now):
            return Refusal(
                ApprovalReason.DUPLICATE_APPROVER,
                f"ModelApproval '{record.name}' of '{spec.approver}' counts already; another "
                f"person must approve.",
            )
    return None


def has_not_ended(ballot: Ballot) -> Refusal | None:
    """The approval's end is still to come."""
    end = ballot.approval.spec.not_after
    if end is None or ballot.approval.spec.decision is not ReviewDecision.APPROVED:
        return None
    if parse_timestamp(end) > ballot.now:
        return None
    return Refusal(ApprovalReason.EXPIRED, f"The approval ended at {end}; create a new one.")


CHAIN = (
    names_this_object,
    names_these_bytes,
    name_is_vouched_for,
    is_not_the_requester,
    has_not_approved_before,
    has_not_ended,
)


def record_of(ballot: Ballot) -> ApprovalRecord:
    """Return the record of a decision that was not seen before."""
    refusal = evaluate(CHAIN, ballot)
    approval = ballot.approval
    return ApprovalRecord(
        uid=approval.metadata.uid,
        name=approval.metadata.name,
        decision=approval.spec.decision,
        approver=approval.spec.approver,
        accepted=refusal is None,
        reason=refusal.reason if refusal else ApprovalReason.ACCEPTED,
        message=refusal.message if refusal else "",
        time=timestamp(ballot.now),
        not_after=approval.spec.not_after,
        targets=approval.spec.targets,
    )


def counts(record: ApprovalRecord, now: datetime) -> bool:
    """Tell whether an approval counts today."""
    return (
        record.decision is ReviewDecision.APPROVED
        and record.accepted
        and not record.withdrawn
        and (record.not_after is None or parse_timestamp(record.not_after) > now)
    )


def is_final(record: ApprovalRecord) -> bool:
    """Tell whether a record is a valid denial or revocation; the object may be long gone."""
    return record.accepted and record.decision is not ReviewDecision.APPROVED


def next_records(
    version: ModelVersion,
    approvals: Sequence[ModelApproval],
    keys: Sequence[ApproverKey],
    vouched_since: str | None,
    now: datetime,
) -> tuple[ApprovalRecord, ...]:
    """Return the records after looking at the approvals that exist now, oldest first.

    Args:
        version: with the records so far.
        approvals: all that name this version.
        keys: the policy's approver keys.
        vouched_since: since when the identity policy has been in force, or None.
        now: the time.
    """
    existing = {approval.metadata.uid: approval for approval in approvals}
    records = [
        _seen_again(record, existing.get(record.uid), version, keys, now)
        for record in version.status.approvals
        if record.accepted or record.uid in existing
    ]
    known = {record.uid for record in records}
    new = [approval for approval in approvals if approval.metadata.uid not in known]
    for approval in sorted(new, key=_age):
        records.append(record_of(Ballot(approval, version, keys, vouched_since, records, now)))
    return _bounded(records)


def _seen_again(
    record: ApprovalRecord,
    approval: ModelApproval | None,
    version: ModelVersion,
    keys: Sequence[ApproverKey],
    now: datetime,
) -> ApprovalRecord:
    """Return a record as it is today: withdrawn, or attested with a key that fell."""
    if approval is None:
        return record.replace(withdrawn=True)
    if not record.accepted or is_final(record) or not approval.spec.attestation:
        return record
    fallen = verify_attestation(version.spec.model, approval.spec, keys, now)
    if fallen is None:
        return record
    return record.replace(accepted=False, reason=fallen.reason, message=fallen.message)


def _bounded(records: Sequence[ApprovalRecord]) -> tuple[ApprovalRecord, ...]:
    """Return at most 64 records: what is final and what was accepted before what was not."""
    if len(records) <= MAX_RECORDS:
        return tuple(records)
    ranked = sorted(
        records, key=lambda record: (not is_final(record), not record.accepted, record.time)
    )
    kept = {record.uid for record in ranked[:MAX_RECORDS]}
    return tuple(record for record in records if record.uid in kept)


def _age(approval: ModelApproval) -> tuple[str, str]:
    return approval.metadata.creation_timestamp or "", approval.metadata.name


def first_end(records: Iterable[ApprovalRecord], now: datetime) -> datetime | None:
    """Return when the next approval that counts today ends, or None."""
    ends = [
        parse_timestamp(record.not_after)
        for record in records
        if record.not_after and counts(record, now)
    ]
    return min(ends, default=None)
