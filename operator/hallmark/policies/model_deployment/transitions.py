"""What follows from a trigger: one table for the next state, and what it does to the record.

``look.py`` finds the trigger; nothing but ``follow`` changes a state. A pair that is not in
the table changes nothing: the trigger is looked at again in the next state.

A candidate goes Verifying -> (AwaitingApproval) -> Starting -> (Mirroring) -> (Canary) -> Promoted
-> Stable, or ends in Refused. What serves goes Promoted or Stable -> RollingBack -> Stable, or ends
in Held. The two are independent until Promoted, so a version that is baking becomes stable while a
candidate is looked at, and drift of what serves interrupts a candidate, which begins again
afterwards.
"""

from __future__ import annotations

from hallmark.api.canary import CanaryRecord
from hallmark.api.mirror import MirrorRecord
from hallmark.api.model_deployment import (
    HistoryEntry,
    LastRollback,
    ModelDeploymentStatus,
    Outcome,
    Rollout,
    RolloutState,
)
from hallmark.api.model_version import ModelVersion
from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.inputs import DeploymentInputs
from hallmark.policies.model_deployment.record import (
    closed_history,
    fresh_drift,
    recorded_version,
    refuse,
    rollback_is_over,
    rollout_of,
    serve,
    serving_rollout,
    without_candidate,
    without_lost_target,
)
from hallmark.policies.model_deployment.triggers import (
    CANDIDATE,
    Acknowledged,
    Cleared,
    Intended,
    Mirrored,
    NoTarget,
    Overdue,
    Ready,
    Refused,
    RollBack,
    Settled,
    Stepped,
    Stop,
    TargetReady,
    Trigger,
    Unapproved,
    Withdrawn,
)
from hallmark.policies.model_deployment.trust import trust_of, trust_sha256

_S = RolloutState
_NO_ROLLBACK = tuple(state for state in _S if state is not _S.ROLLING_BACK)

TABLE: dict[tuple[RolloutState, type[Trigger]], RolloutState] = {
    # A rollback on record is completed before a new intent is looked at.
    **{(state, Intended): _S.VERIFYING for state in _NO_ROLLBACK},
    **{(state, Withdrawn): _S.IDLE for state in (*CANDIDATE, _S.REFUSED)},
    (_S.VERIFYING, Unapproved): _S.AWAITING_APPROVAL,
    (_S.STARTING, Unapproved): _S.AWAITING_APPROVAL,
    (_S.MIRRORING, Unapproved): _S.AWAITING_APPROVAL,
    (_S.CANARY, Unapproved): _S.AWAITING_APPROVAL,
    (_S.VERIFYING, Cleared): _S.STARTING,
    (_S.AWAITING_APPROVAL, Cleared): _S.STARTING,
    **{(state, Refused): _S.REFUSED for state in CANDIDATE},
    (_S.STARTING, Ready): _S.PROMOTED,
    (_S.STARTING, Mirrored): _S.MIRRORING,
    (_S.STARTING, Stepped): _S.CANARY,
    (_S.MIRRORING, Ready): _S.PROMOTED,
    (_S.MIRRORING, Stepped): _S.CANARY,
    (_S.CANARY, Stepped): _S.CANARY,
    (_S.CANARY, Ready): _S.PROMOTED,
    (_S.IDLE, Settled): _S.STABLE,
    (_S.PROMOTED, Settled): _S.STABLE,
    **{(state, Settled): state for state in (*CANDIDATE, _S.REFUSED)},
    # In RollingBack it means another target: the one on record does not pass any more.
    **{(state, RollBack): _S.ROLLING_BACK for state in _S},
    (_S.ROLLING_BACK, TargetReady): _S.STABLE,
    # What was withdrawn stops, and the target may still come.
    (_S.ROLLING_BACK, Overdue): _S.ROLLING_BACK,
    **{(state, NoTarget): _S.HELD for state in _S},
    **{(state, Stop): _S.HELD for state in _S},
    **{(state, Acknowledged): state for state in _NO_ROLLBACK if state is not _S.HELD},
    (_S.HELD, Acknowledged): _S.IDLE,
}


