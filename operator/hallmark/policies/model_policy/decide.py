"""Can a ModelPolicy be used? Its keys must read and be the ones that their ids name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hallmark.api.model_policy import ModelPolicy, PolicyCondition
from hallmark.api.reasons import PolicyReason
from hallmark.api.trust import TrustedKey
from hallmark.errors import ConfigurationError
from hallmark.keys import key_id
from hallmark.policies.conditions import ConditionUpdate, fails, holds, ready, stalled
from hallmark.policies.decision import Decision, Event
from hallmark.refusal import Refusal


def key_problem(role: str, key: TrustedKey) -> Refusal | None:
    """Return what is wrong with a key of the policy, or None."""
    try:
        found = key_id(key.public_key)
    except ConfigurationError as error:
        return Refusal(
            PolicyReason.INVALID_KEY,
            f"The key '{key.key_id}' of {role} cannot be used. {error}",
        )
    if found == key.key_id:
        return None
    return Refusal(
        PolicyReason.INVALID_KEY,
        f"Expected 'keyId' {found} for a key of {role}, found '{key.key_id}'; the id is the "
        f"SHA-256 of the public key in PEM ('hallmark keys init' prints both).",
    )


@dataclass(frozen=True)
class AuditState:
    """What the platform's engineer must know of the audit log; empty: nothing."""

    broken: str = ""
    """Why promotions wait for a person."""
    trouble: str = ""
    """Why the volume takes no record."""

    def condition(self) -> ConditionUpdate:
        """Return the condition that says it."""
        if self.broken:
            return holds(PolicyCondition.AUDIT_BROKEN, PolicyReason.AUDIT_BROKEN, self.broken)
        if self.trouble:
            return holds(PolicyCondition.AUDIT_BROKEN, PolicyReason.AUDIT_UNWRITABLE, self.trouble)
        return fails(PolicyCondition.AUDIT_BROKEN, PolicyReason.AUDIT_WHOLE)


def decide_policy(policy: ModelPolicy, audit: AuditState = AuditState()) -> Decision:
    """Return whether the policy can be used, and what is wrong with the audit log."""
    said = audit.condition()
    return Decision(conditions=(*_usable(policy), said), events=tuple(_events(policy, said)))


def _usable(policy: ModelPolicy) -> tuple[ConditionUpdate, ...]:
    spec = policy.spec
    roles = (("signers", spec.signers), ("approvers", spec.approvers), ("auditors", spec.auditors))
    for role, keys in roles:
        for key in keys:
            refusal = key_problem(role, key)
            if refusal is not None:
                return stalled(refusal.reason, refusal.message)
    return ready(PolicyReason.VALID, "Every key reads and has its own id.")


def _events(policy: ModelPolicy, said: ConditionUpdate) -> Iterator[Event]:
    """Tell when the audit log's state became another one."""
    before = policy.status.condition(PolicyCondition.AUDIT_BROKEN)
    was = before.reason if before else PolicyReason.AUDIT_WHOLE
    if said.reason != was:
        warning = said.reason != PolicyReason.AUDIT_WHOLE
        yield Event(said.reason, said.message or "The audit log takes records again.", warning)
