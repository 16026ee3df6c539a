"""What the Pods' reports have just shown: records in the audit log, and Events. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hallmark.api import names
from hallmark.api.drift_state import AnswerState, DriftState, Verdict
from hallmark.api.model_deployment import ModelDeploymentStatus
from hallmark.api.reasons import DeploymentReason
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import Record
from hallmark.drift.quality import groups_below, newly_below
from hallmark.drift.silence import sentence
from hallmark.policies.decision import Event
from hallmark.policies.model_deployment.conditions import is_rolled_back
from hallmark.policies.model_deployment.drift import drift_evidence
from hallmark.policies.model_deployment.inputs import View
from hallmark.policies.model_deployment.traffic import (
    answers_late,
    has_been_late,
    has_been_wrong,
    has_drifted,
    has_failed,
    has_odd_rows,
    has_rejected,
    requests_fail,
)


def drift_records(before: ModelDeploymentStatus, view: View) -> Iterator[Record]:
    """Return that the traffic has drifted, where it has just now."""
    yield from _rejection_records(before, view)
    yield from _quality_records(before, view)
    yield from _answer_records(before, view)
    yield from _odd_records(before, view)
    drift = _new(before, view, _drifts)
    if drift is None:
        return
    windows = ",".join(f"{pod}:{state.window}" for pod, state in sorted(drift.pods.items()))
    yield _detected(
        view,
        drift,
        ("drift", windows),
        reason=DeploymentReason.DRIFT_DETECTED,
        message=f"The traffic of '{view.status.active_model_version}' has drifted.",
        details={
            "voters": str(drift.voters),
            "drifting": str(drift.drifting),
            **{f"psi.{moved.feature}": moved.psi for moved in drift.top},
            **{f"evidence.{moved.feature}": moved.evidence for moved in drift.top},
            "evidenceNeeded": drift.needed,
        },
        evidence=drift_evidence(view),
    )


def _rejection_records(before: ModelDeploymentStatus, view: View) -> Iterator[Record]:
    """Return that too many rows are refused, where they are just now."""
    drift = _new(before, view, _rejects)
    if drift is None:
        return
    yield _detected(
        view,
        drift,
        ("rejections", _sequences(drift)),
        reason=DeploymentReason.INPUT_REJECTED,
        message=has_rejected(view.status, drift),
        details={"pods": str(drift.rejecting)},
    )


def _quality_records(before: ModelDeploymentStatus, view: View) -> Iterator[Record]:
    """Return that the answers are worse than a floor, where they are just now."""
    drift = _newly_below(before, view)
    if drift is None or drift.quality is None:
        return
    quality = drift.quality
    yield _detected(
        view,
        drift,
        ("quality", _sequences(drift)),
        reason=DeploymentReason.QUALITY_BELOW_FLOOR,
        message=has_been_wrong(view.status, drift),
        details={
            "voters": str(quality.voters),
            "failing": str(quality.failing),
            "accuracy": quality.accuracy,
            "calibrationError": quality.calibration_error,
        }
        | {f"group.{told.group}": told.accuracy for told in groups_below(quality)},
        evidence=drift_evidence(view),
    )


def _answer_records(before: ModelDeploymentStatus, view: View) -> Iterator[Record]:
    """Return that too many requests fail, or too many answers are late, where it is so just now."""
    for reason, message, drift in _new_answers(before, view):
        answers = drift.answers or AnswerState()
        yield _detected(
            view,
            drift,
            ("answers", f"{reason}/{_sequences(drift)}"),
            reason=reason,
            message=message,
            details={"failing": str(answers.failing), "late": str(answers.late_pods)},
        )


def _odd_records(before: ModelDeploymentStatus, view: View) -> Iterator[Record]:
    """Return that clients' rows are odd, where they are so in another way than before."""
    drift = _newly_odd(before, view)
    if drift is None:
        return
    found = ",".join([*drift.odd, str(drift.probing_clients)])
    yield _detected(
        view,
        drift,
        ("odd", f"{found}/{_sequences(drift)}"),
        reason=DeploymentReason.ODD_ROWS,
        message=has_odd_rows(view.status, drift),
        details={"odd": ", ".join(drift.odd), "probingClients": str(drift.probing_clients)},
    )


def _sequences(drift: DriftState) -> str:
    return ",".join(f"{pod}:{seen.sequence}" for pod, seen in sorted(drift.pods.items()))


