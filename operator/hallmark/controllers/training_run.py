"""TrainingRun: gather, decide, carry out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hallmark.cluster.gather.training_run import gather_run, stale_seals
from hallmark.cluster.kinds import TRAINING_RUN
from hallmark.cluster.version_numbers import reserve_version
from hallmark.controllers.runtime import Operator, delete_all, reconciler, run_decision
from hallmark.errors import ClusterError
from hallmark.policies.decision import Apply, unreadable
from hallmark.policies.refusals import Refusal
from hallmark.policies.training_run.decide import decide_run
from hallmark.policies.training_run.inputs import RunInputs, Wants
from hallmark.policies.training_run.outcomes import examined_seal
from hallmark.policies.training_run.seal import sealed_spec
from hallmark.policies.training_run.tasks import seal_task, train_task
from hallmark.resources.jobs import sealing_children, training_children
from hallmark.resources.versions import model_version


@reconciler(TRAINING_RUN)
async def reconcile(operator: Operator, namespace: str | None, name: str) -> None:
    """Bring one run a step further."""
    space, system = namespace or "", operator.settings.namespace
    gathered = await gather_run(
        operator.cache, operator.cluster, operator.stores, system, space, name, operator.clock()
    )
    uid = gathered.obj["metadata"]["uid"] if gathered else None
    stale = stale_seals(operator.cache, system, space, name, uid)
    await delete_all(operator.cluster, stale)
    if gathered is None:
        return
    if isinstance(gathered.inputs, Refusal):
        decision = unreadable(gathered.inputs)
    else:
        plan = decide_run(gathered.inputs)
        children = await _children(operator, gathered.inputs, plan.wants)
        decision = replace(plan.decision, apply=tuple(map(Apply, children)))
    await run_decision(operator, gathered.obj, decision)


async def _children(
    operator: Operator, inputs: RunInputs, wants: Wants
) -> tuple[dict[str, Any], ...]:
    """Return the objects that the plan asks for."""
    policy = inputs.policy.spec if inputs.policy else None
    if wants is Wants.NOTHING or policy is None:
        return ()
    if wants is Wants.SEALING:
        return sealing_children(inputs.system, seal_task(inputs, policy), policy)
    if wants is Wants.TRAINING:
        if inputs.urls is None:
            raise ClusterError("The store made no upload URLs for the training Job.")
        # A Job that is resumed keeps its image: a Pod template cannot change.
        image = inputs.job.image if inputs.job else policy.images.trainer
        task = train_task(inputs, policy, image)
        return training_children(inputs.run, policy, task, inputs.urls, image)
    examined = examined_seal(inputs)
    if isinstance(examined, Refusal):
        raise ClusterError(examined.message)
    space = inputs.run.metadata.namespace or ""
    number = await reserve_version(operator.cluster, operator.cache, space, inputs.run.spec.model)
    spec = sealed_spec(examined, number, authenticated=inputs.authenticated)
    return (model_version(space, spec),)
