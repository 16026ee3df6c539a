"""What the log says of objects that are gone, and what an export may leave out because of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hallmark.api.texts import timestamp
from hallmark.audit.events import LOG_KIND, AuditEvent, AuditOutcome
from hallmark.audit.memory import Known
from hallmark.audit.record import AuditRecord, Record, build_record
from hallmark.audit.verify import AuditVerdict
from hallmark.policies.deletions import (
    DeletionReason,
    deletion_record,
    deletions_are_recorded,
)
from hallmark.verification.gather import Objects, gather
from hallmark.verification.history import served_at
from hallmark.verification.log import Log
from hallmark.verification.recorded import Recorded, Thing
from hallmark.verification.registry import DeploymentEntry, GoneEntry, Registry
from hallmark.verification.wholeness import complete_link, went
from tests.unit.supply_chain.factories import NOW

DIGEST = "sha256:" + "1" * 64
WHOSE = {"namespace": "bank", "name": "credit", "uid": "u1"}


def about(kind: str, event: AuditEvent, outcome: AuditOutcome, **details: str) -> Record:
    name, uid = WHOSE["name"], WHOSE["uid"]
    return Record(f"{kind}{event}{outcome}", event, kind, "bank", name, uid, outcome, "", "", "",
                  details)  # fmt: skip


def gone(kind: str) -> Record:
    return deletion_record(Known(kind, "bank", "credit", "u1", 1), DeletionReason.DELETED)


def log(*records: Record) -> Recorded:
    """Return a log of these records, one each hour."""
    made: list[AuditRecord] = []
    for seq, record in enumerate(records, 1):
        time = timestamp(NOW + timedelta(hours=seq))
        made.append(build_record(record, seq, time, "sha256:" + "0" * 64))
    return Recorded(made)


SEALED = about(
    "TrainingRun", AuditEvent.SEAL, AuditOutcome.SEALED, model="m", manifestDigest=DIGEST
)
PROMOTED = about("Deployment", AuditEvent.PROMOTE, AuditOutcome.PROMOTED, modelVersion="v1",
                 manifestDigest=DIGEST)  # fmt: skip
COMPLETE = deletions_are_recorded()


@pytest.mark.parametrize("kind", ["TrainingRun", "ModelVersion", "Deployment"])
@pytest.mark.parametrize(
    ("marked", "deleted", "expected"),
    [(True, False, False), (True, True, True), (False, True, True), (False, False, True)],
    ids=["hidden", "deleted", "deleted, of an earlier release", "of an earlier release"],
)
def test_an_object_may_be_missing_where_the_log_says_so_or_cannot(
    kind: str, *, marked: bool, deleted: bool, expected: bool
) -> None:
    records = [about(kind, AuditEvent.VERIFY, AuditOutcome.PASSED)]
    records += [COMPLETE] if marked else []
    records += [gone(kind)] if deleted else []
    thing = Thing(kind, "bank", "credit", "u1")
    assert went(thing, log(*records), set()) is expected
    registry = Registry(
        namespaces=["bank"], gone=[GoneEntry.model_validate({"kind": kind, **WHOSE})]
    )
    link = complete_link(registry, log(*records))
    assert (link.state.value == "holds") is expected
    if not expected:
        assert "no record says that it went" in link.said


@pytest.mark.parametrize("deleted", [True, False])
def test_what_the_log_says_is_gone_is_not_there(*, deleted: bool) -> None:
    entry = DeploymentEntry.model_validate(WHOSE)
    registry = Registry(namespaces=["bank"], deployments=[entry])
    records = [PROMOTED, *([gone("Deployment")] if deleted else [])]
    link = complete_link(registry, log(*records))
    assert (link.state.value == "broken") is deleted
    assert ("record 2 says that it is gone" in link.said) is deleted


def test_a_decision_on_a_version_that_is_gone_goes_with_it_and_no_other_does() -> None:
    said = about("ModelVersion", AuditEvent.APPROVE, AuditOutcome.ACCEPTED, approvalUid="a1")
    thing = Thing("ModelApproval", "bank", "yes", "a1")
    recorded = log(said, COMPLETE)
    assert went(thing, recorded, set())
    assert not went(thing, recorded, {"u1"}), "Its version is there."
    refused = about("ModelVersion", AuditEvent.APPROVE, AuditOutcome.REFUSED, approvalUid="a1")
    assert not went(thing, log(refused, COMPLETE), {"u1"}), "A refused one does not go by itself."
    assert went(thing, log(refused), {"u1"})


def test_what_a_deployment_served_ends_with_it() -> None:
    recorded = log(SEALED, PROMOTED, gone("Deployment"))
    before, after = NOW + timedelta(hours=2), NOW + timedelta(hours=3)
    (served,) = served_at(recorded, "m", before)
    assert served.version == "v1"
    assert served.until == timestamp(after)
    (nothing,) = served_at(recorded, "m", after)
    assert (nothing.version, nothing.how) == ("", "delete")


def test_the_mark_is_about_the_log_and_no_object() -> None:
    recorded = log(COMPLETE)
    assert recorded.names_deletions
    assert recorded.things() == set()
    assert COMPLETE.kind == LOG_KIND


@pytest.mark.parametrize("deleted", [True, False])
def test_who_exports_is_told_of_what_the_log_does_not_say_yet(*, deleted: bool) -> None:
    records = [PROMOTED, COMPLETE, *([gone("Deployment")] if deleted else [])]
    recorded = log(*records)
    found = gather(Objects(), None, Log(AuditVerdict(True, 2, (), ()), recorded, None, "key"))
    assert [one.name for one in found.registry.gone] == ["credit"]
    assert bool(found.left_out) is not deleted
    assert all("Take a newer copy of the log" in said for said in found.left_out)
