"""Too many refused rows: what the object, the audit log and the events say."""

import pytest

from hallmark.audit.events import AuditEvent
from hallmark.policies.model_deployment.conditions import conditions
from hallmark.policies.model_deployment.findings import drift_records
from hallmark.policies.model_deployment.traffic import is_off
from tests.unit.policies.model_deployment.rollouts import (
    drifted,
    entry,
    serving_status,
    version,
    view,
)

CALM = serving_status(entry(2, start=10)).replace(drift_state=drifted(2, "NoDrift"))
REJECTING = CALM.replace(
    drift_state=drifted(2, "NoDrift").replace(
        input_rejected=True, rejecting=1, rejected_for="'age' is missing"
    )
)


def test_the_condition_says_so_without_hiding_drift() -> None:
    said = {one.type: one for one in conditions(view(REJECTING, version(2)), None, "Too many.")}
    found = said["DriftDetected"]
    assert (found.status, found.reason, found.message) == ("True", "InputRejected", "Too many.")
    both = REJECTING.replace(drift_state=drifted(2).replace(input_rejected=True))
    said = {one.type: one for one in conditions(view(both, version(2)), None, "Moved.")}
    assert said["DriftDetected"].reason == "DriftDetected"


def test_it_is_one_record_when_it_begins() -> None:
    (record,) = drift_records(CALM, view(REJECTING, version(2)))
    assert (record.event, record.reason) == (AuditEvent.DRIFT, "InputRejected")
    assert "refuses too many of its rows: 'age' is missing." in record.message
    assert list(drift_records(REJECTING, view(REJECTING, version(2)))) == []


@pytest.mark.parametrize(("status", "off"), [(CALM, False), (REJECTING, True)])
def test_what_refuses_its_rows_does_not_become_stable(status: object, off: bool) -> None:
    assert is_off(status.drift_state) is off  # type: ignore[attr-defined]
