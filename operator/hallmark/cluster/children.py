"""From a plan to objects: what to apply and what to delete. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from hallmark.api import names
from hallmark.api.artifacts import DownloadURLs
from hallmark.cluster.gather.model_deployment import DeploymentWorld, Live
from hallmark.cluster.kinds import APPS_DEPLOYMENT, CONFIG_MAP, HTTP_ROUTE, SERVICE, Obj, kind_of
from hallmark.cluster.trim import trimmed
from hallmark.policies.decision import Apply, Reference, Shrink
from hallmark.policies.model_deployment.desired import Plan, PlannedVersion
from hallmark.policies.model_deployment.inputs import DeploymentInputs
from hallmark.resources import carried, predictor, predictor_version, route
from hallmark.resources.difference import stamped, stands


@dataclass(frozen=True)
class Children:
    """What has to change so that the cluster is as planned."""

    apply: tuple[Apply, ...]
    delete: tuple[Reference, ...]
    shrink: tuple[Shrink, ...] = ()
    withdrawn: tuple[Reference, ...] = ()
    """Those of ``delete`` that run bytes which must not serve."""

    @property
    def traffic(self) -> tuple[Apply, ...]:
        """Those of ``apply`` that lead the requests to what serves."""
        return tuple(
            child
            for child in self.apply
            if child.obj["kind"] == SERVICE.kind
            and child.obj["metadata"]["name"] == _owner(child.obj)
        )

    @property
    def aside(self) -> tuple[Apply, ...]:
        """Those of ``apply`` that lead a candidate's share of the requests elsewhere."""
        return tuple(
            child
            for child in self.apply
            if child.obj["kind"] == SERVICE.kind
            and child.obj["metadata"]["name"] == names.candidate_name(_owner(child.obj))
        )

    def __bool__(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.apply or self.delete or self.shrink)


def children(
    world: DeploymentWorld,
    inputs: DeploymentInputs,
    plan: Plan,
    urls: Mapping[str, tuple[DownloadURLs, datetime]],
    secrets: Iterable[Obj] = (),
    bundles: Mapping[str, Mapping[str, bytes]] = MappingProxyType({}),
) -> Children:
    """Return the objects that differ from what is planned, and those that must go.

    Traffic comes first, so that a rollback waits for nothing; what goes comes last.

    Args:
        world: the children as they are.
        inputs: what the plan was made from.
        plan: what must run.
        urls: fresh download URLs and when they end, by manifest label.
        secrets: the URLs of versions that are not planned any more.
        bundles: served files that are to travel in the cluster, by manifest label and name.
    """
    unplanned = tuple(_unplanned(world.live, inputs, plan, secrets))
    shrink = tuple(_shrink(world.live, plan))
    withdrawn = tuple(
        reference(obj)
        for (kind, _), obj in world.live.items()
        if kind == APPS_DEPLOYMENT.kind and _label(obj) in plan.withdrawn - _planned(plan)
    )
    if plan.ending:
        return Children((), withdrawn, shrink, withdrawn)
    if not plan.versions:
        return Children((), unplanned, shrink, withdrawn)
    wanted = [stamped(obj) for obj in _wanted(world, inputs, plan, urls, bundles)]
    changed = [obj for obj in wanted if not _stands(obj, world.live.get(_key(obj)))]
    # An immutable ConfigMap that holds something else was swapped: it goes, and is made again.
    swapped = [obj for obj in changed if obj.get("immutable") and _key(obj) in world.live]
    return Children(
        tuple(
            Apply(obj, world.live.get(_key(obj)), absent=_key(obj) in world.free)
            for obj in changed
            if obj not in swapped
        ),
        (*(reference(world.live[_key(obj)]) for obj in swapped), *unplanned),
        shrink,
        withdrawn,
    )


def retired(world: DeploymentWorld, plan: Plan) -> list[str]:
    """Return the manifest labels of workloads that are not planned any more."""
    planned = _planned(plan)
    labels = [_label(obj) for (kind, _), obj in world.live.items() if kind == APPS_DEPLOYMENT.kind]
    return sorted(set(labels) - planned)


def _planned(plan: Plan) -> set[str]:
    return {version.label for version in plan.versions}


def _stands(wanted: Obj, live: Obj | None) -> bool:
    """Whether a child is as it is wanted, as far as the cache keeps it."""
    return live is not None and stands(trimmed(kind_of(wanted), wanted), live)


def _key(obj: Obj) -> tuple[str, str]:
    return str(obj["kind"]), str(obj["metadata"]["name"])


