"""What happened: the trigger that the inputs hold for the record, or what is waited for.

What serves is looked at first, then the candidate, then the bake. A trigger is what was found,
in the words of the state machine; ``transitions.py`` says what follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hallmark.api.model_deployment import (
    DeploymentReason,
    HistoryEntry,
    Outcome,
    RollbackMode,
    RolloutState,
)
from hallmark.api.model_policy import OnNoTarget
from hallmark.api.model_version import ModelVersion
from hallmark.policies.model_deployment import analysis, canary, checks, mirror
from hallmark.policies.model_deployment.analysis import Evidence
from hallmark.policies.model_deployment.checks import Proposal
from hallmark.policies.model_deployment.crashes import crash_loop
from hallmark.policies.model_deployment.flapping import cools_down
from hallmark.policies.model_deployment.hold import said
from hallmark.policies.model_deployment.inputs import Need, View, Wait
from hallmark.policies.model_deployment.intent import Intent, intent_of, is_refused
from hallmark.policies.model_deployment.packages import is_judged_alike, refused_packages
from hallmark.policies.model_deployment.pods import (
    did_not_start,
    has_one,
    is_running,
    what_pods_say,
)
from hallmark.policies.model_deployment.record import without_lost_target
from hallmark.policies.model_deployment.rollback import TargetMissing, find_target, in_time, passes
from hallmark.policies.model_deployment.traffic import is_off, reason_to_roll_back
from hallmark.policies.model_deployment.withdrawal import (
    approvals_of,
    deadline,
    ends_without_target,
    must_give_way,
    must_stop,
)
from hallmark.policies.refusals import Refusal, evaluate

CANDIDATE = (
    RolloutState.VERIFYING,
    RolloutState.AWAITING_APPROVAL,
    RolloutState.STARTING,
    RolloutState.MIRRORING,
    RolloutState.CANARY,
)
"""The states in which a candidate is under way."""
WATCHED = (RolloutState.STARTING, RolloutState.MIRRORING, RolloutState.CANARY)
"""Those in which it has Pods."""


@dataclass(frozen=True)
class Intended:
    """There is an intent that is neither under way, nor refused, nor serving."""

    intent: Intent


@dataclass(frozen=True)
class Withdrawn:
    """The candidate is not what is asked for any more, and nothing new is."""


@dataclass(frozen=True)
class Unapproved:
    """The candidate passes every check but the approval."""

    message: str


@dataclass(frozen=True)
class Cleared:
    """The candidate passes every check."""

    version: ModelVersion


@dataclass(frozen=True)
class Refused:
    """The candidate failed a check for good, did not start, or was aborted by a person."""

    refusal: Refusal


@dataclass(frozen=True)
class Ready:
    """All Pods of the candidate are ready, it still passes, and promotion is not frozen."""


@dataclass(frozen=True)
class Mirrored:
    """The candidate gets copies of requests, and answers nobody."""


@dataclass(frozen=True)
class Stepped:
    """The candidate gets its first or a greater share of the traffic."""

    step: int
    """The number of the step, from 0."""
    evidence: Evidence
    """What is known of its traffic so far."""


@dataclass(frozen=True)
class Settled:
    """What serves has been healthy for ``bake``, or was stable already."""


@dataclass(frozen=True)
class RollBack:
    """What serves must give way, and there is a target that passes every check today."""

    target: ModelVersion
    reason: str
    message: str
    lost: str = ""
    """Why the target on record did not start; it is not chosen again."""


@dataclass(frozen=True)
class TargetReady:
    """All Pods of the rollback's target are ready, and it still passes."""


@dataclass(frozen=True)
class NoTarget:
    """What serves must give way, and no target passes."""

    reason: str
    message: str
    lost: str = ""
    """As in ``RollBack``."""


@dataclass(frozen=True)
class Stop:
    """What serves must not serve any longer, whatever there is instead."""

    reason: str
    message: str
    lost: str = ""
    """As in ``RollBack``."""


