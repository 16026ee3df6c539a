"""TrainingRun: gather, decide, carry out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hallmark.api.reasons import RunReason
from hallmark.cluster.cluster import ForeignObject
from hallmark.cluster.gather.training_run import gather_run, stale_seals
from hallmark.cluster.kinds import TRAINING_RUN
from hallmark.cluster.version_numbers import reserve_version
from hallmark.controllers.carry_out import delete_all
from hallmark.controllers.runtime import Operator, reconciler, run_decision
from hallmark.policies.conditions import stalled
from hallmark.policies.decision import Apply, Decision, unreadable
from hallmark.policies.training_run.decide import decide_run
from hallmark.policies.training_run.inputs import (
    RunInputs,
    SealedVersion,
    SealingJob,
    TrainingJob,
    Wanted,
)
from hallmark.refusal import Refusal
from hallmark.resources.jobs import sealing_children, training_children
from hallmark.resources.versions import model_version

FOREIGN_SECONDS = 30.0
"""When a name that somebody else has is looked at again."""


@reconciler(TRAINING_RUN)
async def reconcile(operator: Operator, namespace: str | None, name: str) -> None:
    """Bring one run a step further."""
    space, system = namespace or "", operator.settings.namespace
    gathered = await gather_run(
        operator.cache, operator.identity, operator.stores, system, space, name, operator.clock()
    )
    uid = gathered.obj["metadata"]["uid"] if gathered else None
    stale = stale_seals(operator.cache, system, space, name, uid)
    await delete_all(operator.cluster, stale)
    if gathered is None:
        return
    if isinstance(gathered.inputs, Refusal):
        decision = unreadable(gathered.inputs)
    else:
        decided = decide_run(gathered.inputs)
        children = await _children(operator, gathered.inputs, decided.wanted)
        if isinstance(children, ForeignObject):
            # It is sealed, and that recorded, when the name is free.
            said = stalled(RunReason.FOREIGN_OBJECT, children.sentence())
            decision = Decision(conditions=said, requeue=FOREIGN_SECONDS)
        else:
            decision = replace(decided.decision, apply=tuple(map(Apply, children)))
    await run_decision(operator, gathered.obj, decision)


async def _children(
    operator: Operator, inputs: RunInputs, wanted: Wanted | None
) -> tuple[dict[str, Any], ...] | ForeignObject:
    """Return the objects that are to be made, or what stands in their way."""
    if wanted is None or inputs.policy is None:
        return ()
    policy, run = inputs.policy.spec, inputs.run
    match wanted:
        case TrainingJob(task, urls):
            return training_children(run, policy, task, urls, task.image)
        case SealingJob(task):
            return sealing_children(inputs.system, task, policy, operator.settings.osv_claim)
        case SealedVersion():
            space = run.metadata.namespace
            number = await reserve_version(operator.cluster, operator.cache, space, run.spec.model)
            if isinstance(number, ForeignObject):
                return number
            return (model_version(space, wanted.spec(number)),)
