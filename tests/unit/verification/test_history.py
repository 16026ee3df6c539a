"""What the log alone says of a moment: who answered, alone or beside another, and what is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import AuditRecord, Record, build_record
from hallmark.verification.history import models_named, served_at, without_model
from hallmark.verification.recorded import Recorded
from tests.unit.supply_chain.factories import NOW

FIRST, SECOND = ("sha256:" + digit * 64 for digit in "12")


def log(*records: Record, first: int = 1) -> Recorded:
    """Return a log of these records, one each hour; a later ``first``: what is still kept."""
    made: list[AuditRecord] = []
    for seq, record in enumerate(records, first):
        made.append(build_record(record, seq, timestamp(at(seq)), "sha256:" + "0" * 64))
    return Recorded(made)


def at(seq: int) -> datetime:
    """Return when a record was written."""
    return NOW + timedelta(hours=seq)


def sealed(digest: str, model: str = "m") -> Record:
    """Return the record of a seal."""
    details = {"model": model, "manifestDigest": digest}
    return Record(f"seal/{digest}", AuditEvent.SEAL, "TrainingRun", "bank", "run", digest,
                  AuditOutcome.SEALED, "", "", "", details)  # fmt: skip


def told(
    event: AuditEvent,
    outcome: AuditOutcome,
    reason: str = "",
    *,
    digest: str = SECOND,
    name: str = "credit",
    **details: str,
) -> Record:
    """Return a record about a ModelDeployment."""
    number = {FIRST: "v1", SECOND: "v2"}[digest]
    known = {"modelVersion": number, "manifestDigest": digest, **details}
    return Record(f"{event}/{outcome}/{reason}/{digest}/{details}", event, "Deployment", "bank",
                  name, name, outcome, reason, f"{number} {reason}", "", known)  # fmt: skip


def promoted(digest: str, name: str = "credit") -> Record:
    return told(AuditEvent.PROMOTE, AuditOutcome.PROMOTED, digest=digest, name=name)


STARTED = AuditOutcome.STARTED
SHARE = told(AuditEvent.PROMOTE, STARTED, DeploymentReason.CANARY)
STAND_IN = told(AuditEvent.PROMOTE, AuditOutcome.HELD, DeploymentReason.UNAVAILABLE, digest=FIRST)
BEGUN = (sealed(FIRST), sealed(SECOND), promoted(FIRST))
THEN: dict[str, tuple[Record, bool]] = {
    "the next step": (told(AuditEvent.PROMOTE, STARTED, DeploymentReason.CANARY, step="2"), True),
    "what served is stable": (
        told(AuditEvent.PROMOTE, AuditOutcome.STABLE, digest=FIRST),
        True,
    ),
    "drift is seen": (told(AuditEvent.DRIFT, AuditOutcome.DETECTED, digest=FIRST), True),
    "a person holds": (told(AuditEvent.ACTION, AuditOutcome.DONE, action="hold"), True),
    "an abort is refused": (told(AuditEvent.ACTION, AuditOutcome.REFUSED, action="abort"), True),
    "a person aborts": (told(AuditEvent.ACTION, AuditOutcome.DONE, action="abort"), False),
    "its numbers speak against it": (
        told(AuditEvent.PROMOTE, AuditOutcome.REFUSED, DeploymentReason.CANARY_FAILED),
        False,
    ),
    "it is refused": (told(AuditEvent.VERIFY, AuditOutcome.REFUSED), False),
    "another candidate begins": (told(AuditEvent.VERIFY, AuditOutcome.PASSED), False),
    "copies begin": (told(AuditEvent.PROMOTE, STARTED, DeploymentReason.MIRRORING), False),
    "what served gives way": (told(AuditEvent.ROLLBACK, STARTED, digest=FIRST), False),
}


@pytest.mark.parametrize("case", THEN)
def test_a_candidate_answers_beside_until_its_share_ends(case: str) -> None:
    then, answers = THEN[case]
    recorded = log(*BEGUN, SHARE, then)
    (before,) = served_at(recorded, "m", at(4) - timedelta(seconds=1))
    assert before.beside == ()
    (during,) = served_at(recorded, "m", at(4))
    (beside,) = during.beside
    assert (beside.version, beside.record, beside.sealed) == ("v2", 4, 2)
    assert beside.said == SHARE.message
    (after,) = served_at(recorded, "m", at(5))
    assert after.version == "v1"
    assert bool(after.beside) is answers


@pytest.mark.parametrize(
    "take_over",
    [
        promoted,
        lambda digest: told(AuditEvent.ROLLBACK, AuditOutcome.COMPLETED, digest=digest),
        lambda digest: told(AuditEvent.ROLLBACK, AuditOutcome.STOPPED, digest=digest),
        lambda digest: told(AuditEvent.DELETE, AuditOutcome.DELETED, digest=digest),
    ],
    ids=["it has all traffic", "a rollback", "a stop", "it is deleted"],
)
def test_nothing_of_a_former_time_answers_beside(take_over: Callable[[str], Record]) -> None:
    (served,) = served_at(log(*BEGUN, SHARE, STAND_IN, take_over(SECOND)), "m", at(9))
    assert served.record == 6
    assert served.beside == ()


def test_the_version_before_answers_while_what_serves_is_not_ready() -> None:
    back = told(AuditEvent.PROMOTE, AuditOutcome.DONE, DeploymentReason.SERVING)
    recorded = log(*BEGUN, promoted(SECOND), STAND_IN, back)
    (during,) = served_at(recorded, "m", at(5))
    assert during.version == "v2"
    assert [(one.version, one.said) for one in during.beside] == [("v1", STAND_IN.message)]
    (after,) = served_at(recorded, "m", at(6))
    assert after.beside == ()


@pytest.mark.parametrize("named", [True, False], ids=["its seal is kept", "its seal is gone"])
def test_what_served_without_a_kept_record_of_its_model_is_told(named: bool) -> None:
    """That nothing of a model served is not said of what may have been that model."""
    kept = [sealed(FIRST)] if named else []
    recorded = log(*kept, promoted(FIRST), sealed(SECOND, "other"), first=100)
    assert not recorded.whole
    assert len(list(served_at(recorded, "m", at(200)))) == named
    assert without_model(recorded, at(200)) == ([] if named else ["bank/credit"])
    assert without_model(recorded, at(200), "other") == []
    assert without_model(recorded, at(99)) == []
    assert models_named(recorded) == (["m", "other"] if named else ["other"])


def test_the_same_name_in_two_deployments_is_told_of_both() -> None:
    recorded = log(*BEGUN, promoted(SECOND, name="other"))
    found = {one.deployment: one.version for one in served_at(recorded, "m", at(9))}
    assert found == {"bank/credit": "v1", "bank/other": "v2"}