@dataclass(frozen=True)
class Overdue:
    """What serves was withdrawn, and the target of its rollback did not take over in time."""

    reason: str
    message: str


@dataclass(frozen=True)
class Acknowledged:
    """A person has looked at the drift or the rollback."""

    by: str = ""


Trigger = (
    Intended
    | Withdrawn
    | Unapproved
    | Cleared
    | Refused
    | Ready
    | Mirrored
    | Stepped
    | Settled
    | RollBack
    | TargetReady
    | NoTarget
    | Stop
    | Overdue
    | Acknowledged
)
"""What was found in the cluster."""
Look = Trigger | Need | Wait | None
"""What looking at one side of a ModelDeployment shows."""


MOVING = (Stepped, Ready, RollBack, TargetReady, NoTarget, Stop)
"""The triggers after which other Pods answer, or none."""


def look(view: View) -> Look:
    """Return the next trigger, bytes to verify first, or why there is nothing to do.

    Whatever asks for it, a hold lets nothing move but what must give way.
    """
    found = _look(view)
    if isinstance(found, MOVING) and must_give_way(view) is None:
        return on_hold(view) or found
    return found


def _look(view: View) -> Look:
    if view.ending:
        return look_at_withdrawal(view) or _nothing_starts(view)
    serving = look_at_serving(view)
    if serving is not None:
        return serving
    candidate = look_at_candidate(view)
    if candidate is not None and not isinstance(candidate, Wait):
        return candidate
    return look_at_bake(view) or candidate


def on_hold(view: View) -> Wait | None:
    """Return that a person's hold is waited for, where there is one."""
    hold = view.held
    if hold is None:
        return None
    what = f"'{view.rollout.model_version}' takes over after it, or once somebody lifts it."
    return Wait(DeploymentReason.ON_HOLD, f"{said(hold, view.inputs.policy)} {what}")


def _nothing_starts(view: View) -> Wait:
    if view.inputs.unreadable is not None:
        refusal = view.inputs.unreadable
        return Wait(refusal.reason, refusal.message, stalled=True)
    return Wait(
        DeploymentReason.DELETING,
        "The object is being deleted: nothing new starts; what serves goes on until it is gone.",
    )


# -- what serves ------------------------------------------------------------------------------


def look_at_serving(view: View) -> Look:
    """Return what a withdrawal, drift or a rollback under way asks for."""
    if view.head is None:
        return None
    return (
        look_at_withdrawal(view)
        or _look_at_drift(view)
        or _look_at_crashes(view)
        or _look_at_packages(view)
        or _look_at_rollback(view)
    )


def look_at_withdrawal(view: View) -> Look:
    """Return how what serves gives way, once it was withdrawn; before anything else is looked at.

    What was stopped goes on looking for something that may take its place.
    """
    refusal, cause = must_give_way(view), DeploymentReason.REVOCATION_ROLLBACK
    if refusal is None:
        return None
    if must_stop(view):
        return None if view.stopped else Stop(cause, refusal.message)
    rolls_back = view.rollout.state is RolloutState.ROLLING_BACK
    if not view.stopped and ends_without_target(view) and deadline(view) <= view.inputs.now:
        within = approvals_of(view.inputs).revocation_deadline
        late = f"{refusal.message} No other version could take over within {within}."
        return Overdue(cause, late) if rolls_back else Stop(cause, late)
    if rolls_back:
        return None
    found = _roll_back(view, cause, refusal.message, urgent=True)
    if isinstance(found, Need | RollBack):
        return found
    if view.stopped or (view.rollout.cause == cause and not isinstance(found, Stop)):
        return None  # It is on record already.
    if isinstance(found, Wait):
        return replace(found, message=f"{refusal.message} {found.message}")
    return found


def _look_at_drift(view: View) -> Look:
    spec = view.inputs.deployment.spec
    found = reason_to_roll_back(view.status, spec.drift)
    if (
        found is None
        or spec.rollback is not RollbackMode.AUTOMATIC
        or view.rollout.drift_rollback_spent
        or view.rollout.state is RolloutState.ROLLING_BACK
        or view.stopped
        or view.held is not None
    ):
        return None
    cause, reason = found
    if cause is DeploymentReason.LATENCY_ROLLBACK:
        return _roll_back_to_the_quicker(view, cause, reason)
    return _roll_back(view, cause, reason)


