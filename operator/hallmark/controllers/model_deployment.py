"""The ModelDeployment: gather, decide, run the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from hallmark.api import names
from hallmark.api.artifacts import DownloadURLs
from hallmark.api.model_deployment import ModelDeployment, ModelDeploymentStatus
from hallmark.cluster.children import children, reference, retired
from hallmark.cluster.cluster import CONFLICT, ApiError
from hallmark.cluster.gather.model_deployment import (
    DeploymentSources,
    DeploymentWorld,
    gather_deployment,
    left_behind,
)
from hallmark.cluster.kinds import HTTP_ROUTE, MODEL_DEPLOYMENT, POD, SECRET, SERVICE, Obj
from hallmark.cluster.ownership import is_abandoned
from hallmark.cluster.parse import read
from hallmark.controllers import metrics
from hallmark.controllers.carry_out import delete, remove_all
from hallmark.controllers.last_resort import stop_withdrawn
from hallmark.controllers.runtime import Operator, log, reconciler, run_decision
from hallmark.controllers.verification import CARRY_AGAIN, carry, look_ahead, verify
from hallmark.errors import HallmarkError
from hallmark.policies.decision import Apply, Decision, unreadable
from hallmark.policies.model_deployment.decide import (
    DeploymentDecision,
    decide,
    switches_to,
)
from hallmark.policies.model_deployment.desired import URL_LIFETIME
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need
from hallmark.refusal import Refusal
from hallmark.resources.predictor_version import urls_name

MOST_STEPS = 4
"""Transitions in one reconcile; more than any chain needs."""
SOON = 1.0
"""Seconds after which what was written and wakes nobody is looked at."""
_LEADS_REQUESTS = {SERVICE.kind, HTTP_ROUTE.kind}
"""Kinds of what goes together with the traffic that it led."""


@reconciler(MODEL_DEPLOYMENT)
async def reconcile(operator: Operator, namespace: str | None, name: str) -> None:
    """Bring a ModelDeployment one step further, and its children to what is on record.

    Where a bug ends that, what may not serve stops all the same. What an API server refuses to
    take is another thing: then the decision that was made is carried on with.
    """
    try:
        await _reconcile(operator, namespace or "", name)
    except HallmarkError:
        raise
    except Exception:
        await _stop(operator, namespace or "", name)
        raise


async def _stop(operator: Operator, namespace: str, name: str) -> None:
    try:
        await stop_withdrawn(operator, namespace, name)
    except Exception as second:
        # The first error is the one that is told; both are tried again.
        log.error("What was withdrawn was not stopped.", name=name, exc_info=second)


async def _reconcile(operator: Operator, namespace: str, name: str) -> None:
    sources = DeploymentSources(
        operator.cache,
        operator.cluster,
        operator.bundles,
        operator.drift,
        operator.clock,
        operator.rolled_back,
        operator.unwritten,
        operator.no_routes(),
    )
    try:
        world = await gather_deployment(sources, namespace, name)
    except HallmarkError:
        await _stop(operator, namespace, name)
        raise
    strays = world.strays if world else tuple(left_behind(operator.cache, namespace, name, {}))
    trouble = await _remove_strays(operator, namespace, name, strays)
    # A transition that changes no child leads to the next at once: what was gathered still holds.
    for _ in range(MOST_STEPS):
        if world is None:
            break
        if isinstance(world.inputs, Refusal):
            decided = unreadable(world.inputs)
            metrics.show_deployment(
                namespace or "", name, ModelDeploymentStatus(), decided.conditions
            )
            await run_decision(operator, world.obj, decided)
            break
        world = await _step(operator, world, world.inputs)
    if trouble is not None:
        raise trouble


async def _step(
    operator: Operator, world: DeploymentWorld, inputs: DeploymentInputs
) -> DeploymentWorld | None:
    """Decide and carry it out; return the world where the next step may follow at once."""
    inputs, decided = await _decide(operator, replace(inputs, hold=operator.hold()))
    metadata = inputs.deployment.metadata
    metrics.show_deployment(metadata.namespace, metadata.name, decided.status, decided.conditions)
    if decided.drift_memory is not None:
        operator.drift.remember(
            metadata.namespace, metadata.name, inputs.reported_in, decided.drift_memory
        )
    rollout = decided.status.rollout
    operator.unwritten.note(world.obj, rollout.withdrawn_since if rollout else None)
    urls = _sign(operator, inputs, decided)
    bundles = await carry(operator, inputs, decided)
    # What moves is followed by another look, and that removes versions that are not planned.
    retires = not decided.moved or decided.withdraws
    labels = retired(world, decided.plan) if retires else []
    secrets = await _secrets(operator, inputs, labels)
    changes = children(world, inputs, decided.plan, urls, secrets, bundles)
    # What has the traffic goes when another version has it; what has none goes at once.
    first = () if decided.withdraws else changes.withdrawn
    aside = changes.aside if first else ()
    beside = changes.traffic if decided.completes else _switch(world, inputs, decided)
    written_first = (*aside, *beside)
    decision = Decision(
        conditions=decided.conditions,
        status=decided.status,
        intent=decided.status if decided.moved else None,
        withdraws=decided.withdraws,
        beside=beside,
        aside=aside,
        withdrawn=first,
        shrink=changes.shrink,
        apply=tuple(child for child in changes.apply if child not in written_first),
        delete=tuple(
            gone
            for gone in changes.delete
            if (retires or gone.kind in _LEADS_REQUESTS) and gone not in first
        ),
        events=decided.events,
        records=decided.records,
        requeue=_again(decided, soon=bool(changes.delete or bundles)),
    )
    if not decided.moved and not decided.withdraws:
        # What moves cannot wait; it is followed by another look.
        await _forget_reports(operator, inputs, decided)
    obj = await run_decision(operator, world.obj, decision)
    if not decided.moved:
        await look_ahead(operator, inputs, decided)
    if not decided.moved or changes or beside:
        return None
    written = read(ModelDeployment, {**obj, "spec": inputs.deployment.spec.to_wire()})
    if isinstance(written, Refusal):
        return None
    inputs = replace(
        inputs, deployment=written, now=operator.clock(), drift_memory=decided.drift_memory
    )
    return replace(world, obj=obj, inputs=inputs)


def _switch(
    world: DeploymentWorld, inputs: DeploymentInputs, decided: DeploymentDecision
) -> tuple[Apply, ...]:
    """Return what leads the traffic back, where the rollback that begins can end at once."""
    plan = switches_to(inputs, decided)
    return children(world, inputs, plan, {}).traffic if plan else ()


def _again(decided: DeploymentDecision, *, soon: bool) -> float | None:
    """Return when to look again; what was written and wakes nobody is looked at soon."""
    delays = [] if decided.requeue is None else [decided.requeue]
    if soon and not delays:
        delays.append(SOON)
    if any(version.carry for version in decided.plan.versions):
        delays.append(SOON if soon else CARRY_AGAIN)
    return min(delays, default=None)


async def _remove_strays(
    operator: Operator, namespace: str, name: str, strays: tuple[Obj, ...]
) -> ApiError | None:
    """Delete what a ModelDeployment of that name left behind: nobody would ever stop it.

    Returns:
        What the API server refused; it is no reason to leave the rest undone.
    """
    if not strays:
        return None
    log.warning("What a ModelDeployment left behind is removed.", name=name, objects=len(strays))
    owner = operator.cache.get(MODEL_DEPLOYMENT, namespace, name)
    uid = str(owner["metadata"]["uid"]) if owner else ""
    labels = {(stray["metadata"].get("labels") or {}).get(names.LABEL_MANIFEST) for stray in strays}
    done = await remove_all(operator.cluster, map(reference, strays))
    try:
        for label in sorted(label for label in labels if label):
            secret = await operator.cluster.get(SECRET, namespace, urls_name(name, label))
            if secret is not None and is_abandoned(secret, name, uid):
                await delete(operator.cluster, reference(secret))
    except ApiError as error:
        return done.trouble or error
    return done.trouble


async def _decide(
    operator: Operator, inputs: DeploymentInputs
) -> tuple[DeploymentInputs, DeploymentDecision]:
    """Decide, verifying the bytes of the versions that the decision asks for."""
    while isinstance(found := decide(inputs), Need):
        digest = found.version.spec.artifact.manifest_digest
        if inputs.policy is None or digest in inputs.verifications:
            raise HallmarkError(f"A decision asked twice for the bytes of {digest}.")
        verification = await verify(operator, inputs, found.version, inputs.policy.spec)
        inputs = replace(inputs, verifications={**inputs.verifications, digest: verification})
    return inputs, found


def _sign(
    operator: Operator, inputs: DeploymentInputs, decided: DeploymentDecision
) -> Mapping[str, tuple[DownloadURLs, datetime]]:
    """Return fresh download URLs by manifest label.

    What takes Pods or traffic from withdrawn bytes needs none: then the store's trouble is logged.
    """
    signed: dict[str, tuple[DownloadURLs, datetime]] = {}
    for version in decided.plan.versions:
        if inputs.policy is None or not version.refresh_urls or version.version is None:
            continue
        try:
            urls = operator.bundles.urls(version.version, inputs.policy.spec, URL_LIFETIME)
        except HallmarkError as error:
            if not decided.withdraws:
                raise
            log.warning("Download URLs were not made.", version=version.name, error=str(error))
        else:
            signed[version.label] = (urls, inputs.now + URL_LIFETIME)
    return signed


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
            # After a conflict the report that came in between asks for the next look itself. What
            # the API server does not take is no reason to leave the rest undone.
            if error.status != CONFLICT:
                metrics.STATUS_REFUSED.labels(MODEL_DEPLOYMENT.kind).inc()
                log.error("Drift reports were not removed.", name=metadata.name, error=str(error))
        else:
            log.info("Drift reports were removed.", pods=len(pods))
