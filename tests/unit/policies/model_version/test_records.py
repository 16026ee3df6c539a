"""What is on record of decisions: withdrawn for good, of the same bytes, and without help."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.latch import LATCH_KEY, MAX_ATTESTED, MAX_FINAL, Attested, Latch
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_policy import ApproverKey
from hallmark.api.model_version import ApprovalRecord, ModelVersion
from hallmark.api.texts import timestamp
from hallmark.cluster.kinds import CONFIG_MAP
from hallmark.cluster.trim import trimmed
from hallmark.policies.model_version.approvals import counts, is_final
from hallmark.policies.model_version.attestation import attestation_digest
from hallmark.policies.model_version.records import (
    MAX_RECORDS,
    fell_with_its_key,
    final_word,
    next_latch,
    who_decided,
)
from hallmark.resources.latch import latch_object
from tests.unit.policies.model_version.ballots import (
    RITA,
    approval,
    look,
    with_records,
)
from tests.unit.policies.training_run.runs import NAMESPACE, NOW, version

ID = "0" * 32
OTHER = "sha256:" + "9" * 64
FALLEN = RITA.replace(revoked_at="2026-05-01T00:00:00Z")
TWIN = {"name": "credit-v2", "uid": "twin-uid"}


def on_twin(name: str = "yes", **more: Any) -> ModelApproval:  # noqa: ANN401
    return approval(name, modelVersion=TWIN, **more)


def latched(*records: ApprovalRecord, before: Latch | None = None) -> Latch:
    found = next_latch(version(), records, before)
    assert found is not None
    return found


def reasons(records: tuple[ApprovalRecord, ...]) -> dict[str, str]:
    return {record.name: record.reason for record in records}


# --- a withdrawn attestation -------------------------------------------------------------------


def withdrawn() -> tuple[ApprovalRecord, ...]:
    """Return the records after an attested approval was accepted, then deleted."""
    first = look(version(), approval(attested=ID))
    assert first[0].accepted
    return look(with_records(*first))


def test_a_withdrawn_attestation_does_not_count_again() -> None:
    replayed = approval("again", attested=ID)
    found = look(with_records(*withdrawn()), replayed)
    assert reasons(found)["again"] == "AttestationWithdrawn"
    assert not any(counts(record, NOW) for record in found)


def test_it_does_not_count_again_where_it_was_moved_while_nobody_looked() -> None:
    first = look(version(), approval(attested=ID))
    found = look(with_records(*first), approval("again", attested=ID))
    assert reasons(found)["again"] == "AttestationWithdrawn"


def test_it_does_not_count_again_on_a_twin_or_a_version_made_anew() -> None:
    latch = latched(*withdrawn())
    for anew in (version(**TWIN), version(uid="made-again")):
        reference = {"name": anew.metadata.name, "uid": anew.metadata.uid}
        replayed = approval("again", attested=ID, modelVersion=reference)
        found = look(anew, replayed, latch=latch)
        assert reasons(found) == {"again": "AttestationWithdrawn"}


def test_who_signs_anew_approves_anew() -> None:
    found = look(with_records(*withdrawn()), approval("again", attested=True))
    assert reasons(found)["again"] == "Accepted"


def test_an_attested_denial_may_be_repeated() -> None:
    denial = approval("no", decision="Denied", attested=ID)
    first = look(version(), denial)
    assert latched(*first).attested == [], "only what counts once is remembered"
    again = approval("again", decision="Denied", attested=ID)
    assert reasons(look(with_records(*first), again))["again"] == "Accepted"


def test_where_too_many_were_given_no_further_attestation_counts() -> None:
    given = [
        Attested(attestation=f"sha256:{number:064x}", uid=f"uid-{number}")
        for number in range(MAX_ATTESTED)
    ]
    digest = version().spec.artifact.manifest_digest
    latch = Latch(namespace=NAMESPACE, manifest_digest=digest, attested=given)
    found = look(version(), approval(attested=True), approval("plain", approver="rob"), latch=latch)
    assert reasons(found) == {"yes": "AttestationWithdrawn", "plain": "Accepted"}
    assert next_latch(version(), found, latch) == latch


def test_a_relay_may_bring_one_attestation_to_each_version_of_the_bytes() -> None:
    """As long as the approver's word stands: the first object is still there."""
    first = look(version(), approval(attested=ID))
    found = look(
        version(**TWIN),
        on_twin("also", attested=ID),
        latch=latched(*first),
        present={"uid-yes", "uid-also"},
    )
    assert reasons(found) == {"also": "Accepted"}


