"""People's decisions on a version, judged again: by their keys, or by what was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ApprovalRecord, ModelVersion, RolledBack
from hallmark.api.texts import parse_timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import AuditRecord, moment_in
from hallmark.policies.model_version.approvals import Ballot, counting, is_final, needs, record_of
from hallmark.policies.model_version.attestation import fallen_key
from hallmark.policies.model_version.audit import GIVEN
from hallmark.policies.model_version.shown import shown_beside
from hallmark.verification.links import Link, broken, holds, open_
from hallmark.verification.recorded import Recorded
from hallmark.verification.registry import ApprovalEntry, approval_of
from hallmark.verification.trusted import Trusted
from hallmark.verification.versions import differs, unrecorded

_LONG_AGO = "1970-01-01T00:00:00Z"
_EVENTS = {
    ReviewDecision.APPROVED: AuditEvent.APPROVE,
    ReviewDecision.DENIED: AuditEvent.DENY,
    ReviewDecision.REVOKED: AuditEvent.REVOKE,
    ReviewDecision.ASSESSED: AuditEvent.ASSESS,
}


@dataclass(frozen=True)
class Heard:
    """One decision, judged again.

    Args:
        link: what was found.
        record: what it counts as; None where it counts for nothing.
    """

    link: Link
    record: ApprovalRecord | None = None


@dataclass(frozen=True)
class Judged:
    """What people decided about a version, judged again.

    Args:
        links: one for each decision, and one for the sum of them.
        records: the decisions that count.
    """

    links: tuple[Link, ...]
    records: tuple[ApprovalRecord, ...]


def judge_decisions(
    version: ModelVersion,
    versions: Sequence[ModelVersion],
    entries: Sequence[ApprovalEntry],
    policy: ModelPolicy | None,
    recorded: Recorded | None,
    trusted: Trusted,
    now: datetime,
) -> Judged:
    """Return how each decision on a version stands, in their order, and their sum.

    Args:
        version: the version.
        versions: all that are there: what was shown is the version beside one of them, or alone.
        entries: the decisions on it.
        policy: the policy that it is under, where that is there.
        recorded: the audit log, where there is one to believe.
        trusted: the verifier's keys.
        now: when the keys must be valid (aware).
    """
    here = [one for one in versions if one.metadata.namespace == version.metadata.namespace]
    beside = shown_beside(version, here)
    earlier: list[ApprovalRecord] = []
    links: list[Link] = []
    for entry in sorted(entries, key=lambda entry: _place(entry, recorded)):
        heard = _heard(version, entry, earlier, recorded, trusted, now)
        if heard.record is not None:
            earlier.append(heard.record)
        links.append(replace(heard.link, said=heard.link.said + _what_was_shown(entry, beside)))
    gave_way = _gave_way(version, recorded, None)
    return Judged((*links, _sum(earlier, policy, gave_way, now)), tuple(earlier))


def _gave_way(
    version: ModelVersion, recorded: Recorded | None, before: int | None
) -> RolledBack | None:
    """Return when a version's bytes last had to give way, before a record or at all."""
    if recorded is None:
        return None
    digest = version.spec.artifact.manifest_digest
    return recorded.rolled_back(version.metadata.namespace, digest, before)


def _what_was_shown(entry: ApprovalEntry, beside: Mapping[str, str]) -> str:
    digest = entry.spec.shown_digest
    if digest is None:
        return ""
    name = beside.get(digest)
    if name is None:
        return "; shown beside a version that is not here"
    return f"; shown beside '{name}'" if name else "; shown while nothing served"


def _place(entry: ApprovalEntry, recorded: Recorded | None) -> tuple[int, str]:
    records = recorded.decision(entry.uid) if recorded else ()
    return (records[0].seq if records else 0), entry.name