def _roll_back_to_the_quicker(view: View, cause: str, message: str) -> Look:
    """Return a rollback to a version that had been in time; without one there is none.

    Where nothing tells that another version would be quicker, moving the traffic helps nobody.
    """
    quicker = in_time(view.status, view.inputs.deployment.spec.drift)
    target = find_target(view.inputs, quicker)
    return None if isinstance(target, TargetMissing) else _towards(view, target, cause, message)


def _look_at_crashes(view: View) -> Look:
    """Return the rollback that a crash loop asks for: once, and never on from its target."""
    cause, last = DeploymentReason.CRASH_ROLLBACK, view.status.last_rollback
    if (
        view.inputs.deployment.spec.rollback is not RollbackMode.AUTOMATIC
        or view.rollout.state is RolloutState.ROLLING_BACK
        or view.rollout.cause == cause
        or (last is not None and not last.acknowledged)
        or view.stopped
        or view.held is not None
    ):
        return None
    crashes = crash_loop(view)
    return _roll_back(view, cause, crashes) if crashes else None


def _look_at_packages(view: View) -> Look:
    """Return the rollback that refused packages ask for: once, and never on from its target."""
    cause, last = DeploymentReason.PACKAGE_ROLLBACK, view.status.last_rollback
    if (
        view.rollout.state is RolloutState.ROLLING_BACK
        or view.rollout.cause == cause
        or (last is not None and not last.acknowledged)
        or view.stopped
        or view.held is not None
    ):
        return None
    refused = refused_packages(view)
    if refused is None:
        return None
    found = _roll_back(view, cause, refused.message)
    if isinstance(found, RollBack) and not is_judged_alike(found.target, view):
        name = found.target.metadata.name
        wait = f"{refused.message} '{name}' is being judged by the same rules."
        return Wait(DeploymentReason.VERIFYING, wait, again=checks.RETRY_SECONDS)
    return found


def _roll_back(view: View, cause: str, message: str, *, urgent: bool = False) -> Look:
    target = find_target(view.inputs, view.status, urgent=urgent)
    return _towards(view, target, cause, message)


def _towards(
    view: View,
    target: ModelVersion | TargetMissing | Need | Wait,
    cause: str,
    message: str,
    lost: str = "",
) -> Look:
    """Return the rollback to the target, or what the policy says where there is none."""
    if isinstance(target, Need | Wait):
        return target
    if isinstance(target, ModelVersion):
        return RollBack(target, cause, message, lost)
    late = cause == DeploymentReason.LATENCY_ROLLBACK  # A slow answer is better than none.
    trigger = Stop if _stops(view) and not late else NoTarget
    return trigger(cause, f"{message} {target.message}", lost)


def _stops(view: View) -> bool:
    """Tell whether what serves stops where nothing can take its place."""
    if must_give_way(view) is not None:
        return ends_without_target(view)
    return approvals_of(view.inputs).on_no_target is OnNoTarget.STOP


def _look_at_rollback(view: View) -> Look:
    """Complete the rollback on record, to the target on record if it still passes."""
    rollout, inputs = view.rollout, view.inputs
    if rollout.state is not RolloutState.ROLLING_BACK:
        return None
    if must_give_way(view) is None and (waits := on_hold(view)):
        return waits
    target = inputs.version(rollout.model_version, rollout.manifest_digest)
    if target is None:
        return _another_target(view, "", f"ModelVersion '{rollout.model_version}' is gone.")
    problem = passes(target, inputs)
    if isinstance(problem, str):
        return _another_target(view, "", problem)
    runs = is_running(view, rollout.manifest_digest, rollout.trust_sha256, none_asked=True)
    if must_give_way(view) is not None:
        # Small first: it scales when it serves.
        runs = runs or has_one(view, rollout.manifest_digest, rollout.trust_sha256)
    failure = None if runs else did_not_start(view)
    if failure is not None:
        return _another_target(view, failure.reason, failure.message)
    if problem is not None:
        return problem
    if runs:
        return TargetReady()
    return Wait(
        DeploymentReason.ROLLING_BACK,
        f"Rolling back to '{rollout.model_version}'; its Pods are starting.",
    )


