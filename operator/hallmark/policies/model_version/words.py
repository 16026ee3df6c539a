"""Which of the reviewers' words on vulnerabilities count for a version today. Pure.

They stand in the version's own status, latched as every decision is (``approvals.py``), so that
whoever has the version and its policy comes to the same answer, without the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter

from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ApprovalRecord
from hallmark.api.texts import canonical_json, parse_timestamp, sha256_digest
from hallmark.policies.model_version.approvals import stands
from hallmark.policies.model_version.attestation import fallen_key
from hallmark.supply_chain.vex import Word


def words_in_force(
    records: Iterable[ApprovalRecord], policy: ModelPolicySpec | None, now: datetime
) -> tuple[Word, ...]:
    """Return what reviewers say of vulnerabilities, where the policy listens, in a fixed order.

    Args:
        records: what was decided about a version.
        policy: its policy, whose approvers' keys must not be revoked today.
        now: the time (aware).
    """
    rules = policy.dependencies.vulnerabilities if policy else None
    return words_said(records, policy, now) if rules and rules.vex else ()


def words_said(
    records: Iterable[ApprovalRecord], policy: ModelPolicySpec | None, now: datetime
) -> tuple[Word, ...]:
    """Return what reviewers say, as ``words_in_force``, whether or not the policy listens."""
    if policy is None:
        return ()
    found = [
        Word(record.assessment, record.approver, record.not_after)
        for record in sorted(records, key=attrgetter("uid"))
        if record.assessment is not None
        and record.decision is ReviewDecision.ASSESSED
        and stands(record, now)
        and _key_stands(record, policy, now)
    ]
    return tuple(found)


def _key_stands(record: ApprovalRecord, policy: ModelPolicySpec, now: datetime) -> bool:
    accepted_at = parse_timestamp(record.time)
    keys = policy.approvers
    return fallen_key(record.key_id, record.approver, keys, now, accepted_at) is None


def digest_of(words: Iterable[Word]) -> str:
    """Return what tells these words from others; empty where there are none."""
    said = [[word.said.to_wire(), word.by, word.until or ""] for word in words]
    return sha256_digest(canonical_json(said)) if said else ""
