"""What a ModelDeployment's conditions say."""

from __future__ import annotations

import pytest

from hallmark.api.conditions import SummaryCondition
from hallmark.api.model_deployment import (
    DeploymentCondition,
    LastRollback,
    ModelDeploymentStatus,
    RefusedIntent,
    RolloutState,
)
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.conditions import conditions
from hallmark.policies.model_deployment.inputs import View, Wait
from tests.unit.policies.model_deployment.rollouts import (
    asked,
    at,
    candidate_status,
    digest,
    drifted,
    entry,
    going_back_status,
    pod,
    serving_status,
    version,
    view,
    workload,
)

S = RolloutState
V1, V2 = version(1), version(2)
TWO = entry(2, start=10, intent=asked(2))
ONE = entry(1, end=10)
SERVING = serving_status(TWO, ONE)
BAKING = serving_status(entry(2, stable=False, intent=asked(2)), state=S.PROMOTED)
RUNS = (workload(2),)
BACK = LastRollback(
    from_="credit-v2",
    to="credit-v1",
    from_digest=digest(2),
    to_digest=digest(1),
    reason="DriftRollback",
    message="It drifted.",
    time=timestamp(at(20)),
)
ROLLED_BACK = serving_status(entry(1, start=20)).replace(last_rollback=BACK)
ACCEPTED = ROLLED_BACK.replace(last_rollback=BACK.replace(acknowledged=True))
REFUSED2 = RefusedIntent(
    intent_hash=asked(2), manifest_digest=digest(2), reason="DriftRollback", time=timestamp(at(20))
)


def ready_says(given: View) -> str:
    """Return the message of Ready."""
    found = conditions(given, None, "Rows.")
    return next(condition.message for condition in found if condition.type == "Ready")


def test_ready_says_what_serves_instead_of_what_is_asked_for() -> None:
    word = BACK.replace(acknowledged=True, acknowledged_by="ada", acknowledged_at=timestamp(at(30)))
    status = ROLLED_BACK.replace(last_rollback=word, refused=[REFUSED2])
    message = ready_says(view(status, V1, V2, workloads=(workload(1),)))
    assert "'credit-v1' serves" in message
    assert "instead of 'credit-v2', which is asked for" in message
    assert timestamp(at(20)) in message
    assert "DriftRollback" in message
    assert f"ada acknowledged at {timestamp(at(30))}" in message


def test_ready_says_no_more_where_what_serves_is_asked_for() -> None:
    assert "instead" not in ready_says(view(SERVING, V1, V2, workloads=RUNS))


def said(given: View, wait: Wait | None = None) -> dict[str, str]:
    """Return ``status/reason`` by condition type."""
    return {
        found.type: f"{found.status}/{found.reason}" for found in conditions(given, wait, "Rows.")
    }


def failed(**more: object) -> View:
    return view(candidate_status(3, TWO, state=S.REFUSED, **more), V2, workloads=RUNS)


READY, WAITS, STALLED = "True False False", "False True False", "False False True"

