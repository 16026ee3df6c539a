"""Which ModelPolicy applies to a namespace."""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.api import names
from hallmark.api.model_policy import ModelPolicy
from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.kinds import MODEL_POLICY, NAMESPACE


@dataclass(frozen=True)
class AppliedPolicy:
    """The policy of a namespace: its name, and the policy where there is a readable one."""

    name: str
    policy: ModelPolicy | None


def gather_policy(cache: ObjectCache, namespace: str) -> AppliedPolicy:
    """Return the policy that the namespace's label names, else the one named ``default``."""
    found = cache.get(NAMESPACE, None, namespace)
    labels = (found or {}).get("metadata", {}).get("labels") or {}
    name = labels.get(names.LABEL_POLICY, names.DEFAULT_POLICY)
    policy = cache.read(ModelPolicy, MODEL_POLICY, None, name)
    return AppliedPolicy(name, policy if isinstance(policy, ModelPolicy) else None)