def _another_target(view: View, lost: str, why: str) -> Look:
    remaining = without_lost_target(view.status, lost, view.inputs.now)
    if view.rollout.reason == DeploymentReason.LATENCY_ROLLBACK:
        remaining = in_time(remaining, view.inputs.deployment.spec.drift)
    urgent = must_give_way(view) is not None
    target = find_target(view.inputs, remaining, urgent=urgent)
    return _towards(view, target, view.rollout.reason, why, lost)


# -- the candidate ----------------------------------------------------------------------------


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
    """Return that the spec asks for more, or watches less, than the policy of today lets it."""
    if not view.inputs.beyond:
        return None
    return Wait(DeploymentReason.INVALID_SPEC, view.inputs.beyond_said, stalled=True)


def _look_at_starting(view: View, intent: Intent) -> Look:
    failure = did_not_start(view)
    if failure is not None:
        return Refused(failure)
    name = intent.version.metadata.name
    if view.inputs.deployment.spec.replicas == 0:
        return Wait(
            DeploymentReason.STARTING,
            f"'{name}' takes over when replicas is above 0 and its Pods are ready.",
        )
    if not is_running(view, intent.digest, view.rollout.trust_sha256):
        return Wait(
            DeploymentReason.STARTING, f"The Pods of '{name}' are starting{what_pods_say(view)}."
        )
    first = _with_traffic(view) if mirror.declared(view) is None else Mirrored()
    return _frozen(view) or checks.verified(intent.version, view.inputs) or first


def _with_traffic(view: View) -> Stepped | Ready:
    """Return the first share of the traffic: a step's, or all."""
    return Stepped(0, Evidence()) if canary.is_stepwise(view) else Ready()


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
        None if view.rollout.released else analysis.refusal(view, found)
    )
    if failure is not None:
        return Refused(failure)
    text, record, step = canary.said(view), view.rollout.canary, canary.step_of(view)
    if not is_running(view, intent.digest, view.rollout.trust_sha256):
        text += f" Its Pods are starting{what_pods_say(view)}."
        return Wait(DeploymentReason.CANARY, text)
    frozen = _frozen(view)
    if frozen is not None or step is None or record is None:
        return frozen or checks.verified(intent.version, view.inputs) or Ready()
    lacking = analysis.lacking(view, found)
    if not view.elapsed(view.rollout.since, step.pause) or lacking:
        return Wait(DeploymentReason.CANARY, f"{text[:-1]}; {lacking}." if lacking else text)
    following = Stepped(record.step + 1, found)
    return checks.verified(intent.version, view.inputs) or following


# -- baking -----------------------------------------------------------------------------------


def look_at_bake(view: View) -> Settled | None:
    """Return that what serves counts as stable, once it has been healthy for ``bake``."""
    head, state = view.head, view.rollout.state
    if head is None or view.stopped:
        return None
    if head.outcome is Outcome.STABLE:
        return Settled() if state is RolloutState.IDLE else None
    if is_off(view.status.drift_state) or not bake_is_over(view, head) or serves_revoked(view):
        return None
    return Settled()


def bake_is_over(view: View, head: HistoryEntry) -> bool:
    """Tell whether the version that serves has been healthy for ``bake`` without a break."""
    bake = view.inputs.deployment.spec.strategy.bake
    return head.healthy_since is not None and view.elapsed(head.healthy_since, bake)


def serves_revoked(view: View) -> bool:
    """Tell whether what serves was denied or revoked, or its ModelVersion is gone."""
    active = view.active
    return active is None or evaluate(checks.WITHDRAWALS, Proposal(active, view.inputs)) is not None
