"""A key that stands in a list several times: whatever takes trust away counts, in any order."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest

from hallmark.api.model_approval import ApprovalReason
from hallmark.api.model_policy import ApproverKey
from hallmark.api.texts import timestamp
from hallmark.policies.model_version.approvals import record_of
from hallmark.policies.model_version.attestation import fallen_key
from hallmark.refusal import Refusal
from tests.unit.policies.model_version.ballots import RITA, approval, ballot
from tests.unit.policies.training_run.runs import NOW

PAST = timestamp(NOW - timedelta(days=1))
ENTRIES: dict[str, tuple[ApproverKey, ApprovalReason | None]] = {
    "as it is": (RITA, None),
    "revoked": (RITA.replace(revoked_at=PAST), ApprovalReason.KEY_REVOKED),
    "ended": (RITA.replace(valid_until=PAST), ApprovalReason.ATTESTATION_INVALID),
    "revoked under another name": (
        RITA.replace(approver="rob", revoked_at=PAST),
        ApprovalReason.KEY_REVOKED,
    ),
    "ended under another name": (RITA.replace(approver="rob", valid_until=PAST), None),
}


@pytest.mark.parametrize("names", list(permutations(ENTRIES, 2)), ids=" then ".join)
def test_a_key_vouches_only_where_no_entry_of_it_says_otherwise(names: tuple[str, ...]) -> None:
    keys = [ENTRIES[name][0] for name in names]
    wanted = {reason for name in names if (reason := ENTRIES[name][1])}
    if "rita" not in {key.approver for key in keys}:
        wanted = {ApprovalReason.ATTESTATION_INVALID}
    found = fallen_key(RITA.key_id, "rita", keys, NOW)
    assert (found is None) is (not wanted)
    record = record_of(ballot(approval=approval(attested=True), keys=keys))
    assert record.accepted is (not wanted)
    if isinstance(found, Refusal):
        assert found.reason in wanted
        assert record.reason == found.reason
