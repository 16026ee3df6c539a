"""Which decisions of reviewers count, and what survives what."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_version import ModelVersion, Requester
from hallmark.api.texts import timestamp
from hallmark.policies.model_version.approvals import (
    Ballot,
    counts,
    is_final,
    record_of,
)
from hallmark.policies.model_version.records import (
    MAX_RECORDS,
    fell_with_its_key,
    first_end,
)
from tests.unit.policies.model_version.ballots import (
    RITA,
    VOUCHED_SINCE,
    approval,
    ballot,
    look,
    seconds,
    with_records,
)
from tests.unit.policies.training_run.runs import NOW, version

OTHER = "sha256:" + "9" * 64
LATER = NOW + timedelta(hours=1)


def asked_by(name: str, relay: str | None = None) -> ModelVersion:
    """Return the version, asked for in a name that nobody vouches for."""
    return version(requested_by=Requester(name=name, authenticated=False, relay=relay))


def own(**spec: Any) -> Ballot:  # noqa: ANN401
    return ballot(approval=approval(approver="alice", **spec))


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        pytest.param(ballot(), "Accepted", id="a vouched approval of these digests counts"),
        pytest.param(
            ballot(approval=approval(modelVersion={"name": "credit-v1", "uid": "old"})),
            "UidMismatch",
            id="an approval of an object that had the name does not count",
        ),
        *(
            pytest.param(
                ballot(approval=approval(**{field: OTHER})),
                "DigestMismatch",
                id=f"another {field} does not count",
            )
            for field in ("manifestDigest", "sbomDigest", "gateReportDigest")
        ),
        pytest.param(
            ballot(vouched_since=None),
            "AdmissionPolicyMissing",
            id="nobody vouches without the identity policy",
        ),
        pytest.param(
            ballot(vouched_since=seconds(NOW)),
            "AdmissionPolicyMissing",
            id="a policy that is younger than the approval vouches for nothing",
        ),
        pytest.param(
            ballot(vouched_since=seconds(NOW - timedelta(minutes=1, seconds=4))),
            "AdmissionPolicyMissing",
            id="a policy needs some seconds to act everywhere",
        ),
        pytest.param(
            ballot(approval=approval(attested=True), vouched_since=None),
            "Accepted",
            id="an attested approval needs no identity policy",
        ),
        pytest.param(
            ballot(approval=approval(attestation="{}")),
            "AttestationInvalid",
            id="an attestation that is there must hold, whoever vouches",
        ),
        pytest.param(
            ballot(approval=approval(attested=True), keys=[]),
            "AttestationInvalid",
            id="an attestation needs the approver's key in the policy",
        ),
        pytest.param(own(), "SelfApproval", id="nobody approves what they asked for"),
        *(
            pytest.param(
                ballot(
                    approval=approval(approver=approver, **attested),
                    version=asked_by("bob", relay="argocd:relay"),
                    keys=[RITA.replace(approver=approver)],
                ),
                "SelfApproval",
                id=f"{who}, {how}",
            )
            for approver, who in (
                ("bob", "nobody approves what a relay says they asked for"),
                ("argocd:relay", "a relay does not approve what it asked for in another's name"),
                ("BOB ", "however the name is written"),
                ("\uff42ob", "nor in full-width letters"),
            )
            for attested, how in (({}, "plainly"), ({"attested": True}, "attested"))
        ),
        pytest.param(
            ballot(version=asked_by("bob", relay="argocd:relay")),
            "Accepted",
            id="another person approves what a relay asked for",
        ),
        pytest.param(
            ballot(version=asked_by("bob")),
            "AdmissionPolicyMissing",
            id="where nobody vouches for the requester the approver may be the same",
        ),
        pytest.param(
            ballot(version=asked_by("bob"), approval=approval(attested=True)),
            "Accepted",
            id="a key of the policy vouches for another person",
        ),
        pytest.param(
            ballot(version=asked_by("bob"), approval=approval(decision="Revoked")),
            "Accepted",
            id="a revocation needs no such proof",
        ),
        pytest.param(own(decision="Denied"), "Accepted", id="the requester may deny"),
        pytest.param(own(decision="Revoked"), "Accepted", id="the requester may revoke"),
        pytest.param(
            ballot(earlier=[record_of(ballot())], approval=approval("again")),
            "DuplicateApprover",
            id="one person's approval counts once",
        ),
        pytest.param(
            ballot(
                earlier=[record_of(ballot(approval=approval(targets=["a"])))],
                approval=approval("again", targets=["b"]),
            ),
            "Accepted",
            id="one person may approve for one target after another",
        ),
        pytest.param(
            ballot(
                earlier=[record_of(ballot()).replace(withdrawn=True)],
                approval=approval("again"),
            ),
            "Accepted",
            id="a withdrawn approval stands in nobody's way",
        ),
        pytest.param(
            ballot(approval=approval(notAfter=timestamp(NOW))),
            "Expired",
            id="an approval ends at its end",
        ),
        pytest.param(
            ballot(approval=approval(notAfter=timestamp(NOW), decision="Denied")),
            "Accepted",
            id="a denial has no end",
        ),
    ],
)
def test_a_decision(asked: Ballot, reason: str) -> None:
    record = record_of(asked)
    assert record.reason == reason
    assert record.accepted == (reason == "Accepted")
    assert bool(record.message) == (reason != "Accepted")


def test_what_was_vouched_for_once_stays_so_when_the_policy_is_gone() -> None:
    first = look(version(), approval())
    assert look(with_records(*first), approval(), vouched=None) == first


def test_what_nobody_vouched_for_stays_refused_when_the_policy_comes() -> None:
    first = look(version(), approval(), vouched=None)
    assert look(with_records(*first), approval()) == first


def test_a_deleted_approval_is_withdrawn_and_a_deleted_refusal_forgotten() -> None:
    first = look(version(), approval("yes"), approval("own", approver="alice"))
    assert {each.name: each.accepted for each in first} == {"yes": True, "own": False}
    second = look(with_records(*first))
    assert [(each.name, each.withdrawn) for each in second] == [("yes", True)]
    assert not any(counts(each, NOW) for each in second)


@pytest.mark.parametrize("attested", [False, True])
def test_an_approval_that_is_being_deleted_is_withdrawn_whatever_keeps_it(attested: bool) -> None:
    """A stranger's object that names it as its owner may keep it for ever."""
    made, leaving = (approval(attested=attested, deleted=deleted) for deleted in (False, True))
    first = look(version(), made)
    second = look(with_records(*first), leaving)
    assert [(each.accepted, each.withdrawn) for each in second] == [(True, True)]
    assert not any(counts(each, NOW) for each in second)
    assert look(version(), leaving) == ()


