"""Which ModelPolicy applies to a namespace."""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.api import names
from hallmark.api.model_policy import ModelPolicy
from hallmark.cluster.client import Cluster
from hallmark.cluster.kinds import MODEL_POLICY, NAMESPACE
from hallmark.cluster.parse import read
from hallmark.policies.refusals import Refusal


@dataclass(frozen=True)
class AppliedPolicy:
    """The policy of a namespace: its name, and the policy where there is a readable one."""

    name: str
    policy: ModelPolicy | None


async def gather_policy(cluster: Cluster, namespace: str) -> AppliedPolicy:
    """Return the policy that the namespace's label names, else the one named ``default``."""
    found = await cluster.get(NAMESPACE, None, namespace)
    labels = (found or {}).get("metadata", {}).get("labels") or {}
    name = labels.get(names.LABEL_POLICY, names.DEFAULT_POLICY)
    obj = await cluster.get(MODEL_POLICY, None, name)
    policy = None if obj is None else read(ModelPolicy, obj)
    return AppliedPolicy(name, None if isinstance(policy, Refusal) else policy)
