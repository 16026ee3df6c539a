"""What the audit log tells of: the decisions, and how each can end."""

from __future__ import annotations

from enum import StrEnum


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
    """The log itself was mended, or could not be fully checked, when the operator started."""


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
