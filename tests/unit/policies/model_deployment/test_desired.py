"""Which versions must run: what serves, what comes, and what is kept warm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hallmark.api.model_deployment import ModelDeploymentStatus, RefusedIntent, RolloutState
from hallmark.api.names import manifest_label
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.desired import (
    URL_MARGIN,
    PlannedVersion,
    mend_trust,
    plan,
    warm_until,
)
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need, View
from hallmark.policies.model_deployment.trust import trust_sha256
from tests.unit.policies.model_deployment.rollouts import (
    at,
    candidate_status,
    digest,
    entry,
    going_back_status,
    inputs,
    serving_status,
    trust,
    version,
    view,
    workload,
)

V1, V2, V3 = version(1), version(2), version(3)
ONE = entry(1, start=0, end=10)
TWO = entry(2, start=10)
SERVING = serving_status(TWO, ONE)
S = RolloutState
REFUSED1 = RefusedIntent(
    intent_hash="x", manifest_digest=digest(1), reason="DriftRollback", time=timestamp(at(5))
)
WARM = (workload(1), workload(2))


def running(given: View) -> dict[str, int]:
    """Return how many Pods each version must have."""
    return {planned.name: planned.replicas for planned in plan(given.status, given.inputs).versions}


REVOKED2 = version(2, revoked=True)
BACK = going_back_status(1, TWO, ONE, reason="RevocationRollback")
CASES: dict[str, tuple[View, dict[str, int]]] = {
    "no more Pods for what was revoked": (
        view(SERVING, V1, REVOKED2, replicas=5, workloads=(workload(2, replicas=2),)),
        {"credit-v2": 2},
    ),
    "fewer Pods for what was revoked": (
        view(SERVING, V1, REVOKED2, replicas=1, workloads=(workload(2, replicas=2),)),
        {"credit-v2": 1},
    ),
    "no Pods for what was revoked and lost its workload": (
        view(SERVING, V1, REVOKED2, replicas=5),
        {"credit-v2": 0},
    ),
    "a cold target of a revocation starts with one Pod": (
        view(BACK, V1, REVOKED2, replicas=5, workloads=(workload(2, replicas=5),)),
        {"credit-v2": 5, "credit-v1": 1},
    ),
    "a warm target of a revocation keeps its Pods": (
        view(BACK, V1, REVOKED2, replicas=5, workloads=(workload(1, replicas=3),)),
        {"credit-v2": 0, "credit-v1": 3},
    ),
    "a target of drift starts with all Pods": (
        view(going_back_status(1, TWO, ONE), V1, V2, replicas=5),
        {"credit-v2": 5, "credit-v1": 5},
    ),
    "nothing, where nothing serves": (view(ModelDeploymentStatus(), V1), {}),
    "no Pod for a candidate that is verified": (view(candidate_status(1), V1), {}),
    "no Pod for a candidate without approval": (
        view(candidate_status(1, state=S.AWAITING_APPROVAL), V1),
        {},
    ),
    "a candidate that starts": (
        view(candidate_status(1, state=S.STARTING), V1, replicas=3),
        {"credit-v1": 3},
    ),
    "no Pod for a refused candidate": (
        view(candidate_status(3, TWO, state=S.REFUSED), V2, V3),
        {"credit-v2": 1},
    ),
    "what serves, and a candidate beside it": (
        view(candidate_status(3, TWO, state=S.STARTING), V2, V3),
        {"credit-v2": 1, "credit-v3": 1},
    ),
    "what serves, and a rollback's target": (
        view(going_back_status(1, TWO, ONE), V1, V2, now=at(500)),
        {"credit-v2": 1, "credit-v1": 1},
    ),
    "what serves goes on without its object": (view(SERVING, V1), {"credit-v2": 1}),
    "nothing of a stopped version": (
        view(serving_status(TWO, ONE, state=S.HELD, cause="Stopped"), V1, V2, workloads=WARM),
        {"credit-v2": 0},
    ),
    "a former version while it is warm": (
        view(SERVING, V1, V2, workloads=WARM, now=at(69)),
        {"credit-v2": 1, "credit-v1": 1},
    ),
    "no former version after that": (
        view(SERVING, V1, V2, workloads=WARM, now=at(70)),
        {"credit-v2": 1},
    ),
    "no former version that does not run any more": (
        view(SERVING, V1, V2, workloads=(workload(2),), now=at(20)),
        {"credit-v2": 1},
    ),
    "no former version whose object is gone": (
        view(SERVING, V2, workloads=WARM, now=at(20)),
        {"credit-v2": 1},
    ),
    "no former version that was revoked": (
        view(SERVING, version(1, revoked=True), V2, workloads=WARM, now=at(20)),
        {"credit-v2": 1},
    ),
    "no former version that never was stable": (
        view(
            serving_status(TWO, entry(1, end=10, stable=False)),
            V1,
            V2,
            workloads=WARM,
            now=at(20),
        ),
        {"credit-v2": 1},
    ),
    "no former version that was refused": (
        view(SERVING.replace(refused=[REFUSED1]), V1, V2, workloads=WARM, now=at(20)),
        {"credit-v2": 1},
    ),
    "one former version, the newest": (
        view(
            serving_status(entry(3, start=20), entry(2, start=10, end=20), ONE),
            V1,
            V2,
            V3,
            workloads=(*WARM, workload(3)),
            now=at(25),
        ),
        {"credit-v3": 1, "credit-v2": 1},
    ),
    "what the spec asks for, for all of them": (
        view(SERVING, V1, V2, workloads=WARM, now=at(20), replicas=4),
        {"credit-v2": 4, "credit-v1": 4},
    ),
}


@pytest.mark.parametrize(("given", "expected"), CASES.values(), ids=CASES.keys())
def test_what_must_run(given: View, expected: dict[str, int]) -> None:
    assert running(given) == expected


def test_the_service_selects_what_serves() -> None:
    assert plan(SERVING, inputs(V1, V2)).active_digest == digest(2)
    assert plan(ModelDeploymentStatus(), inputs(V1)).active_digest is None


def test_the_same_bytes_under_a_new_intent_are_one_workload_with_its_trust() -> None:
    status = candidate_status(2, TWO, state=S.STARTING, trust_sha256="a" * 64)
    (planned,) = plan(status, inputs(V2)).versions
    assert planned.trust_sha256 == "a" * 64


def planned_with(trust_hash: str, *, known: bool = False, verified: bool = True) -> PlannedVersion:
    """Return the plan of a version that serves with a trust."""
    given = inputs(V2, verified=(2,) if verified else ())
    trusts = {trust_hash: trust(inputs(V2, verified=(2,)), 2)} if known else {}
    status = serving_status(TWO.replace(trust_sha256=trust_hash))
    return plan(status, replace(given, trusts=trusts)).versions[0]


def test_a_trust_is_written_where_it_does_not_stand() -> None:
    today = trust_sha256(trust(inputs(V2, verified=(2,)), 2))
    assert planned_with(today).trust is not None
    assert planned_with(today, known=True).trust is None
    assert planned_with(today, verified=False).trust is None
    assert planned_with("f" * 64).trust is None, "another trust is not what the Pods demand"


@pytest.mark.parametrize(
    ("left", "anew"),
    [(None, True), (URL_MARGIN - timedelta(seconds=1), True), (URL_MARGIN, False)],
    ids=["there are none", "they end soon", "they last"],
)
def test_download_urls_are_made_anew_in_time(left: timedelta | None, anew: bool) -> None:
    given = inputs(V2)
    until = {manifest_label(digest(2)): given.now + left} if left else {}
    (planned,) = plan(serving_status(TWO), replace(given, urls_until=until)).versions
    assert planned.refresh_urls is anew


def test_what_still_serves_is_not_kept_warm() -> None:
    assert warm_until(TWO, inputs(V2)) == 0
    assert warm_until(ONE, inputs(V2)) == at(70).timestamp()


# -- a trust that is gone ---------------------------------------------------------------------


def mended(given: DeploymentInputs) -> ModelDeploymentStatus | Need:
    return mend_trust(serving_status(TWO), given)


def test_a_trust_that_stands_is_left_alone() -> None:
    given = replace(inputs(V2), trusts={TWO.trust_sha256: trust(inputs(V2, verified=(2,)), 2)})
    assert mended(given) == serving_status(TWO)


def test_a_trust_that_is_gone_is_made_from_what_verifies_today() -> None:
    given = inputs(V2, verified=(2,))
    today = trust_sha256(trust(given, 2))
    status = mended(given)
    assert isinstance(status, ModelDeploymentStatus)
    assert status.history[0].trust_sha256 == today
    assert status.rollout is not None
    assert status.rollout.trust_sha256 == today


def test_a_trust_that_is_gone_needs_the_bytes_verified() -> None:
    assert mended(inputs(V2)) == Need(V2)


@pytest.mark.parametrize(
    "given",
    [inputs(V1, verified=(1,)), replace(inputs(V2, verified=(2,)), policy=None)],
    ids=["its version is gone", "there is no policy"],
)
def test_what_cannot_be_mended_stays(given: DeploymentInputs) -> None:
    assert mended(given) == serving_status(TWO)
