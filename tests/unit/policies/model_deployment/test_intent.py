from __future__ import annotations

import pytest

from hallmark.api.model_deployment import RefusedIntent, RollbackMode
from hallmark.api.model_version import ModelVersion, RolledBack
from hallmark.policies.model_deployment.checks import is_rejected
from hallmark.policies.model_deployment.intent import (
    Intent,
    find_intent,
    intend,
    intent_hash,
    is_refused,
)
from tests.unit.policies.model_deployment.rollouts import STRATEGY, digest, spec, version


def want(*versions: ModelVersion, at_least: int = 0, active: int = 0, **asked: object) -> int:
    """Return the number of the version that is asked for, 0 for none."""

    def renewable(found: ModelVersion) -> bool:
        return bool(found.status.approvals) and not is_rejected(found)

    intent = find_intent(
        spec(**asked),
        versions,
        approved=lambda found: renewable(found) and found.status.rolled_back is None,
        rejected=is_rejected,
        renewable=renewable,
        at_least=at_least,
        active=digest(active) if active else None,
    )
    return intent.version.spec.version if intent else 0


@pytest.mark.parametrize(
    "change",
    [
        {"replicas": 7},
        {"replicas": 0},
        {"suspend": True},
        {"resources": {"requests": {"cpu": "1"}}},
    ],
    ids=["scaled up", "scaled to zero", "suspended", "given more CPU"],
)
def test_the_intent_stays_when_the_object_is(change: dict[str, object]) -> None:
    assert intent_hash(digest(1), spec(**change)) == intent_hash(digest(1), spec())


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"model_version": "credit-v1", "model": None},
        {"strategy": STRATEGY.replace(bake="1h")},
        {"drift": {"threshold": "0.3", "window": 100}},
        {"rollback": RollbackMode.MANUAL},
    ],
    ids=["model", "pinned version", "strategy", "drift", "rollback"],
)
def test_another_value_is_another_intent(change: dict[str, object]) -> None:
    assert intent_hash(digest(1), spec(**change)) != intent_hash(digest(1), spec())


def test_other_bytes_are_another_intent() -> None:
    assert intent_hash(digest(1), spec()) != intent_hash(digest(2), spec())


def test_a_refused_intent_is_known_by_its_hash_alone() -> None:
    intent: Intent = intend(version(1), spec())
    refused = RefusedIntent(
        intent_hash=intent.hash,
        manifest_digest=digest(1),
        reason="Denied",
        time="2026-11-25T12:00:00Z",
    )
    assert is_refused(intent, [refused])
    assert not is_refused(intend(version(1), spec(rollback=RollbackMode.MANUAL)), [refused])


V1, V2, V3 = version(1), version(2), version(3)
RAW3 = version(3, approvals=())


@pytest.mark.parametrize(
    ("versions", "asked", "expected"),
    [
        ((V1, V3, V2), {}, 3),
        ((V1, V2, RAW3), {}, 2),
        ((V1, version(3, denied=True)), {}, 1),
        ((V1, version(3, revoked=True)), {}, 1),
        ((version(1, approvals=()), RAW3), {}, 3),
        ((version(3, approvals=(), denied=True), version(1, approvals=())), {}, 1),
        ((version(3, model="other"), V1), {}, 1),
        ((), {}, 0),
        ((V1, V2), {"model_version": "credit-v1"}, 1),
        ((RAW3, V2), {"model_version": "credit-v3"}, 3),
        ((V1,), {"model_version": "credit-v9"}, 0),
    ],
    ids=[
        "the newest approved is followed",
        "an unapproved newer one is not",
        "a denied newer one is not",
        "a revoked newer one is not",
        "where none is approved, the newest is waited for",
        "where none is approved, a denied one is not waited for",
        "another model's version is nothing",
        "no version, no intent",
        "a pinned version is that version",
        "a pinned version may be unapproved",
        "a pinned version that does not exist is none",
    ],
)
def test_what_is_asked_for(
    versions: tuple[ModelVersion, ...], asked: dict[str, object], expected: int
) -> None:
    assert want(*versions, **asked) == expected


def test_a_withdrawn_approval_is_no_reason_to_go_backwards() -> None:
    withdrawn = version(2, approvals=())
    assert want(V1, withdrawn, at_least=2, active=2) == 2


def test_an_unapproved_newer_version_does_not_disturb_what_serves() -> None:
    assert want(version(1, approvals=()), RAW3, at_least=1, active=1) == 1


def rolled_back(number: int) -> ModelVersion:
    found, mark = (
        version(number),
        RolledBack(time="2026-01-01T00:00:00Z", deployment="d", reason=""),
    )
    return found.replace(status=found.status.replace(rolled_back=mark))


@pytest.mark.parametrize(
    ("active", "versions", "expected"),
    [
        pytest.param(1, (version(1), rolled_back(2)), 2, id="the former serves: it is not anew"),
        pytest.param(0, (version(1), rolled_back(2)), 1, id="nothing serves: what may does"),
        pytest.param(1, (version(1), version(2), rolled_back(3)), 2, id="what may serve is newer"),
        pytest.param(2, (version(1), rolled_back(2)), 2, id="it serves here: it stays"),
        pytest.param(1, (version(1), rolled_back(2), version(3)), 3, id="a newer one is approved"),
    ],
)
def test_a_version_that_must_be_approved_anew_stays_what_a_model_asks_for(
    active: int, versions: tuple[ModelVersion, ...], expected: int
) -> None:
    assert want(*versions, at_least=active, active=active) == expected