def test_an_approval_that_was_deleted_while_its_version_was_gone_is_withdrawn() -> None:
    latch = latched(*look(version(), approval(attested=ID)))
    replayed = approval(
        "again", attested=ID, modelVersion={"name": "credit-v1", "uid": "made-again"}
    )
    found = look(version(uid="made-again"), replayed, latch=latch)
    assert reasons(found) == {"again": "AttestationWithdrawn"}


# --- the same bytes ----------------------------------------------------------------------------


@pytest.mark.parametrize("decision", ["Denied", "Revoked"])
def test_what_is_final_of_a_twin_is_final(decision: str) -> None:
    said = look(version(**TWIN), on_twin("no", decision=decision))
    twin = with_records(*said, **TWIN)
    approved = look(version(), approval(approver="rob"))
    found = look(with_records(*approved), approval(approver="rob"), twins=[twin])
    final = final_word(found)
    assert final is not None
    assert final.decision == decision
    assert "'credit-v2', which has the same bytes" in who_decided(final)
    # It stays when the twin is gone, and is told of once.
    assert look(with_records(*found), approval(approver="rob")) == found
    assert look(with_records(*found), approval(approver="rob"), twins=[twin]) == found


@pytest.mark.parametrize("decision", ["Denied", "Revoked"])
def test_what_is_final_outlives_its_objects_and_its_version(decision: str) -> None:
    latch = latched(*look(version(), approval("no", decision=decision)))
    found = look(version(uid="made-again"), latch=latch)
    assert [(record.name, is_final(record)) for record in found] == [("no", True)]


def test_an_approval_of_a_twin_says_nothing_here() -> None:
    twin = with_records(*look(version(**TWIN), on_twin()), **TWIN)
    assert look(version(), twins=[twin]) == ()
    assert next_latch(twin, twin.status.approvals, None) is None


def test_what_did_not_count_on_a_twin_does_not_count_here() -> None:
    refused = look(version(**TWIN), on_twin("no", decision="Revoked"), vouched=None)
    assert not refused[0].accepted
    assert look(version(), twins=[with_records(*refused, **TWIN)]) == ()


def test_a_denial_of_other_bytes_under_this_name_does_not_count() -> None:
    found = look(version(), approval("no", decision="Denied", manifestDigest=OTHER))
    assert reasons(found) == {"no": "DigestMismatch"}


def test_what_is_remembered_is_bounded_and_stays() -> None:
    denials = [
        approval(f"no-{number:03}", decision="Denied", approver=f"p-{number}")
        for number in range(MAX_RECORDS * 2)
    ]
    found = look(version(), *denials)
    latch = latched(*found)
    assert len(latch.final) == MAX_FINAL
    assert latched(*reversed(found), before=latch) == latch
    assert latched(before=latch) == latch


def test_the_largest_latch_is_small() -> None:
    denial = approval("n" * 250, uid="u", decision="Denied", approver="\u20ac" * 253)
    record = look(version(), denial)[0]
    longest = record.replace(
        message="\u20ac" * 512, model_version="v" * 52, uid="u" * 64, targets=[]
    )
    latch = Latch(
        namespace="n" * 63,
        manifest_digest=OTHER,
        final=[longest] * MAX_FINAL,
        attested=[Attested(attestation=OTHER, uid="u" * 64)] * MAX_ATTESTED,
    )
    kept = trimmed(CONFIG_MAP, latch_object(latch, "hallmark-system"))
    assert kept["data"] == {LATCH_KEY: latch.to_bytes().decode()}, "whole, or it would be none"


