"""ModelVersion: gather, decide, carry out."""

from __future__ import annotations

from hallmark.cluster.gather.model_version import VersionSources, gather_version
from hallmark.cluster.kinds import MODEL_VERSION
from hallmark.controllers.runtime import Operator, reconciler, run_decision
from hallmark.policies.decision import unreadable
from hallmark.policies.model_version.decide import decide_version
from hallmark.policies.refusals import Refusal


@reconciler(MODEL_VERSION)
async def reconcile(operator: Operator, namespace: str | None, name: str) -> None:
    """Say what holds of one version today."""
    sources = VersionSources(
        operator.cache, operator.identity, operator.stores, operator.evidence, operator.clock
    )
    gathered = await gather_version(sources, namespace or "", name)
    if gathered is None:
        return
    inputs = gathered.inputs
    decision = unreadable(inputs) if isinstance(inputs, Refusal) else decide_version(inputs)
    await run_decision(operator, gathered.obj, decision)
