"""Whose word on a vulnerability counts, and until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hallmark.api.assessment import Analysis
from hallmark.api.dependencies import AcceptedVex, Dependencies, Severity, Vulnerabilities
from hallmark.api.latch import MAX_ATTESTED, Attested, Latch
from hallmark.api.model_approval import ApprovalReason, ModelApproval, ReviewDecision
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ApprovalRecord
from hallmark.api.texts import sha256_digest, timestamp
from hallmark.policies.model_version.approvals import counting, is_final
from hallmark.policies.model_version.records import MAX_RECORDS, next_latch
from hallmark.policies.model_version.words import digest_of, words_in_force, words_said
from hallmark.supply_chain.osv_entry import Vulnerability
from hallmark.supply_chain.vulnerabilities import Known, check_vulnerabilities
from tests.unit.policies.model_version.ballots import RITA, approval, look, with_records
from tests.unit.policies.training_run import runs
from tests.unit.policies.training_run.runs import NOW, version

MINUTE = timedelta(minutes=1)
NOT_AFFECTED = {
    "vulnerability": "CVE-1",
    "package": "numpy",
    "analysis": "not_affected",
    "justification": "code_not_reachable",
}


def assessed(name: str = "word", **changes: Any) -> ModelApproval:  # noqa: ANN401
    """Return rita's signed word that CVE-1 in numpy does no harm."""
    changes.setdefault("attested", True)
    return approval(name, decision="Assessed", **{"assessment": NOT_AFFECTED, **changes})


def policy(**changes: Any) -> ModelPolicySpec:  # noqa: ANN401
    """Return a policy that listens to reviewers and trusts rita's key, or another one."""
    rules = Dependencies(vulnerabilities=Vulnerabilities(vex=AcceptedVex()))
    return runs.policy(approvers=[RITA.to_wire()]).spec.replace(
        **{"dependencies": rules, **changes}
    )


def record(made: ModelApproval, **more: Any) -> ApprovalRecord:  # noqa: ANN401
    """Return what is on record of one decision."""
    (found,) = look(version(), made, **more)
    return found


def test_a_signed_word_is_accepted_and_heard() -> None:
    found = record(assessed(notAfter=timestamp(NOW + MINUTE)))
    assert (found.accepted, found.reason) == (True, ApprovalReason.ACCEPTED)
    (word,) = words_in_force([found], policy(), NOW)
    assert word.sentence() == (
        "CVE-1 in 'numpy': not_affected (code_not_reachable), says rita until "
        f"{timestamp(NOW + MINUTE)}."
    )
    assert words_in_force([found], policy(), NOW + MINUTE) == ()


REFUSED: dict[str, tuple[Callable[[], ModelApproval], ApprovalReason]] = {
    "of who asked for the version": (
        lambda: assessed(approver=version().spec.requested_by.name, attested=False),
        ApprovalReason.ASSESSMENT_INCOMPLETE,
    ),
    "that is not signed": (lambda: assessed(attested=False), ApprovalReason.ASSESSMENT_INCOMPLETE),
    "without an assessment": (
        lambda: assessed(assessment=None),
        ApprovalReason.ASSESSMENT_INCOMPLETE,
    ),
    "without a reason why nothing is affected": (
        lambda: assessed(assessment={**NOT_AFFECTED, "justification": None}),
        ApprovalReason.ASSESSMENT_INCOMPLETE,
    ),
    "about other bytes": (
        lambda: assessed(manifestDigest="sha256:" + "0" * 64),
        ApprovalReason.DIGEST_MISMATCH,
    ),
    "in another's name": (lambda: assessed(approver="rob"), ApprovalReason.ATTESTATION_INVALID),
    "that ended": (
        lambda: assessed(notAfter=timestamp(NOW)),
        ApprovalReason.EXPIRED,
    ),
    "whose assessment was changed after it was signed": (
        lambda: _changed(assessed(), package="scipy"),
        ApprovalReason.ATTESTATION_INVALID,
    ),
    "of which the assessment was taken from another decision": (
        lambda: _changed(approval(attested=True), decision="Assessed", **NOT_AFFECTED),
        ApprovalReason.ATTESTATION_INVALID,
    ),
}


def _changed(made: ModelApproval, decision: str | None = None, **said: str) -> ModelApproval:
    wire = made.spec.to_wire()
    wire["assessment"] = {**wire.get("assessment", {}), **said}
    wire["decision"] = decision or wire["decision"]
    return made.replace(spec=type(made.spec).model_validate(wire))


@pytest.mark.parametrize("case", REFUSED)
def test_a_word_counts_for_nothing(case: str) -> None:
    made, reason = REFUSED[case]
    found = record(made())
    assert (found.accepted, found.reason) == (False, reason)
    assert words_said([found], policy(), NOW) == ()


def test_nobody_excuses_what_they_asked_for() -> None:
    sealed = version()
    asked = sealed.spec.requested_by.replace(name="rita")
    own = sealed.replace(spec=sealed.spec.replace(requested_by=asked))
    (found,) = look(own, assessed())
    assert found.reason == ApprovalReason.SELF_APPROVAL
    assert words_said([found], policy(), NOW) == ()


def test_a_word_neither_approves_nor_rejects() -> None:
    found = record(assessed())
    assert not is_final(found)
    assert counting([found], None, NOW).approvers == ()
    both = look(with_records(found), assessed(), approval("yes"))
    assert counting(both, None, NOW).approvers == ("rita",)
    assert [one.accepted for one in both] == [True, True]