def _wanted(
    world: DeploymentWorld,
    inputs: DeploymentInputs,
    plan: Plan,
    urls: Mapping[str, tuple[DownloadURLs, datetime]],
    bundles: Mapping[str, Mapping[str, bytes]],
) -> Iterator[Obj]:
    owner, policy = inputs.deployment, inputs.policy
    active = names.manifest_label(plan.active_digest) if plan.active_digest else None
    shares = list(_shares(world.live, inputs, plan))
    if active and plan.active_digest:
        yield predictor.service(owner, None if plan.shared else active)
        yield from (obj for obj in shares if _key(obj) in world.live)
        told = predictor.mirrored(*astuple(plan.copies)) if plan.copies else ""
        yield predictor.active_config_map(
            owner, plan.active_digest, shared=plan.shared, mirror=told
        )
    yield from predictor.account(owner)
    candidate = names.manifest_label(plan.copies.candidate) if plan.copies else ""
    if policy is not None:
        yield predictor.network_policy(owner, policy.spec, world.api_servers, candidate)
    for version in plan.versions:
        if not version.only_shrinks and version.label in bundles:
            yield carried.bundle_config_map(owner, version.label, bundles[version.label])
        if not version.only_shrinks:
            yield from _wanted_version(inputs, version, urls)
    yield predictor.disruption_budget(owner, active)
    # The last ones: where a stranger has the name, all else is made.
    yield from (obj for obj in shares if _key(obj) not in world.live)
    if candidate:
        yield predictor.mirror_service(owner, candidate)


def _shares(live: Live, inputs: DeploymentInputs, plan: Plan) -> Iterator[Obj]:
    """Yield the HTTPRoute behind the Service of the candidate to which it leads.

    Where no HTTPRoute can be seen one may be there all the same: then that Service stays.
    """
    owner, asked = inputs.deployment, inputs.deployment.spec.strategy.canary_or_default.route
    if plan.route is None or asked is None:
        return
    service = route.candidate_service(owner, names.manifest_label(plan.route.candidate))
    if not inputs.no_routes or _key(service) in live:
        yield service
    if not inputs.no_routes:
        yield route.http_route(owner, asked, plan.route.weight)


def _wanted_version(
    inputs: DeploymentInputs,
    version: PlannedVersion,
    urls: Mapping[str, tuple[DownloadURLs, datetime]],
) -> Iterator[Obj]:
    owner, running = inputs.deployment, inputs.workloads.get(version.label)
    if version.trust is not None:
        yield predictor_version.trust_config_map(owner, version.trust, version.trust_sha256)
    until = inputs.urls_until.get(version.label)
    if version.label in urls:
        fresh, until = urls[version.label]
        yield predictor_version.urls_secret(owner, version.label, fresh)
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
                urls_until=until,
            ),
        )


def _shrink(live: Live, plan: Plan) -> Iterator[Shrink]:
    """Return which workloads lose Pods, apart from what else an author asks for."""
    left = {version.label: version.replicas for version in plan.versions if version.only_shrinks}
    for (kind, _), obj in live.items():
        most = left.get(_label(obj)) if kind == APPS_DEPLOYMENT.kind else None
        if most is not None and obj["spec"].get("replicas", 1) > most:
            yield Shrink(reference(obj), most)


def _unplanned(
    live: Live, inputs: DeploymentInputs, plan: Plan, secrets: Iterable[Obj]
) -> Iterator[Reference]:
    """Return what is left of versions that are not planned; their Secrets before their Pods."""
    name = inputs.deployment.metadata.name
    labels = _planned(plan)
    trusted = {version.trust_sha256 for version in plan.versions}
    # A Pod of an older template may be there still, and mounts its own trust.
    trusted |= {pod.trust_sha256 for pod in inputs.pods if pod.manifest in labels}
    kept = {predictor_version.trust_name(name, sha256) for sha256 in trusted}
    kept |= {carried.bundle_name(name, label) for label in plan.carried}
    # The route, what it leads to, then Pods.
    for key in ((HTTP_ROUTE.kind, name), (SERVICE.kind, names.candidate_name(name))):
        found = live.get(key) if plan.route is None else None
        # A gateway's finalizer may keep what was deleted.
        if found is not None and "deletionTimestamp" not in found["metadata"]:
            yield reference(found)
    yield from map(reference, secrets)
    for (kind, _), obj in live.items():
        if kind == APPS_DEPLOYMENT.kind and _label(obj) not in labels:
            yield reference(obj)
    aside = live.get((SERVICE.kind, names.mirror_name(name)))
    if aside is not None and plan.copies is None:
        yield reference(aside)
    for (kind, child), obj in live.items():
        made = child.startswith((f"{name}-trust-", f"{name}-bundle-"))
        if kind == CONFIG_MAP.kind and made and child not in kept:
            yield reference(obj)


def _owner(obj: Mapping[str, Any]) -> str:
    """Return the name of the ModelDeployment that a child was made for."""
    return str(obj["metadata"]["labels"][names.LABEL_DEPLOYMENT])


def _label(obj: Obj) -> str:
    return str((obj["metadata"].get("labels") or {}).get(names.LABEL_MANIFEST, ""))


def reference(obj: Obj) -> Reference:
    """Return exactly this object."""
    metadata = obj["metadata"]
    return Reference(
        obj["apiVersion"],
        obj["kind"],
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
    )
