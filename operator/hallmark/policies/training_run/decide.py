"""What becomes of a TrainingRun: from its spec to a training Job to a sealed ModelVersion."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hallmark.api.gates import most_telling_first
from hallmark.api.model_version import ModelVersion, Requester
from hallmark.api.reasons import RunReason
from hallmark.api.tasks import TrainOutcome
from hallmark.api.texts import parse_duration, parse_timestamp, timestamp
from hallmark.api.training_run import RunCondition, TrainingRunStatus, spec_digest
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import Record
from hallmark.policies.conditions import fails, holds, ready, stalled, unknown, waiting
from hallmark.policies.decision import Decision, Reference
from hallmark.policies.refusals import evaluate
from hallmark.policies.training_run.adoption import BEFORE_ADOPTION, adopted
from hallmark.policies.training_run.checks import (
    BEFORE_TRAINING,
    DATASET,
    is_not_where_the_keys_are,
    policy_is_there,
)
from hallmark.policies.training_run.inputs import (
    RunDecision,
    RunInputs,
    SealedVersion,
    SealingJob,
    TrainingJob,
)
from hallmark.policies.training_run.jobs import JobView, PodView
from hallmark.policies.training_run.outcomes import (
    PASSED,
    STEPS,
    Training,
    seal_of,
    training_result,
)
from hallmark.policies.training_run.seal import Seal
from hallmark.policies.training_run.tasks import seal_task, train_task
from hallmark.policies.training_run.turns import waits
from hallmark.refusal import Refusal

POLL_SECONDS = 2.0
"""How often a running Job's progress is read."""
YOUNG = timedelta(minutes=10)
LOOK_SOON, LOOK_SELDOM = timedelta(seconds=10), timedelta(minutes=5)
"""How often a dataset that is missing or not offered is looked for, while the run is young and
after that."""


def decide_run(inputs: RunInputs) -> RunDecision:
    """Return what to do about a run, whatever state it is in."""
    if inputs.run.metadata.deletion_timestamp:
        return RunDecision(Decision())
    forbidden = is_not_where_the_keys_are(inputs)
    if forbidden is not None:
        return RunDecision(Decision(conditions=stalled(forbidden.reason, forbidden.message)))
    if inputs.version is not None:
        return RunDecision(_has_version(inputs, inputs.version))
    if inputs.run.status.completion_time is not None:
        return RunDecision(_ended(inputs))
    refusal = policy_is_there(inputs)
    if refusal is not None:
        return RunDecision(Decision(conditions=stalled(refusal.reason, refusal.message)))
    if inputs.run.spec.sealed is not None:
        return _adopt(inputs)
    if inputs.run.status.manifest_digest is not None:
        return _seal(inputs)
    if inputs.job is None:
        return _start(inputs)
    if inputs.job.finished:
        return _trained(inputs, training_result(inputs.job, inputs.pod))
    return _train(inputs, inputs.job)


def _has_version(inputs: RunInputs, version: ModelVersion) -> Decision:
    """A ModelVersion of this name exists: ours, one of the same spec, or somebody else's."""
    origin = version.spec.training_run
    # The spec never changes; of a run that has ended, its inline rows are not in memory.
    digest = inputs.run.status.spec_digest or spec_digest(inputs.run.spec)
    name = version.metadata.name
    if origin.uid == inputs.run.metadata.uid:
        reason, message = RunReason.SEALED, f"Sealed as ModelVersion '{name}'."
    elif _is_same(inputs, version, digest):
        reason = RunReason.ALREADY_SEALED
        message = f"ModelVersion '{name}' was sealed from the same spec; nothing was trained."
    else:
        message = (
            f"ModelVersion '{name}' comes from another spec ({origin.spec_digest}, this one is "
            f"{digest}); create the run under another name."
        )
        return Decision(conditions=stalled(RunReason.SPEC_CONFLICT, message))
    status = inputs.run.status.replace(
        spec_digest=digest,
        dataset_fingerprint=version.spec.dataset_fingerprint,
        manifest_digest=version.spec.artifact.manifest_digest,
        model_version=name,
        progress=None,
        completion_time=inputs.run.status.completion_time or timestamp(inputs.now),
    )
    return _with_cleanup(
        inputs,
        Decision(
            conditions=(holds(RunCondition.SEALED, reason, message), *ready(reason, message)),
            status=status,
        ),
    )