def _detected(
    view: View,
    drift: DriftState,
    found: tuple[str, str],
    *,
    reason: DeploymentReason,
    message: str,
    details: Mapping[str, str],
    evidence: str = "",
) -> Record:
    """Return the record of what was found in the reports.

    Args:
        view: the record and its surroundings.
        drift: what is shown of the reports.
        found: which kind of finding, and what tells it from others of its kind.
        reason: of the finding.
        message: a sentence.
        details: beside the manifest's digest.
        evidence: what it was made from, packed.
    """
    metadata, digest = view.inputs.deployment.metadata, drift.manifest_digest or ""
    kind, counted = found[0], names.short_hash(found[1])
    since = view.rollout.drift_since or ""
    return Record(
        decision_id="/".join((metadata.uid, kind, names.manifest_label(digest), since, counted)),
        event=AuditEvent.DRIFT,
        kind="Deployment",
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        outcome=AuditOutcome.DETECTED,
        reason=reason,
        message=message,
        details={"manifestDigest": digest, **details},
        evidence=evidence,
    )


def finding_events(before: ModelDeploymentStatus, view: View) -> Iterator[Event]:
    """Return the Events about what was found just now."""
    rejection = _new(before, view, _rejects)
    if rejection is not None:
        message = has_rejected(before, rejection)
        yield Event(DeploymentReason.INPUT_REJECTED, message, warning=True)
    wrong = _newly_below(before, view)
    if wrong is not None:
        message = has_been_wrong(before, wrong)
        yield Event(DeploymentReason.QUALITY_BELOW_FLOOR, message, warning=True)
    for reason, message, _ in _new_answers(before, view):
        yield Event(reason, message, warning=True)
    odd = _newly_odd(before, view)
    if odd is not None:
        yield Event(DeploymentReason.ODD_ROWS, has_odd_rows(before, odd), warning=True)
    drift = _new(before, view, _drifts)
    if drift is not None:
        again = is_rolled_back(before) and view.rollout.drift_rollback_spent
        reason = DeploymentReason.TARGET_DRIFTS if again else DeploymentReason.DRIFT_DETECTED
        yield Event(reason, has_drifted(before, drift), warning=True)
    yield from _silence_events(before.drift_state or DriftState(), view.status.drift_state)


def _silence_events(before: DriftState, now: DriftState | None) -> Iterator[Event]:
    if now is not None and now.silent_pods and not before.silent_pods:
        message = f"{sentence(now)}, so that nobody knows whether their traffic drifts."
        yield Event(DeploymentReason.REPORTS_MISSING, message, warning=True)


def _new(
    before: ModelDeploymentStatus, view: View, holds: Callable[[DriftState], bool]
) -> DriftState | None:
    """Return the drift state where something holds of it that did not hold of this version."""
    now, then = view.status.drift_state, before.drift_state
    if now is None or not holds(now):
        return None
    same = then is not None and then.manifest_digest == now.manifest_digest
    return None if same and then is not None and holds(then) else now


def _drifts(state: DriftState) -> bool:
    return state.verdict is Verdict.DRIFT


def _rejects(state: DriftState) -> bool:
    return state.input_rejected


def _new_answers(
    before: ModelDeploymentStatus, view: View
) -> Iterator[tuple[DeploymentReason, str, DriftState]]:
    """Yield what has become wrong with the answers just now: its reason and its sentence."""
    drift = view.inputs.deployment.spec.drift
    if (now := _new(before, view, requests_fail)) is not None:
        yield DeploymentReason.REQUESTS_FAIL, has_failed(before, now, drift), now
    if (now := _new(before, view, answers_late)) is not None:
        yield DeploymentReason.ANSWERS_LATE, has_been_late(before, now, drift), now


def _newly_below(before: ModelDeploymentStatus, view: View) -> DriftState | None:
    """Return the drift state where a floor of the truth is missed that was not before."""
    now, then = view.status.drift_state, before.drift_state
    if now is None or now.quality is None:
        return None
    same = then is not None and then.manifest_digest == now.manifest_digest
    former = then.quality if same and then is not None else None
    return now if newly_below(former, now.quality) else None


def _newly_odd(before: ModelDeploymentStatus, view: View) -> DriftState | None:
    """Return the drift state where clients' rows are odd in a way that they were not."""
    now, then = view.status.drift_state, before.drift_state
    if now is None or not now.odd:
        return None
    if then is None or then.manifest_digest != now.manifest_digest:
        return now
    more = now.probing_clients > then.probing_clients or set(now.odd) - set(then.odd)
    return now if more else None
