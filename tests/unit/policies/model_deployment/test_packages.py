"""Refused packages of what serves roll it back where the policy says so, once, and only then."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from hallmark.api.dependencies import Dependencies, OnViolation
from hallmark.api.model_deployment import (
    Hold,
    LastRollback,
    ModelDeploymentStatus,
    RollbackMode,
    RolloutState,
)
from hallmark.api.model_policy import ModelPolicy, OnNoTarget
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.inputs import Need, View, Wait
from hallmark.policies.model_deployment.look_serving import look_at_serving
from hallmark.policies.model_deployment.triggers import NoTarget, RollBack, Stop
from tests.unit.policies.model_deployment.rollouts import (
    NOW,
    at,
    condition,
    digest,
    entry,
    policy,
    serving_status,
    version,
    view,
)

FEED, OTHER = digest(90), digest(91)
SERVING = serving_status(entry(2, start=10), entry(1, end=10))
ROLLBACK = OnViolation.ROLLBACK


def under(
    on_violation: OnViolation | None = ROLLBACK, on_no_target: OnNoTarget = OnNoTarget.HOLD
) -> ModelPolicy:
    made = policy(on_no_target=on_no_target)
    rules = Dependencies(on_violation=on_violation)
    return made.replace(spec=made.spec.replace(dependencies=rules))


def judged(
    number: int,
    reason: str = "PolicyPassed",
    *,
    by: ModelPolicy,
    feed: str = FEED,
) -> ModelVersion:
    """Return a version as it was judged by a policy and a snapshot."""
    made = version(number)
    conditions = [
        found if found.type != "PolicyPassed" else condition(
            "PolicyPassed", true=reason == "PolicyPassed", reason=reason
        )
        for found in made.status.conditions
    ]  # fmt: skip
    status = made.status.replace(
        conditions=conditions, policy_digest=by.spec.digest, feed_digest=feed
    )
    return made.replace(status=status)


def rolled_back(acknowledged: bool) -> LastRollback:
    return LastRollback(
        from_="credit-v3",
        to="credit-v2",
        from_digest=digest(3),
        to_digest=digest(2),
        reason="DriftRollback",
        message="",
        time=timestamp(NOW),
        acknowledged=acknowledged,
    )


HOLD = Hold(
    id="1", by="eve", reason="a launch", since=timestamp(NOW), until=timestamp(at(3600))
)  # fmt: skip


def seen(
    status: ModelDeploymentStatus = SERVING,
    *,
    reason: str = "PackagesRefused",
    on: ModelPolicy | None = None,
    by: ModelPolicy | None = None,
    target: ModelVersion | None = None,
    verified: tuple[int, ...] = (1, 2),
    **changes: Any,  # noqa: ANN401
) -> View:
    """Return a Deployment whose second version serves, and was judged."""
    applied = on or under()
    active = judged(2, reason, by=by or applied)
    other = target or judged(1, by=applied)
    return view(status, other, active, under=applied, verified=verified, **changes)


def word(found: View) -> str:
    """Return what is asked for, in a word."""
    match look_at_serving(found):
        case RollBack(target, cause):
            return f"RollBack {cause} {target.metadata.name}"
        case NoTarget(cause) | Stop(cause) as trigger:
            return f"{type(trigger).__name__} {cause}"
        case Wait(message=message):
            return f"wait: {message}"
        case Need(version=needed):
            return f"need {needed.metadata.name}"
        case None:
            return "nothing"
        case other:
            return type(other).__name__


BACK = "RollBack PackageRollback credit-v1"
REASONS = ("PackagesRefused", "PolicyFailed", "PolicyPassed", "Pending")


@pytest.mark.parametrize(
    ("on_violation", "reason", "mode"),
    list(itertools.product([*OnViolation, None], REASONS, RollbackMode)),
)
def test_the_policys_word_alone_rolls_back_and_only_for_a_refused_package(
    on_violation: OnViolation | None, reason: str, mode: RollbackMode
) -> None:
    found = word(seen(reason=reason, on=under(on_violation), rollback=mode))
    asks = on_violation is ROLLBACK and reason == "PackagesRefused"
    assert found == (BACK if asks else "nothing")


def after(**rollout: Any) -> ModelDeploymentStatus:  # noqa: ANN401
    return SERVING.replace(rollout=SERVING.rollout and SERVING.rollout.replace(**rollout))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(SERVING.replace(hold=HOLD), "nothing", id="a person holds it"),
        pytest.param(
            SERVING.replace(last_rollback=rolled_back(False)), "nothing", id="just rolled back"
        ),
        pytest.param(
            SERVING.replace(last_rollback=rolled_back(True)), BACK, id="that was acknowledged"
        ),
        pytest.param(after(cause="PackageRollback"), "nothing", id="held for it already"),
        pytest.param(after(cause="CrashRollback"), BACK, id="held for something else"),
        pytest.param(after(state=RolloutState.HELD, cause="Stopped"), "nothing", id="stopped"),
        pytest.param(after(drift_rollback_spent=True), BACK, id="drift's budget is another one"),
        pytest.param(after(state=RolloutState.PROMOTED), BACK, id="while it bakes"),
        pytest.param(ModelDeploymentStatus(), "nothing", id="nothing serves"),
    ],
)
def test_the_guards_of_rollbacks_hold(status: ModelDeploymentStatus, expected: str) -> None:
    assert word(seen(status)) == expected


def test_a_suspended_deployment_is_rolled_back() -> None:
    assert word(seen(suspend=True)) == BACK


def test_what_was_said_under_another_policy_decides_nothing() -> None:
    assert word(seen(by=under(OnViolation.REPORT))) == "nothing"


@pytest.mark.parametrize(
    ("policy_of_target", "feed", "waits"),
    [(under(), FEED, False), (under(None), FEED, True), (under(), OTHER, True)],
)
def test_the_target_must_have_been_judged_by_the_same_rules(
    policy_of_target: ModelPolicy, feed: str, waits: bool
) -> None:
    found = word(seen(target=judged(1, by=policy_of_target, feed=feed)))
    assert found.startswith("wait" if waits else BACK)
    assert not waits or "'credit-v1' is being judged by the same rules" in found


@pytest.mark.parametrize(
    ("on_no_target", "expected"),
    [(OnNoTarget.HOLD, "NoTarget PackageRollback"), (OnNoTarget.STOP, "Stop PackageRollback")],
)
def test_a_target_whose_packages_are_refused_too_is_none(
    on_no_target: OnNoTarget, expected: str
) -> None:
    on = under(on_no_target=on_no_target)
    assert word(seen(on=on, target=judged(1, "PackagesRefused", by=on))) == expected


def test_the_targets_bytes_are_verified_first() -> None:
    assert word(seen(verified=())) == "need credit-v1"


def test_without_a_policy_nothing_moves() -> None:
    found = seen()
    assert word(replace(found, inputs=replace(found.inputs, policy=None))) == "nothing"


def test_a_revocation_comes_first() -> None:
    found = seen()
    revoked = version(2, revoked=True)
    versions = (found.inputs.versions[0], revoked)
    said = word(replace(found, inputs=replace(found.inputs, versions=versions)))
    assert said == "RollBack RevocationRollback credit-v1"


def test_the_sentence_names_the_version_and_says_what_was_found() -> None:
    found = look_at_serving(seen())
    assert isinstance(found, RollBack)
    assert found.message == "ModelVersion 'credit-v2': PolicyPassed is False."