# --- without help ------------------------------------------------------------------------------


@pytest.mark.parametrize("decision", ["Denied", "Revoked"])
def test_a_plain_word_against_needs_no_policy(decision: str) -> None:
    found = look(version(), approval("no", decision=decision), keys=None)
    assert reasons(found) == {"no": "Accepted"}


def test_without_a_policy_the_rest_waits_and_is_not_refused() -> None:
    waiting = [approval(), approval("no", decision="Denied", attested=True)]
    assert look(version(), *waiting, keys=None) == ()
    assert set(reasons(look(version(), *waiting)).values()) == {"Accepted"}


def test_without_a_policy_what_was_attested_stays() -> None:
    first = look(version(), approval(attested=True))
    assert look(with_records(*first), approval(attested=True), keys=None) == first


def test_where_nobody_says_who_vouches_what_is_attested_counts_and_the_rest_waits() -> None:
    decisions = [
        approval(),
        approval("no", decision="Revoked"),
        approval("attested", decision="Denied", attested=True),
    ]
    found = look(version(), *decisions, vouched=None, vouching_known=False)
    assert reasons(found) == {"attested": "Accepted"}
    later = look(with_records(*found), *decisions)
    assert reasons(later) == {"attested": "Accepted", "yes": "Accepted", "no": "Accepted"}


# --- an approver's key -------------------------------------------------------------------------


def test_an_approval_falls_with_its_key_also_where_its_object_is_gone() -> None:
    first = look(version(), approval(attested=True))
    gone = look(with_records(*first), keys=[FALLEN])
    assert [fell_with_its_key(record) for record in gone] == [True]
    assert look(with_records(*gone), keys=[FALLEN]) == gone, "it is not forgotten"


def test_what_fell_stays_down_when_the_key_is_trusted_again() -> None:
    first = look(version(), approval(attested=True))
    fallen = look(with_records(*first), approval(attested=True), keys=[FALLEN])
    assert look(with_records(*fallen), approval(attested=True)) == fallen


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([RITA.replace(valid_until="2026-05-01T00:00:00Z")], "AttestationInvalid"),
        ([], "AttestationInvalid"),
    ],
    ids=["ended", "taken out"],
)
def test_a_key_that_was_not_revoked_takes_its_approvals_without_being_a_theft(
    keys: list[ApproverKey], reason: str
) -> None:
    first = look(version(), approval(attested=ID))
    found = look(with_records(*first), approval(attested=ID), keys=keys)
    assert reasons(found) == {"yes": reason}
    assert not any(fell_with_its_key(record) for record in found)


def test_what_was_accepted_while_its_key_was_valid_counts_after_its_end() -> None:
    first = look(version(), approval(attested=ID))
    later = NOW + timedelta(days=30)
    ended = [RITA.replace(valid_until=timestamp(NOW + timedelta(days=1)))]
    heard_again = look(with_records(*first), approval(attested=ID), keys=ended, now=later)
    assert heard_again == first

    fresh = look(version(), approval(attested=ID), keys=ended, now=later)
    assert reasons(fresh) == {"yes": "AttestationInvalid"}, "nothing new counts by it"


def test_a_plain_approval_has_no_key_to_fall_with() -> None:
    first = look(version(), approval())
    assert look(with_records(*first), approval(), keys=[FALLEN]) == first


# --- whatever happens --------------------------------------------------------------------------


