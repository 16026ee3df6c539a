"""Can a policy be used?"""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.policies.model_policy.decide import decide_policy
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