@pytest.mark.parametrize("decision", ["Denied", "Revoked"])
def test_a_rejection_that_is_being_deleted_is_heard(decision: str) -> None:
    found = look(version(), approval("no", decision=decision, deleted=True))
    assert [is_final(record) for record in found] == [True]


def test_a_denial_outlives_its_object() -> None:
    first = look(version(), approval("no", decision="Denied"))
    second = look(with_records(*first))
    assert all(is_final(each) for each in second)
    assert len(second) == 1


def test_an_attested_approval_falls_with_its_key() -> None:
    first = look(version(), approval(attested=True), vouched=None)
    assert first[0].accepted
    fallen = RITA.replace(revoked_at="2026-05-01T00:00:00Z")
    second = look(with_records(*first), approval(attested=True), keys=[fallen])
    assert (second[0].accepted, second[0].reason) == (False, "KeyRevoked")


def test_an_attested_denial_outlives_its_key() -> None:
    denial = approval("no", attested=True, decision="Denied")
    first = look(version(), denial, vouched=None)
    second = look(with_records(*first), denial, keys=[])
    assert is_final(second[0])


def test_the_older_of_two_approvals_of_one_person_counts() -> None:
    young = approval("a-young", created=NOW - timedelta(seconds=10))
    old = approval("b-old", created=NOW - timedelta(seconds=20))
    found = {each.name: each.reason for each in look(version(), young, old)}
    assert found == {"b-old": "Accepted", "a-young": "DuplicateApprover"}


def test_a_flood_of_refused_approvals_displaces_neither_denial_nor_approval() -> None:
    flood = [approval(f"flood-{n:03}", manifestDigest=OTHER) for n in range(100)]
    found = look(version(), *flood, approval("yes"), approval("no", decision="Denied"))
    assert len(found) == MAX_RECORDS
    assert {"yes", "no"} <= {each.name for each in found}


def test_a_flood_of_approvals_does_not_displace_a_denial() -> None:
    flood = [
        approval(f"flood-{n:03}", approver=f"rita-{n:03}", created=NOW - timedelta(hours=1))
        for n in range(MAX_RECORDS)
    ]
    first = look(version(), *flood)
    assert len(first) == MAX_RECORDS
    found = look(with_records(*first), *flood, approval("no", decision="Denied"), now=LATER)
    assert len(found) == MAX_RECORDS
    assert [record.name for record in found if is_final(record)] == ["no"]


