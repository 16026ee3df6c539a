"""What is on record of the decisions about a version, and about its bytes for good."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from hallmark.api.latch import MAX_ATTESTED, MAX_FINAL, Attested, Latch
from hallmark.api.model_approval import ApprovalReason, ModelApproval, ReviewDecision
from hallmark.api.model_policy import ApproverKey
from hallmark.api.model_version import ApprovalRecord, ModelVersion, RolledBack
from hallmark.api.texts import parse_timestamp
from hallmark.policies.model_version.approvals import (
    Ballot,
    counts,
    is_final,
    record_of,
    stands,
)
from hallmark.policies.model_version.attestation import (
    attestation_digest,
    attesting_key,
    fallen_key,
)
from hallmark.policies.model_version.renewal import is_of_before, last_of
from hallmark.policies.model_version.shown import Shown
from hallmark.refusal import Refusal

MAX_RECORDS = 64
_BEYOND = 16
"""How many more there may be while new ones are looked at."""


@dataclass(frozen=True)
class Hearing:
    """What the decisions about a version are held against.

    Args:
        version: with the records so far.
        approvals: all that name this version.
        keys: the policy's approver keys; None where no policy applies. Then plain denials and
            revocations alone are looked at, and the others later.
        vouched_since: since when the identity policy has been in force, or None.
        now: the time.
        vouching_known: whether the API server could say so; else only what is attested is looked
            at now.
        twins: other versions of the same bytes in the namespace.
        latch: what is remembered of these bytes, or None.
        present: the uids of all approvals of the namespace, where an attestation is new.
        shown: what is shown of the version now, where an approval that names that is new.
        must_show: whether the policy demands that an approval names what was shown.
        rolled_back: the last time that the bytes had to give way, or None.
    """

    version: ModelVersion
    approvals: Sequence[ModelApproval]
    keys: Sequence[ApproverKey] | None
    vouched_since: str | None
    now: datetime
    vouching_known: bool = True
    twins: Sequence[ModelVersion] = ()
    latch: Latch | None = None
    present: Set[str] = frozenset()
    shown: Shown | None = None
    must_show: bool = False
    rolled_back: RolledBack | None = None


def next_records(hearing: Hearing) -> tuple[ApprovalRecord, ...]:
    """Return the records after looking at the approvals that exist now, oldest first."""
    existing = {
        approval.metadata.uid: approval
        for approval in hearing.approvals
        if not is_being_withdrawn(approval)
    }
    records = [
        _seen_again(record, existing.get(record.uid), hearing)
        for record in hearing.version.status.approvals
        if record.accepted or record.uid in existing or fell_with_its_key(record)
    ]
    known = {record.uid for record in records}
    new = [approval for uid, approval in existing.items() if uid not in known]
    attested, has_room = _attested(records, hearing.latch), True
    for approval in sorted(new, key=_age):
        needs_room = not approval.spec.decision.is_final
        if not _can_be_judged(approval, hearing) or (needs_room and not has_room):
            continue
        record = _judged(approval, records, attested, hearing)
        records.append(record)
        if record.attestation:
            attested = {**_attested([record], None), **attested}
        if len(records) > MAX_RECORDS + _BEYOND:
            # What is left out now would be left out in the end: thousands are not held against each
            # other, and where what counts fills the room no further approval does.
            records = list(_bounded(records, hearing))
            has_room = any(_rank(found, hearing) > _COUNTS for found in records)
    return _bounded([*records, *_said_of_these_bytes(records, hearing)], hearing)


def is_being_withdrawn(approval: ModelApproval) -> bool:
    """Tell whether what can be withdrawn is being deleted, which nobody takes back.

    It counts no more, whatever keeps the object: one that names it as its owner may do so for ever.
    """
    deleted = approval.metadata.deletion_timestamp is not None
    return deleted and not approval.spec.decision.is_final


def fell_with_its_key(record: ApprovalRecord) -> bool:
    """Tell whether an approval counted until the key that attested it was revoked."""
    return (
        record.decision is ReviewDecision.APPROVED
        and record.key_id is not None
        and record.reason == ApprovalReason.KEY_REVOKED
    )


def next_latch(
    version: ModelVersion,
    records: Sequence[ApprovalRecord],
    latch: Latch | None,
    rolled_back: RolledBack | None = None,
) -> Latch | None:
    """Return what is to be remembered of a version's bytes, or None where that is nothing.

    What was remembered stays.
    """
    known = latch or Latch(
        namespace=version.metadata.namespace,
        manifest_digest=version.spec.artifact.manifest_digest,
    )
    final = {record.uid: record for record in known.final}
    for record in records:
        if is_final(record):
            final.setdefault(record.uid, _remembered(record, version.metadata.name))
    attested = list(_attested(records, latch).values())
    wanted = known.replace(
        final=list(final.values())[:MAX_FINAL],
        attested=attested[:MAX_ATTESTED],
        rolled_back=last_of(known.rolled_back, rolled_back),
    )
    return None if wanted.is_empty else wanted


def _attested(records: Iterable[ApprovalRecord], latch: Latch | None) -> dict[str, Attested]:
    """Return by which approval and when each attestation that counted was first brought."""
    found = {known.attestation: known for known in latch.attested} if latch else {}
    for record in records:
        counted = record.accepted or fell_with_its_key(record)
        if counted and record.attestation and not is_final(record):
            first = Attested(attestation=record.attestation, uid=record.uid, given=record.given)
            found.setdefault(record.attestation, first)
    return found


def final_word(records: Sequence[ApprovalRecord]) -> ApprovalRecord | None:
    """Return the revocation of these bytes, or else the denial, or None."""
    return final_of(records, ReviewDecision.REVOKED) or final_of(records, ReviewDecision.DENIED)


def final_of(records: Sequence[ApprovalRecord], decision: ReviewDecision) -> ApprovalRecord | None:
    """Return the first valid denial or revocation, or None."""
    return next(
        (record for record in records if is_final(record) and record.decision is decision), None
    )


def who_decided(record: ApprovalRecord | None) -> str:
    """Return the sentence that names who denied or revoked, and by which object."""
    if record is None:
        return ""
    twin = record.model_version
    of = f" of ModelVersion '{twin}', which has the same bytes" if twin else ""
    return (
        f"{record.decision} by {record.approver} (ModelApproval '{record.name}'{of}); this is "
        f"final."
    )


def first_end(records: Iterable[ApprovalRecord], now: datetime) -> datetime | None:
    """Return when the next approval or assessment that counts today ends, or None."""
    ends = [
        parse_timestamp(record.not_after)
        for record in records
        if record.not_after and stands(record, now)
    ]
    return min(ends, default=None)


def _remembered(record: ApprovalRecord, version: str) -> ApprovalRecord:
    """Return a denial or revocation as it is remembered without its objects."""
    return record.replace(model_version=record.model_version or version, withdrawn=False)


def _judged(
    approval: ModelApproval,
    records: Sequence[ApprovalRecord],
    attested: Mapping[str, Attested],
    hearing: Hearing,
) -> ApprovalRecord:
    first = attested.get(attestation_digest(approval.spec) or "")
    # What excuses vulnerabilities takes half of the room at most, so that all else finds some.
    said = approval.spec.assessment
    room = MAX_ATTESTED // 2 if said and said.analysis.excuses else MAX_ATTESTED
    return record_of(
        Ballot(
            approval,
            hearing.version,
            hearing.keys or (),
            hearing.vouched_since,
            records,
            hearing.now,
            withdrawn={
                known.attestation for known in attested.values() if known.uid not in hearing.present
            },
            full=len(attested) >= room,
            shown=hearing.shown,
            must_show=hearing.must_show,
            first_given=(first.given or _LONG_AGO) if first else None,
            rolled_back=hearing.rolled_back,
        )
    )


_LONG_AGO = "1970-01-01T00:00:00Z"
"""When an attestation was given of which an earlier release kept no time."""


def _can_be_judged(approval: ModelApproval, hearing: Hearing) -> bool:
    """Tell whether what the decision is held against is known; a refusal would stay for ever."""
    if approval.spec.attestation:
        return hearing.keys is not None
    if approval.spec.decision is ReviewDecision.APPROVED and hearing.keys is None:
        return False
    return hearing.vouching_known


def _said_of_these_bytes(
    records: Sequence[ApprovalRecord], hearing: Hearing
) -> list[ApprovalRecord]:
    """Return the denials and revocations of the same bytes that are not on record here yet.

    What was decided on a twin was judged there; a digest is the same bytes wherever it stands.
    """
    said = list(hearing.latch.final) if hearing.latch else []
    for twin in hearing.twins:
        said.extend(
            _remembered(record, twin.metadata.name)
            for record in twin.status.approvals
            if is_final(record)
        )
    known = {record.uid for record in records}
    return list({record.uid: record for record in said if record.uid not in known}.values())


def _seen_again(
    record: ApprovalRecord, approval: ModelApproval | None, hearing: Hearing
) -> ApprovalRecord:
    """Return a record as it is today: withdrawn, or its key revoked or taken out."""
    if record.model_version is not None:
        return record  # Its object decides on another version.
    if approval is None:
        record = record.replace(withdrawn=True)
    if not record.accepted or is_final(record) or hearing.keys is None:
        return record
    fallen = _fallen(record, approval, hearing.keys, hearing)
    if fallen is None:
        return record
    return record.replace(accepted=False, reason=fallen.reason, message=fallen.message)


def _fallen(
    record: ApprovalRecord,
    approval: ModelApproval | None,
    keys: Sequence[ApproverKey],
    hearing: Hearing,
) -> Refusal | None:
    if record.key_id is not None:
        accepted_at = parse_timestamp(record.time)
        return fallen_key(record.key_id, record.approver, keys, hearing.now, accepted_at)
    if approval is None or not approval.spec.attestation:
        return None
    # It was accepted by a former release, which signed less.
    key = attesting_key(hearing.version.spec.model, approval.spec, keys, hearing.now)
    return key if isinstance(key, Refusal) else None


def _bounded(records: Sequence[ApprovalRecord], hearing: Hearing) -> tuple[ApprovalRecord, ...]:
    """Return at most 64 records, those first that something hangs on."""
    if len(records) <= MAX_RECORDS:
        return tuple(records)
    ranked = sorted(records, key=lambda record: (_rank(record, hearing), record.time))
    kept = {record.uid for record in ranked[:MAX_RECORDS]}
    return tuple(record for record in records if record.uid in kept)


def _rank(record: ApprovalRecord, hearing: Hearing) -> int:
    if is_final(record):
        return 0
    if record.assessment and stands(record, hearing.now):
        # Who says that a vulnerability matters is not drowned by those who excuse others.
        return 4 if record.assessment.analysis.excuses else 3
    if not counts(record, hearing.now) and not fell_with_its_key(record):
        return 5
    return 2 if is_of_before(record, hearing.rolled_back) else _COUNTS


_COUNTS = 1
"""The rank of an approval that counts."""


def _age(approval: ModelApproval) -> tuple[str, str]:
    return approval.metadata.creation_timestamp or "", approval.metadata.name
