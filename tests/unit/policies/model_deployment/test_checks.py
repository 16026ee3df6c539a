"""May this version serve here today?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from hallmark.api.conditions import Condition, ConditionStatus
from hallmark.api.model_deployment import ModelDeploymentStatus
from hallmark.api.model_version import ApprovalRecord, ModelVersion
from hallmark.policies.model_deployment.checks import (
    Proposal,
    is_approved,
    is_approved_here,
    rejection,
    verified,
)
from hallmark.policies.model_deployment.inputs import (
    DeploymentInputs,
    Need,
    Verification,
    Wait,
)
from hallmark.refusal import Refusal
from tests.unit.policies.model_deployment.rollouts import (
    NOW,
    approval,
    at,
    condition,
    deployment,
    digest,
    entry,
    inputs,
    policy,
    verification,
    version,
)

V1 = version(1)


def refuted(*, transient: bool = False) -> DeploymentInputs:
    """Return inputs in which a byte of version 1 differs, or the store failed."""
    found = Verification(digest(1), NOW, refusal=Refusal("x", "Bad."), transient=transient)
    return replace(inputs(V1), verifications={digest(1): found})


@pytest.mark.parametrize(
    ("given", "under", "expected"),
    [
        (V1, inputs(V1), None),
        (V1, inputs(V1, verified=(1,)), None),
        (version(1, denied=True), inputs(V1), "Denied"),
        (version(1, revoked=True), inputs(V1), "Revoked"),
        (version(1, denied=True, revoked=True), inputs(V1), "Denied"),
        (version(1, verified="SignerRevoked"), inputs(V1), "KeyRevoked"),
        (version(1, verified="SignerExpired"), inputs(V1), "Revoked"),
        (version(1, verified="UnknownSigner"), inputs(V1), None),
        (version(1, approvals=()), inputs(V1), None),
        (V1, refuted(), "VerificationFailed"),
        (V1, refuted(transient=True), None),
    ],
    ids=[
        "nothing is known",
        "its bytes verified",
        "denied",
        "revoked",
        "denied and revoked",
        "its signer was revoked",
        "its signer ended",
        "its signer is not known",
        "not approved yet",
        "a byte differs",
        "the store failed",
    ],
)
def test_what_is_refused_for_good(
    given: ModelVersion, under: DeploymentInputs, expected: str | None
) -> None:
    refusal = rejection(given, under)
    assert (refusal.reason if refusal else None) == expected
    assert refusal is None or "ModelVersion 'credit-v1'" in refusal.message


ALIKE = f"{digest(1)[:19]}{digest(2)[19:]}"
"""Another digest with the first 12 hex digits of version 1's."""


@pytest.mark.parametrize(
    ("served", "expected"),
    [
        ((), None),
        ((digest(2),), None),
        ((ALIKE,), None),
        ((digest(1),), "VerificationFailed"),
        ((digest(3), digest(1)), "VerificationFailed"),
    ],
    ids=["nothing", "others", "these very bytes", "its like serves", "its like served"],
)
def test_bytes_with_the_label_of_others_that_served_are_refused(
    served: tuple[str, ...], expected: str | None
) -> None:
    """Whoever tries 2**24 specs finds two whose Pods would be one workload."""
    found = version(2)
    artifact = found.spec.artifact.replace(manifest_digest=ALIKE)
    alike = found.replace(spec=found.spec.replace(artifact=artifact))
    history = [entry(1).replace(manifest_digest=one) for one in served]
    status = ModelDeploymentStatus(active_digest=next(iter(served), None), history=history)
    refusal = rejection(alike, inputs(V1, alike, on=deployment(status)))
    assert (refusal.reason if refusal else None) == expected
    assert refusal is None or digest(1) in refusal.message


@pytest.mark.parametrize(
    ("approvals", "minimum", "expected"),
    [
        ((), 1, False),
        ((approval(),), 1, True),
        ((approval(),), 2, False),
        ((approval(), approval("paul")), 2, True),
        ((approval(), approval().replace(uid="again")), 2, False),
        ((approval(accepted=False),), 1, False),
        ((approval(withdrawn=True),), 1, False),
        ((approval(targets=("credit",)),), 1, True),
        ((approval(targets=("another",)),), 1, False),
        ((approval(not_after=at(1)),), 1, True),
        ((approval(not_after=at(0)),), 1, False),
    ],
    ids=[
        "none",
        "one of one",
        "one of two",
        "two of two",
        "the same person twice",
        "not accepted",
        "withdrawn",
        "for this Deployment",
        "for another Deployment",
        "before its end",
        "at its end",
    ],
)
def test_approvals(approvals: tuple[ApprovalRecord, ...], minimum: int, expected: bool) -> None:
    given = version(1, approvals=approvals)
    under = inputs(given, under=policy(minimum=minimum))
    assert (is_approved_here(Proposal(given, under)) is None) is expected
    assert is_approved(given, under) is expected


@pytest.mark.parametrize("final", [{"denied": True}, {"revoked": True}], ids=["denied", "revoked"])
def test_an_approval_does_not_help_what_was_rejected(final: dict[str, bool]) -> None:
    assert not is_approved(version(1, **final), inputs(V1))  # type: ignore[arg-type]


def unknown(type_: str) -> Condition:
    return condition(type_).replace(status=ConditionStatus.UNKNOWN)


def with_conditions(*conditions: Condition) -> ModelVersion:
    return V1.replace(status=V1.status.replace(conditions=list(conditions)))


FRESH = inputs(V1, verified=(1,))
OK, POLICY_OK = condition("Verified"), condition("PolicyPassed")


@pytest.mark.parametrize(
    ("given", "under", "expected"),
    [
        (V1, FRESH, "verified"),
        (V1, inputs(V1), "to be verified"),
        (V1, replace(FRESH, now=at(10)), "verified"),
        (V1, replace(FRESH, now=at(10.1)), "to be verified"),
        (V1, replace(FRESH, policy=None), "PolicyMissing, stalled"),
        (V1, refuted(transient=True), "Verifying"),
        (with_conditions(), FRESH, "Verifying"),
        (with_conditions(unknown("Verified"), POLICY_OK), FRESH, "Verifying"),
        (with_conditions(OK), FRESH, "Verifying"),
        (with_conditions(OK, unknown("PolicyPassed")), FRESH, "Verifying"),
        (
            with_conditions(condition("Verified", true=False), POLICY_OK),
            FRESH,
            "VerificationFailed, stalled",
        ),
        (
            with_conditions(OK, condition("PolicyPassed", true=False)),
            FRESH,
            "VerificationFailed, stalled",
        ),
    ],
    ids=[
        "hashed just now",
        "never hashed",
        "hashed ten seconds ago",
        "hashed longer ago",
        "no policy",
        "the store fails",
        "the version was not looked at",
        "its signature is not known",
        "its policy is not known",
        "its policy is being checked",
        "its signature does not hold",
        "it does not meet the policy",
    ],
)
def test_what_is_missing(given: ModelVersion, under: DeploymentInputs, expected: str) -> None:
    match verified(given, under):
        case None:
            found = "verified"
        case Need(version=needed):
            assert needed == given
            found = "to be verified"
        case Wait(reason=reason, stalled=stalled):
            found = f"{reason}, stalled" if stalled else reason
    assert found == expected


def test_a_failing_store_is_asked_again() -> None:
    found = verified(V1, refuted(transient=True))
    assert isinstance(found, Wait)
    assert found.again is not None


def test_what_verified_for_another_version_is_not_this_ones() -> None:
    other = replace(inputs(V1), verifications={digest(2): verification(2)})
    assert isinstance(verified(V1, other), Need)
