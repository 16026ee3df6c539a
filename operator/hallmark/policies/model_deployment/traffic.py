"""What the traffic gives as a reason to roll back: drift, rejections, probing, errors, truth."""

from __future__ import annotations

from collections.abc import Sequence

from hallmark.api.drift import Drift, OnRejections
from hallmark.api.drift_state import DriftState, Verdict
from hallmark.api.feedback import GroupQuality
from hallmark.api.model_deployment import ModelDeploymentStatus
from hallmark.api.reasons import DeploymentReason
from hallmark.drift.answers import failing_sentence, late_sentence
from hallmark.drift.odd import odd_sentence, probing_rolls_back
from hallmark.drift.quality import GROUPS_SAID, groups_below, is_below_floor, quality_rolls_back


def reason_to_roll_back(
    status: ModelDeploymentStatus, drift: Drift
) -> tuple[DeploymentReason, str] | None:
    """Return the cause of the rollback that the traffic asks for, and why; or None."""
    cause = DeploymentReason.DRIFT_ROLLBACK
    state = status.drift_state
    if state is None or state.manifest_digest != status.active_digest:
        return None
    if state.verdict is Verdict.DRIFT:
        return cause, has_drifted(status, state)
    declared = drift.rejections
    if state.input_rejected and declared and declared.then is OnRejections.ROLLBACK:
        return cause, has_rejected(status, state)
    if quality_rolls_back(state, drift):
        return cause, has_been_wrong(status, state)
    if probing_rolls_back(state, drift):
        return cause, has_odd_rows(status, state)
    limits = drift.requests
    if limits is None or limits.then is not OnRejections.ROLLBACK:
        return None
    if requests_fail(state):
        return DeploymentReason.ERROR_ROLLBACK, has_failed(status, state, drift)
    if answers_late(state):
        return DeploymentReason.LATENCY_ROLLBACK, has_been_late(status, state, drift)
    return None


def requests_fail(state: DriftState) -> bool:
    """Tell whether more requests fail than may."""
    return state.answers is not None and state.answers.fails


def answers_late(state: DriftState) -> bool:
    """Tell whether more answers are late than may be."""
    return state.answers is not None and state.answers.late


def is_off(state: DriftState | None) -> bool:
    """Tell whether the traffic drifts, is refused or is ill served: then nothing is stable."""
    if state is None:
        return False
    drifts = state.verdict is Verdict.DRIFT or is_below_floor(state)
    return drifts or state.input_rejected or requests_fail(state) or answers_late(state)


def has_drifted(status: ModelDeploymentStatus, drift: DriftState) -> str:
    """Return the sentence that names the version whose traffic moved, and the features."""
    moved = ", ".join(f"{moved.feature} (PSI {moved.psi})" for moved in drift.top[:3])
    return f"The traffic of '{status.active_model_version}' has drifted: {moved}."


def has_rejected(status: ModelDeploymentStatus, drift: DriftState) -> str:
    """Return the sentence that names the version that refuses its rows, and what for."""
    what = f": {drift.rejected_for}" if drift.rejected_for else ""
    return f"'{status.active_model_version}' refuses too many of its rows{what}."


def has_been_wrong(status: ModelDeploymentStatus, drift: DriftState) -> str:
    """Return the sentence that names the version whose answers did not come true often enough."""
    quality = drift.quality
    if quality is None:
        return ""
    short = groups_below(quality)
    below = [f"{_of_group(told)})" for told in short if told.below_floor]
    behind = [
        f"{_of_group(told)}, {told.gap} behind '{told.behind}')" for told in short if told.lags
    ]
    of = _named("Below the floor of groups", below) + _named("Too far behind", behind)
    return (
        f"The answers of '{status.active_model_version}' came true less often than declared, or "
        f"not as often as their scores say: accuracy {quality.accuracy}, calibration error "
        f"{quality.calibration_error} in the newest {quality.outcomes} outcomes.{of}"
    )


def _of_group(told: GroupQuality) -> str:
    return f"'{told.group}' (accuracy {told.accuracy} in {told.outcomes} outcomes"


def _named(what: str, groups: Sequence[str]) -> str:
    more = f" and {len(groups) - GROUPS_SAID} more" if len(groups) > GROUPS_SAID else ""
    return f" {what}: {', '.join(groups[:GROUPS_SAID])}{more}." if groups else ""


def has_odd_rows(status: ModelDeploymentStatus, drift: DriftState) -> str:
    """Return the sentence that names the version, and what is odd of its clients' rows."""
    return f"Of the rows that '{status.active_model_version}' answers: {odd_sentence(drift)}"


def has_failed(status: ModelDeploymentStatus, state: DriftState, drift: Drift) -> str:
    """Return the sentence that names the version that fails too many of its requests."""
    name, answers = f"'{status.active_model_version}'", state.answers
    if answers is None or drift.requests is None:
        return f"{name} fails too many of its requests."
    return f"{name} fails too many of its requests. {failing_sentence(answers, drift.requests)}"


def has_been_late(status: ModelDeploymentStatus, state: DriftState, drift: Drift) -> str:
    """Return the sentence that names the version whose answers take too long."""
    name, answers = f"'{status.active_model_version}'", state.answers
    if answers is None or drift.requests is None:
        return f"{name} takes too long for its answers."
    return f"{name} takes too long for its answers. {late_sentence(answers, drift.requests)}"
