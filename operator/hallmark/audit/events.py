"""What the audit log tells of: the decisions, and how each can end."""

from __future__ import annotations

from enum import StrEnum

LOG_KIND = "AuditLog"
"""The kind in records about the log itself."""


class AuditEvent(StrEnum):
    """A kind of decision."""

    GATE = "gate"
    """A model was held to its gates."""
    SEAL = "seal"
    """A model was sealed as a ModelVersion."""
    APPROVE = "approve"
    """A reviewer approved a ModelVersion."""
    DENY = "deny"
    """A reviewer denied a ModelVersion."""
    REVOKE = "revoke"
    """A reviewer revoked a ModelVersion."""
    ASSESS = "assess"
    """A reviewer said of a vulnerability whether a ModelVersion is affected."""
    WITHDRAW = "withdraw"
    """A reviewer's ModelApproval was deleted."""
    VERIFY = "verify"
    """A version's bytes, signature and standing were checked."""
    PROMOTE = "promote"
    """A candidate was to get the traffic, or became stable."""
    DRIFT = "drift"
    """The traffic left the training data."""
    ROLLBACK = "rollback"
    """What served had to give way."""
    ACTION = "action"
    """A person asked for something by the action annotation."""
    RECOVER = "recover"
    """The log itself was mended, began anew after a break, or a person acknowledged a break."""
    PRUNE = "prune"
    """Records whose time of keeping had ended were removed."""
    ROTATE = "rotate"
    """The audit key handed the log over to another one."""
    DELETE = "delete"
    """An object that records are about is gone."""
    GUARD = "guard"
    """A ModelPolicy, or an admission policy that Hallmark rests on, became another one."""


class AuditOutcome(StrEnum):
    """How a decision ended."""

    PASSED = "passed"
    REFUSED = "refused"
    SEALED = "sealed"
    VERIFIED = "verified"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    PROMOTED = "promoted"
    STABLE = "stable"
    DETECTED = "detected"
    STARTED = "started"
    COMPLETED = "completed"
    HELD = "held"
    STOPPED = "stopped"
    DONE = "done"
    RECOVERED = "recovered"
    BROKEN = "broken"
    ACKNOWLEDGED = "acknowledged"
    PRUNED = "pruned"
    CHANGED = "changed"
    DELETED = "deleted"


class LogReason(StrEnum):
    """Why a record about the log itself was written."""

    TORN_RECORD = "TornRecord"
    """A crash left half a record, which was set aside."""
    CHAIN_BROKEN = "ChainBroken"
    """The log was not what the operator wrote; a new one begins with this record."""
    BREAK_ACKNOWLEDGED = "BreakAcknowledged"
    """A person looked at the break, and promotions go on."""
    RETENTION_ENDED = "RetentionEnded"
    """The records up to the one that is named were removed."""
    DELETIONS_RECORDED = "DeletionsRecorded"
    """From this record on whatever is gone is on record."""
    KEY_HANDED_OVER = "KeyHandedOver"
    """From this record on another audit key signs."""


_WITHDRAWALS = frozenset(
    {
        (AuditEvent.DENY, AuditOutcome.ACCEPTED),
        (AuditEvent.REVOKE, AuditOutcome.ACCEPTED),
        (AuditEvent.APPROVE, AuditOutcome.REFUSED),
        (AuditEvent.ASSESS, AuditOutcome.REFUSED),
        (AuditEvent.WITHDRAW, AuditOutcome.WITHDRAWN),
        (AuditEvent.VERIFY, AuditOutcome.REFUSED),
        (AuditEvent.PROMOTE, AuditOutcome.REFUSED),
        *((AuditEvent.ROLLBACK, outcome) for outcome in AuditOutcome),
    }
)


def withdraws(event: str, outcome: str) -> bool:
    """Tell whether a decision takes trust or traffic away, so that it waits for no volume."""
    return (event, outcome) in _WITHDRAWALS


def promotes(event: str, outcome: str) -> bool:
    """Tell whether a decision gives a candidate traffic, so that it waits for a whole log."""
    shares = {AuditOutcome.STARTED, AuditOutcome.PROMOTED}
    return event == AuditEvent.PROMOTE and outcome in shares