SUMMARIES: dict[str, tuple[View, Wait | None, str, str]] = {
    "nothing was done yet": (view(ModelDeploymentStatus(), V1), None, WAITS, "Pending"),
    "no version is there": (
        view(ModelDeploymentStatus()),
        Wait("VersionMissing", "None."),
        WAITS,
        "VersionMissing",
    ),
    "a candidate is verified": (view(candidate_status(1), V1), None, WAITS, "Verifying"),
    "a candidate waits for approval": (
        view(candidate_status(1, state=S.AWAITING_APPROVAL), V1),
        None,
        WAITS,
        "AwaitingApproval",
    ),
    "a candidate starts": (
        view(candidate_status(1, state=S.STARTING), V1),
        None,
        WAITS,
        "Starting",
    ),
    "a candidate waits for something else": (
        view(candidate_status(1, state=S.STARTING), V1),
        Wait("Suspended", "Frozen."),
        WAITS,
        "Suspended",
    ),
    "a person must act": (
        view(candidate_status(1), V1),
        Wait("PolicyMissing", "None.", stalled=True),
        STALLED,
        "PolicyMissing",
    ),
    "a candidate was refused": (failed(reason="Denied"), None, STALLED, "Denied"),
    "it bakes": (view(BAKING, V2, workloads=RUNS), None, READY, "Baking"),
    "it serves": (view(SERVING, V1, V2, workloads=RUNS), None, READY, "Serving"),
    "it serves without a Pod that is ready": (
        view(SERVING, V1, V2, workloads=(workload(2, ready=0),)),
        None,
        WAITS,
        "Unavailable",
    ),
    "it serves without a workload": (view(SERVING, V1, V2), None, WAITS, "Unavailable"),
    "it was scaled to zero": (view(SERVING, V1, V2, replicas=0), None, READY, "Serving"),
    "a rollback is under way": (
        view(going_back_status(1, TWO, ONE), V1, V2),
        None,
        WAITS,
        "RollingBack",
    ),
    "it was rolled back": (
        view(ROLLED_BACK, V1, V2, workloads=(workload(1),)),
        None,
        STALLED,
        "DriftRollback",
    ),
    "a person accepted the rollback": (
        view(ACCEPTED.replace(refused=[REFUSED2]), V1, V2, workloads=(workload(1),)),
        None,
        READY,
        "Serving",
    ),
    "nothing can take over": (
        view(serving_status(TWO, state=S.HELD, reason="NoVerifiedTarget"), V2, workloads=RUNS),
        None,
        STALLED,
        "NoVerifiedTarget",
    ),
    "what is asked for was refused before": (
        view(
            serving_status(entry(1, intent="another")).replace(refused=[REFUSED2]),
            V1,
            V2,
            workloads=(workload(1),),
        ),
        None,
        STALLED,
        "Refused",
    ),
}


@pytest.mark.parametrize(
    ("given", "wait", "triple", "reason"), SUMMARIES.values(), ids=SUMMARIES.keys()
)
def test_the_summary(given: View, wait: Wait | None, triple: str, reason: str) -> None:
    found = said(given, wait)
    whole = [found[type_] for type_ in ("Ready", "Reconciling", "Stalled")]
    assert " ".join(text.partition("/")[0] for text in whole) == triple
    assert {text.partition("/")[2] for text in whole} == {reason}


