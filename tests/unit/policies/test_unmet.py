"""What keeps a version from serving is told whole, and by ``explain`` as by the pages."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from hallmark.api.conditions import Condition, ConditionStatus
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion, RolledBack, VersionCondition
from hallmark.api.reasons import VersionReason
from hallmark.api.rollout_floors import RolloutFloors
from hallmark.api.texts import timestamp
from hallmark.cli.explain import Known, troubles_of
from hallmark.policies.model_deployment.decide import DeploymentDecision, decide
from hallmark.policies.model_deployment.inputs import View
from hallmark.policies.model_deployment.intent import intent_of
from hallmark.policies.status import merge_conditions
from hallmark.policies.unmet import Standing, Unmet, kept_back, unmet
from tests.unit.policies.model_deployment.rollouts import (
    NAME,
    NOW,
    approval,
    at,
    deployment,
    pod,
    policy,
    version,
    view,
)
from tests.unit.policies.model_deployment.test_on_hold import held
from tests.unit.policies.model_deployment.test_triggers import CASES
from tests.unit.policies.model_deployment.trigger_views import FIRST

C, R = VersionCondition, VersionReason
TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
CHECKS: dict[VersionCondition, list[tuple[ConditionStatus, VersionReason] | None]] = {
    C.VERIFIED: [
        None,
        (TRUE, R.SIGNATURE_VALID),
        (UNKNOWN, R.PENDING),
        (UNKNOWN, R.STORE_UNAVAILABLE),
        *(
            (FALSE, reason)
            for reason in (
                R.SIGNATURE_INVALID,
                R.UNKNOWN_SIGNER,
                R.SIGNER_REVOKED,
                R.SIGNER_EXPIRED,
                R.POLICY_MISSING,
            )
        ),
    ],
    C.SBOM_READY: [None, (TRUE, R.SBOM_RECORDED), (UNKNOWN, R.PENDING), (FALSE, R.PENDING)],
    C.POLICY_PASSED: [
        None,
        (TRUE, R.POLICY_PASSED),
        (UNKNOWN, R.PENDING),
        (FALSE, R.POLICY_FAILED),
        (FALSE, R.POLICY_MISSING),
    ],
    C.APPROVED: [
        None,
        (TRUE, R.APPROVED),
        (FALSE, R.AWAITING_APPROVAL),
        (FALSE, R.POLICY_MISSING),
        (FALSE, R.DENIED),
    ],
    C.DENIED: [None, (FALSE, R.NOT_DENIED), (TRUE, R.DENIED)],
    C.REVOKED: [None, (FALSE, R.NOT_REVOKED), (TRUE, R.REVOKED)],
}
"""How each condition of a version can stand; None: it was not looked at."""
FINAL = (C.DENIED, C.REVOKED)


def told(
    standings: dict[VersionCondition, tuple[ConditionStatus, VersionReason] | None],
) -> ModelVersion:
    conditions = [
        Condition(
            type=type_,
            status=found[0],
            reason=found[1],
            message=f"{type_}: {found[1]}.",
            last_transition_time="2026-11-25T11:00:00Z",
        )
        for type_, found in standings.items()
        if found
    ]
    made = version(1, approvals=())
    return made.replace(status=made.status.replace(conditions=conditions))


@given(st.fixed_dictionaries({type_: st.sampled_from(ways) for type_, ways in CHECKS.items()}))
def test_every_condition_that_does_not_hold_is_there_at_once_and_no_other(
    standings: dict[VersionCondition, tuple[ConditionStatus, VersionReason] | None],
) -> None:
    found = {one.what: one for one in unmet(told(standings), policy().spec, "default", [], NOW)}
    bad = {
        type_
        for type_, standing in standings.items()
        if (standing is None or standing[0] is not TRUE) != (type_ in FINAL)
        and not (standing is None and type_ in FINAL)
    }
    assert set(found) == bad
    for type_ in bad:
        one, standing = found[type_], standings[type_]
        assert one.sentence
        assert one.who
        if standing is not None:
            assert one.reason == standing[1]
            assert type_ is C.APPROVED or one.sentence == f"{type_}: {standing[1]}."
    lines = list(troubles_of(told(standings), Known(policy=policy().spec, now=NOW)))
    if any(standings.values()):
        assert [(line.what, line.why) for line in lines] == [
            (one.what, one.sentence)
            for one in unmet(told(standings), policy().spec, "default", [], NOW)
        ]


def after(given: View) -> ModelDeployment | None:
    """Return the ModelDeployment after a decision, with its conditions."""
    decided = decide(given.inputs)
    if not isinstance(decided, DeploymentDecision):
        return None
    on = given.inputs.deployment
    conditions = merge_conditions(on.status.conditions, decided.conditions, given.inputs.now, 1)
    return on.replace(status=decided.status.replace(conditions=conditions))


def lacks(given: View, found: ModelDeployment) -> list[Unmet]:
    """Return what is told of the version that a ModelDeployment asks for and does not serve."""
    intent, asked = intent_of(View(given.inputs, found.status)), found.status.unserved
    if intent is None or asked is None or asked.reason == "Acknowledged":
        return []
    spec = given.inputs.policy.spec if given.inputs.policy else None
    lacking = unmet(intent.version, spec, "default", [found], given.inputs.now)
    assert lacking, f"nothing says why {intent.version.metadata.name} does not serve"
    return lacking


@pytest.mark.parametrize("given", [case[0] for case in CASES.values()], ids=CASES.keys())
@pytest.mark.parametrize("on_hold", [False, True], ids=["free", "held"])
def test_whatever_keeps_it_back_in_a_deployment_is_told(given: View, *, on_hold: bool) -> None:
    given = held(given) if on_hold else given
    found = after(given)
    if found is None or given.ending:
        return
    lacking = lacks(given, found)
    if on_hold and lacking:
        assert "OnHold" in {one.reason for one in lacking}


BEYOND: dict[str, object] = {"scheduling": {"priorityClassName": "models"}}
HERE: dict[str, tuple[ModelVersion, dict[str, object], set[str]]] = {
    "approvals for another ModelDeployment": (
        version(2, approvals=(approval(targets=("other",)),)),
        {},
        {"AwaitingApproval"},
    ),
    "an approval that has ended": (
        version(2, approvals=(approval(not_after=at(-1)),)),
        {},
        {"AwaitingApproval"},
    ),
    "a spec that suspends": (version(2), {"suspend": True}, {"Suspended"}),
    "a spec beyond the policy": (version(2), BEYOND, {"InvalidSpec"}),
    "all of it": (
        version(2, approvals=(approval(targets=("other",)),)),
        {"suspend": True, **BEYOND},
        {"Suspended", "AwaitingApproval", "InvalidSpec"},
    ),
}


@pytest.mark.parametrize(("found", "spec", "expected"), HERE.values(), ids=HERE.keys())
def test_what_holds_of_the_version_may_not_hold_here(
    found: ModelVersion, spec: dict[str, object], expected: set[str]
) -> None:
    ready = found.status.replace(
        conditions=[
            *(
                one.replace(last_transition_time="2026-11-25T11:00:00Z")
                for one in found.status.conditions
            ),
            *told(
                {C.APPROVED: (TRUE, R.APPROVED), C.SBOM_READY: (TRUE, R.SBOM_RECORDED)}
            ).status.conditions,
        ]
    )
    found = found.replace(status=ready)
    lacking = unmet(found, policy().spec, "default", [deployment(**spec)], NOW)
    assert {one.reason for one in lacking} == expected
    assert all(one.what == f"Deployment {NAME}" for one in lacking)


def test_where_the_policy_has_a_person_promote_nobody_is_told_to_unfreeze() -> None:
    under = policy().spec.replace(rollout=RolloutFloors(manual=True))
    (frozen,) = kept_back(deployment(suspend=True), under, NOW)
    assert frozen.reason == "Suspended"
    assert f"hallmark promote {NAME}" in frozen.who
    assert "spec.suspend" not in frozen.who
    (thawed,) = kept_back(deployment(), under, NOW)
    assert "Expected spec.suspend true (spec.rollout.manual of the ModelPolicy)" in thawed.sentence


def test_bytes_that_were_refused_here_are_told_as_refused_for_good() -> None:
    given = view(FIRST, version(1), verified=(1,), pods=(pod(1, exit_code=10),))
    refused = after(given)
    assert refused is not None
    (one,) = [one for one in lacks(given, refused) if one.what == f"Deployment {NAME}"]
    assert (one.state, one.reason) == (Standing.STOPPED, "PredictorRefused")
    assert "does not try again by itself" in one.sentence


def test_explain_says_which_decision_is_of_before_a_rollback() -> None:
    mark = RolledBack(time=timestamp(NOW), deployment="credit", reason="DriftRollback")
    old = approval("rita").replace(given=timestamp(at(-60)))
    new = approval("rob").replace(given=timestamp(at(60)))
    found = version(approvals=(old, new))
    found = found.replace(status=found.status.replace(rolled_back=mark))
    spec = policy().spec
    asked = spec.approvals.replace(renew_after_rollback=True, minimum=2)
    known = Known(policy=spec.replace(approvals=asked), policy_name="default", now=at(120))
    told = {trouble.what: trouble for trouble in troubles_of(found, known)}
    assert told["ModelApproval by-rita"].reason == "BeforeRollback"
    assert "give another one" in told["ModelApproval by-rita"].why
    assert "ModelApproval by-rob" not in told
    plain = Known(policy=spec, policy_name="default", now=at(120))
    assert not any(one.reason == "BeforeRollback" for one in troubles_of(found, plain))
