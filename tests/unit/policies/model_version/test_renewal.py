"""Approvals of before a rollback: what counts no more, for whom, and that nothing pushes it out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.latch import Attested, Latch
from hallmark.api.model_deployment import LastRollback, Rollout
from hallmark.api.model_policy import Approvals, OnRevocation
from hallmark.api.model_version import ApprovalRecord, ModelVersion, RolledBack
from hallmark.api.texts import timestamp
from hallmark.policies.decision import Decision
from hallmark.policies.model_deployment.checks import Proposal, is_approved_here
from hallmark.policies.model_deployment.record import gave_way
from hallmark.policies.model_deployment.trust import trust_of
from hallmark.policies.model_deployment.withdrawal import withdrawal
from hallmark.policies.model_version.approvals import counting
from hallmark.policies.model_version.decide import decide_version, latch_to_write
from hallmark.policies.model_version.records import MAX_RECORDS
from hallmark.policies.model_version.renewal import is_of_before, last_of
from hallmark.policies.unmet import unmet, votes
from tests.unit.policies.model_deployment import rollouts
from tests.unit.policies.model_version.ballots import approval, look, with_records
from tests.unit.policies.model_version.test_decide import inputs
from tests.unit.policies.model_version.test_groups import approved, under
from tests.unit.policies.training_run import runs
from tests.unit.policies.training_run.runs import NAMESPACE, NOW, version

RENEW = {"renewAfterRollback": True}
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
ID = "0" * 32


def rolled_back(moment: Any = NOW, where: str = "credit") -> RolledBack:  # noqa: ANN401
    return RolledBack(time=timestamp(moment), deployment=where, reason="DriftRollback")


def decided(*, renew: bool = True, seen: ModelVersion | None = None, **more: Any) -> Decision:  # noqa: ANN401
    policy = runs.policy(approvals=RENEW if renew else {})
    return decide_version(inputs(version=seen or version(), policy=policy, **more))


@pytest.mark.parametrize(
    ("given_at", "renew", "expected"),
    [
        pytest.param(NOW - SECOND, True, "False/AwaitingApproval", id="before: it counts no more"),
        pytest.param(NOW, True, "False/AwaitingApproval", id="in the same moment: nor then"),
        pytest.param(NOW + SECOND, True, "True/Approved", id="after: it counts"),
        pytest.param(NOW - SECOND, False, "True/Approved", id="not demanded: it counts"),
    ],
)
def test_an_approval_of_before_a_rollback_counts_where_the_policy_does_not_mind(
    given_at: Any,  # noqa: ANN401
    expected: str,
    *,
    renew: bool,
) -> None:
    said = approval(created=given_at)
    found = decided(renew=renew, approvals=(said,), rolled_back=rolled_back(), now=NOW + 2 * SECOND)
    condition, message = approved(found)
    assert condition == expected
    if expected != "True/Approved":
        assert "It was rolled back in Deployment 'credit'" in message
        assert "(DriftRollback)" in message
        assert "earlier ones by rita count no more." in message


def test_what_counts_is_when_a_word_was_given_and_not_when_it_was_heard() -> None:
    """The API server could not say who vouches for names until after the rollback."""
    late = decided(approvals=(approval(created=NOW - MINUTE),), rolled_back=rolled_back())
    assert late.status is not None
    assert approved(late)[0] == "False/AwaitingApproval"


def test_the_same_person_may_approve_again_after_a_rollback_and_only_then() -> None:
    first, second = approval("first", created=NOW - MINUTE), approval("second", created=NOW)
    known = look(version(), first)
    again = look(with_records(*known), first, second)
    assert [record.reason for record in again] == ["Accepted", "DuplicateApprover"]
    anew = look(with_records(*known), first, second, rolled_back=rolled_back(NOW - SECOND))
    assert [record.reason for record in anew] == ["Accepted", "Accepted"]
    third = approval("third", created=NOW)
    twice = look(with_records(*anew), first, second, third, rolled_back=rolled_back(NOW - SECOND))
    assert [record.reason for record in twice][2:] == ["DuplicateApprover"]


def test_an_old_signature_in_a_new_object_is_no_new_word() -> None:
    """A relay holds an attestation of before; the approver signed nothing since."""
    first = approval("first", created=NOW - MINUTE, attested=ID)
    second = approval("second", created=NOW + SECOND, attested=ID)
    later = NOW + 2 * SECOND
    known = look(version(), first)
    found = look(with_records(*known), first, second, rolled_back=rolled_back(), now=later)
    assert all(is_of_before(record, rolled_back()) for record in found)
    fresh = approval("fresh", created=NOW + SECOND, attested="1" * 32)
    anew = look(with_records(*known), first, fresh, rolled_back=rolled_back(), now=later)
    assert [is_of_before(record, rolled_back()) for record in anew] == [True, False]


@pytest.mark.parametrize("time", [None, timestamp(NOW - MINUTE)], ids=["unknown", "before"])
def test_nor_where_only_the_latch_knows_the_signature(time: str | None) -> None:
    """The ModelVersion was deleted and made anew; the first approval still stands."""
    first = approval("first", created=NOW - MINUTE, attested=ID)
    digest = look(version(), first)[0].attestation
    assert digest is not None
    latch = Latch(
        namespace=NAMESPACE,
        manifest_digest=version().spec.artifact.manifest_digest,
        attested=[Attested(attestation=digest, uid=first.metadata.uid, given=time)],
    )
    again = approval("again", created=NOW + SECOND, attested=ID)
    (record,) = look(
        version(),
        again,
        latch=latch,
        present={first.metadata.uid, again.metadata.uid},
        now=NOW + MINUTE,
    )
    assert record.accepted
    assert is_of_before(record, rolled_back())


def test_it_stands_where_neither_the_versions_author_nor_its_deletion_reaches() -> None:
    given_inputs = inputs(policy=runs.policy(approvals=RENEW), rolled_back=rolled_back())
    decision = decide_version(given_inputs)
    latch = latch_to_write(given_inputs, decision)
    assert latch is not None
    assert latch.rolled_back == rolled_back()
    made_anew = decided(latch=latch, approvals=(approval(created=NOW - MINUTE),))
    assert approved(made_anew)[0] == "False/AwaitingApproval"
    assert made_anew.status is not None
    assert made_anew.status.rolled_back == rolled_back()  # type: ignore[attr-defined]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from("abc")), min_size=1))
def test_of_many_rollbacks_the_last_one_stands_whatever_order_they_are_heard_in(
    found: list[tuple[int, str]],
) -> None:
    marks = [rolled_back(NOW + seconds * SECOND, where) for seconds, where in found]
    last: RolledBack | None = None
    for mark in marks:
        last = last_of(mark, last)
    assert last is not None
    assert last.time == max(mark.time for mark in marks)


def test_a_thousand_approvals_of_before_push_out_none_of_after() -> None:
    old = [
        approval(f"old-{number}", approver=f"p{number}", created=NOW - MINUTE)
        for number in range(1000)
    ]
    records: tuple[ApprovalRecord, ...] = ()
    for start in range(0, 1000, 50):
        records = look(with_records(*records), *old[: start + 50])
    assert len(records) == MAX_RECORDS
    new = approval("new", created=NOW)
    mark = rolled_back(NOW - SECOND)
    after = look(with_records(*records), *old, new, rolled_back=mark)
    asked = Approvals.model_validate(RENEW)
    assert len(after) == MAX_RECORDS
    assert [one.name for one in counting(after, asked, NOW, mark).records] == ["new"]


def test_pages_and_explain_say_who_must_approve_again() -> None:
    first = decided(approvals=(approval(created=NOW - MINUTE),), rolled_back=rolled_back())
    assert first.status is not None
    seen, policy = version().replace(status=first.status), runs.policy(approvals=RENEW).spec
    found = votes(seen, policy, NOW)
    assert (found.approvers, found.missing) == ((), 1)
    assert not any("rita" in one for one in found.excluded)
    (lacks,) = [one for one in unmet(seen, policy, "default", (), NOW) if one.what == "Approved"]
    assert "1 more person must approve it" in lacks.sentence
    assert "It was rolled back in Deployment 'credit'" in lacks.sentence


# -- where it is to serve -----------------------------------------------------------------------


BEFORE = rollouts.approval().replace(given=timestamp(rollouts.NOW - MINUTE))
AFTER = rollouts.approval("rob").replace(given=timestamp(rollouts.NOW))
MARK = rolled_back(rollouts.NOW - SECOND, "another")


@pytest.mark.parametrize("knows", ["the version", "the log"])
@pytest.mark.parametrize(("records", "lacks"), [((BEFORE,), True), ((BEFORE, AFTER), False)])
def test_a_version_rolled_back_anywhere_starts_nowhere_without_a_new_approval(
    knows: str, records: tuple[ApprovalRecord, ...], *, lacks: bool
) -> None:
    asked = rollouts.version(1, approvals=records)
    status = asked.status.replace(rolled_back=MARK if knows == "the version" else None)
    asked = asked.replace(status=status)
    given_inputs = rollouts.inputs(asked, under=under(**RENEW), verified=(1,))
    if knows == "the log":
        given_inputs.rolled_back[rollouts.digest(1)] = MARK  # type: ignore[index]
    refusal = is_approved_here(Proposal(asked, given_inputs))
    assert (refusal is not None) is lacks
    if refusal is not None:
        assert refusal.reason == "AwaitingApproval"
        assert "rolled back in Deployment 'another'" in refusal.message


def test_what_serves_elsewhere_is_neither_withdrawn_nor_kept_from_starting_pods() -> None:
    """Its approval is of before; that of another person fell with a key and is not needed."""
    fallen = rollouts.approval("rob", fallen=True)
    asked = rollouts.version(1, approvals=(BEFORE, fallen))
    asked = asked.replace(status=asked.status.replace(rolled_back=MARK))
    policy = under(**RENEW, onKeyRevocation=OnRevocation.STOP)
    given_inputs = rollouts.inputs(asked, under=policy, verified=(1,))
    assert withdrawal(asked, given_inputs) is None
    trust = trust_of(given_inputs, asked)
    assert trust is not None
    assert [one.approver for one in trust.approvals] == ["rita"]


def test_without_a_log_at_hand_the_records_of_deployments_say_what_gave_way() -> None:
    """As in a folder without a cluster."""
    back = LastRollback(from_="credit-v2", to="credit-v1", from_digest=rollouts.digest(2),
                        to_digest=rollouts.digest(1), reason="DriftRollback",
                        time=timestamp(NOW))  # fmt: skip
    held = rollouts.serving_status(rollouts.entry(1))
    rollout = (held.rollout or Rollout()).replace(cause="Stopped", since=timestamp(NOW + SECOND))
    deployments = [
        rollouts.deployment(status=status)
        for status in (
            rollouts.serving_status(rollouts.entry(1)).replace(last_rollback=back),
            held.replace(rollout=rollout),
        )
    ]
    rolled, stopped = (gave_way(deployments, rollouts.digest(number)) for number in (2, 1))
    assert rolled is not None
    assert (rolled.time, rolled.reason) == (timestamp(NOW), "DriftRollback")
    assert stopped is not None
    assert (stopped.time, stopped.reason) == (timestamp(NOW + SECOND), "Stopped")
    assert gave_way(deployments, rollouts.digest(3)) is None
