"""Approvals that were given before their version was rolled back, and when that was. Pure.

One moment stands for all rollbacks of the same bytes in a namespace, the last: nothing that an
author makes, be it a thousand ModelDeployments, can push it out.
"""

from __future__ import annotations

from hallmark.api.model_policy import Approvals
from hallmark.api.model_version import ApprovalRecord, RolledBack
from hallmark.api.texts import parse_timestamp


def last_of(*found: RolledBack | None) -> RolledBack | None:
    """Return the last of several rollbacks, or None where there is none."""
    known = [rolled_back for rolled_back in found if rolled_back is not None]
    return max(known, key=lambda one: parse_timestamp(one.time), default=None)


def is_of_before(record: ApprovalRecord, rolled_back: RolledBack | None) -> bool:
    """Tell whether a word was given before the bytes were rolled back."""
    if rolled_back is None:
        return False
    given = parse_timestamp(record.given or record.time)
    return given <= parse_timestamp(rolled_back.time)


def must_be_renewed(
    record: ApprovalRecord, policy: Approvals | None, rolled_back: RolledBack | None
) -> bool:
    """Tell whether a policy counts an approval no more, because of a rollback."""
    demanded = policy is not None and policy.renew_after_rollback
    return demanded and is_of_before(record, rolled_back)


def when_and_where(rolled_back: RolledBack) -> str:
    """Return a part of a sentence: where, when and why the bytes were rolled back."""
    return (
        f"was rolled back in Deployment '{rolled_back.deployment}' at {rolled_back.time} "
        f"({rolled_back.reason})"
    )