def _is_same(inputs: RunInputs, version: ModelVersion, digest: str) -> bool:
    """Tell whether a version is what a run would make: of the same spec, or the same bundle."""
    sealed = inputs.run.spec.sealed
    if sealed is not None:
        return sealed.manifest_digest == version.spec.artifact.manifest_digest
    return version.spec.training_run.spec_digest == digest


def _ended(inputs: RunInputs) -> Decision:
    """The run has ended; what it left behind goes."""
    return _with_cleanup(inputs, Decision())


def _with_cleanup(inputs: RunInputs, decision: Decision) -> Decision:
    """Delete the helpers at once, and the training Job when ``jobTTL`` has passed."""
    gone, ttl, requeue = list(inputs.leftovers), inputs.run.spec.job_ttl, None
    if inputs.job is not None and ttl is not None:
        ended = inputs.run.status.completion_time or timestamp(inputs.now)
        left = parse_timestamp(ended) + parse_duration(ttl) - inputs.now
        if left <= timedelta(0):
            place = inputs.run.metadata.namespace
            gone.append(Reference("batch/v1", "Job", place, inputs.job.name, inputs.job.uid))
        else:
            requeue = left.total_seconds() + 1
    return replace(decision, delete=tuple(gone), requeue=requeue)


def _start(inputs: RunInputs) -> RunDecision:
    """Nothing runs yet: check the spec, then make the training Job."""
    refusal = evaluate(BEFORE_TRAINING, inputs)
    if refusal is not None:
        return RunDecision(_not_started(inputs, refusal))
    if inputs.run.spec.suspend:
        message = "Suspended by 'spec.suspend'; set it to false to train."
        return RunDecision(Decision(conditions=waiting(RunReason.SUSPENDED, message)))
    status = inputs.run.status.replace(
        spec_digest=spec_digest(inputs.run.spec), start_time=timestamp(inputs.now)
    )
    pending = tuple(unknown(step, RunReason.PENDING) for step in STEPS)
    return RunDecision(
        Decision(
            conditions=(*pending, *waiting(RunReason.TRAINING, "The training Job starts.")),
            status=status,
            requeue=POLL_SECONDS,
        ),
        _training_job(inputs),
    )


def _not_started(inputs: RunInputs, refusal: Refusal) -> Decision:
    """Nothing is made for the run; what others may still do is looked for now and then."""
    missing = {RunReason.DATASET_MISSING, RunReason.BUNDLE_MISSING}
    say = waiting if refusal.reason in missing else stalled
    looked_for = refusal.reason in {*missing, RunReason.DATASET_NOT_OFFERED}
    created = inputs.run.metadata.creation_timestamp
    age = inputs.now - parse_timestamp(created) if created else timedelta(0)
    again = (LOOK_SOON if age < YOUNG else LOOK_SELDOM).total_seconds()
    return Decision(
        conditions=say(refusal.reason, refusal.message), requeue=again if looked_for else None
    )


def _training_job(inputs: RunInputs) -> TrainingJob | None:
    if inputs.policy is None or inputs.urls is None:
        return None  # Without URLs it could deliver nothing; it is looked at again.
    return TrainingJob(train_task(inputs, inputs.policy.spec), inputs.urls)


