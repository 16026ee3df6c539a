"""What a run's training and sealing Job came to; neither's word is trusted alone."""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.api.files import REFUSED_EXIT_CODE
from hallmark.api.reasons import RunReason
from hallmark.api.tasks import SealOutcome, TrainOutcome, TrainStage
from hallmark.api.training_run import RunCondition
from hallmark.policies.training_run.inputs import RunInputs
from hallmark.policies.training_run.jobs import JobView, PodView, parse_outcome
from hallmark.policies.training_run.seal import Claim, Seal, verify_claim
from hallmark.refusal import Refusal

_STAGES = (
    (TrainStage.SOURCE, RunCondition.DATA_VALIDATED, RunReason.SOURCE_REFUSED),
    (TrainStage.FINGERPRINT, RunCondition.DATA_VALIDATED, RunReason.FINGERPRINT_MISMATCH),
    (TrainStage.DATA, RunCondition.DATA_VALIDATED, RunReason.DATA_INVALID),
    (TrainStage.PII, RunCondition.PII_CLEAR, RunReason.PII_FOUND),
    (TrainStage.TRAIN, RunCondition.TRAINED, RunReason.INVALID_SPEC),
    (TrainStage.GATES, RunCondition.GATES_PASSED, RunReason.GATE_FAILED),
)
"""A training Job's stages in order, the condition of each, and the reason of its refusal."""
PASSED = {
    RunCondition.DATA_VALIDATED: RunReason.VALID,
    RunCondition.PII_CLEAR: RunReason.CLEAR,
    RunCondition.TRAINED: RunReason.FITTED,
    RunCondition.GATES_PASSED: RunReason.PASSED,
}
STEPS = (*PASSED, RunCondition.SEALED)


@dataclass(frozen=True)
class Training:
    """What a training Job came to."""

    outcome: TrainOutcome | None
    refusal: Refusal | None
    """Why it ended without a model; None where it trained one."""
    condition: RunCondition = RunCondition.TRAINED
    """The condition that the refusal belongs to."""


def training_result(job: JobView, pod: PodView | None) -> Training:
    """Return what a finished training Job came to; its message is not trusted."""
    if job.reason == "DeadlineExceeded":
        return Training(
            None,
            Refusal(
                RunReason.DEADLINE_EXCEEDED,
                "The training Job did not end within 'activeDeadline'; give it more time or "
                "resources, or less data." + (f" {pod.trouble}" if pod and pod.trouble else ""),
            ),
        )
    outcome = parse_outcome(TrainOutcome, pod.message) if pod else None
    if outcome is None:
        return Training(None, Refusal(RunReason.TRAINING_FAILED, _ended_without_word(job, pod)))
    done = outcome.stage is TrainStage.DONE and outcome.manifest_digest and outcome.fingerprint
    if job.complete and done:
        return Training(outcome, None)
    for stage, condition, reason in _STAGES:
        if outcome.stage is stage and pod is not None and pod.exit_code == REFUSED_EXIT_CODE:
            said = outcome.message or f"The training Job refused at the stage {stage}."
            return Training(outcome, Refusal(reason, said), condition)
    said = outcome.message or _ended_without_word(job, pod)
    return Training(outcome, Refusal(RunReason.TRAINING_FAILED, said))


def _ended_without_word(job: JobView, pod: PodView | None) -> str:
    if pod is None:
        return (
            "The training Job ended and its Pod is gone, so its outcome cannot be read; create "
            "the run again under another name."
        )
    if pod.end_reason == "OOMKilled":
        return (
            "The training Pod needed more memory than 'resources.limits.memory' allows; raise it "
            "in a new run."
        )
    code = "no exit code" if pod.exit_code is None else f"exit code {pod.exit_code}"
    return (
        f"Expected a training outcome in the Pod's termination message, found {code} and none "
        f"that can be read; see the log of Job '{job.name}' and create a new run."
    )


def seal_of(inputs: RunInputs) -> Seal | Refusal:
    """Return the seal of a finished sealing Job, or why it is no seal."""
    outcome = seal_outcome(inputs)
    if isinstance(outcome, Refusal):
        return outcome
    if inputs.policy is None or inputs.evidence is None:
        return Refusal(RunReason.SEALING_FAILED, "The sealed bundle was not read from the store.")
    return verify_claim(Claim(inputs.run, inputs.policy.spec, outcome, inputs.evidence, inputs.now))


def seal_outcome(inputs: RunInputs) -> SealOutcome | Refusal:
    """Return what a finished sealing Job sealed, or why it did not."""
    job, pod = inputs.seal_job, inputs.seal_pod
    outcome = parse_outcome(SealOutcome, pod.message) if pod else None
    if job is not None and job.complete and outcome is not None and outcome.sealed:
        return outcome
    code = pod.exit_code if pod else None
    if outcome is not None and not outcome.sealed and code == REFUSED_EXIT_CODE:
        said = outcome.message or "The sealing Job refused the artifacts."
        return Refusal(RunReason.SEAL_REFUSED, said)
    said = f" It said: {outcome.message}" if outcome and outcome.message else ""
    why = (
        job.reason if job and job.reason else f"exit code {code}" if code is not None else "no Pod"
    )
    return Refusal(
        RunReason.SEALING_FAILED,
        f"Expected a sealing outcome, found none ({why}); ask the platform team for the log of "
        f"the sealing Job in namespace '{inputs.system}', then create a new run.{said}",
    )
