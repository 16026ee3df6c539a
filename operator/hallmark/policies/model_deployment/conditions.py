"""What a ModelDeployment's conditions say. People and tools read them; no decision does."""

from __future__ import annotations

from dataclasses import replace

from hallmark.api.conditions import SummaryCondition
from hallmark.api.drift_state import DriftState, Verdict
from hallmark.api.model_deployment import (
    DeploymentCondition,
    ModelDeploymentStatus,
    Outcome,
    RollbackMode,
    RolloutState,
)
from hallmark.api.reasons import DeploymentReason
from hallmark.drift.odd import is_probed
from hallmark.drift.quality import is_below_floor
from hallmark.drift.silence import sentence
from hallmark.policies import conditions as triple
from hallmark.policies.conditions import ConditionUpdate, fails, holds, unknown
from hallmark.policies.model_deployment import canary, checks, mirror, routing
from hallmark.policies.model_deployment.carrying import likely_target
from hallmark.policies.model_deployment.checks import Proposal
from hallmark.policies.model_deployment.hold import said
from hallmark.policies.model_deployment.inputs import View, Wait
from hallmark.policies.model_deployment.intent import intent_of, is_refused
from hallmark.policies.model_deployment.pods import refusing_pod
from hallmark.policies.model_deployment.traffic import answers_late, requests_fail
from hallmark.policies.model_deployment.triggers import CANDIDATE
from hallmark.policies.refusals import evaluate

_C = DeploymentCondition
_R = DeploymentReason
_S = RolloutState


def conditions(
    view: View, wait: Wait | None, drift_message: str | None
) -> tuple[ConditionUpdate, ...]:
    """Return all conditions.

    Args:
        view: the inputs, and the record after the decision.
        wait: why there is nothing to do yet, where there is a reason.
        drift_message: what the drift reports say; None where they cannot be judged.
    """
    return (
        _verified(view, wait),
        _approved(view),
        _progressing(view),
        _available(view),
        _drift_detected(view, drift_message),
        _rolled_back(view.status),
        _on_hold(view),
        *_routed(view),
        *_with_marks(view, _summary(view, wait)),
    )


def is_rolled_back(status: ModelDeploymentStatus) -> bool:
    """Tell whether what serves came by a rollback that is not over."""
    return status.last_rollback is not None and not status.last_rollback.acknowledged


def _verified(view: View, wait: Wait | None) -> ConditionUpdate:
    rollout, state = view.rollout, view.rollout.state
    if state is _S.VERIFYING and wait and wait.reason == _R.VERIFICATION_FAILED:
        return fails(_C.VERIFIED, wait.reason, wait.message)
    if state is _S.VERIFYING:
        return unknown(_C.VERIFIED, _R.VERIFYING, wait.message if wait else "")
    if state is _S.REFUSED and rollout.reason in {_R.VERIFICATION_FAILED, _R.PREDICTOR_REFUSED}:
        return fails(_C.VERIFIED, rollout.reason, rollout.message)
    if state is _S.REFUSED and rollout.reason != _R.PROGRESS_DEADLINE_EXCEEDED:
        return unknown(_C.VERIFIED, rollout.reason, rollout.message)
    if pod := refusing_pod(view, view.status.active_digest):
        return fails(
            _C.VERIFIED, _R.PREDICTOR_REFUSED, f"Predictor '{pod.name}' refused: {pod.message}"
        )
    if rollout.model_version is None:
        return unknown(_C.VERIFIED, _R.PENDING)
    name = rollout.model_version
    return holds(_C.VERIFIED, _R.VERIFIED, f"Every byte and the signature of '{name}' verified.")


def _approved(view: View) -> ConditionUpdate:
    rollout, inputs = view.rollout, view.inputs
    version = inputs.version(rollout.model_version, rollout.manifest_digest)
    if version is None:
        return unknown(_C.APPROVED, _R.PENDING)
    chain = (*checks.WITHDRAWALS, *checks.APPROVAL)
    refusal = evaluate(chain, Proposal(version, inputs))
    if refusal is not None:
        return fails(_C.APPROVED, refusal.reason, refusal.message)
    return holds(_C.APPROVED, _R.APPROVED, f"'{version.metadata.name}' is approved.")


