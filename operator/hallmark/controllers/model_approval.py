"""ModelApproval: gather, decide, carry out."""

from __future__ import annotations

from hallmark.cluster.gather.model_version import gather_approval
from hallmark.cluster.kinds import MODEL_APPROVAL
from hallmark.controllers.runtime import Operator, reconciler, refuse, run_decision
from hallmark.policies.model_approval.decide import decide_approval
from hallmark.refusal import Refusal


@reconciler(MODEL_APPROVAL)
async def reconcile(operator: Operator, namespace: str | None, name: str) -> None:
    """Say in one approval's status whether it counts."""
    gathered = gather_approval(operator.cache, namespace or "", name, operator.clock())
    if gathered is None:
        return
    if isinstance(gathered.inputs, Refusal):
        await refuse(operator, gathered.obj, gathered.inputs)
    else:
        await run_decision(operator, gathered.obj, decide_approval(gathered.inputs))
