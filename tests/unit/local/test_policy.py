"""What a folder takes of a cluster's policy."""

from __future__ import annotations

import pytest

from hallmark.api.common import ObjectMeta
from hallmark.api.dependencies import AcceptedVex, Dependencies, Severity, Vulnerabilities
from hallmark.api.model_policy import ModelPolicy
from hallmark.keys import public_pem
from hallmark.local.policy import policy_here
from tests.unit.supply_chain.factories import KEY

PUBLIC = public_pem(KEY.public_key())


def _policy(demands: ModelPolicy | None) -> ModelPolicy:
    return policy_here(PUBLIC, PUBLIC, "image", former=None, demands=demands, sources=[])


@pytest.mark.parametrize("minimum", [None, 1, 2, 8])
def test_one_person_lifts_what_several_lift_in_a_cluster(minimum: int | None) -> None:
    """Of a policy that listens the number of people alone changes; no other starts to listen."""
    vex = AcceptedVex(minimum=minimum) if minimum else None
    known = Vulnerabilities(accepted_severity=Severity.LOW, vex=vex)
    rules = Dependencies(denied=["pillow<10.3"], vulnerabilities=known)
    plain = _policy(None)
    demands = ModelPolicy(
        metadata=ObjectMeta(name="bank"), spec=plain.spec.replace(dependencies=rules)
    )
    heard = AcceptedVex(minimum=1) if minimum else None
    expected = rules.replace(vulnerabilities=known.replace(vex=heard))
    assert _policy(demands).spec.dependencies == expected
    assert plain.spec.dependencies.vulnerabilities is None
