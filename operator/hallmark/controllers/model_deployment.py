"""The ModelDeployment: gather, decide, run the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from hallmark.api.artifacts import DownloadURLs
from hallmark.api.model_deployment import ModelDeployment
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.stores import Stores
from hallmark.cluster.gather.model_deployment import DeploymentWorld, gather_deployment
from hallmark.cluster.kinds import MODEL_DEPLOYMENT
from hallmark.cluster.parse import read
from hallmark.controllers.deployment_children import children
from hallmark.controllers.runtime import Operator, log, reconciler, run_decision
from hallmark.errors import HallmarkError
from hallmark.policies.decision import Decision, unreadable
from hallmark.policies.model_deployment.decide import DeploymentDecision, decide
from hallmark.policies.model_deployment.desired import URL_LIFETIME, Plan
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need
from hallmark.policies.refusals import Refusal

MOST_STEPS = 4
"""Transitions in one reconcile; more than any chain needs."""


@lru_cache(maxsize=1)
def _bundles(stores: Stores) -> Bundles:
    return Bundles(stores)


@reconciler(MODEL_DEPLOYMENT)
async def reconcile(operator: Operator, namespace: str | None, name: str) -> None:
    """Bring a ModelDeployment one step further, and its children to what is on record."""
    bundles = _bundles(operator.stores)
    await reconcile_with(operator, bundles, namespace or "", name)


async def reconcile_with(operator: Operator, bundles: Bundles, namespace: str, name: str) -> None:
    """Reconcile with these bundles; see ``reconcile``."""
    world = await gather_deployment(operator.cluster, bundles, namespace, name, operator.clock)
    # A transition that changes no child leads to the next at once: what was gathered still holds.
    for _ in range(MOST_STEPS):
        if world is None:
            return
        if isinstance(world.inputs, Refusal):
            await run_decision(operator, world.obj, unreadable(world.inputs))
            return
        world = await _step(operator, bundles, world, world.inputs)


async def _step(
    operator: Operator, bundles: Bundles, world: DeploymentWorld, inputs: DeploymentInputs
) -> DeploymentWorld | None:
    """Decide and carry it out; return the world where the next step may follow at once."""
    inputs, decided = await _decide(operator, bundles, inputs)
    changes = children(world, inputs, decided.plan, _sign(bundles, inputs, decided.plan))
    decision = Decision(
        conditions=decided.conditions,
        status=decided.status,
        intent=decided.status if decided.moved else None,
        apply=changes.apply,
        delete=changes.delete,
        events=decided.events,
        records=decided.records,
        requeue=1.0 if changes.delete and decided.requeue is None else decided.requeue,
    )
    obj = await run_decision(operator, world.obj, decision)
    await _forget_reports(operator, world, decided)
    if not decided.moved or changes.apply or changes.delete or decided.gone:
        return None
    deployment = read(ModelDeployment, obj)
    if isinstance(deployment, Refusal):
        return None
    return replace(
        world, obj=obj, inputs=replace(inputs, deployment=deployment, now=operator.clock())
    )


async def _decide(
    operator: Operator, bundles: Bundles, inputs: DeploymentInputs
) -> tuple[DeploymentInputs, DeploymentDecision]:
    """Decide, verifying the bytes of the versions that the decision asks for."""
    while isinstance(found := decide(inputs), Need):
        digest = found.version.spec.artifact.manifest_digest
        if inputs.policy is None or digest in inputs.verifications:
            raise HallmarkError(f"A decision asked twice for the bytes of {digest}.")
        verification = await bundles.verify(found.version, inputs.policy.spec, operator.clock())
        inputs = replace(inputs, verifications={**inputs.verifications, digest: verification})
    return inputs, found


def _sign(
    bundles: Bundles, inputs: DeploymentInputs, plan: Plan
) -> Mapping[str, tuple[DownloadURLs, datetime]]:
    if inputs.policy is None:
        return {}
    return {
        each.label: (
            bundles.urls(each.version, inputs.policy.spec, URL_LIFETIME),
            inputs.now + URL_LIFETIME,
        )
        for each in plan.versions
        if each.refresh_urls and each.version is not None
    }


async def _forget_reports(
    operator: Operator, world: DeploymentWorld, decided: DeploymentDecision
) -> None:
    """Remove the drift entries of Pods that are gone; the only write to ``status.drift``."""
    if not decided.gone:
        return
    metadata = world.obj["metadata"]
    await operator.cluster.merge_status(
        MODEL_DEPLOYMENT,
        metadata["namespace"],
        metadata["name"],
        {"drift": dict.fromkeys(decided.gone)},
    )
    log.info("Drift reports of Pods that are gone were removed.", pods=len(decided.gone))
