"""What an approval's own status says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import timestamp
from hallmark.policies.model_approval.decide import decide_approval
from hallmark.policies.model_approval.inputs import ApprovalInputs
from hallmark.policies.model_version.records import MAX_RECORDS
from tests.unit.policies.model_version.ballots import approval, look, with_records
from tests.unit.policies.training_run.runs import NOW, version

LATER = NOW + timedelta(hours=1)


def status_of(made: ModelApproval, seen: ModelVersion | None, **more: Any) -> dict[str, str]:  # noqa: ANN401
    decision = decide_approval(ApprovalInputs(made, seen, more.get("now", NOW)))
    return {update.type: f"{update.status}/{update.reason}" for update in decision.conditions}


def test_an_approval_of_no_version_waits() -> None:
    assert status_of(approval(), None)["Reconciling"] == "True/VersionMissing"


def test_an_approval_that_was_not_looked_at_yet_says_nothing() -> None:
    assert status_of(approval(), version()) == {}


def test_an_approval_says_what_the_version_says_of_it() -> None:
    seen = with_records(*look(version(), approval(), approval("own", approver="alice")))
    assert status_of(approval(), seen)["Ready"] == "True/Accepted"
    assert status_of(approval("own", approver="alice"), seen)["Stalled"] == "True/SelfApproval"


def test_an_approval_ends_when_its_time_has_passed() -> None:
    made = approval(notAfter=timestamp(NOW + timedelta(seconds=30)))
    seen = with_records(*look(version(), made))
    decision = decide_approval(ApprovalInputs(made, seen, NOW))
    assert decision.requeue == pytest.approx(31)
    assert status_of(made, seen, now=LATER)["Ready"] == "False/Expired"


@pytest.mark.parametrize("decision", ["Denied", "Revoked"])
def test_an_approval_of_rejected_bytes_says_who_rejected_them(decision: str) -> None:
    seen = with_records(*look(version(), approval(), approval("no", decision=decision)))
    found = decide_approval(ApprovalInputs(approval(), seen, NOW)).conditions
    assert f"It changes nothing: {decision} by rita" in found[0].message
    own = decide_approval(ApprovalInputs(approval("no", decision=decision), seen, NOW)).conditions
    assert own[0].message == f"{decision} by rita."


def test_an_approval_that_found_no_room_says_so() -> None:
    many = [approval(f"a-{n:03}", approver=f"p-{n}") for n in range(MAX_RECORDS)]
    seen = with_records(*look(version(), *many))
    late = approval("late", created=NOW)
    assert status_of(late, seen)["Stalled"] == "True/TooManyDecisions"
    assert status_of(late, with_records(*seen.status.approvals[1:])) == {}
