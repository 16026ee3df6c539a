"""What an approval's own status says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hallmark.api.common import timestamp
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_version import ModelVersion
from hallmark.policies.model_approval.decide import decide_approval
from hallmark.policies.model_approval.inputs import ApprovalInputs
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