def _train(inputs: RunInputs, job: JobView) -> RunDecision:
    """The training Job is there: show how far it is, suspend or resume it as the spec says."""
    status = inputs.run.status.replace(
        spec_digest=spec_digest(inputs.run.spec),
        start_time=inputs.run.status.start_time or timestamp(inputs.now),
        progress=inputs.progress,
    )
    suspending = job.suspended != inputs.run.spec.suspend
    refusal = evaluate(DATASET, inputs) if suspending and job.suspended else None
    if refusal is not None:
        return RunDecision(_not_started(inputs, refusal))
    if inputs.run.spec.suspend:
        message = "Suspended by 'spec.suspend'; set it to false to train again from the start."
        conditions = waiting(RunReason.SUSPENDED, message)
    else:
        said = _how_it_goes("training", job, inputs.pod, inputs.run.metadata.namespace)
        conditions = waiting(RunReason.TRAINING, said)
    return RunDecision(
        Decision(conditions=conditions, status=status, requeue=POLL_SECONDS),
        _training_job(inputs) if suspending else None,
    )


def _how_it_goes(which: str, job: JobView, pod: PodView | None, namespace: str) -> str:
    """Return a sentence on a Job that has not ended: what holds it up, as far as is known."""
    if pod is None:
        return (
            f"The {which} Job has no Pod yet; if that lasts, 'kubectl describe job {job.name} -n "
            f"{namespace}' says why (such as a quota, a LimitRange or Pod security)."
        )
    return pod.trouble or f"The {which} Job runs."


def _trained(inputs: RunInputs, result: Training) -> RunDecision:
    """The training Job ended: note what it measured; go on to sealing, or refuse."""
    outcome = result.outcome
    status = inputs.run.status.replace(progress=None, **_measured(outcome))
    if result.refusal is not None:
        return RunDecision(_refuse(inputs, status, result.condition, result.refusal))
    conditions = tuple(holds(name, reason) for name, reason in PASSED.items())
    message = "The model is trained; it is sealed next."
    return RunDecision(
        Decision(
            conditions=(*conditions, *waiting(RunReason.SEALING, message)),
            status=status.replace(manifest_digest=outcome.manifest_digest if outcome else None),
            requeue=0.0,
        )
    )


def _measured(outcome: TrainOutcome | None) -> dict[str, Any]:
    if outcome is None:
        return {}
    return {
        "dataset_fingerprint": outcome.fingerprint,
        "quality": outcome.quality,
        "metrics": list(outcome.metrics),
        "gates": list(outcome.gates),
    }


def _refuse(
    inputs: RunInputs, status: TrainingRunStatus, condition: RunCondition, refusal: Refusal
) -> Decision:
    """End the run: this step's condition is False, those before it True."""
    trained = inputs.run.spec.sealed is None
    names_before = list(STEPS)[: STEPS.index(condition)] if trained else []
    passed = [holds(name, PASSED[name]) for name in names_before]
    step = fails(condition, refusal.reason, refusal.message)
    run = inputs.run.metadata
    event = AuditEvent.SEAL if condition == RunCondition.SEALED else AuditEvent.GATE
    return Decision(
        conditions=(*passed, step, *stalled(refusal.reason, refusal.message)),
        status=status.replace(completion_time=timestamp(inputs.now)),
        records=(
            Record(
                decision_id=_decision_id(event, run.uid, AuditOutcome.REFUSED),
                event=event,
                kind="TrainingRun",
                namespace=run.namespace,
                name=run.name,
                uid=run.uid,
                outcome=AuditOutcome.REFUSED,
                reason=refusal.reason,
                message=refusal.message,
                details={**_asked(inputs), "condition": condition},
            ),
        ),
        requeue=0.0,
    )