def follow(
    trigger: Trigger, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus | None:
    """Return the record after a trigger, or None where it changes nothing in this state."""
    before = rollout_of(status)
    state = TABLE.get((before.state, type(trigger)))
    if state is None:
        return None
    changed = _carried_out(trigger, status, inputs)
    after = rollout_of(changed)
    if state is not _S.CANARY:
        after = after.replace(canary=None)
    if state is not _S.MIRRORING:
        after = after.replace(mirror=None)
    since = before.since if before.state is state and _same(before, after) else None
    return changed.replace(rollout=after.replace(state=state, since=since or timestamp(inputs.now)))


def _same(before: Rollout, after: Rollout) -> bool:
    return _facts(before) == _facts(after)


def _facts(rollout: Rollout) -> tuple[object, ...]:
    step = rollout.canary.step if rollout.canary else None
    return rollout.intent_hash, rollout.manifest_digest, rollout.drift_since, step


def _carried_out(
    trigger: Trigger, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    now = timestamp(inputs.now)
    match trigger:
        case Intended():
            return _intended(trigger, status)
        case Withdrawn():
            return _withdrawn(status)
        case Unapproved():
            return _with_candidate(status, trust="")
        case Cleared():
            return _cleared(trigger, status, inputs)
        case Refused():
            return _refused(trigger, status, now)
        case Ready():
            return _promoted(status, now)
        case Mirrored():
            return _mirrored(status, now)
        case Stepped():
            return _stepped(trigger, status, now)
        case Settled():
            return _settled(status)
        case RollBack():
            return _turned_back(trigger, status, inputs)
        case TargetReady():
            return _switched_back(status, now)
        case NoTarget():
            return _held(trigger, status, inputs)
        case Stop():
            return _stopped(trigger, status, inputs)
        case Overdue():
            return _overdue(status)
        case Acknowledged():
            return _acknowledged(trigger, status, now)


# -- the candidate ----------------------------------------------------------------------------


def _intended(trigger: Intended, status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """The intent is on record; the candidate is shown once it passes."""
    rollout = rollout_of(status).replace(
        intent_hash=trigger.intent.hash,
        model_version=trigger.intent.version.metadata.name,
        manifest_digest=trigger.intent.digest,
        reason="",
        message="",
        trust_sha256="",
        released=False,
    )
    return without_candidate(status).replace(rollout=rollout)


def _withdrawn(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """The candidate and its Pods go."""
    return without_candidate(status).replace(rollout=serving_rollout(status))


def _with_candidate(status: ModelDeploymentStatus, *, trust: str) -> ModelDeploymentStatus:
    """The candidate is shown; without a trust it has no Pods."""
    rollout = rollout_of(status)
    return status.replace(
        candidate_model_version=rollout.model_version,
        candidate_digest=rollout.manifest_digest,
        rollout=rollout.replace(trust_sha256=trust),
    )


def _cleared(
    trigger: Cleared, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    """The candidate's Pods are wanted, and their trust is fixed."""
    trust = trust_of(inputs, trigger.version)
    return _with_candidate(status, trust=trust_sha256(trust) if trust else "")


def _refused(trigger: Refused, status: ModelDeploymentStatus, now: str) -> ModelDeploymentStatus:
    """The intent is remembered as refused; the candidate and its Pods go."""
    refusal = trigger.refusal
    rollout = rollout_of(status).replace(
        reason=refusal.reason, message=refusal.message, trust_sha256=""
    )
    refused = refuse(status, rollout.intent_hash, rollout.manifest_digest, refusal.reason, now)
    return without_candidate(refused).replace(rollout=rollout)


def _mirrored(status: ModelDeploymentStatus, now: str) -> ModelDeploymentStatus:
    """The candidate gets copies of requests from now on."""
    return status.replace(rollout=rollout_of(status).replace(mirror=MirrorRecord(started=now)))


def _stepped(trigger: Stepped, status: ModelDeploymentStatus, now: str) -> ModelDeploymentStatus:
    """The candidate gets another share; what was seen until now is noted."""
    rollout, seen = rollout_of(status), trigger.evidence
    started = rollout.canary.started if rollout.canary else now
    record = CanaryRecord(
        step=trigger.step,
        started=started,
        fair=seen.fair,
        short_since=now if trigger.step else None,  # Until its Pods are seen.
        **seen.all.model_dump(),
    )
    return status.replace(rollout=rollout.replace(canary=record))


def _promoted(status: ModelDeploymentStatus, now: str) -> ModelDeploymentStatus:
    """The candidate gets the traffic."""
    rollout = rollout_of(status)
    version, digest = recorded_version(rollout)
    head = status.history[0] if status.history else None
    same = head is not None and head.manifest_digest == digest
    entry = HistoryEntry(
        version=version,
        manifest_digest=digest,
        from_=now,
        outcome=Outcome.SERVING,
        # The same bytes under another intent were stable already, if they were.
        was_stable=head.was_stable if head and same else False,
        intent_hash=rollout.intent_hash,
        trust_sha256=rollout.trust_sha256,
        healthy_since=now,
    )
    former = status.history[1:] if same else closed_history(status, Outcome.REPLACED, now)
    return serve(rollback_is_over(status), entry, former).replace(
        rollout=rollout.replace(
            reason="",
            message="",
            cause="",
            released=False,
            drift_rollback_spent=False,
            drift_since=now,
            withdrawn_since=None,
        )
    )


def _settled(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """What serves counts as stable."""
    head = status.history[0].replace(outcome=Outcome.STABLE, was_stable=True)
    return status.replace(
        stable_model_version=head.version,
        stable_digest=head.manifest_digest,
        history=[head, *status.history[1:]],
    )


# -- back -------------------------------------------------------------------------------------


def _turned_back(
    trigger: RollBack, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    """The target of the rollback is recorded, and its Pods are wanted."""
    target, cause = trigger.target, _cause(trigger, status)
    given_way = _refuse_serving(status, cause, timestamp(inputs.now))
    refused = without_lost_target(given_way, trigger.lost, inputs.now)
    rollout = _spent(serving_rollout(status), cause).replace(
        model_version=target.metadata.name,
        manifest_digest=target.spec.artifact.manifest_digest,
        reason=cause,
        message=trigger.message,
        trust_sha256=_target_trust(target, status, inputs),
    )
    return without_candidate(refused).replace(rollout=rollout)


def _switched_back(status: ModelDeploymentStatus, now: str) -> ModelDeploymentStatus:
    """The target gets the traffic."""
    rollout, head = rollout_of(status), status.history[0]
    version, digest = recorded_version(rollout)
    entry = HistoryEntry(
        version=version,
        manifest_digest=digest,
        from_=now,
        outcome=Outcome.STABLE,
        was_stable=True,
        intent_hash=rollout.intent_hash,
        trust_sha256=rollout.trust_sha256,
        healthy_since=now,
    )
    served = serve(status, entry, closed_history(status, Outcome.ROLLED_BACK, now))
    return served.replace(
        stable_model_version=version,
        stable_digest=digest,
        last_rollback=LastRollback(
            from_=head.version,
            to=version,
            from_digest=head.manifest_digest,
            to_digest=digest,
            reason=rollout.reason,
            message=rollout.message,
            time=now,
        ),
        rollout=rollout.replace(cause="", drift_since=now, withdrawn_since=None),
    )


def _held(
    trigger: NoTarget | Stop, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    """What serves goes on (or stays stopped), and the record says that nothing can replace it."""
    cause = _cause(trigger, status)
    refused = without_lost_target(status, trigger.lost, inputs.now)
    rollout = _spent(serving_rollout(status), cause).replace(
        reason=DeploymentReason.NO_VERIFIED_TARGET, message=trigger.message, cause=cause
    )
    return without_candidate(refused).replace(rollout=rollout)


def _stopped(
    trigger: Stop, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus:
    """No Pod is wanted any more."""
    held = _held(trigger, status, inputs)
    stopped = DeploymentReason.STOPPED
    return held.replace(rollout=rollout_of(held).replace(reason=stopped, cause=stopped))


def _overdue(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """No Pod of what serves is wanted any more, while its target starts."""
    return status.replace(rollout=rollout_of(status).replace(cause=DeploymentReason.STOPPED))


def _acknowledged(
    trigger: Acknowledged, status: ModelDeploymentStatus, now: str
) -> ModelDeploymentStatus:
    """Drift counts afresh from now, and may cause a rollback again."""
    active = status.active_digest
    return rollback_is_over(status, trigger.by, now).replace(
        drift_state=fresh_drift(status, active) if active else None,
        rollout=rollout_of(status).replace(cause="", drift_rollback_spent=False, drift_since=now),
    )


def _cause(trigger: RollBack | NoTarget | Stop, status: ModelDeploymentStatus) -> str:
    """Return why there is a rollback: of the one on record, where there is one."""
    rollout = rollout_of(status)
    return rollout.reason if rollout.state is _S.ROLLING_BACK else trigger.reason


OF_TRAFFIC = (
    DeploymentReason.DRIFT_ROLLBACK,
    DeploymentReason.ERROR_ROLLBACK,
    DeploymentReason.LATENCY_ROLLBACK,
)
"""The causes of a rollback that the traffic gives: one for each intent."""


def _spent(rollout: Rollout, cause: str) -> Rollout:
    """Return the rollout that remembers the traffic's one rollback, where this is it."""
    if cause in OF_TRAFFIC:
        return rollout.replace(drift_rollback_spent=True)
    return rollout


def _refuse_serving(status: ModelDeploymentStatus, cause: str, now: str) -> ModelDeploymentStatus:
    if rollout_of(status).state is _S.ROLLING_BACK:
        return status
    head = status.history[0]
    return refuse(status, head.intent_hash, head.manifest_digest, cause, now)


def _target_trust(
    version: ModelVersion, status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> str:
    """Return the trust of Pods that are still warm, which must not restart, else today's."""
    digest = version.spec.artifact.manifest_digest
    workload = inputs.workload(digest)
    recorded = next(
        (entry.trust_sha256 for entry in status.history if entry.manifest_digest == digest), ""
    )
    if workload and workload.trust_sha256 == recorded and recorded in inputs.trusts:
        return recorded
    trust = trust_of(inputs, version)
    return trust_sha256(trust) if trust else ""