def _heard(
    version: ModelVersion,
    entry: ApprovalEntry,
    earlier: Sequence[ApprovalRecord],
    recorded: Recorded | None,
    trusted: Trusted,
    now: datetime,
) -> Heard:
    name, spec = f"decision {entry.name}", entry.spec
    records = recorded.decision(entry.uid) if recorded else ()
    if recorded is not None and not records:
        missing = unrecorded(recorded, f"ModelApproval '{entry.name}'")
        return Heard(Link(name, missing.state, missing.said))
    judged = [record for record in records if record.event == _EVENTS[spec.decision]]
    if problem := _contradicted(version, entry, records, judged):
        return Heard(broken(name, problem))
    if not spec.attestation and not judged:
        return Heard(open_(name, "Nobody but the cluster vouches for it: it is not attested."))
    if spec.attestation and not trusted.approvers:
        return Heard(open_(name, f"Give the key of {spec.approver} to check the attestation."))
    accepted = judged[-1].outcome == AuditOutcome.ACCEPTED if judged else None
    moment = judged[0].time if judged else None
    # Of a plain decision the API server's word was taken when it was recorded.
    vouched = None if spec.attestation or not accepted else _LONG_AGO
    found = record_of(
        Ballot(
            approval=approval_of(entry, moment),
            version=version,
            keys=trusted.approvers,
            vouched_since=vouched,
            earlier=earlier,
            now=parse_timestamp(moment) if moment else now,
            rolled_back=_gave_way(version, recorded, judged[0].seq if judged else None),
        )
    )
    if judged and (given := moment_in(judged[0], GIVEN, "")):
        found = found.replace(given=given)
    if accepted and not found.accepted:
        return Heard(broken(name, f"It was recorded as accepted. {found.message}"))
    return _today(name, found, records, accepted=accepted, trusted=trusted, now=now)


def _contradicted(
    version: ModelVersion,
    entry: ApprovalEntry,
    records: Sequence[AuditRecord],
    judged: Sequence[AuditRecord],
) -> str | None:
    """Return how the records name another decision, or None."""
    if records and not judged:
        return "Expected a record of this decision, found one of another."
    for record in judged:
        details = record.details
        digest = details.get("approvalDigest")
        named = {
            "decision": digest in {None, entry.spec.content_digest()},
            "namespace": record.namespace == entry.namespace,
            "name": details.get("approval") == entry.name,
            "approver": record.actor == entry.spec.approver,
            "version": record.uid == version.metadata.uid,
        }
        for what, same in named.items():
            if not same:
                return differs(record, what)
    return None


def _today(
    name: str,
    found: ApprovalRecord,
    records: Sequence[AuditRecord],
    *,
    accepted: bool | None,
    trusted: Trusted,
    now: datetime,
) -> Heard:
    who = f"{found.decision} by {found.approver}"
    if accepted is False or not found.accepted:
        why = records[-1].reason if records else found.reason
        return Heard(holds(name, f"{who}; it does not count ({why})"))
    withdrawn = any(record.event == AuditEvent.WITHDRAW for record in records)
    heard_at = parse_timestamp(records[0].time) if records else None
    fallen = fallen_key(found.key_id, found.approver, trusted.approvers, now, heard_at)
    if found.key_id is not None and fallen is not None and not is_final(found):
        return Heard(holds(name, f"{who}; its key does not count today"))
    how = f"by the key {found.key_id}" if found.key_id else "as the API server vouched"
    said = f"{who}, {how}{', withdrawn since' if withdrawn else ''}"
    return Heard(holds(name, said), found.replace(withdrawn=withdrawn))


def _sum(
    records: Sequence[ApprovalRecord],
    policy: ModelPolicy | None,
    gave_way: RolledBack | None,
    now: datetime,
) -> Link:
    """Return what the decisions add up to today; that nobody approved is no break of the chain."""
    final = next((record for record in records if is_final(record)), None)
    if final is not None:
        return holds("approval", f"{final.decision} by {final.approver}; this is final")
    asked = policy.spec.approvals if policy else None
    counted = counting(records, asked, now, gave_way)
    if asked is None:
        people = needs(None, counted.approvers).people
        return open_("approval", f"{people} approvals; how many are needed is not here.")
    found = needs(asked, counted.approvers)
    if not found.enough:
        return open_("approval", f"{found.sentence} count today.{counted.sentence}")
    return holds("approval", f"approved by {', '.join(counted.approvers)}")
