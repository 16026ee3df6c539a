"""From a plan to objects: what to apply and what to delete. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from hallmark.api import names
from hallmark.api.artifacts import DownloadURLs
from hallmark.cluster.gather.model_deployment import DeploymentWorld, Live
from hallmark.cluster.kinds import APPS_DEPLOYMENT, CONFIG_MAP, SECRET, Obj
from hallmark.policies.decision import Reference
from hallmark.policies.model_deployment.desired import Plan, PlannedVersion
from hallmark.policies.model_deployment.inputs import DeploymentInputs
from hallmark.resources import predictor, predictor_version
from hallmark.resources.difference import stamped, stands


@dataclass(frozen=True)
class Children:
    """What has to change so that the cluster is as planned."""

    apply: tuple[Obj, ...]
    delete: tuple[Reference, ...]


def children(
    world: DeploymentWorld,
    inputs: DeploymentInputs,
    plan: Plan,
    urls: Mapping[str, tuple[DownloadURLs, datetime]],
) -> Children:
    """Return the objects that differ from what is planned, and those that must go.

    Traffic comes first, so that a rollback waits for nothing; what goes comes last.

    Args:
        world: the children as they are.
        inputs: what the plan was made from.
        plan: what must run.
        urls: fresh download URLs and when they end, by manifest label.
    """
    if not plan.versions:
        return Children((), tuple(_unplanned(world.live, inputs, plan)))
    wanted = [stamped(each) for each in _wanted(world, inputs, plan, urls)]
    changed = [each for each in wanted if not stands(each, world.live.get(_key(each)))]
    # An immutable ConfigMap that holds something else was swapped: it goes, and is made again.
    swapped = [each for each in changed if each.get("immutable") and _key(each) in world.live]
    return Children(
        tuple(each for each in changed if each not in swapped),
        (
            *(_reference(world.live[_key(each)]) for each in swapped),
            *_unplanned(world.live, inputs, plan),
        ),
    )


def _key(obj: Obj) -> tuple[str, str]:
    return str(obj["kind"]), str(obj["metadata"]["name"])


def _wanted(
    world: DeploymentWorld,
    inputs: DeploymentInputs,
    plan: Plan,
    urls: Mapping[str, tuple[DownloadURLs, datetime]],
) -> Iterator[Obj]:
    owner, policy = inputs.deployment, inputs.policy
    active = names.manifest_label(plan.active_digest) if plan.active_digest else None
    if active and plan.active_digest:
        yield predictor.service(owner, active)
        yield predictor.active_config_map(owner, plan.active_digest)
    yield from predictor.account(owner)
    if policy is not None:
        store = policy.spec.store.endpoint or "https://any"
        yield predictor.network_policy(owner, store, world.api_servers)
    for version in plan.versions:
        yield from _wanted_version(inputs, version, urls)
    yield predictor.disruption_budget(owner, active)


def _wanted_version(
    inputs: DeploymentInputs,
    version: PlannedVersion,
    urls: Mapping[str, tuple[DownloadURLs, datetime]],
) -> Iterator[Obj]:
    owner, running = inputs.deployment, inputs.workloads.get(version.label)
    if version.trust is not None:
        yield predictor_version.trust_config_map(owner, version.trust, version.trust_sha256)
    if version.label in urls:
        yield predictor_version.urls_secret(owner, version.label, *urls[version.label])
    # Without a policy what runs goes on as it is, and can be scaled.
    image = inputs.policy.spec.images.predictor if inputs.policy else running and running.image
    if image:
        yield predictor_version.workload(
            owner,
            predictor_version.Version(
                name=version.name,
                manifest=version.label,
                trust_sha256=version.trust_sha256,
                image=image,
                replicas=version.replicas,
            ),
        )


def _unplanned(live: Live, inputs: DeploymentInputs, plan: Plan) -> Iterator[Reference]:
    """Return what is left of versions that are not planned; their Secrets before their Pods."""
    name = inputs.deployment.metadata.name
    labels = {each.label for each in plan.versions}
    trusted = {each.trust_sha256 for each in plan.versions}
    # A Pod of an older template may be there still, and mounts its own trust.
    trusted |= {each.trust_sha256 for each in inputs.pods if each.manifest in labels}
    kept = {predictor_version.trust_name(name, each) for each in trusted}
    for kind in (SECRET, APPS_DEPLOYMENT, CONFIG_MAP):
        for key, obj in live.items():
            if key[0] != kind.kind:
                continue
            if kind is CONFIG_MAP:
                goes = key[1].startswith(f"{name}-trust-") and key[1] not in kept
            else:
                label = obj["metadata"].get("labels", {}).get(names.LABEL_MANIFEST)
                goes = label not in labels
            if goes:
                yield _reference(obj)


def _reference(obj: Obj) -> Reference:
    metadata = obj["metadata"]
    return Reference(
        obj["apiVersion"],
        obj["kind"],
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
    )