CASES: dict[str, tuple[View, Wait | None, str, str]] = {
    # Verified
    "nothing is verified yet": (
        view(ModelDeploymentStatus(), V1),
        None,
        "Verified",
        "Unknown/Pending",
    ),
    "a candidate is being verified": (
        view(candidate_status(1), V1),
        None,
        "Verified",
        "Unknown/Verifying",
    ),
    "a candidate does not verify now": (
        view(candidate_status(1), V1),
        Wait("VerificationFailed", "No."),
        "Verified",
        "False/VerificationFailed",
    ),
    "a candidate's bytes differ": (
        failed(reason="VerificationFailed"),
        None,
        "Verified",
        "False/VerificationFailed",
    ),
    "a predictor refused the candidate": (
        failed(reason="PredictorRefused"),
        None,
        "Verified",
        "False/PredictorRefused",
    ),
    "a candidate was denied": (failed(reason="Denied"), None, "Verified", "Unknown/Denied"),
    "a candidate that did not start had verified": (
        failed(reason="ProgressDeadlineExceeded"),
        None,
        "Verified",
        "True/Verified",
    ),
    "a predictor of what serves refuses": (
        view(SERVING, V2, workloads=RUNS, pods=(pod(2, exit_code=10),)),
        None,
        "Verified",
        "False/PredictorRefused",
    ),
    "a predictor that is ready refused once": (
        view(SERVING, V2, workloads=RUNS, pods=(pod(2, ready=True, exit_code=10),)),
        None,
        "Verified",
        "True/Verified",
    ),
    # Approved
    "no version is on record": (
        view(ModelDeploymentStatus()),
        None,
        "Approved",
        "Unknown/Pending",
    ),
    "what serves is approved": (view(SERVING, V2), None, "Approved", "True/Approved"),
    "what serves lost its approval": (
        view(SERVING, version(2, approvals=())),
        None,
        "Approved",
        "False/AwaitingApproval",
    ),
    "what serves was revoked": (
        view(SERVING, version(2, revoked=True)),
        None,
        "Approved",
        "False/Revoked",
    ),
    "the candidate was denied": (
        view(candidate_status(2, ONE), version(2, denied=True)),
        None,
        "Approved",
        "False/Denied",
    ),
    # Progressing
    "verifying is progress": (
        view(candidate_status(1), V1),
        None,
        "Progressing",
        "True/Verifying",
    ),
    "waiting for approval is none": (
        view(candidate_status(1, state=S.AWAITING_APPROVAL), V1),
        None,
        "Progressing",
        "False/AwaitingApproval",
    ),
    "baking is progress": (view(BAKING, V2), None, "Progressing", "True/Baking"),
    "serving is none": (view(SERVING, V2), None, "Progressing", "False/Serving"),
    "rolling back is progress": (
        view(going_back_status(1, TWO, ONE), V1),
        None,
        "Progressing",
        "True/RollingBack",
    ),
    "a refusal is none": (failed(reason="Denied"), None, "Progressing", "False/Denied"),
    # Available
    "nothing is available": (view(ModelDeploymentStatus()), None, "Available", "False/Idle"),
    "a ready Pod is": (view(SERVING, V2, workloads=RUNS), None, "Available", "True/Serving"),
    "a Pod that starts is not": (
        view(SERVING, V2, workloads=(workload(2, ready=0),)),
        None,
        "Available",
        "False/Unavailable",
    ),
    "no Pod is asked for": (view(SERVING, V2, replicas=0), None, "Available", "True/Serving"),
    "the policy stopped it": (
        view(serving_status(TWO, state=S.HELD, cause="Stopped"), V2, workloads=RUNS),
        None,
        "Available",
        "False/Stopped",
    ),
    # DriftDetected
    "no report": (view(SERVING, V2), None, "DriftDetected", "Unknown/Inconclusive"),
    "too few rows": (
        view(SERVING.replace(drift_state=drifted(2, "Inconclusive")), V2),
        None,
        "DriftDetected",
        "Unknown/Inconclusive",
    ),
    "calm traffic": (
        view(SERVING.replace(drift_state=drifted(2, "NoDrift")), V2),
        None,
        "DriftDetected",
        "False/NoDrift",
    ),
    "drift": (
        view(SERVING.replace(drift_state=drifted(2)), V2),
        None,
        "DriftDetected",
        "True/DriftDetected",
    ),
    "drift of the rollback's target": (
        view(
            serving_status(entry(1), drift_rollback_spent=True).replace(
                last_rollback=BACK, drift_state=drifted(1)
            ),
            V1,
        ),
        None,
        "DriftDetected",
        "True/TargetDrifts",
    ),
    # RolledBack
    "no rollback": (view(SERVING, V2), None, "RolledBack", "False/NotRolledBack"),
    "a rollback": (view(ROLLED_BACK, V1), None, "RolledBack", "True/DriftRollback"),
    "a rollback that is over": (view(ACCEPTED, V1), None, "RolledBack", "False/NotRolledBack"),
}


@pytest.mark.parametrize(("given", "wait", "type_", "expected"), CASES.values(), ids=CASES.keys())
def test_a_condition(given: View, wait: Wait | None, type_: str, expected: str) -> None:
    assert said(given, wait)[type_] == expected


@pytest.mark.parametrize("state", RolloutState)
def test_each_condition_is_said_once_in_every_state(state: RolloutState) -> None:
    given = view(candidate_status(3, TWO, state=state, reason="Denied"), V2)
    found = [update.type for update in conditions(given, None, "")]
    # An HTTPRoute is told of where one is asked for.
    expected = {*DeploymentCondition, *SummaryCondition} - {DeploymentCondition.ROUTED}
    assert sorted(found) == sorted(expected)
