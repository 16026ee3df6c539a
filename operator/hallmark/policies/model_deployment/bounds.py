"""What a ModelDeployment may ask for under its ModelPolicy; what is more runs with the maximum.

An author's ``replicas`` and ``resources`` decide how fast another version can take over, and the
API server takes no Pod that requests more than it is limited to. So children are made from what
the policy allows, and the object says what was not.
"""

from __future__ import annotations

from collections.abc import Iterator

from hallmark.api.model_deployment import ModelDeployment, ModelDeploymentSpec
from hallmark.api.model_policy import DeploymentBounds, LargestPod, ModelPolicy, ModelPolicySpec
from hallmark.api.resources import ResourceAmounts, Resources, quantity
from hallmark.api.scheduling import Scheduling
from hallmark.api.texts import parse_duration
from hallmark.policies.model_deployment.floors import below_floors
from hallmark.policies.model_deployment.rollout_floors import faster_than_demanded, needed_bake

_AMOUNTS = ("cpu", "memory")


def bounds_of(policy: ModelPolicy | None) -> DeploymentBounds:
    """Return the bounds that apply; without a policy the defaults."""
    return policy.spec.deployments if policy else DeploymentBounds()


def bounded(
    deployment: ModelDeployment, policy: ModelPolicy | None
) -> tuple[ModelDeployment, tuple[str, ...]]:
    """Return the object with no more replicas and resources than allowed, and what was more.

    What watches the traffic less closely than the policy demands, or lets new versions take over
    faster, is told there, too.

    ``strategy`` is left as it is: it belongs to the intent (see ``progress_deadline``).
    """
    spec, bounds = deployment.spec, bounds_of(policy)
    beyond = beyond_policy(spec, policy.spec) if policy else tuple(_beyond(spec, bounds))
    if not beyond:
        return deployment, ()
    resources = spec.resources and _fitted(spec.resources, bounds.max_resources)
    fitted = spec.replace(
        replicas=min(spec.replicas, bounds.max_replicas),
        resources=resources,
        scheduling=_allowed(spec.scheduling, bounds),
    )
    return deployment.replace(spec=fitted), beyond


def beyond_policy(spec: ModelDeploymentSpec, policy: ModelPolicySpec) -> tuple[str, ...]:
    """Return a sentence for all that asks for more, or for less care, than a policy says."""
    return (
        *_beyond(spec, policy.deployments),
        *below_floors(spec, policy.drift),
        *faster_than_demanded(spec, policy.rollout, policy.deployments.max_replicas),
    )


def progress_deadline(spec: ModelDeploymentSpec, policy: ModelPolicy | None) -> str:
    """Return how long Pods may take to become Ready: as asked for, or the policy's maximum."""
    asked, most = spec.strategy.progress_deadline, bounds_of(policy).max_progress_deadline
    return min(asked, most, key=parse_duration)


def bake(spec: ModelDeploymentSpec, policy: ModelPolicy | None) -> str:
    """Return how long what serves must be healthy, by what is asked for and by the policy."""
    return needed_bake(spec, policy.spec.rollout if policy else None)


def _beyond(spec: ModelDeploymentSpec, bounds: DeploymentBounds) -> Iterator[str]:
    if spec.replicas > bounds.max_replicas:
        yield _sentence("spec.replicas", str(bounds.max_replicas), str(spec.replicas))
    asked, most = spec.strategy.progress_deadline, bounds.max_progress_deadline
    if parse_duration(asked) > parse_duration(most):
        yield _sentence("spec.strategy.progressDeadline", most, asked)
    asked_class = spec.scheduling.priority_class_name if spec.scheduling else None
    if asked_class is not None and asked_class not in bounds.priority_classes:
        allowed = ", ".join(bounds.priority_classes) or "none"
        yield (
            f"Expected spec.scheduling.priorityClassName among those that the ModelPolicy allows "
            f"(spec.deployments.priorityClasses: {allowed}), found '{asked_class}'; Pods run "
            f"without it. Ask for another, or ask the platform engineer to allow it."
        )
    resources = spec.resources or Resources()
    for part, amounts in (("requests", resources.requests), ("limits", resources.limits)):
        for name in _AMOUNTS:
            found, allowed = _amount(amounts, name), str(getattr(bounds.max_resources, name))
            if found is not None and quantity(found) > quantity(allowed):
                yield _sentence(f"spec.resources.{part}.{name}", allowed, found)
    for name in _AMOUNTS:
        request, limit = _amount(resources.requests, name), _amount(resources.limits, name)
        if request and limit and quantity(request) > quantity(limit):
            yield (
                f"Expected spec.resources.requests.{name} of at most its limit ({limit}), found "
                f"{request}; Pods run with the limit. Lower the request."
            )


def _allowed(asked: Scheduling | None, bounds: DeploymentBounds) -> Scheduling | None:
    if asked is None or asked.priority_class_name in (None, *bounds.priority_classes):
        return asked
    return asked.replace(priority_class_name=None)


def _sentence(where: str, most: str, found: str) -> str:
    return (
        f"Expected {where} of at most {most} (spec.deployments of the ModelPolicy), found {found}; "
        f"{most} is used. Ask for less, or ask the platform engineer for a higher maximum."
    )


def _fitted(asked: Resources, most: LargestPod) -> Resources:
    limits = _at_most(asked.limits, most.cpu, most.memory)
    cpu, memory = (_amount(limits, name) for name in _AMOUNTS)
    requests = _at_most(asked.requests, cpu or most.cpu, memory or most.memory)
    return Resources(requests=requests, limits=limits)


def _at_most(asked: ResourceAmounts | None, cpu: str, memory: str) -> ResourceAmounts | None:
    if asked is None:
        return None
    return ResourceAmounts(
        cpu=asked.cpu and min(asked.cpu, cpu, key=quantity),
        memory=asked.memory and min(asked.memory, memory, key=quantity),
    )


def _amount(amounts: ResourceAmounts | None, name: str) -> str | None:
    found = getattr(amounts, name) if amounts else None
    return None if found is None else str(found)