@dataclass
class Bank:
    """Versions of the same bytes, decisions on them, and what is remembered."""

    versions: dict[str, ModelVersion] = field(default_factory=dict)
    approvals: dict[str, ModelApproval] = field(default_factory=dict)
    latch: Latch | None = None
    keys: list[ApproverKey] | None = field(default_factory=lambda: [RITA])
    made: int = 0

    counted: set[tuple[str, str]] = field(default_factory=set)
    spent: set[str] = field(default_factory=set)

    def seal(self, name: str) -> None:
        """Make a version of the bytes, unless there is one of the name."""
        self.made += 1
        self.versions.setdefault(name, version(name=name, uid=f"{name}-{self.made}"))

    def decide(self, name: str, decision: str, attestation: str | None) -> None:
        """Say something of a version."""
        if name not in self.versions:
            return
        self.made += 1
        reference = {"name": name, "uid": self.versions[name].metadata.uid}
        said = f"{decision.lower()}-{self.made}"
        self.approvals[said] = approval(
            said,
            uid=said,
            decision=decision,
            modelVersion=reference,
            attested=attestation or False,
        )

    def withdraw(self, number: int) -> None:
        """Delete a decision; an attestation that counted with it alone is spent."""
        if number >= len(self.approvals):
            return
        gone = self.approvals.pop(list(self.approvals)[number])
        digest = attestation_digest(gone.spec)
        counted = any(uid == gone.metadata.uid for _, uid in self.counted)
        if counted and digest and digest not in self.attestations:
            self.spent.add(digest)

    @property
    def attestations(self) -> set[str | None]:
        """The attestations of the decisions that exist."""
        return {attestation_digest(made.spec) for made in self.approvals.values()}

    def settle(self) -> None:
        """Look at every version until nothing changes any more."""
        for _ in range(3):
            for name in list(self.versions):
                self.look(name)

    def look(self, name: str) -> None:
        """Look at a version."""
        seen = self.versions[name]
        own = [one for one in self.approvals.values() if one.spec.model_version.name == name]
        records = look(
            seen,
            *own,
            keys=self.keys,
            twins=[twin for other, twin in self.versions.items() if other != name],
            latch=self.latch,
            present=frozenset(one.metadata.uid for one in self.approvals.values()),
        )
        for record in records:
            if counts(record, NOW):
                assert record.uid in self.approvals, "a deleted approval counts for nothing"
                place = (seen.metadata.uid, record.uid)
                assert place in self.counted or record.attestation not in self.spent
                self.counted.add(place)
        status = seen.status.replace(approvals=list(records))
        self.versions[name] = seen.replace(status=status)
        self.latch = next_latch(seen, records, self.latch)


STEP = st.one_of(
    st.tuples(st.just("seal"), st.sampled_from("ab")),
    st.tuples(st.just("unseal"), st.sampled_from("ab")),
    st.tuples(
        st.just("decide"),
        st.sampled_from("ab"),
        st.sampled_from(["Approved"] * 6 + ["Denied", "Revoked"]),
        st.sampled_from([None, "1" * 32, "2" * 32]),
    ),
    st.tuples(st.just("withdraw"), st.integers(0, 3)),
    st.tuples(st.just("policy"), st.booleans()),
    st.tuples(st.just("look")),
)


@given(st.lists(STEP, max_size=20))
def test_a_final_word_holds_for_the_bytes_for_ever_and_a_withdrawn_one_is_spent(
    steps: list[tuple[Any, ...]],
) -> None:
    bank, was_final = Bank(), False
    bank.seal("a")
    for step, *values in steps:
        match step:
            case "seal":
                bank.seal(*values)
            case "unseal":
                bank.versions.pop(*values, None)
            case "decide":
                bank.decide(*values)
            case "withdraw":
                bank.withdraw(*values)
            case "policy":
                bank.keys = [RITA] if values[0] else None
            case "look":
                bank.settle()
                words = [final_word(sealed.status.approvals) for sealed in bank.versions.values()]
                assert not was_final or all(words), "every version of these bytes"
                was_final = was_final or any(words)
