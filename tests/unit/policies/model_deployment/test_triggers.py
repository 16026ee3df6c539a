"""What happened: which trigger the cluster holds for a record, or what is waited for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from hallmark.api.model_deployment import (
    RolloutState,
)
from hallmark.api.names import manifest_label
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.inputs import Need, View, Wait
from hallmark.policies.model_deployment.look import bake_is_over, look
from hallmark.policies.model_deployment.triggers import NoTarget, Overdue, Refused, RollBack, Stop
from hallmark.policies.model_deployment.withdrawal import must_give_way, noted, withdrawn_labels
from tests.unit.policies.model_deployment.rollouts import (
    approval,
    at,
    candidate_status,
    digest,
    entry,
    policy,
    serving_status,
    version,
    view,
    workload,
)
from tests.unit.policies.model_deployment.trigger_cases_candidate import CANDIDATES
from tests.unit.policies.model_deployment.trigger_cases_served import SERVED
from tests.unit.policies.model_deployment.trigger_cases_withdrawn import WITHDRAWN
from tests.unit.policies.model_deployment.trigger_views import (
    BAKING,
    HOLD,
    PINNED,
    REVOKED2,
    SERVING2,
    V1,
    V2,
    noted_at,
    served,
    with_drift,
)


def seen(given: View) -> str:
    """Return what is found in a word or two: the trigger, what is waited for, or nothing."""
    found = look(given)
    match found:
        case None:
            return "nothing"
        case Need(version=needed):
            return f"verify {needed.metadata.name}"
        case Wait(reason=reason):
            return f"wait {reason}"
        case RollBack(target=target):
            return f"RollBack {found.reason} {target.metadata.name}"
        case NoTarget() | Stop() | Overdue():
            return f"{type(found).__name__} {found.reason}"
        case Refused(refusal):
            return f"Refused {refusal.reason}"
        case _:
            return type(found).__name__


CASES = CANDIDATES | SERVED | WITHDRAWN


@pytest.mark.parametrize(("given", "expected"), CASES.values(), ids=CASES.keys())
def test_what_happened(given: View, expected: str) -> None:
    assert seen(given) == expected


@pytest.mark.parametrize("cause", ["Stopped", "RevocationRollback"])
def test_what_was_decided_about_a_revocation_is_not_decided_again(cause: str) -> None:
    held = serving_status(served(2, 10), entry(1, end=10), state=RolloutState.HELD, cause=cause)
    under = policy(on_revocation_without_target=HOLD)
    given = view(held, version(1, revoked=True), REVOKED2, under=under, **PINNED)
    assert "Rollback" not in seen(given)


@pytest.mark.parametrize("cause", ["Stopped", "RevocationRollback"])
def test_what_passes_later_takes_over_from_what_was_revoked(cause: str) -> None:
    held = serving_status(served(2, 10), entry(1, end=10), state=RolloutState.HELD, cause=cause)
    given = view(held, V1, REVOKED2, verified=(1,), **PINNED)
    assert seen(given) == "RollBack RevocationRollback credit-v1"


@pytest.mark.parametrize(
    ("healthy", "seconds", "over"),
    [(None, 100, False), (at(0), 9.9, False), (at(0), 10, True), (at(5), 10, False)],
    ids=["never healthy", "too short", "long enough", "with a break"],
)
def test_the_bake(healthy: datetime | None, seconds: float, over: bool) -> None:
    head = entry(1).replace(healthy_since=timestamp(healthy) if healthy else None)
    assert bake_is_over(view(BAKING, V1, now=at(seconds)), head) is over


def test_a_message_names_what_was_passed_over() -> None:
    found = look(view(with_drift(SERVING2, 2), version(1, denied=True), V2))
    assert isinstance(found, NoTarget)
    assert "income (PSI 0.4000)" in found.message
    assert "'credit-v1' was denied" in found.message


def test_one_approval_of_another_deployment_does_not_count() -> None:
    elsewhere = version(1, approvals=(approval(targets=("another",)),))
    assert seen(view(candidate_status(1), elsewhere, verified=(1,))) == "Unapproved"


@pytest.mark.parametrize("how", ["denied", "revoked"])
def test_bytes_that_were_withdrawn_under_another_name_give_way(how: str) -> None:
    twin = version(3, **{how: True})
    artifact = twin.spec.artifact.replace(manifest_digest=digest(2))
    twin = twin.replace(spec=twin.spec.replace(artifact=artifact))
    given = view(SERVING2, V1, version(2), twin, verified=(1,))
    assert must_give_way(given) is not None
    assert withdrawn_labels(
        replace(given.inputs, workloads={manifest_label(digest(2)): workload(2)})
    )
    assert must_give_way(view(SERVING2, V1, version(2), version(3, **{how: True}))) is None


@pytest.mark.parametrize(
    ("recorded", "kept", "since"),
    [
        pytest.param(3, 5, 3, id="what stands on record"),
        pytest.param(None, 5, 5, id="what the API server did not take"),
        pytest.param(None, None, 9, id="nothing yet"),
    ],
)
def test_the_time_of_what_was_withdrawn_runs_from_when_it_was_first_seen(
    recorded: float | None, kept: float | None, since: float
) -> None:
    status = SERVING2 if recorded is None else noted_at(SERVING2, recorded)
    given = view(status, V1, version(2, revoked=True), now=at(9)).inputs
    given = replace(given, withdrawn_since=None if kept is None else timestamp(at(kept)))
    found = noted(status, given)
    assert found is not None
    assert found.withdrawn_since == timestamp(at(since))
