"""What the traffic gives as a reason to roll back: drift, refused rows, probing, or the truth."""

from __future__ import annotations

from hallmark.api.model_deployment import (
    Drift,
    DriftState,
    ModelDeploymentStatus,
    OnRejections,
    Verdict,
)
from hallmark.drift.odd import odd_sentence, probing_rolls_back
from hallmark.drift.quality import is_below_floor, quality_rolls_back


def reason_to_roll_back(status: ModelDeploymentStatus, drift: Drift) -> str | None:
    """Return the sentence that says why the traffic asks for a rollback, or None."""
    state = status.drift_state
    if state is None or state.manifest_digest != status.active_digest:
        return None
    if state.verdict is Verdict.DRIFT:
        return has_drifted(status, state)
    declared = drift.rejections
    if state.input_rejected and declared and declared.then is OnRejections.ROLLBACK:
        return has_rejected(status, state)
    if quality_rolls_back(state, drift):
        return has_failed(status, state)
    if probing_rolls_back(state, drift):
        return has_odd_rows(status, state)
    return None


def is_off(state: DriftState | None) -> bool:
    """Tell whether the traffic drifts, is refused or answered badly: what serves is not stable."""
    if state is None:
        return False
    return state.verdict is Verdict.DRIFT or state.input_rejected or is_below_floor(state)


def has_drifted(status: ModelDeploymentStatus, drift: DriftState) -> str:
    """Return the sentence that names the version whose traffic moved, and the features."""
    moved = ", ".join(f"{moved.feature} (PSI {moved.psi})" for moved in drift.top[:3])
    return f"The traffic of '{status.active_model_version}' has drifted: {moved}."


def has_rejected(status: ModelDeploymentStatus, drift: DriftState) -> str:
    """Return the sentence that names the version that refuses its rows, and what for."""
    what = f": {drift.rejected_for}" if drift.rejected_for else ""
    return f"'{status.active_model_version}' refuses too many of its rows{what}."


def has_failed(status: ModelDeploymentStatus, drift: DriftState) -> str:
    """Return the sentence that names the version whose answers did not come true often enough."""
    quality = drift.quality
    if quality is None:
        return ""
    return (
        f"The answers of '{status.active_model_version}' came true less often than declared, or "
        f"not as often as their scores say: accuracy {quality.accuracy}, calibration error "
        f"{quality.calibration_error} in the newest {quality.outcomes} outcomes."
    )


def has_odd_rows(status: ModelDeploymentStatus, drift: DriftState) -> str:
    """Return the sentence that names the version, and what is odd of its clients' rows."""
    return f"Of the rows that '{status.active_model_version}' answers: {odd_sentence(drift)}"
