"""Where a rollback goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hallmark.api.model_deployment import ModelDeploymentStatus, RefusedIntent
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need, Verification, Wait
from hallmark.policies.model_deployment.rollback import TargetMissing, find_target
from hallmark.refusal import Refusal
from tests.unit.policies.model_deployment.rollouts import (
    NOW,
    approval,
    at,
    digest,
    entry,
    inputs,
    serving_status,
    verification,
    version,
)

STATUS = serving_status(entry(3, start=20), entry(2, start=10, end=20), entry(1, start=0, end=10))
ALL = (version(1), version(2), version(3))


def target(
    given: DeploymentInputs, status: ModelDeploymentStatus = STATUS, named: str | None = None
) -> str:
    """Return what is found, in a word: a version's name, or the sentence."""
    match find_target(given, status, named):
        case ModelVersion(metadata=metadata):
            return metadata.name
        case TargetMissing(message):
            return message
        case Need(version=needed):
            return f"need {needed.metadata.name}"
        case Wait(message=message):
            return f"wait {message}"


def test_the_newest_stable_one_that_passes() -> None:
    assert target(inputs(*ALL, verified=(1, 2, 3))) == "credit-v2"


def test_its_bytes_must_be_verified_first() -> None:
    assert target(inputs(*ALL)) == "need credit-v2"


def test_an_old_verification_does_not_count() -> None:
    given = replace(inputs(*ALL, verified=(2,)), now=at(11))
    assert target(given) == "need credit-v2"


@pytest.mark.parametrize(
    "second",
    [
        version(2, revoked=True),
        version(2, denied=True),
        version(2, approvals=()),
        version(2, approvals=(approval(withdrawn=True),)),
        version(2, approvals=(approval(not_after=at(-1)),)),
        version(2, approvals=(approval(targets=("another",)),)),
        version(2, approvals=(approval(accepted=False),)),
        version(2, verified="SignatureInvalid"),
    ],
    ids=[
        "revoked",
        "denied",
        "never approved",
        "approval withdrawn",
        "approval expired",
        "approved for another Deployment",
        "approval not accepted",
        "its signature does not hold",
    ],
)
def test_one_that_may_not_serve_today_is_passed_over(second: ModelVersion) -> None:
    assert target(inputs(ALL[0], second, ALL[2], verified=(1, 2, 3))) == "credit-v1"


def test_one_with_bad_bytes_is_passed_over() -> None:
    given = inputs(*ALL, verified=(1,))
    bad = verification(2, refused="Files: expected this, found that.")
    assert target(replace(given, verifications={**given.verifications, digest(2): bad})) == (
        "credit-v1"
    )


def test_a_store_that_fails_is_waited_for() -> None:
    trouble = Verification(digest(2), NOW, refusal=Refusal("x", "Timeout."), transient=True)
    given = replace(inputs(*ALL, verified=(1,)), verifications={digest(2): trouble})
    assert target(given).startswith("wait")


def test_one_that_was_refused_after_it_served_is_passed_over() -> None:
    refused = RefusedIntent(
        intent_hash="x", manifest_digest=digest(2), reason="DriftRollback", time=timestamp(at(15))
    )
    status = STATUS.replace(refused=[refused])
    assert target(inputs(*ALL, verified=(1, 2, 3)), status) == "credit-v1"
    earlier = refused.replace(time=timestamp(at(5)))
    status = STATUS.replace(refused=[earlier])
    assert target(inputs(*ALL, verified=(1, 2, 3)), status) == "credit-v2"


def test_one_that_never_was_stable_is_no_target() -> None:
    status = serving_status(
        entry(3, start=20), entry(2, start=10, end=20, stable=False), entry(1, start=0, end=10)
    )
    assert target(inputs(*ALL, verified=(1, 2, 3)), status) == "credit-v1"


def test_a_person_may_name_the_target() -> None:
    given = inputs(*ALL, verified=(1, 2, 3))
    assert target(given, named="credit-v1") == "credit-v1"
    assert "credit-v9" in target(given, named="credit-v9")
    assert "found none" in target(given, named="credit-v3"), "what serves is no target"


def test_where_nothing_passes_each_is_named() -> None:
    given = inputs(version(1, revoked=True), version(2, denied=True), version(3))
    said = target(given)
    assert "credit-v1" in said
    assert "credit-v2" in said


def test_a_version_of_the_name_with_other_bytes_is_not_the_one_that_served() -> None:
    other = version(9).replace(metadata=version(2).metadata)
    given = inputs(version(1), other, verified=(1,))
    assert target(given) == "credit-v1"
