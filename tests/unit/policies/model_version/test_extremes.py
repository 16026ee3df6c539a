"""Whatever moments a decision and the keys have, a version can be decided on."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from hallmark.api.model_approval import ModelApproval
from hallmark.policies.model_approval.decide import decide_approval
from hallmark.policies.model_approval.inputs import ApprovalInputs
from hallmark.policies.model_version.decide import decide_version
from tests.unit.policies.model_version.ballots import RITA, approval
from tests.unit.policies.model_version.test_decide import after, inputs
from tests.unit.policies.training_run.runs import NOW, policy
from tests.unit.supply_chain.factories import trusted

MOMENTS = (
    None,
    "1970-01-01T00:00:00Z",
    "2026-06-01T12:00:00Z",
    "2028-02-29T23:59:59.999999Z",
    "9999-12-31T23:59:59.999999Z",
)
FIELDS = ("validFrom", "validUntil", "revokedAt")


def key(wire: dict[str, str], *moments: str | None) -> dict[str, str]:
    found = zip(FIELDS, moments, strict=True)
    return {**wire, **{name: moment for name, moment in found if moment is not None}}


@pytest.mark.parametrize("end", MOMENTS)
@pytest.mark.parametrize("attested", [True, False], ids=["attested", "plain"])
def test_no_moment_breaks_a_decision(end: str | None, attested: bool) -> None:
    made: ModelApproval = approval(notAfter=end, attested=attested)
    for moments in product(MOMENTS, repeat=3):
        ruled = policy(
            signers=[key(trusted().to_wire(), *moments)],
            approvers=[key(RITA.to_wire(), *moments)],
        )
        decision = decide_version(inputs(policy=ruled, approvals=(made,)))
        seen = after(decision)
        own = decide_approval(ApprovalInputs(made, seen, NOW))
        for wait in (decision.requeue, own.requeue):
            assert wait is None or 0 < wait < float("inf")


async def test_the_loop_waits_for_the_last_moment() -> None:
    made = approval(notAfter=MOMENTS[-1])
    decision = decide_version(inputs(approvals=(made,)))
    assert decision.requeue is not None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(decision.requeue)