def _seal(inputs: RunInputs) -> RunDecision:
    """The model is trained: seal it, verify the seal, create the ModelVersion."""
    if inputs.seal_job is None and not inputs.sealing.is_open:
        said = waits(inputs.run.metadata.namespace)
        again = inputs.sealing.look_again(POLL_SECONDS)
        conditions = waiting(RunReason.SEALING_QUEUED, said)
        return RunDecision(Decision(conditions=conditions, requeue=again))
    if inputs.seal_job is None:
        conditions = waiting(RunReason.SEALING, "The sealing Job starts.")
        job = SealingJob(seal_task(inputs, inputs.policy.spec)) if inputs.policy else None
        return RunDecision(Decision(conditions=conditions, requeue=POLL_SECONDS), job)
    if not inputs.seal_job.finished:
        said = _how_it_goes("sealing", inputs.seal_job, inputs.seal_pod, inputs.system)
        conditions = waiting(RunReason.SEALING, said)
        return RunDecision(Decision(conditions=conditions, requeue=POLL_SECONDS))
    seal = seal_of(inputs)
    if isinstance(seal, Refusal):
        condition = (
            RunCondition.GATES_PASSED
            if seal.reason == RunReason.GATE_FAILED
            else RunCondition.SEALED
        )
        return RunDecision(_refuse(inputs, inputs.run.status, condition, seal))
    conditions = waiting(RunReason.SEALING, "The seal holds; the ModelVersion is created.")
    return RunDecision(
        Decision(
            conditions=conditions,
            status=inputs.run.status.replace(
                gates=list(seal.gates)[:64],
                metrics=most_telling_first(seal.report.metrics, seal.gates)[:64],
            ),
            records=_seal_records(inputs, seal),
            requeue=0.0,
        ),
        SealedVersion(seal, inputs.requester or _unvouched(inputs)),
    )


def _adopt(inputs: RunInputs) -> RunDecision:
    """The bundle was sealed elsewhere: verify its seal, create the ModelVersion."""
    if inputs.run.spec.suspend:
        message = "Suspended by 'spec.suspend'; set it to false to adopt the bundle."
        return RunDecision(Decision(conditions=waiting(RunReason.SUSPENDED, message)))
    refusal = evaluate(BEFORE_ADOPTION, inputs)
    if refusal is not None:
        return RunDecision(_not_started(inputs, refusal))
    seal = adopted(inputs)
    status = inputs.run.status.replace(
        spec_digest=spec_digest(inputs.run.spec),
        start_time=inputs.run.status.start_time or timestamp(inputs.now),
    )
    if isinstance(seal, Refusal):
        gates = seal.reason == RunReason.GATE_FAILED
        condition = RunCondition.GATES_PASSED if gates else RunCondition.SEALED
        return RunDecision(_refuse(inputs, status, condition, seal))
    conditions = waiting(RunReason.SEALING, "The seal holds; the ModelVersion is created.")
    decision = Decision(
        conditions=conditions, status=status, records=_seal_records(inputs, seal), requeue=0.0
    )
    return RunDecision(decision, SealedVersion(seal, inputs.requester or _unvouched(inputs)))


def _unvouched(inputs: RunInputs) -> Requester:
    return Requester(name=inputs.run.spec.requested_by, authenticated=False)


def _asked(inputs: RunInputs) -> dict[str, str]:
    """Return what binds a record to what its run asked for."""
    run = inputs.run
    return {
        "model": run.spec.model,
        "specDigest": run.status.spec_digest or spec_digest(run.spec),
        "requestedBy": run.spec.requested_by,
        "datasetFingerprint": run.status.dataset_fingerprint or "",
    }


def _decision_id(event: AuditEvent, uid: str, outcome: AuditOutcome) -> str:
    """Return the same for the same decision about a run.

    One that took no effect before the operator ended may be another one under the policy of later.
    """
    return f"{event}:{uid}:{outcome}"


def _seal_records(inputs: RunInputs, seal: Seal) -> tuple[Record, ...]:
    run = inputs.run.metadata
    digests = {
        "manifestDigest": seal.claim.outcome.manifest_digest or "",
        "gateReportDigest": seal.claim.outcome.gate_report_digest or "",
    }
    return tuple(
        Record(
            decision_id=_decision_id(event, run.uid, outcome),
            event=event,
            kind="TrainingRun",
            namespace=run.namespace,
            name=run.name,
            uid=run.uid,
            outcome=outcome,
            reason=reason,
            details={**_asked(inputs), **digests},
        )
        for event, outcome, reason in (
            (AuditEvent.GATE, AuditOutcome.PASSED, RunReason.PASSED),
            (AuditEvent.SEAL, AuditOutcome.SEALED, RunReason.SEALED),
        )
    )
