"""What the candidate needs next, from its first check to its last step."""

from __future__ import annotations

from dataclasses import replace

from hallmark.api.model_deployment import RolloutState
from hallmark.api.reasons import DeploymentReason
from hallmark.policies.model_deployment import analysis, canary, checks, mirror, routing
from hallmark.policies.model_deployment.analysis import Evidence
from hallmark.policies.model_deployment.checks import Proposal
from hallmark.policies.model_deployment.flapping import cools_down
from hallmark.policies.model_deployment.inputs import View, Wait
from hallmark.policies.model_deployment.intent import Intent, intent_of, is_refused
from hallmark.policies.model_deployment.pods import (
    did_not_start,
    has_one,
    is_running,
    what_pods_say,
)
from hallmark.policies.model_deployment.triggers import (
    CANDIDATE,
    WATCHED,
    Cleared,
    Intended,
    Look,
    Mirrored,
    Ready,
    Refused,
    Stepped,
    Unapproved,
    Withdrawn,
    on_hold,
)
from hallmark.policies.model_deployment.withdrawal import must_give_way


def look_at_candidate(view: View) -> Look:
    """Return what the intent of today means for the candidate on record."""
    if view.rollout.state is RolloutState.ROLLING_BACK:
        return None
    under_way = view.rollout.state in CANDIDATE
    intent = intent_of(view)
    if under_way:
        rejected = rejected_candidate(view)
        if rejected is not None:
            return rejected
    if view.rollout.state is RolloutState.CANARY and (held := on_hold(view)):
        return held  # Whatever else came of it would move traffic.
    if intent is None:
        return Withdrawn() if under_way else _no_version(view)
    if under_way and intent.hash == view.rollout.intent_hash:
        return _look_at_current(view, intent)
    serves = view.head is not None and view.head.intent_hash == intent.hash
    if serves or is_refused(intent, view.status.refused):
        waits = under_way or (serves and view.rollout.state is RolloutState.REFUSED)
        return Withdrawn() if waits else None
    return Intended(intent)


def rejected_candidate(view: View) -> Refused | None:
    """Return why the candidate on record is refused for good by what is known now, or None."""
    rollout = view.rollout
    version = view.inputs.version(rollout.model_version, rollout.manifest_digest)
    refusal = checks.rejection(version, view.inputs) if version else None
    return Refused(refusal) if refusal else None


def _no_version(view: View) -> Wait | None:
    if view.rollout.state is RolloutState.REFUSED:
        return None
    spec = view.inputs.deployment.spec
    asked = (
        f"ModelVersion '{spec.model_version}'"
        if spec.model_version
        else f"a ModelVersion of model '{spec.model}'"
    )
    return Wait(
        DeploymentReason.VERSION_MISSING,
        f"Expected {asked} that nobody rejected, found none in this namespace (yet).",
    )


def _look_at_current(view: View, intent: Intent) -> Look:
    """Return what the candidate on record needs next; it is what is asked for."""
    inputs, state = view.inputs, view.rollout.state
    unapproved = checks.is_approved_here(Proposal(intent.version, inputs))
    if unapproved is not None and state is not RolloutState.VERIFYING:
        if state in WATCHED:
            return Unapproved(unapproved.message)
        return Wait(unapproved.reason, unapproved.message)
    if state is RolloutState.STARTING:
        return _look_at_starting(view, intent)
    if state is RolloutState.MIRRORING:
        return _look_at_mirror(view, intent)
    if state is RolloutState.CANARY:
        return _look_at_canary(view, intent)
    missing = checks.verified(intent.version, inputs)
    if missing is not None:
        return missing
    unwatchable = checks.drift_can_be_watched(Proposal(intent.version, inputs))
    if unwatchable is not None:
        return Refused(unwatchable)
    if unapproved is not None:
        return Unapproved(unapproved.message)
    if inputs.foreign:
        return Wait(DeploymentReason.FOREIGN_OBJECT, inputs.foreign[0], stalled=True, again=5.0)
    return _beyond(view) or Cleared(intent.version)


def _beyond(view: View) -> Wait | None:
    """Return that the spec asks for more, or for less care, than the policy of today lets it."""
    if not view.inputs.beyond:
        return None
    return Wait(DeploymentReason.INVALID_SPEC, view.inputs.beyond_said, stalled=True)


