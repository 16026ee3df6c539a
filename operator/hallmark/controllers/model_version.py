"""ModelVersion: gather, decide, carry out."""

from __future__ import annotations

from dataclasses import replace

from hallmark.api import names
from hallmark.cluster.gather.model_version import VersionSources, gather_version
from hallmark.cluster.kinds import CONFIG_MAP, MODEL_VERSION
from hallmark.controllers.runtime import Operator, reconciler, refuse, run_decision
from hallmark.policies.decision import Apply, Decision
from hallmark.policies.model_version.decide import decide_version, heard, latch_to_write
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.refusal import Refusal
from hallmark.resources.latch import latch_object


@reconciler(MODEL_VERSION)
async def reconcile(operator: Operator, namespace: str | None, name: str) -> None:
    """Say what holds of one version today."""
    system = operator.settings.namespace
    sources = VersionSources(
        operator.cache, operator.identity, system, operator.clock, operator.rolled_back
    )
    gathered = await gather_version(sources, namespace or "", name)
    if gathered is None:
        return
    if isinstance(gathered.inputs, Refusal):
        await refuse(operator, gathered.obj, gathered.inputs)
        return
    inputs = operator.reader.add_to(heard(gathered.inputs))
    decision = _with_latch(operator, inputs, decide_version(inputs))
    await run_decision(operator, gathered.obj, decision)


def _with_latch(operator: Operator, inputs: VersionInputs, decision: Decision) -> Decision:
    """Add that what is final of the bytes is remembered; it takes effect before that."""
    latch = latch_to_write(inputs, decision)
    if latch is None:
        return decision
    system = operator.settings.namespace
    current = operator.cache.get(CONFIG_MAP, system, names.latch_name(latch.manifest_digest))
    apply = (Apply(latch_object(latch, system), current),)
    return replace(decision, intent=decision.status, apply=apply)
