"""Can a ModelPolicy be used? Its keys must read and be the ones that their ids name."""

from __future__ import annotations

from hallmark.api.model_policy import ModelPolicy, PolicyReason, TrustedKey
from hallmark.errors import ConfigurationError
from hallmark.keys import key_id
from hallmark.policies.conditions import ready, stalled
from hallmark.policies.decision import Decision
from hallmark.policies.refusals import Refusal


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


def decide_policy(policy: ModelPolicy) -> Decision:
    """Return whether the policy can be used."""
    spec = policy.spec
    roles = (("signers", spec.signers), ("approvers", spec.approvers), ("auditors", spec.auditors))
    for role, keys in roles:
        for key in keys:
            refusal = key_problem(role, key)
            if refusal is not None:
                return Decision(conditions=stalled(refusal.reason, refusal.message))
    return Decision(conditions=ready(PolicyReason.VALID, "Every key reads and has its own id."))