def test_one_person_may_say_several_things() -> None:
    other = {**NOT_AFFECTED, "vulnerability": "CVE-2"}
    found = look(version(), assessed(), assessed("other", assessment=other))
    assert len(words_in_force(found, policy(), NOW)) == 2


def test_a_word_is_withdrawn_with_its_object_and_does_not_come_back() -> None:
    made = assessed()
    found = record(made)
    (gone,) = look(with_records(found))
    assert gone.withdrawn
    assert words_said([gone], policy(), NOW) == ()
    latch = next_latch(version(), [found], None)
    again = made.replace(metadata=made.metadata.replace(name="again", uid="uid-again"))
    (refused,) = look(version(), again, latch=latch)
    assert refused.reason == ApprovalReason.ATTESTATION_WITHDRAWN


@pytest.mark.parametrize(
    ("key", "heard"),
    [
        ({}, True),
        ({"revokedAt": timestamp(NOW)}, False),
        ({"notAfter": timestamp(NOW + MINUTE)}, True),
        (None, False),
    ],
    ids=["stands", "was revoked", "ended since", "is not listed any more"],
)
def test_a_word_stands_as_long_as_an_approval_by_the_same_key(
    key: dict[str, str] | None, heard: bool
) -> None:
    keys = [] if key is None else [RITA.to_wire() | key]
    spec = runs.policy(approvers=keys).spec.replace(dependencies=policy().dependencies)
    found = words_in_force([record(assessed())], spec, NOW + 2 * MINUTE)
    assert bool(found) is heard


@pytest.mark.parametrize("rules", [None, Vulnerabilities()])
def test_a_policy_that_does_not_listen_hears_nothing(rules: Vulnerabilities | None) -> None:
    deaf = policy(dependencies=Dependencies(vulnerabilities=rules))
    assert words_in_force([record(assessed())], deaf, NOW) == ()
    assert len(words_said([record(assessed())], deaf, NOW)) == 1


def test_the_digest_tells_each_change_and_no_order() -> None:
    one, other = record(assessed("one")), record(assessed("two", reason="Other words."))
    ends = record(assessed("one", notAfter=timestamp(NOW + MINUTE)))

    def digest(*records: ApprovalRecord) -> str:
        return digest_of(words_in_force(records, policy(), NOW))

    assert digest() == ""
    assert digest(one, other) == digest(other, one)
    assert len({digest(), digest(one), digest(one, other), digest(ends)}) == 4


def test_words_crowd_out_no_approval() -> None:
    words = [
        record(assessed(f"word-{number}")).replace(
            uid=f"uid-{number}", time=timestamp(NOW - MINUTE)
        )
        for number in range(MAX_RECORDS)
    ]
    objects = [assessed(f"word-{number}", uid=f"uid-{number}") for number in range(MAX_RECORDS)]
    found = look(with_records(*words), *objects, approval("yes"))
    assert len(found) == MAX_RECORDS
    assert counting(found, None, NOW).approvers == ("rita",)


def test_who_excuses_does_not_drown_who_says_that_it_matters() -> None:
    flood = [assessed(f"word-{number:02}") for number in range(MAX_RECORDS)]
    first = look(version(), *flood)
    assert sum(record.accepted for record in first) == MAX_RECORDS
    matters = assessed("matters", assessment={**NOT_AFFECTED, "analysis": "exploitable"})
    found = look(with_records(*first), *flood, matters, latch=next_latch(version(), first, None))
    assert len(found) == MAX_RECORDS
    assert Analysis.EXPLOITABLE in {
        word.said.analysis for word in words_in_force(found, policy(), NOW)
    }


def test_a_word_that_is_being_deleted_is_withdrawn_whatever_keeps_it() -> None:
    first = record(assessed())
    (second,) = look(with_records(first), assessed(deleted=True))
    assert second.withdrawn
    assert words_said([second], policy(), NOW) == ()
    assert look(version(), assessed(deleted=True)) == ()


def test_words_leave_room_for_the_attestations_of_approvals() -> None:
    kept = [
        Attested(attestation=sha256_digest(str(number).encode()), uid=f"uid-{number}")
        for number in range(MAX_ATTESTED // 2)
    ]
    sealed = version()
    latch = Latch(
        namespace=sealed.metadata.namespace,
        manifest_digest=sealed.spec.artifact.manifest_digest,
        attested=kept,
    )
    found = look(sealed, assessed(), approval("yes", attested=True), latch=latch)
    assert {record.decision: record.accepted for record in found} == {
        ReviewDecision.ASSESSED: False,
        ReviewDecision.APPROVED: True,
    }


def test_two_spellings_are_one_person() -> None:
    one = record(assessed("one"))
    other = record(assessed("other")).replace(approver="Rita ")
    keys = [RITA.to_wire(), RITA.to_wire() | {"approver": "Rita "}]
    spec = runs.policy(approvers=keys).spec.replace(dependencies=policy().dependencies)
    words = words_in_force([one, other], spec, NOW)
    flaw = Vulnerability("numpy", "2.1.0", "CVE-1", (), Severity.HIGH, "")
    rules = Vulnerabilities(vex=AcceptedVex(minimum=2))
    assert [word.by for word in words] == ["rita", "Rita "]
    assert check_vulnerabilities(Known("sha256:" + "0" * 64, None, (flaw,)), rules, NOW, words)


def test_every_decision_is_an_approval_a_word_or_final() -> None:
    final = {decision for decision in ReviewDecision if decision.is_final}
    assert final == {ReviewDecision.DENIED, ReviewDecision.REVOKED}
