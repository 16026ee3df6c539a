"""What must stop where a ModelDeployment cannot be decided about: a bug must not keep it serving.

It stands on ``withdrawal.py`` alone, and takes Pods away; nothing takes over. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hallmark.api import names
from hallmark.api.reasons import DeploymentReason
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import Record
from hallmark.policies.model_deployment.inputs import DeploymentInputs, View
from hallmark.policies.model_deployment.withdrawal import (
    deadline,
    ends_without_target,
    must_give_way,
    must_stop,
    noted,
    withdrawn,
)
from hallmark.refusal import Refusal


@dataclass(frozen=True)
class LastResort:
    """What loses all of its Pods."""

    stops: frozenset[str] = frozenset()
    """Manifest labels."""
    records: tuple[Record, ...] = ()
    since: str | None = None
    """Since when what serves must give way."""
    again: datetime | None = None
    """When what serves on for a while must stop."""


def last_resort(inputs: DeploymentInputs, running: frozenset[str]) -> LastResort:
    """Return what must stop now, and when to look again.

    Args:
        inputs: the record, the versions of the namespace, the policy and the time; nothing else.
        running: manifest labels of the workloads that have Pods.
    """
    status = inputs.deployment.status
    view = View(inputs, status.replace(rollout=noted(status, inputs)))
    refused = {
        names.manifest_label(digest): refusal
        for digest in {version.spec.artifact.manifest_digest for version in inputs.versions}
        if (refusal := withdrawn(digest, inputs)) is not None
    }
    stops = refused.keys() & running
    again = None
    if must_give_way(view) is not None and not _is_over(view):
        # It may serve until its deadline; by then somebody may have mended the operator.
        stops -= {names.manifest_label(status.active_digest or "")}
        again = deadline(view) if ends_without_target(view) else None
    return LastResort(
        frozenset(stops),
        tuple(_records(inputs, {label: refused[label] for label in sorted(stops)})),
        view.rollout.withdrawn_since,
        again,
    )


def _is_over(view: View) -> bool:
    """Tell whether what serves has no more time."""
    overdue = ends_without_target(view) and deadline(view) <= view.inputs.now
    return must_stop(view) or view.stopped or overdue


def _records(inputs: DeploymentInputs, stopped: dict[str, Refusal]) -> Iterator[Record]:
    metadata = inputs.deployment.metadata
    for label, refusal in stopped.items():
        yield Record(
            decision_id="/".join((metadata.uid, "LastResort", label, refusal.reason)),
            event=AuditEvent.ROLLBACK,
            kind="Deployment",
            namespace=metadata.namespace,
            name=metadata.name,
            uid=metadata.uid,
            outcome=AuditOutcome.STOPPED,
            reason=DeploymentReason.STOPPED,
            message=f"{refusal.message} The operator cannot decide about the object, and stops it.",
            actor=names.OPERATOR_NAME,
            details={"manifest": label, "withdrawn": refusal.reason},
        )
