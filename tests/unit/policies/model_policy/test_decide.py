"""Can a policy be used?"""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.api.model_policy import ModelPolicy
from hallmark.policies.decision import Decision
from hallmark.policies.model_policy.decide import AuditState, decide_policy
from tests.unit.policies.training_run.runs import policy
from tests.unit.supply_chain.factories import OTHER_KEY, trusted

GOOD = trusted().to_wire()
OTHER_ID = {**GOOD, "keyId": trusted(OTHER_KEY).key_id}
NO_KEY = {**GOOD, "publicKey": "-----BEGIN PUBLIC KEY-----\nbm8=\n-----END PUBLIC KEY-----\n"}


@pytest.mark.parametrize(
    ("spec", "ready", "words"),
    [
        pytest.param({}, "True/Valid", "", id="keys with their own ids are good"),
        pytest.param({"signers": [NO_KEY]}, "False/InvalidKey", "signers", id="a key reads"),
        pytest.param({"signers": [GOOD, OTHER_ID]}, "False/InvalidKey", "SHA-256", id="ids match"),
        pytest.param(
            {"approvers": [{**OTHER_ID, "approver": "rita"}]},
            "False/InvalidKey",
            "approvers",
            id="approvers' keys are looked at too",
        ),
        pytest.param(
            {"auditors": [OTHER_ID]}, "False/InvalidKey", "auditors", id="auditors' keys as well"
        ),
    ],
)
def test_a_policy(spec: dict[str, Any], ready: str, words: str) -> None:
    found = {each.type: each for each in decide_policy(policy(**spec)).conditions}
    assert f"{found['Ready'].status}/{found['Ready'].reason}" == ready
    assert words in found["Ready"].message


BROKEN = AuditState(broken="Record 3 was edited.", trouble="No space.")
FULL = AuditState(trouble="No space left on device.")


def shown(decision: Decision) -> str:
    found = {update.type: update for update in decision.conditions}["AuditBroken"]
    return f"{found.status}/{found.reason}"


@pytest.mark.parametrize(
    ("audit", "condition", "words"),
    [
        (AuditState(), "False/AuditWhole", ""),
        (BROKEN, "True/AuditBroken", "Record 3 was edited."),
        (FULL, "True/AuditUnwritable", "No space left on device."),
    ],
    ids=["a whole log", "a broken log, before a full disk", "a full disk"],
)
def test_every_policy_shows_the_state_of_the_audit_log(
    audit: AuditState, condition: str, words: str
) -> None:
    found = decide_policy(policy(), audit)
    assert shown(found) == condition
    assert words in {update.type: update for update in found.conditions}["AuditBroken"].message
    assert [update.status for update in found.conditions if update.type == "Ready"] == ["True"]


def test_an_event_tells_when_the_state_changes_and_not_again() -> None:
    assert decide_policy(policy(), AuditState()).events == ()
    (event,) = decide_policy(policy(), FULL).events
    assert (event.reason, event.warning) == ("AuditUnwritable", True)
    saw_it = with_condition(policy(), "True", "AuditUnwritable")
    assert decide_policy(saw_it, FULL).events == ()
    (event,) = decide_policy(saw_it, AuditState()).events
    assert (event.reason, event.warning) == ("AuditWhole", False)


def with_condition(given: ModelPolicy, status: str, reason: str) -> ModelPolicy:
    condition = {
        "type": "AuditBroken",
        "status": status,
        "reason": reason,
        "lastTransitionTime": "2026-11-25T12:00:00Z",
    }
    return ModelPolicy.model_validate({**given.to_wire(), "status": {"conditions": [condition]}})
