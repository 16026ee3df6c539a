"""Who decided what: a timeline out of the objects, and out of the audit log's records. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest
from itertools import chain

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.audit.record import AuditRecord
from hallmark_dashboard.views.remembered import remembered
from hallmark_dashboard.views.standing import State


@dataclass(frozen=True)
class Decision:
    """One decision.

    Attributes:
        time: When, RFC 3339.
        who: A person, or the operator.
        what: What was decided.
        kind: The kind of the object it is about.
        namespace: The object's namespace.
        name: The object.
        state: How the object stands for it.
        sentence: Why.
    """

    time: str
    who: str
    what: str
    kind: str
    namespace: str
    name: str
    state: State
    sentence: str = ""


OPERATOR = "the operator"
_BAD_OUTCOMES = frozenset({"refused", "held", "stopped", "detected"})
_BAD_EVENTS = frozenset({"deny", "revoke", "rollback"})


def of_versions(versions: Iterable[ModelVersion]) -> Iterable[Decision]:
    """Yield what reviewers decided."""
    return chain.from_iterable(map(_of_version, versions))


@remembered
def _of_version(version: ModelVersion) -> tuple[Decision, ...]:
    return tuple(_votes(version))


def _votes(version: ModelVersion) -> Iterable[Decision]:
    for record in version.status.approvals:
        is_for = not record.decision.is_final
        withdrawn = " (withdrawn)" if record.withdrawn else ""
        uncounted = "" if record.accepted else " (does not count)"
        yield Decision(
            record.time,
            record.approver,
            f"{record.decision}{withdrawn}{uncounted}",
            "ModelVersion",
            version.metadata.namespace,
            version.metadata.name,
            State.GOOD if is_for and record.accepted and not withdrawn else State.STOPPED,
            record.message,
        )


def of_deployments(deployments: Iterable[ModelDeployment]) -> Iterable[Decision]:
    """Yield promotions, rollbacks and actions."""
    return chain.from_iterable(map(_of_deployment, deployments))


@remembered
def _of_deployment(deployment: ModelDeployment) -> tuple[Decision, ...]:
    return tuple(_moves(deployment))


def _moves(deployment: ModelDeployment) -> Iterable[Decision]:
    status, metadata = deployment.status, deployment.metadata
    place = ("Deployment", metadata.namespace, metadata.name)
    for entry in status.history:
        yield Decision(entry.from_, OPERATOR, f"promoted {entry.version}", *place, State.GOOD)
    if rollback := status.last_rollback:
        yield Decision(
            rollback.time,
            OPERATOR,
            f"rolled back from {rollback.from_} to {rollback.to}",
            *place,
            State.STOPPED,
            rollback.message,
        )
    if action := status.last_action:
        what = action.action or "an unreadable action"
        yield Decision(
            action.time, action.by or "somebody", f"{what}", *place, State.GOOD, action.outcome
        )


def of_records(records: Iterable[AuditRecord]) -> Iterable[Decision]:
    """Yield what the audit log tells."""
    for record in records:
        bad = record.outcome in _BAD_OUTCOMES or record.event in _BAD_EVENTS
        yield Decision(
            record.time,
            record.actor,
            _what(record),
            record.kind,
            record.namespace,
            record.name,
            State.STOPPED if bad else State.GOOD,
            record.message or record.reason,
        )


def _what(record: AuditRecord) -> str:
    """Return what was decided in words: ``rollback completed``, ``sealed``."""
    repeats = record.outcome.startswith(record.event)
    return record.outcome if repeats else f"{record.event} {record.outcome}"


def newest(decisions: Iterable[Decision], most: int = 20) -> tuple[Decision, ...]:
    """Return the newest decisions, the newest first."""
    return tuple(nlargest(most, decisions, key=lambda decision: decision.time))
