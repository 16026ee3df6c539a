"""Since when a guard is as it is, whatever the API server is made to store about it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hallmark.api import names
from hallmark.api.admission import approval_identity
from hallmark.api.admission.people import requester_identity
from hallmark.api.admission.words import audit_anchor
from hallmark.cluster.guards import Guards, whole_seconds
from hallmark.cluster.identity import Identity
from hallmark.cluster.kinds import ADMISSION_BINDING, ADMISSION_POLICY, MODEL_POLICY, Obj
from hallmark.policies.guards import GuardReason, guard_event, guard_record
from tests.unit.controllers.memory_cluster import MemoryCluster

START = datetime(2026, 11, 25, 12, tzinfo=UTC)
LONG_AGO = "2026-01-01T00:00:00Z"
NAME = names.APPROVAL_IDENTITY_POLICY


def binding(generation: int = 1, uid: str = "b", version: int = 1, **spec: Any) -> Obj:  # noqa: ANN401
    """Return the binding as the API server sends it, with nothing in ``managedFields``."""
    made = copy.deepcopy(approval_identity()[1])
    made["metadata"].update(
        uid=uid,
        generation=generation,
        resourceVersion=str(version),
        creationTimestamp=LONG_AGO,
    )
    made["spec"].update(spec)
    return made


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def known() -> Guards:
    """Return what a process knows that has seen the binding at its start."""
    guards = Guards()
    guards.restore([], first_start=False)
    guards.saw(ADMISSION_BINDING, binding(), START)
    guards.changes.clear()
    return guards


def test_what_did_not_change_is_as_old_as_it_was() -> None:
    guards = known()
    same = guards.saw(ADMISSION_BINDING, binding(version=9), later(60))
    assert same.since == whole_seconds(START)
    assert not guards.changes


FORGERIES = {
    "it was changed": binding(generation=2, version=5, validationActions=["Audit"]),
    "it was changed and changed back": binding(generation=3, version=5),
    "it was deleted and made again": binding(uid="c", version=5),
}


@pytest.mark.parametrize("found", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_change_counts_from_when_it_was_seen(found: Obj) -> None:
    guards = known()
    seen = guards.saw(ADMISSION_BINDING, found, later(60))
    assert seen.since == whole_seconds(later(60))
    (change,) = guards.changes
    assert (change.after, change.before is None) == (seen, False)


def test_an_older_state_that_comes_late_changes_nothing() -> None:
    guards = known()
    guards.saw(ADMISSION_BINDING, binding(generation=3, version=5), later(60))
    late = guards.saw(ADMISSION_BINDING, binding(generation=2, version=4), later(61))
    assert late.generation == 3
    assert len(guards.changes) == 1


@pytest.mark.parametrize("found", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_change_while_the_operator_was_away_is_found(found: Obj) -> None:
    next_process = Guards()
    next_process.restore(known().kept(), first_start=False)
    seen = next_process.saw(ADMISSION_BINDING, found, later(600))
    assert seen.since == whole_seconds(later(600))
    assert len(next_process.changes) == 1


def test_a_restart_makes_nothing_younger() -> None:
    next_process = Guards()
    next_process.restore(known().kept(), first_start=False)
    seen = next_process.saw(ADMISSION_BINDING, binding(), later(600))
    assert seen.since == whole_seconds(START)
    next_process.confirm(lambda kind, name: True)
    assert not next_process.changes


def test_what_was_seen_before_the_restore_is_as_old_as_it_was() -> None:
    next_process = Guards()
    next_process.saw(ADMISSION_BINDING, binding(), later(600))
    next_process.restore(known().kept(), first_start=False)
    seen = next_process.saw(ADMISSION_BINDING, binding(), later(601))
    assert seen.since == whole_seconds(START)
    assert not next_process.changes


def test_a_deletion_while_the_operator_was_away_is_found_where_it_may_look() -> None:
    for listed, expected in ((True, 1), (False, 0)):
        next_process = Guards()
        next_process.restore(known().kept(), first_start=False)
        next_process.confirm(lambda kind, name, listed=listed: listed)
        assert len(next_process.changes) == expected


def test_a_deletion_is_a_change_once() -> None:
    guards = known()
    guards.went(ADMISSION_BINDING, binding(version=7))
    guards.went(ADMISSION_BINDING, binding(version=7))
    (change,) = guards.changes
    assert change.after is None


def test_the_first_start_of_all_says_nothing_of_what_is_as_shipped() -> None:
    guards = Guards()
    guards.restore(None, first_start=True)
    assert guards.saw(ADMISSION_BINDING, binding(), START).since == ""
    assert not guards.changes
    assert guards.is_news
    other = binding(version=2, generation=2, validationActions=["Audit"])
    assert guards.saw(ADMISSION_BINDING, other, START)
    assert len(guards.changes) == 1
    guards.confirm(lambda kind, name: True)
    assert guards.saw(ADMISSION_BINDING, binding(generation=3, version=3), START).since


def record_of(before: Obj | None, after: Obj | None) -> Any:  # noqa: ANN401 - a record
    guards = Guards()
    old = guards.saw(ADMISSION_BINDING, before, START) if before else None
    new = guards.saw(ADMISSION_BINDING, after, later(9)) if after else None
    return guard_record(old, new, "kubectl", as_shipped=False)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (None, binding(), GuardReason.GUARD_MADE),
        (binding(), binding(uid="c", version=2), GuardReason.GUARD_MADE),
        (binding(), None, GuardReason.GUARD_DELETED),
        (binding(), binding(generation=3, version=3), GuardReason.GUARD_TOUCHED),
        (
            binding(),
            binding(generation=2, version=3, validationActions=["Audit"]),
            GuardReason.GUARD_CHANGED,
        ),
    ],
    ids=["made", "made anew", "deleted", "changed and changed back", "changed"],
)
def test_a_change_is_a_record(before: Obj | None, after: Obj | None, reason: str) -> None:
    record = record_of(before, after)
    assert record.reason == reason
    assert record.message.startswith(f"ValidatingAdmissionPolicyBinding '{NAME}' was ")
    assert bool(record.details["oldDigest"]) == (before is not None)
    assert bool(record.details["newDigest"]) == (after is not None)
    assert guard_event(record, as_shipped=False).warning


def test_a_record_names_the_field_by_the_digests_of_its_values() -> None:
    record = record_of(binding(), binding(generation=2, version=3, validationActions=["Audit"]))
    assert "spec.validationActions" in record.message
    old, _, new = record.details["spec.validationActions"].partition(" to ")
    assert len(old) == len(new) == 16
    assert old != new
    assert "Audit" not in str(record.details)


def test_each_change_has_a_record_of_its_own() -> None:
    ids = {
        record_of(binding(), binding(generation=2, version=2)).decision_id,
        record_of(binding(), binding(generation=3, version=3)).decision_id,
        record_of(binding(), binding(uid="c", version=3)).decision_id,
        record_of(binding(), None).decision_id,
    }
    assert len(ids) == 4


def test_a_model_policys_change_names_its_fields() -> None:
    guards = Guards()
    obj: Obj = {
        "metadata": {"name": "default", "uid": "p", "generation": 1, "resourceVersion": "1"},
        "spec": {"approvals": {"minimum": 2}, "store": {}},
    }
    old = guards.saw(MODEL_POLICY, obj, START)
    changed = copy.deepcopy(obj)
    changed["metadata"].update(generation=2, resourceVersion="2")
    changed["spec"]["approvals"]["minimum"] = 1
    record = guard_record(old, guards.saw(MODEL_POLICY, changed, START), "kubectl", None)
    assert record.message == "ModelPolicy 'default' was changed: spec.approvals."
    assert not guard_event(record, None).warning


# -- who vouches for names --------------------------------------------------------------------


async def world() -> tuple[MemoryCluster, Identity]:
    cluster = MemoryCluster()
    policy, bound = approval_identity()
    for obj in (policy, bound):
        obj["metadata"]["creationTimestamp"] = LONG_AGO
        cluster.put(obj)
    guards = Guards()
    guards.restore([], first_start=False)
    return cluster, Identity(cluster, guards, lambda: START)


async def test_a_policy_vouches_from_when_the_operator_saw_it() -> None:
    _, identity = await world()
    assert await identity.approvals_vouched_since() == whole_seconds(START)


async def test_a_binding_that_was_off_for_a_moment_vouches_from_now_whatever_is_stored() -> None:
    cluster, identity = await world()
    await identity.approvals_vouched_since()
    found = await cluster.get(ADMISSION_BINDING, None, NAME)
    assert found is not None
    shipped = copy.deepcopy(found["spec"])
    off = {"spec": {"validationActions": ["Audit"]}}
    await cluster.merge(ADMISSION_BINDING, None, NAME, off)
    await cluster.merge(ADMISSION_BINDING, None, NAME, {"spec": shipped})
    after = Identity(cluster, identity.guards, lambda: later(90))
    assert await after.approvals_vouched_since() == whole_seconds(later(90))
    assert len(identity.guards.changes) > 0


async def test_a_policy_that_is_off_vouches_for_nothing() -> None:
    cluster, identity = await world()
    off = {"spec": {"validationActions": ["Audit"]}}
    await cluster.merge(ADMISSION_BINDING, None, NAME, off)
    assert await identity.approvals_vouched_since() is None
    assert await identity.in_force_since(audit_anchor()[0]["metadata"]["name"]) is None
    assert await cluster.get(ADMISSION_POLICY, None, NAME) is not None


def test_a_moment_is_never_before_what_was_seen() -> None:
    assert whole_seconds(later(0.001)) == "2026-11-25T12:00:01Z"
    assert whole_seconds(START) == "2026-11-25T12:00:00Z"


@pytest.mark.parametrize(
    ("created", "counts"),
    [(0, False), (4, False), (5, True), (60, True)],
    ids=["at that moment", "while API servers may not act yet", "after that", "much later"],
)
async def test_a_requester_is_vouched_for_some_seconds_after_the_policy_was_seen(
    created: float, counts: bool
) -> None:
    cluster = MemoryCluster()
    for obj in requester_identity():
        obj["metadata"]["creationTimestamp"] = LONG_AGO
        cluster.put(obj)
    identity = Identity(cluster, Guards(), lambda: START)
    moment = later(created).strftime("%Y-%m-%dT%H:%M:%SZ")
    run: Obj = {
        "metadata": {"name": "loan", "creationTimestamp": moment},
        "spec": {"requestedBy": "alice"},
    }
    assert (await identity.requester_of(run)).authenticated is counts
    run["metadata"]["annotations"] = {names.ANNOTATION_RELAY: "argo"}
    assert not (await identity.requester_of(run)).authenticated
