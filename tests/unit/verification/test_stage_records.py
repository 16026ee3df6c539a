"""What came before a record about the same candidate, held against a look at all that came."""

from __future__ import annotations

from hypothesis import given, strategies as st

from hallmark.api.model_deployment import ModelDeploymentSpec
from hallmark.api.texts import timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import FIRST_PREVIOUS, Record, build_record
from hallmark.policies.model_deployment.stage import Stage
from hallmark.policies.model_version.demands import demands_of
from hallmark.verification.stage_records import Before, Place, begins, gives
from tests.examples import examples
from tests.unit.policies.model_deployment.rollouts import NOW, digest, policy

STAGE = Stage(
    manifest_digest=digest(1),
    spec=ModelDeploymentSpec(model="credit"),
    since=timestamp(NOW),
    until=timestamp(NOW),
)
KEPT = {step: demands_of(policy(), STAGE.replace(begins=step)) for step in (None, 0, 1)}
STARTED, DONE = AuditOutcome.STARTED, AuditOutcome.DONE


def said(
    event: AuditEvent, outcome: AuditOutcome, reason: str = "", evidence: str = "", action: str = ""
) -> Record:
    details = {"action": action} if action else {}
    return Record("", event, "Deployment", "bank", "credit", "d", outcome, reason,
                  details=details, evidence=evidence)  # fmt: skip


RECORDS = (
    *(said(AuditEvent.PROMOTE, STARTED, "Canary", kept) for kept in (*KEPT.values(), "")),
    *(said(AuditEvent.PROMOTE, STARTED, "Mirroring", kept) for kept in (KEPT[None], "")),
    said(AuditEvent.PROMOTE, STARTED, "Starting"),
    said(AuditEvent.PROMOTE, AuditOutcome.PROMOTED, "Promoted"),
    said(AuditEvent.PROMOTE, AuditOutcome.REFUSED, "CanaryFailed", KEPT[0]),
    said(AuditEvent.PROMOTE, AuditOutcome.STABLE, "Stable"),
    said(AuditEvent.ACTION, DONE, action="promote"),
    said(AuditEvent.ACTION, DONE, action="pause"),
    said(AuditEvent.ACTION, AuditOutcome.REFUSED, action="promote"),
)
PLACES = (Place("Mirroring"), *(Place("Canary", step) for step in (None, 0, 1, 2)), Place())
LINES = [build_record(said, 1, timestamp(NOW), FIRST_PREVIOUS) for said in RECORDS]
FITS = {
    place: {number for number, line in enumerate(LINES) if place.may_be_begun_by(line)}
    for place in PLACES
}
LOGS = st.lists(st.integers(0, len(LINES) - 1), max_size=8)


@examples(100)
@given(LOGS)
def test_whatever_came_before_is_found_without_a_look_at_all(kinds: list[int]) -> None:
    log = [LINES[kind].replace(seq=number) for number, kind in enumerate(kinds, 1)]
    before = Before()
    for record in log:
        before.add(record)
    all_traffic = [number for number, record in enumerate(log, 1) if gives(record)]
    since = max(all_traffic, default=0)
    begun = [record for record in reversed(log) if begins(record) and record.seq > since]
    assert list(before.begun()) == begun
    assert before.last_begun == next(iter(begun), None)
    for place, fits in FITS.items():
        found = [one for one, kind in zip(log, kinds, strict=True) if begins(one) and kind in fits]
        assert before.last_to_begin(place) == (found[-1] if found else None)
    asked = [one for one in log if (one.event, one.outcome) == (AuditEvent.ACTION, DONE)]
    by_hand = any(record.details["action"] == "promote" for record in asked)
    assert before.promoted_by_a_person is by_hand


def test_what_came_later_is_found_as_well() -> None:
    before, place = Before(), Place("Canary", 0)
    first, second = (LINES[1].replace(seq=number) for number in (1, 2))
    for record in (first, second):
        before.add(record)
        assert before.last_to_begin(place) == record
