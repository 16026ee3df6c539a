"""Which version the Service selects: the one on record, or one that answers for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hallmark.api.model_deployment import RolloutState
from hallmark.api.names import manifest_label
from hallmark.policies.model_deployment.desired import plan
from hallmark.policies.model_deployment.inputs import PodState, View
from tests.unit.policies.model_deployment.rollouts import (
    at,
    digest,
    entry,
    going_back_status,
    pod,
    serving_status,
    version,
    view,
    workload,
)

V1, V2 = version(1), version(2)
BAKES = serving_status(
    entry(2, start=10, stable=False), entry(1, end=10), state=RolloutState.PROMOTED
)
YOUNG = serving_status(
    entry(2, start=10, stable=False), entry(1, end=10, stable=False), state=RolloutState.PROMOTED
)
STABLE = serving_status(entry(2, start=10), entry(1, end=10))
BACK = going_back_status(1, entry(2, start=10), entry(1, end=10))


def pods(*ready: int) -> tuple[PodState, ...]:
    """Return ready Pods, by their versions' numbers."""
    return tuple(
        replace(pod(number, ready=True), name=f"pod-{place}") for place, number in enumerate(ready)
    )


def given(
    *ready: int,
    status: object = BAKES,
    selected: int = 2,
    replicas: int = 1,
    seconds: float = 11,
    **parts: object,
) -> View:
    """Return a record with ready Pods, and the version that the Service selects."""
    versions = parts.pop("versions", (V1, V2))
    made = view(
        status,  # type: ignore[arg-type]
        *versions,  # type: ignore[misc]
        workloads=(workload(1, ready=0), workload(2, ready=0)),
        now=at(seconds),
        replicas=replicas,
        **parts,  # type: ignore[arg-type]
    )
    inputs = replace(made.inputs, pods=pods(*ready), selected=manifest_label(digest(selected)))
    return View(inputs, made.status)


UNSEEN = given(1)
UNSEEN = replace(
    UNSEEN,
    inputs=replace(
        UNSEEN.inputs,
        workloads={found.manifest: found for found in (workload(1), workload(2))},
    ),
)
CASES: dict[str, tuple[View, int]] = {
    "Pods that are not seen yet are believed to be there": (UNSEEN, 2),
    "what serves is selected": (given(1, 2), 2),
    "without a Pod of it the former version answers": (given(1), 1),
    "without a Pod of either nothing changes": (given(), 2),
    "one Pod of three is enough to stay": (given(1, 1, 1, 2, replicas=3), 2),
    "one Pod of three is not enough to come back": (given(1, 2, replicas=3, selected=1), 1),
    "all Pods bring it back": (given(1, 2, 2, 2, replicas=3, selected=1), 2),
    "a former version that was never stable answers too": (given(1, status=YOUNG), 1),
    "it does so no longer than it is kept": (given(1, status=YOUNG, seconds=41), 2),
    "but for as long as it has the traffic": (given(1, status=YOUNG, selected=1, seconds=41), 1),
    "what is stable keeps the traffic": (given(1, status=STABLE), 2),
    "scaled to zero nothing stands in": (given(1, replicas=0), 2),
    "a revoked version does not answer": (given(1, versions=(version(1, revoked=True), V2)), 2),
    "a denied version does not answer": (
        given(1, selected=1, versions=(version(1, denied=True), V2)),
        2,
    ),
    "a version without approval does not answer": (
        given(1, versions=(version(1, approvals=()), V2)),
        2,
    ),
    "a version that is gone does not answer": (given(1, versions=(V2,)), 2),
    "what took over from a revoked version keeps the traffic": (
        given(1, 2, status=BACK, selected=1, versions=(V1, version(2, revoked=True))),
        1,
    ),
    "before the switch the revoked version has it": (
        given(1, 2, status=BACK, versions=(V1, version(2, revoked=True))),
        2,
    ),
}


@pytest.mark.parametrize(("situation", "number"), CASES.values(), ids=CASES.keys())
def test_which_version_answers(situation: View, number: int) -> None:
    assert plan(situation.status, situation.inputs).active_digest == digest(number)