def _progressing(view: View) -> ConditionUpdate:
    rollout = view.rollout
    match rollout.state:
        case _S.VERIFYING | _S.STARTING:
            return holds(_C.PROGRESSING, rollout.state, f"Candidate '{rollout.model_version}'.")
        case _S.MIRRORING:
            return holds(_C.PROGRESSING, _R.MIRRORING, mirror.said(view))
        case _S.CANARY:
            return holds(_C.PROGRESSING, _R.CANARY, canary.said(view))
        case _S.ROLLING_BACK:
            return holds(_C.PROGRESSING, _R.ROLLING_BACK, f"To '{rollout.model_version}'.")
        case _S.PROMOTED:
            return holds(_C.PROGRESSING, _R.BAKING, f"'{rollout.model_version}' is being watched.")
        case _S.AWAITING_APPROVAL:
            return fails(_C.PROGRESSING, _R.AWAITING_APPROVAL)
        case _S.STABLE:
            return fails(_C.PROGRESSING, _R.SERVING)
        case _:
            return fails(_C.PROGRESSING, rollout.reason or _R.IDLE)


def _available(view: View) -> ConditionUpdate:
    if view.head is None:
        return fails(_C.AVAILABLE, _R.IDLE, "No version serves yet.")
    if view.stopped:
        return fails(_C.AVAILABLE, _R.STOPPED, "The policy lets nothing serve.")
    if view.inputs.deployment.spec.replicas == 0:
        return holds(_C.AVAILABLE, _R.SERVING, "No Pod is asked for (replicas is 0).")
    if stand_in := _stand_in(view):
        return holds(_C.AVAILABLE, _R.UNAVAILABLE, stand_in)
    ready = _ready(view)
    if ready:
        return holds(_C.AVAILABLE, _R.SERVING, f"'{view.head.version}' serves with {ready} Pods.")
    return fails(_C.AVAILABLE, _R.UNAVAILABLE, f"No Pod of '{view.head.version}' is ready.")


def _stand_in(view: View) -> str:
    """Return that the former version answers for a while, or nothing."""
    if view.head is None or not view.rollout.stand_in:
        return ""
    former = view.status.history[1].version
    return f"'{former}' answers until all Pods of '{view.head.version}' are ready again."


def _ready(view: View) -> int:
    workload = view.inputs.workload(view.status.active_digest or "")
    return workload.ready if workload else 0


def _drift_detected(view: View, message: str | None) -> ConditionUpdate:
    drift = view.status.drift_state
    drifted = drift is not None and drift.verdict is Verdict.DRIFT
    if message is None and view.head is not None and not view.stopped:
        message = (
            f"The signed baseline of '{view.head.version}' cannot be read from the store, so that "
            f"no drift report is judged; it is tried again."
        )
        if not drifted:
            return unknown(_C.DRIFT_DETECTED, _R.BASELINE_MISSING, message)
    message = message or ""
    if drift is not None and drift.silent_pods and not drifted:
        return unknown(_C.DRIFT_DETECTED, _R.REPORTS_MISSING, message)
    if view.head is not None and drift is not None and drift.input_rejected and not drifted:
        return holds(_C.DRIFT_DETECTED, _R.INPUT_REJECTED, message)
    if view.head is not None and drift is not None and is_below_floor(drift) and not drifted:
        return holds(_C.DRIFT_DETECTED, _R.QUALITY_BELOW_FLOOR, message + _proposal(view))
    if view.head is not None and drift is not None and not drifted and requests_fail(drift):
        return holds(_C.DRIFT_DETECTED, _R.REQUESTS_FAIL, message)
    if view.head is not None and drift is not None and not drifted and answers_late(drift):
        return holds(_C.DRIFT_DETECTED, _R.ANSWERS_LATE, message)
    if view.head is not None and drift is not None and not drifted and _is_probed(view, drift):
        return holds(_C.DRIFT_DETECTED, _R.PROBED, message)
    if view.head is None or drift is None or drift.verdict is Verdict.INCONCLUSIVE:
        return unknown(_C.DRIFT_DETECTED, _R.INCONCLUSIVE, message)
    if drift.verdict is Verdict.NO_DRIFT:
        return fails(_C.DRIFT_DETECTED, _R.NO_DRIFT, message)
    message += _proposal(view)
    again = view.rollout.drift_rollback_spent and is_rolled_back(view.status)
    return holds(_C.DRIFT_DETECTED, _R.TARGET_DRIFTS if again else _R.DRIFT_DETECTED, message)


