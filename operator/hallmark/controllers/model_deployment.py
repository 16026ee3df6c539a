"""The ModelDeployment: gather, decide, run the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from hallmark.api.artifacts import DownloadURLs
from hallmark.api.model_deployment import ModelDeployment
from hallmark.cluster.children import children, retired
from hallmark.cluster.client import CONFLICT, ApiError
from hallmark.cluster.gather.model_deployment import (
    DeploymentSources,
    DeploymentWorld,
    gather_deployment,
)
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, POD, SECRET, Obj
from hallmark.cluster.parse import read
from hallmark.controllers import metrics
from hallmark.controllers.runtime import Operator, log, reconciler, run_decision
from hallmark.errors import HallmarkError
from hallmark.policies.decision import Decision, unreadable
from hallmark.policies.model_deployment.decide import DeploymentDecision, decide
from hallmark.policies.model_deployment.desired import URL_LIFETIME, Plan
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need
from hallmark.policies.refusals import Refusal
from hallmark.resources.predictor_version import urls_name

MOST_STEPS = 4
"""Transitions in one reconcile; more than any chain needs."""


@reconciler(MODEL_DEPLOYMENT)
async def reconcile(operator: Operator, namespace: str | None, name: str) -> None:
    """Bring a ModelDeployment one step further, and its children to what is on record."""
    sources = DeploymentSources(
        operator.cache, operator.cluster, operator.bundles, operator.drift, operator.clock
    )
    world = await gather_deployment(sources, namespace or "", name)
    # A transition that changes no child leads to the next at once: what was gathered still holds.
    for _ in range(MOST_STEPS):
        if world is None:
            return
        if isinstance(world.inputs, Refusal):
            await run_decision(operator, world.obj, unreadable(world.inputs))
            return
        world = await _step(operator, world, world.inputs)


async def _step(
    operator: Operator, world: DeploymentWorld, inputs: DeploymentInputs
) -> DeploymentWorld | None:
    """Decide and carry it out; return the world where the next step may follow at once."""
    inputs, decided = await _decide(operator, inputs)
    metadata = inputs.deployment.metadata
    state = decided.status.drift_state
    metrics.show_silence(metadata.namespace, metadata.name, state.silent_pods if state else 0)
    if decided.drift_memory is not None:
        operator.drift.remember(
            metadata.namespace, metadata.name, inputs.reported_in, decided.drift_memory
        )
    urls = _sign(operator, inputs, decided.plan)
    secrets = await _secrets(operator, inputs, retired(world, decided.plan))
    changes = children(world, inputs, decided.plan, urls, secrets)
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
    if not decided.moved:
        # What moves cannot wait; it is followed by another look.
        await _forget_reports(operator, inputs, decided)
    obj = await run_decision(operator, world.obj, decision)
    if not decided.moved or changes.apply or changes.delete:
        return None
    deployment = read(ModelDeployment, obj)
    if isinstance(deployment, Refusal):
        return None
    inputs = replace(
        inputs, deployment=deployment, now=operator.clock(), drift_memory=decided.drift_memory
    )
    return replace(world, obj=obj, inputs=inputs)


async def _decide(
    operator: Operator, inputs: DeploymentInputs
) -> tuple[DeploymentInputs, DeploymentDecision]:
    """Decide, verifying the bytes of the versions that the decision asks for."""
    while isinstance(found := decide(inputs), Need):
        digest = found.version.spec.artifact.manifest_digest
        if inputs.policy is None or digest in inputs.verifications:
            raise HallmarkError(f"A decision asked twice for the bytes of {digest}.")
        verification = await operator.bundles.verify(
            found.version, inputs.policy.spec, operator.clock()
        )
        inputs = replace(inputs, verifications={**inputs.verifications, digest: verification})
    return inputs, found


def _sign(
    operator: Operator, inputs: DeploymentInputs, plan: Plan
) -> Mapping[str, tuple[DownloadURLs, datetime]]:
    if inputs.policy is None:
        return {}
    return {
        version.label: (
            operator.bundles.urls(version.version, inputs.policy.spec, URL_LIFETIME),
            inputs.now + URL_LIFETIME,
        )
        for version in plan.versions
        if version.refresh_urls and version.version is not None
    }


async def _secrets(operator: Operator, inputs: DeploymentInputs, labels: list[str]) -> list[Obj]:
    """Return the Secrets of versions that go; the operator asks for those whose names it knows."""
    metadata = inputs.deployment.metadata
    found = [
        await operator.cluster.get(SECRET, metadata.namespace, urls_name(metadata.name, label))
        for label in labels
    ]
    return [secret for secret in found if secret is not None]


async def _forget_reports(
    operator: Operator, inputs: DeploymentInputs, decided: DeploymentDecision
) -> None:
    """Remove entries of ``status.drift``; the operator's only write to it.

    What makes room for other Pods goes only from the very object that was judged: an entry that
    was replaced meanwhile is not judged yet. Whether a Pod is gone is asked live: a watch that is
    late must not take a new Pod's word away.
    """
    metadata = inputs.deployment.metadata
    gone = [
        pod
        for pod in decided.gone
        if await operator.cluster.get(POD, metadata.namespace, pod) is None
    ]
    for pods, version in ((gone, None), (decided.room, inputs.reported_in)):
        if not pods:
            continue
        entries = {"drift": dict.fromkeys(pods)}
        try:
            await operator.cluster.merge_status(
                MODEL_DEPLOYMENT, metadata.namespace, metadata.name, entries, version
            )
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            # A report came in between; it asks for the next look itself.
        else:
            log.info("Drift reports were removed.", pods=len(pods))