def _look_at_starting(view: View, intent: Intent) -> Look:
    digest, trust = intent.digest, view.rollout.trust_sha256
    # Beside withdrawn bytes it has a single Pod, until it has taken their place.
    runs = must_give_way(view) is not None and has_one(view, digest, trust)
    failure = None if runs else did_not_start(view)
    if failure is not None:
        return Refused(failure)
    name = intent.version.metadata.name
    if view.inputs.deployment.spec.replicas == 0:
        return Wait(
            DeploymentReason.STARTING,
            f"'{name}' takes over when replicas is above 0 and its Pods are ready.",
        )
    if not runs and not is_running(view, digest, trust):
        return Wait(
            DeploymentReason.STARTING, f"The Pods of '{name}' are starting{what_pods_say(view)}."
        )
    first = _with_traffic(view) if mirror.declared(view) is None else Mirrored()
    return _frozen(view) or checks.verified(intent.version, view.inputs) or first


def _with_traffic(view: View) -> Stepped | Ready | Wait:
    """Return the first share of the traffic: a step's, or all; or what it waits for."""
    if not canary.is_stepwise(view):
        return Ready()
    awaited = routing.awaited(view, 0) if canary.route_of(view) else None
    if awaited is not None:
        text = f"'{view.rollout.model_version}' is ready and has no traffic. {awaited.message}"
        return replace(awaited, message=text)
    return Stepped(0, Evidence())


def _frozen(view: View) -> Wait | None:
    """Return why a candidate that is ready gets no (more) traffic now, or None."""
    if waits := on_hold(view):
        return waits
    if view.frozen:
        return Wait(
            DeploymentReason.SUSPENDED,
            f"'{view.rollout.model_version}' is ready; promotion is frozen (spec.suspend or a "
            f"pause). Resume, or promote it by an action.",
        )
    if view.inputs.hold:
        return Wait(DeploymentReason.AUDIT_BROKEN, view.inputs.hold, stalled=True)
    return _beyond(view) or cools_down(view)


def _look_at_mirror(view: View, intent: Intent) -> Look:
    """Return what the candidate's answers to copies and the clock say."""
    asked, record = mirror.declared(view), view.rollout.mirror
    failure = did_not_start(view) or mirror.refusal(view)
    if failure is not None:
        return Refused(failure)
    if not is_running(view, intent.digest, view.rollout.trust_sha256):
        text = f"{mirror.said(view)} Its Pods are starting{what_pods_say(view)}."
        return Wait(DeploymentReason.MIRRORING, text)
    if asked is not None and record is not None:
        text, lacking = mirror.said(view), mirror.lacking(view)
        if not view.elapsed(view.rollout.since, asked.pause) or lacking:
            return Wait(DeploymentReason.MIRRORING, f"{text[:-1]}; {lacking}." if lacking else text)
    frozen = _frozen(view)
    return frozen or checks.verified(intent.version, view.inputs) or _with_traffic(view)


def _look_at_canary(view: View, intent: Intent) -> Look:
    """Return what the candidate's own traffic and the clock say of a step."""
    found = analysis.evidence(view)
    failure = did_not_start(view) or (
        None if canary.is_let_through(view) else analysis.refusal(view, found)
    )
    if failure is not None:
        return Refused(failure)
    text, record, step = canary.said(view), view.rollout.canary, canary.step_of(view)
    if not is_running(view, intent.digest, view.rollout.trust_sha256):
        starting = f" Its Pods are starting{what_pods_say(view)}."
        asked = view.inputs.deployment.spec.replicas
        return Wait(DeploymentReason.CANARY, f"{text}{starting if asked else ''}")
    frozen = _frozen(view)
    if frozen is not None or step is None or record is None:
        return frozen or checks.verified(intent.version, view.inputs) or Ready()
    since = view.rollout.since
    if canary.route_of(view) is not None:
        awaited, since = routing.awaited(view, step.weight), record.routed_since
        if awaited is not None:
            return replace(awaited, message=f"{text} {awaited.message}")
    lacking = analysis.lacking(view, found)
    if not view.elapsed(since, step.pause) or lacking:
        return Wait(DeploymentReason.CANARY, f"{text[:-1]}; {lacking}." if lacking else text)
    following = Stepped(record.step + 1, found)
    return checks.verified(intent.version, view.inputs) or following