def _is_probed(view: View, drift: DriftState) -> bool:
    return is_probed(drift, view.inputs.deployment.spec.drift)


def _proposal(view: View) -> str:
    """Return which rollback a person may decide on, where the spec leaves it to people."""
    target = likely_target(view.status, view.inputs)
    if view.inputs.deployment.spec.rollback is not RollbackMode.MANUAL or target is None:
        return ""
    return (
        f" A rollback to '{target.version}' is proposed, and waits for a person: kubectl hallmark "
        f"rollback {view.inputs.name}."
    )


def _rolled_back(status: ModelDeploymentStatus) -> ConditionUpdate:
    if status.last_rollback is None or not is_rolled_back(status):
        return fails(_C.ROLLED_BACK, _R.NOT_ROLLED_BACK)
    return holds(_C.ROLLED_BACK, status.last_rollback.reason, _from_to(status))


def _from_to(status: ModelDeploymentStatus) -> str:
    last = status.last_rollback
    return f"'{last.to}' serves instead of '{last.from_}'. {last.message}" if last else ""


def _on_hold(view: View) -> ConditionUpdate:
    hold = view.held
    if hold is None:
        return fails(_C.ON_HOLD, _R.NOT_HELD)
    return holds(_C.ON_HOLD, _R.ON_HOLD, said(hold, view.inputs.policy))


def _routed(view: View) -> tuple[ConditionUpdate, ...]:
    """Return what becomes of the HTTPRoute; nothing where none is, or was, asked for."""
    if canary.route_of(view) is None:
        gone = view.status.condition(_C.ROUTED) is not None
        return (holds(_C.ROUTED, _R.NO_ROUTE, "None is asked for any more."),) if gone else ()
    if view.head is None:
        return (unknown(_C.ROUTED, _R.IDLE, "No version serves yet."),)
    awaited = routing.now(view)
    if awaited is None:
        return (holds(_C.ROUTED, _R.ROUTE_ACCEPTED, "Each parent has accepted the HTTPRoute."),)
    found = fails if awaited.stalled else unknown
    return (found(_C.ROUTED, awaited.reason, awaited.message),)


def _with_marks(view: View, updates: tuple[ConditionUpdate, ...]) -> tuple[ConditionUpdate, ...]:
    """Return the kstatus triple, in which Ready tells of a hold and of unwatched traffic too."""
    marks = []
    if view.status.drift_state and (quiet := sentence(view.status.drift_state)):
        marks.append(f"Drift is not watched: {quiet}.")
    if (hold := view.held) and not any(update.reason == _R.ON_HOLD for update in updates):
        marks.append(said(hold, view.inputs.policy))
    if not marks:
        return updates
    return tuple(
        replace(update, message=" ".join([update.message, *marks]).strip())
        if update.type == SummaryCondition.READY
        else update
        for update in updates
    )


def _summary(view: View, wait: Wait | None) -> tuple[ConditionUpdate, ...]:
    return _summary_of_trouble(view, wait) or _summary_of_service(view, wait)


