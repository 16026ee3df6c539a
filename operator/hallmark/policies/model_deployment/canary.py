"""A candidate beside what serves: how many Pods each has. Pure.

The Service leads to the Pods of both versions, so that their numbers are the weights; but where an
HTTPRoute has the weights (``routing``): there it leads to what serves alone.
"""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.canary import CanaryStep
from hallmark.api.model_deployment import Rollout, RolloutState, StrategyType
from hallmark.api.route import Route
from hallmark.api.texts import parse_timestamp, timestamp
from hallmark.policies.model_deployment.inputs import View
from hallmark.policies.model_deployment.intent import intent_hash
from hallmark.policies.model_deployment.shares import Split, fitting, most_share, split
from hallmark.policies.model_deployment.withdrawal import must_give_way, withdrawn


def route_of(view: View) -> Route | None:
    """Return the HTTPRoute that has the weights, as it is asked for; None: Pods are the weights."""
    asked = view.inputs.deployment.spec.strategy.canary
    return asked.route if asked else None


def is_stepwise(view: View) -> bool:
    """Tell whether the candidate on record takes over step by step."""
    strategy = view.inputs.deployment.spec.strategy
    return strategy.type is StrategyType.CANARY and is_beside(view)


def is_beside(view: View) -> bool:
    """Tell whether the candidate on record must show itself beside another version that may serve.

    Not after a person promoted it, unless the policy demands it all the same.
    """
    head = view.head
    return (
        head is not None
        and head.manifest_digest != view.rollout.manifest_digest
        and not view.stopped
        and not is_let_through(view)
        and must_give_way(view) is None
    )


def is_let_through(view: View) -> bool:
    """Tell whether a person promoted the candidate, and may do so before it was watched."""
    policy = view.inputs.policy
    demanded = policy.spec.rollout if policy else None
    return view.rollout.released and not (demanded and demanded.watched_first)


def step_of(view: View) -> CanaryStep | None:
    """Return the step that is under way, or comes first; None where all Pods are to start."""
    canary, number = view.inputs.deployment.spec.strategy.canary_or_default, _number(view)
    return canary.steps[number] if is_stepwise(view) and number < len(canary.steps) else None


def _number(view: View) -> int:
    """Return which step's share is given: the one before, where a hold keeps the next one back."""
    record = view.rollout.canary
    return (record.step if record else 0) - _is_kept_back(view)


def _is_kept_back(view: View) -> bool:
    """Tell whether a hold came before the step on record had its Pods.

    Their numbers are the weights: each that becomes ready would move traffic. An HTTPRoute's
    weight does not follow them.
    """
    record, hold = view.rollout.canary, view.held
    if record is None or hold is None or record.step == 0 or route_of(view) is not None:
        return False
    if not _never_had_its_pods(view.rollout) or record.short_since is None:
        return False
    return parse_timestamp(record.short_since) <= parse_timestamp(hold.since)


def _never_had_its_pods(rollout: Rollout) -> bool:
    """Tell whether the step's Pods have been missing since it began.

    Where they were there and one is lost, the share was given already.
    """
    record = rollout.canary
    return record is not None and record.short_since == rollout.since


