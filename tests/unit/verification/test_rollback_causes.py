"""A rollback that the traffic gave needs the record of what was found before it."""

from __future__ import annotations

import pytest

from hallmark.api.reasons import DeploymentReason as Reason
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import AuditRecord
from hallmark.verification.deployments import Watched, deployment_links
from hallmark.verification.links import State
from hallmark.verification.recorded import Recorded
from hallmark.verification.registry import DeploymentEntry

UID, DIGEST = "uid-1", "sha256:" + "a" * 64
ENTRY = DeploymentEntry.model_construct(namespace="bank", name="credit", uid=UID)
FOUND = {
    Reason.DRIFT_ROLLBACK: (Reason.DRIFT_DETECTED, Reason.INPUT_REJECTED, Reason.ODD_ROWS),
    Reason.ERROR_ROLLBACK: (Reason.REQUESTS_FAIL,),
    Reason.LATENCY_ROLLBACK: (Reason.ANSWERS_LATE,),
}
ALL = sorted({reason for reasons in FOUND.values() for reason in reasons})


def record(seq: int, event: str, outcome: str, reason: str, **details: str) -> AuditRecord:
    return AuditRecord(
        seq=seq,
        time="2026-11-28T12:00:00.000000Z",
        event=event,
        kind="Deployment",
        namespace="bank",
        name="credit",
        uid=UID,
        outcome=outcome,
        reason=reason,
        message="Why.",
        actor="operator",
        decision_id=str(seq),
        details=details,
        prev="sha256:" + "0" * 64,
        hash="sha256:" + "0" * 64,
        signature="AAAA",
    )


def holds(cause: Reason, found: str, digest: str, first: int = 1) -> bool:
    """Whether the rollback's link holds, after one finding about some bytes."""
    recorded = Recorded(
        [
            record(first, AuditEvent.DRIFT, AuditOutcome.DETECTED, found, manifestDigest=digest),
            record(first + 1, AuditEvent.ROLLBACK, AuditOutcome.STARTED, cause, fromDigest=DIGEST),
        ]
    )
    links = {link.name: link for link in deployment_links(Watched(ENTRY, recorded, {}, {}))}
    return links[f"rollback (record {first + 1})"].state is State.HOLDS


@pytest.mark.parametrize("found", ALL)
@pytest.mark.parametrize("cause", FOUND)
def test_only_the_finding_that_leads_to_it_is_its_cause(cause: Reason, found: Reason) -> None:
    assert holds(cause, found, DIGEST) is (found in FOUND[cause])
    assert not holds(cause, found, "sha256:" + "b" * 64), "it is about other bytes"
    assert holds(cause, found, "sha256:" + "b" * 64, first=7), "earlier records are gone"
