"""What a folder takes of a cluster's policy."""

from __future__ import annotations

import pytest

from hallmark.api.common import ObjectMeta
from hallmark.api.dependencies import AcceptedVex, Dependencies, Severity, Vulnerabilities
from hallmark.api.model_policy import Approvals, ModelPolicy
from hallmark.api.trust import ReviewerGroup
from hallmark.keys import public_pem
from hallmark.local.policy import policy_here
from hallmark.policies.model_version.approvals import needs
from tests.unit.supply_chain.factories import KEY

PUBLIC = public_pem(KEY.public_key())


def _policy(demands: ModelPolicy | None) -> ModelPolicy:
    return policy_here(PUBLIC, PUBLIC, "image", former=None, demands=demands, sources=[])


BOARD = [ReviewerGroup(name="risk", members=["rita", "rob"], minimum=2)]


def _demanded(**changes: object) -> ModelPolicy:
    """Return a cluster's policy."""
    spec = _policy(None).spec.replace(**changes)
    return ModelPolicy(metadata=ObjectMeta(name="bank"), spec=spec)


@pytest.mark.parametrize("groups", [[], BOARD], ids=["of no group", "of a group"])
@pytest.mark.parametrize("minimum", [None, 1, 2, 8])
def test_one_person_lifts_what_several_lift_in_a_cluster(
    minimum: int | None, groups: list[ReviewerGroup]
) -> None:
    """Of a policy that listens the people alone change; no other starts to listen."""
    vex = AcceptedVex(minimum=minimum, groups=groups) if minimum else None
    known = Vulnerabilities(accepted_severity=Severity.LOW, vex=vex)
    rules = Dependencies(denied=["pillow<10.3"], vulnerabilities=known)
    heard = AcceptedVex(minimum=1) if minimum else None
    expected = rules.replace(vulnerabilities=known.replace(vex=heard))
    assert _policy(_demanded(dependencies=rules)).spec.dependencies == expected
    assert _policy(None).spec.dependencies.vulnerabilities is None


def test_one_person_approves_what_groups_approve_in_a_cluster() -> None:
    """Of what is asked of approvals the people alone change."""
    asked = Approvals(minimum=3, groups=BOARD, cooling_time="1h", require_shown=True)
    found = _policy(_demanded(approvals=asked)).spec.approvals
    assert found == asked.replace(minimum=1, groups=[])
    assert needs(found, ["local:eva"]).enough