def candidate_replicas(view: View) -> int:
    """Return how many Pods the candidate (or the target) on record needs now."""
    replicas = view.inputs.deployment.spec.replicas
    if view.rollout.state not in {RolloutState.STARTING, RolloutState.CANARY}:
        return replicas
    mirrored = view.inputs.deployment.spec.strategy.mirror is not None and is_beside(view)
    if view.rollout.state is RolloutState.STARTING and mirrored:
        return replicas  # Copies come before the first step, and all that are asked for.
    step = step_of(view)
    if step is not None and route_of(view) is not None:
        return -(-step.weight * replicas // 100)
    return pods_of(view, step).candidate if step else replicas


def active_replicas(view: View) -> int:
    """Return how many Pods what serves has beside the candidate: fewer once that has its own."""
    replicas = view.inputs.deployment.spec.replicas
    # Beside an HTTPRoute the Service is shared by nobody, and what serves stays whole.
    step = step_of(view) if shares_traffic(view) else None
    if step is None or not has_its_pods(view):
        return replicas
    return pods_of(view, step).active


def pods_of(view: View, step: CanaryStep) -> Split:
    """Return how many Pods each version has in the step that is under way, or comes first."""
    return split(step.weight, view.inputs.deployment.spec.replicas, _most(view))


def _most(view: View) -> int:
    """Return the per cent of the traffic that the policy lets this step give at most."""
    policy = view.inputs.policy
    demanded = policy.spec.rollout if policy else None
    canary = view.inputs.deployment.spec.strategy.canary_or_default
    floors = demanded.canary if demanded else None
    return most_share(canary, _number(view), floors)


def _is_too_steep(view: View) -> bool:
    """Tell whether the step gives more than the policy lets it: of itself, or by too few Pods."""
    step = step_of(view)
    if step is None:
        return False
    share = step.weight if route_of(view) else 100 * pods_of(view, step).share
    return share > _most(view)


def has_its_pods(view: View) -> bool:
    """Tell whether as many of the candidate's Pods are ready as it needs now."""
    rollout, needed = view.rollout, candidate_replicas(view)
    digest = rollout.manifest_digest
    return digest is not None and view.inputs.ready_pods(digest, rollout.trust_sha256) >= needed


def sharing(view: View) -> str | None:
    """Return the candidate that may have a share of the traffic now (a manifest digest), or None.

    Never bytes that were withdrawn, whatever the record says; nobody where the policy lets the
    step give less, or where something else is asked for than what its steps began with.
    """
    candidate = view.rollout.manifest_digest
    in_canary = view.rollout.state is RolloutState.CANARY and not view.stopped
    if not in_canary or candidate is None or view.status.active_digest is None:
        return None
    if must_give_way(view) is not None or withdrawn(candidate, view.inputs) is not None:
        return None
    return None if _is_too_steep(view) or _is_outdated(view, candidate) else candidate


def _is_outdated(view: View, candidate: str) -> bool:
    """Tell whether the spec was changed, and a hold alone keeps it from beginning anew."""
    return view.rollout.intent_hash != intent_hash(candidate, view.inputs.deployment.spec)


def shares_traffic(view: View) -> bool:
    """Tell whether the Service leads to both versions.

    Never while a Pod of a third one is there: it would be led to that, too.
    """
    candidate, active = sharing(view), view.status.active_digest
    if candidate is None or active is None or route_of(view) is not None:
        return False
    both = {names.manifest_label(digest) for digest in (active, candidate)}
    third = view.inputs.workloads.keys() - both
    return not third and all(pod.manifest in both for pod in view.inputs.pods if pod.ready)


def observed(view: View) -> Rollout | None:
    """Return the rollout that says since when the candidate lacks Pods."""
    rollout, now = view.status.rollout, timestamp(view.inputs.now)
    if rollout is None:
        return None
    full = has_its_pods(view) and not _is_kept_back(view)
    if view.status.hold is not None and view.held is None:
        rollout = counted_anew(rollout, now)
    canary, mirror = rollout.canary, rollout.mirror
    return rollout.replace(
        canary=canary and canary.replace(short_since=None if full else canary.short_since or now),
        mirror=mirror and mirror.replace(short_since=None if full else mirror.short_since or now),
    )


def counted_anew(rollout: Rollout, now: str) -> Rollout:
    """Return the rollout at the end of a hold, which is no time that Pods had to become ready.

    A step that never had its Pods begins now.
    """
    record = rollout.canary
    if record is None or record.short_since is None:
        return rollout
    since = now if _never_had_its_pods(rollout) else rollout.since
    return rollout.replace(since=since, canary=record.replace(short_since=now))


# -- what is said -----------------------------------------------------------------------------


def said(view: View) -> str:
    """Return which share the candidate has, and where whole Pods cannot give what is asked for."""
    name, replicas = f"'{view.rollout.model_version}'", view.inputs.deployment.spec.replicas
    record, step = view.rollout.canary, step_of(view)
    steps = len(view.inputs.deployment.spec.strategy.canary_or_default.steps)
    candidate = view.rollout.manifest_digest
    if record is not None and candidate and _is_outdated(view, candidate):
        return f"{name} has no traffic: the spec was changed; it begins anew after the hold."
    if record is None or step is None:
        return f"All Pods of {name} start; then it has all traffic."
    place = f"(step {_number(view) + 1} of {steps})"
    if replicas == 0:
        return f"{name} has no traffic {place}; it goes on when replicas is above 0."
    if _is_too_steep(view):
        return f"{name} has no traffic {place}, which would be more than the ModelPolicy lets it."
    if route_of(view) is not None:
        gets, number = "gets" if record.routed_since else "is to get", candidate_replicas(view)
        return (
            f"{name} {gets} {step.weight} % of the requests that come by HTTPRoute "
            f"'{view.inputs.name}' {place}, with {number} Pod{'' if number == 1 else 's'} beside "
            f"{replicas}."
        )
    pods = pods_of(view, step)
    total = pods.candidate + pods.active
    text = (
        f"{name} has {pods.candidate} of {total} Pods, {round(100 * pods.share)} % of the traffic "
        f"{place}"
    )
    if abs(100 * pods.share - step.weight) >= 1:
        text += (
            f"; {step.weight} % are asked for, which {replicas} replicas cannot give: "
            f"{fitting(step.weight)} can"
        )
    return f"{text}."
