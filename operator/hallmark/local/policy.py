"""What a chain on one machine demands: a cluster's policy, or the plainest one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hallmark.api.common import ObjectMeta
from hallmark.api.dependencies import Dependencies
from hallmark.api.model_policy import (
    Approvals,
    Images,
    ModelPolicy,
    ModelPolicySpec,
    Sources,
    Store,
)
from hallmark.api.names import DEFAULT_POLICY
from hallmark.api.trust import TrustedKey
from hallmark.keys import key_id

LOCAL_STORE = Store(uri="s3://this-folder")
"""Stands for the folder, which a policy cannot name; nothing is sent."""
_ONE: Mapping[str, Any] = {"minimum": 1, "groups": []}
"""Of how many people, and of which, a word is asked for: of whoever owns the folder."""
PLAIN = "(none)"
"""The name of the policy that demands nothing of its own; no object can have it."""


def policy_here(
    sealing: str,
    auditing: str,
    image: str,
    *,
    former: ModelPolicy | None,
    demands: ModelPolicy | None,
    sources: Sequence[str],
) -> ModelPolicy:
    """Return the policy of a folder: its own keys and image, and the demands of another.

    Floors for gates, rules for personal data, denied packages and sources are taken as they are;
    one person must approve, of no group, and may lift a vulnerability, for there is one.

    Args:
        sealing: the sealing key's public half in PEM.
        auditing: the audit key's.
        image: what stands for the trainer's image.
        former: the folder's policy until now; its approvers stay, and its demands without others.
        demands: a cluster's policy, or None.
        sources: where data may come from, if no cluster's policy says so.
    """
    base = demands or former
    plainest = demands is None and (former is None or former.metadata.name == PLAIN)
    changes: dict[str, object] = {
        "signers": [TrustedKey(key_id=key_id(sealing), public_key=sealing)],
        "approvers": former.spec.approvers if former else [],
        "auditors": [TrustedKey(key_id=key_id(auditing), public_key=auditing)],
        "approvals": (base.spec.approvals if base else Approvals()).replace(**_ONE),
        "store": LOCAL_STORE,
        "images": Images(trainer=image, sealer="local", predictor="local"),
    }
    if base is not None:
        changes["dependencies"] = _heard_from_one(base.spec.dependencies)
    if plainest:
        known = base.spec.sources.allowed if base else []
        allowed = sorted({*known, *sources})
        changes["sources"] = Sources(allowed=allowed, allow_private_addresses=True)
    if base is None:
        return ModelPolicy(
            metadata=ObjectMeta(name=PLAIN), spec=ModelPolicySpec.model_validate(changes)
        )
    name = PLAIN if plainest else base.metadata.name or DEFAULT_POLICY
    spec = base.spec.replace(**changes)
    return ModelPolicy(metadata=ObjectMeta(name=name), spec=spec)


def _heard_from_one(rules: Dependencies) -> Dependencies:
    """Return the rules for packages, by which one person's word is enough where they listen."""
    known = rules.vulnerabilities
    if known is None or known.vex is None:
        return rules
    return rules.replace(vulnerabilities=known.replace(vex=known.vex.replace(**_ONE)))
