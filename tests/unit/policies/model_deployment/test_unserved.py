"""What is asked for and does not serve is on record, whatever the reason, since when it is so."""

from __future__ import annotations

import pytest

from hallmark.api.model_deployment import (
    LastRollback,
    ModelDeploymentStatus,
    RefusedIntent,
    Unserved,
)
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.decide import DeploymentDecision, decide
from hallmark.policies.model_deployment.inputs import View
from hallmark.policies.model_deployment.intent import intent_of
from tests.unit.policies.model_deployment.rollouts import (
    NOW,
    asked,
    at,
    digest,
    entry,
    serving_status,
    version,
    version_name,
    view,
    workload,
)
from tests.unit.policies.model_deployment.test_triggers import CASES
from tests.unit.policies.model_deployment.trigger_views import FIRST, SERVING2

V1, V2 = version(1), version(2)


def after(given: View) -> DeploymentDecision | None:
    found = decide(given.inputs)
    return found if isinstance(found, DeploymentDecision) else None


@pytest.mark.parametrize("given", [case[0] for case in CASES.values()], ids=CASES.keys())
def test_it_is_told_exactly_where_what_is_asked_for_does_not_serve(given: View) -> None:
    decided = after(given)
    if decided is None or given.ending:
        return
    then = View(given.inputs, decided.status)
    intent, head = intent_of(then), then.head
    serves = (
        intent
        and head
        and (head.intent_hash, head.manifest_digest) == (intent.hash, intent.digest)
        and not then.stopped
    )
    found = decided.status.unserved
    assert (found is None) is bool(serves)
    if found is not None:
        assert found.reason
        assert found.model_version == (
            intent.version.metadata.name if intent else given.inputs.deployment.spec.model_version
        )


def test_since_stays_while_the_same_is_asked_for_and_begins_anew_with_another() -> None:
    was = Unserved(
        model_version=version_name(2), intent_hash=asked(2), since=timestamp(at(-60)), reason="Old"
    )
    waits = version(2, approvals=())
    given = view(ModelDeploymentStatus(unserved=was), waits, now=NOW)
    decided = after(given)
    assert decided is not None
    assert decided.status.unserved is not None
    assert decided.status.unserved.since == was.since
    other = was.replace(intent_hash="another")
    decided = after(view(ModelDeploymentStatus(unserved=other), waits, now=NOW))
    assert decided is not None
    assert decided.status.unserved is not None
    assert decided.status.unserved.since == timestamp(NOW)


def test_what_takes_over_is_told_no_more() -> None:
    was = Unserved(intent_hash=asked(1), since=timestamp(NOW), reason="Starting")
    given = view(FIRST.replace(unserved=was), V1, verified=(1,), workloads=(workload(1),))
    decided = after(given)
    assert decided is not None
    assert decided.status.active_model_version == version_name(1)
    assert decided.status.unserved is None


def test_what_serves_as_asked_writes_nothing_new() -> None:
    decided = after(view(SERVING2, V1, V2, verified=(1, 2)))
    assert decided is not None
    assert decided.status.unserved is None


def rolled_back(*, acknowledged: bool) -> View:
    """Return a version that serves instead of the one that is asked for."""
    last = LastRollback(
        from_=version_name(2),
        to=version_name(1),
        from_digest=digest(2),
        to_digest=digest(1),
        reason="DriftRollback",
        time=timestamp(NOW),
        acknowledged=acknowledged,
    )
    status = serving_status(entry(1, intent=asked(2))).replace(
        last_rollback=last,
        refused=[
            RefusedIntent(
                intent_hash=asked(2),
                manifest_digest=digest(2),
                reason="DriftRollback",
                time=timestamp(NOW),
            )
        ],
    )
    return view(status, V1, V2, verified=(1, 2), workloads=(workload(1),))


@pytest.mark.parametrize(
    ("acknowledged", "reason"), [(False, "DriftRollback"), (True, "Acknowledged")]
)
def test_what_a_rollback_left_is_asked_for_still(acknowledged: bool, reason: str) -> None:
    decided = after(rolled_back(acknowledged=acknowledged))
    assert decided is not None
    found = decided.status.unserved
    assert found is not None
    assert (found.model_version, found.reason) == (version_name(2), reason)
