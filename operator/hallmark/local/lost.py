"""What a folder that holds a chain must have beside it: the keys that its policy trusts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.trust import TrustedKey

SEALING_KEY, AUDIT_KEY, APPROVER_KEY = "sealing", "audit", "approver"
PURPOSES = (SEALING_KEY, AUDIT_KEY, APPROVER_KEY)
_WITHOUT = {
    SEALING_KEY: "no version can be sealed here that its policy trusts",
    AUDIT_KEY: "its audit log cannot be continued",
    APPROVER_KEY: "nobody's decisions here can be attested as before",
}
_KEPT = "what was sealed and recorded still verifies by the public keys in its registry"


def trusted_ids(policy: ModelPolicySpec, purpose: str) -> frozenset[str]:
    """Return the ids of the keys that a folder's policy trusts for a purpose."""
    trusted: Mapping[str, Sequence[TrustedKey]] = {
        SEALING_KEY: policy.signers,
        AUDIT_KEY: policy.auditors,
        APPROVER_KEY: policy.approvers,
    }
    return frozenset(key.key_id for key in trusted[purpose])


def lost_key(purpose: str, file: str, policy: ModelPolicySpec, found: str | None) -> str | None:
    """Return a sentence where a key is not the one that a chain has used, else None.

    Args:
        purpose: what it is for.
        file: where it is looked for.
        policy: the chain's own.
        found: its id; None: there is none.
    """
    wanted = trusted_ids(policy, purpose)
    if not wanted or found in wanted:
        return None
    what = f"another one, {found[:12]}" if found else "none"
    return (
        f"Expected in {file} the {purpose} key {' or '.join(sorted(key[:12] for key in wanted))} "
        f"of this chain, found {what}. Without it {_WITHOUT[purpose]}; {_KEPT}. Restore it from a "
        "backup, or begin another chain with --state; no new key is made in its place."
    )


def lost_registry(file: str, left: str) -> str:
    """Return the sentence for a chain whose registry is gone.

    Args:
        file: where it is looked for.
        left: what there still is of the chain.
    """
    return (
        f"Expected the registry {file} beside {left}, found none: the runs, versions, decisions "
        "and deployments of this chain are in it. Restore it from a backup, or begin another chain "
        "with --state; nothing here was changed."
    )