def _summary_of_trouble(view: View, wait: Wait | None) -> tuple[ConditionUpdate, ...] | None:
    """Return the kstatus triple where the object is not what its spec asks for."""
    rollout, status = view.rollout, view.status
    if wait is not None and wait.stalled:
        return triple.stalled(wait.reason, wait.message)
    if view.ending and not view.stopped:
        return triple.waiting(_R.DELETING, wait.message if wait else "")
    match rollout.state:
        case _S.HELD | _S.REFUSED:
            # That nothing serves is told before why nothing else does.
            reason = _R.STOPPED if view.stopped else rollout.reason
            return triple.stalled(reason, rollout.message)
        case _S.ROLLING_BACK:
            target = f"Rolling back to '{rollout.model_version}'. {rollout.message}"
            return triple.waiting(_R.ROLLING_BACK, wait.message if wait else target)
        case state if state in CANDIDATE:
            return triple.waiting(*_candidate_waits(view, state, wait))
    if is_rolled_back(status) and status.last_rollback:
        return triple.stalled(status.last_rollback.reason, _from_to(status))
    intent = intent_of(view)
    serves = intent and view.head and view.head.intent_hash == intent.hash
    if intent and not serves and is_refused(intent, status.refused) and not _acknowledged(view):
        name = intent.version.metadata.name
        return triple.stalled(
            _R.REFUSED,
            f"'{name}' was refused before for what is asked; change what you ask for.",
        )
    if view.inputs.beyond and view.head is not None:
        return triple.stalled(_R.INVALID_SPEC, view.inputs.beyond_said)
    return None


def _acknowledged(view: View) -> bool:
    """Tell whether a person has accepted that the rollback's target serves."""
    last = view.status.last_rollback
    return bool(last and last.acknowledged and last.to_digest == view.status.active_digest)


def _candidate_waits(view: View, state: RolloutState, wait: Wait | None) -> tuple[str, str]:
    if wait is not None:
        return wait.reason, wait.message
    name = f"'{view.rollout.model_version}'"
    said = {
        _S.VERIFYING: (_R.VERIFYING, f"{name} is being verified."),
        _S.AWAITING_APPROVAL: (_R.AWAITING_APPROVAL, f"{name} waits for approval."),
        _S.STARTING: (_R.STARTING, f"The Pods of {name} are starting."),
        _S.MIRRORING: (_R.MIRRORING, mirror.said(view)),
        _S.CANARY: (_R.CANARY, canary.said(view)),
    }
    return said[state]


def _summary_of_service(view: View, wait: Wait | None) -> tuple[ConditionUpdate, ...]:
    """Return the kstatus triple of what serves, or of what is waited for."""
    if wait is not None:
        return triple.waiting(wait.reason, wait.message)
    if view.head is None:
        return triple.waiting(_R.PENDING, "The object was seen.")
    asked = view.inputs.deployment.spec.replicas
    if stand_in := _stand_in(view):
        return triple.waiting(_R.UNAVAILABLE, stand_in)
    if asked and not _ready(view):
        return triple.waiting(_R.UNAVAILABLE, f"No Pod of '{view.head.version}' is ready.")
    awaited = routing.now(view) if canary.route_of(view) else None
    if awaited is not None:
        text = f"'{view.head.version}' serves{_url(view)}. {awaited.message}"
        told = triple.stalled if awaited.stalled else triple.waiting
        return told(awaited.reason, text)
    baking = view.head.outcome is Outcome.SERVING
    return triple.ready(
        _R.BAKING if baking else _R.SERVING,
        f"'{view.head.version}' serves{_url(view)}{_instead(view)}.",
    )


def _instead(view: View) -> str:
    """Return what is asked for and does not serve, since when and by whose word, or nothing."""
    last, intent = view.status.last_rollback, intent_of(view)
    if last is None or intent is None or view.head is None or not _acknowledged(view):
        return ""
    if intent.digest == view.head.manifest_digest:
        return ""
    asked = f" instead of '{intent.version.metadata.name}', which is asked for"
    since = f"; it has since {last.time}, after a rollback ({last.reason})"
    word = (
        f", which {last.acknowledged_by} acknowledged at {last.acknowledged_at}"
        if last.acknowledged_by
        else ", which was acknowledged"
    )
    return f"{asked}{since}{word}"


def _url(view: View) -> str:
    return f" at {view.status.url}" if view.status.url else ""
