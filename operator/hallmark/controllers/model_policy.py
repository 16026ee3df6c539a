"""ModelPolicy: gather, decide, carry out."""

from __future__ import annotations

from hallmark.api.model_policy import ModelPolicy
from hallmark.cluster.kinds import MODEL_POLICY
from hallmark.controllers import metrics
from hallmark.controllers.runtime import Operator, reconciler, refuse, run_decision
from hallmark.policies.conditions import stalled
from hallmark.policies.model_policy.decide import AuditState, decide_policy
from hallmark.refusal import Refusal


@reconciler(MODEL_POLICY)
async def reconcile(operator: Operator, namespace: str | None, name: str) -> None:
    """Say whether one policy can be used."""
    obj = operator.cache.get(MODEL_POLICY, namespace, name)
    policy = operator.cache.read(ModelPolicy, MODEL_POLICY, namespace, name)
    if obj is None or policy is None:
        return
    if isinstance(policy, Refusal):
        metrics.show_policy(name, stalled(policy.reason, policy.message))
        await refuse(operator, obj, policy)
        return
    audit = AuditState(operator.hold(), operator.audit.trouble)
    decided = decide_policy(policy, audit)
    metrics.show_policy(name, decided.conditions)
    await run_decision(operator, obj, decided)