def test_approvals_that_ended_leave_room_for_those_that_count() -> None:
    """Else a version that is approved anew each month could one day be approved no more."""
    ended = [
        approval(f"old-{n:03}", approver=f"rita-{n:03}", notAfter=timestamp(NOW + timedelta(1)))
        for n in range(MAX_RECORDS)
    ]
    first = look(version(), *ended)
    assert sum(counts(record, NOW) for record in first) == MAX_RECORDS
    later = NOW + timedelta(2)
    found = look(with_records(*first), *ended, approval("yes", created=later), now=later)
    assert len(found) == MAX_RECORDS
    assert [record.name for record in found if counts(record, later)] == ["yes"]
    again = look(with_records(*found), *ended, approval("yes", created=later), now=later)
    assert again == found, "and nothing is decided anew each time"


def test_a_flood_of_approvals_does_not_hide_one_that_fell_with_its_key() -> None:
    """What was approved by it must stop serving, whatever another reviewer says how often."""
    first = look(version(), approval(attested=True))
    flood = [
        approval(f"flood-{n:03}", approver="rob", targets=[f"other-{n}"])
        for n in range(2 * MAX_RECORDS)
    ]
    fallen = RITA.replace(revoked_at="2026-05-01T00:00:00Z")
    found = look(with_records(*first), *flood, now=LATER, keys=[fallen])
    assert len(found) == MAX_RECORDS
    assert [record.name for record in found if fell_with_its_key(record)] == ["yes"]


SPELLINGS = ("ada@bank.example", "Ada@Bank.Example", "ada@bank.example ", "\uff41da@bank.example")


@pytest.mark.parametrize("spelled", [*SPELLINGS, "ada\u200b@bank.example"])
def test_a_person_who_is_spelled_otherwise_approves_once(spelled: str) -> None:
    names = [approval("first", approver=SPELLINGS[0]), approval("second", approver=spelled)]
    found = look(version(), *names)
    assert [record.reason for record in found] == ["Accepted", "DuplicateApprover"]
    own = version(requested_by=Requester(name=spelled, authenticated=True))
    assert {record.reason for record in look(own, *names)} == {"SelfApproval"}


FLOODS: dict[str, dict[str, Any]] = {
    "refused": {"manifestDigest": OTHER},
    "for other Deployments": {"approver": "rob"},
    "denied": {"approver": "rob", "decision": "Denied"},
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_thousands_of_decisions_are_looked_at_in_seconds(flood: dict[str, Any]) -> None:
    """Each look is one moment of the whole operator: nobody else's revocation is heard in it."""
    approves = "decision" not in flood
    given = [
        approval(f"flood-{n:04}", **flood, **({"targets": [f"other-{n}"]} if approves else {}))
        for n in range(2000)
    ]
    started = time.process_time()
    first = look(version(), *given)
    found = look(with_records(*first), *given, approval("no", decision="Denied"))
    assert time.process_time() - started < 5
    assert len(first) == len(found) == MAX_RECORDS
    assert [record.name for record in found if record.name == "no"] == ["no"] * approves


def test_the_first_end_of_those_that_count_is_known() -> None:
    soon, late = (timestamp(NOW + timedelta(minutes=n)) for n in (5, 50))
    found = look(version(), approval(notAfter=late), approval("x", approver="rob", notAfter=soon))
    assert first_end(found, NOW) == NOW + timedelta(minutes=5)
    assert first_end(found, LATER) is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["create", "delete"])),
    max_size=12,
)


@given(STEPS, st.booleans())
def test_after_a_denial_nothing_undoes_it(steps: list[tuple[str, str]], vouched: bool) -> None:
    kinds = {"a": "Approved", "b": "Denied", "c": "Approved", "d": "Revoked"}
    existing: dict[str, ModelApproval] = {}
    seen, was_final = version(), False
    for number, (name, step) in enumerate(steps):
        if step == "create" and name not in existing:
            uid = f"{name}-{number}"
            existing[name] = approval(
                name, uid=uid, decision=kinds[name], approver=f"person-{name}"
            )
        elif step == "delete":
            existing.pop(name, None)
        since = VOUCHED_SINCE if vouched else None
        records = look(seen, *existing.values(), vouched=since)
        is_now_final = any(is_final(each) for each in records)
        assert is_now_final >= was_final
        uids = {each.metadata.uid for each in existing.values()}
        assert all(each.uid in uids for each in records if counts(each, NOW))
        seen, was_final = with_records(*records), is_now_final
