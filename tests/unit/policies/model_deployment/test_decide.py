"""What one reconcile decides: the record after it, what is told, and when to look again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from hallmark.api.drift_report import DriftReport
from hallmark.api.drift_state import PodDriftState
from hallmark.api.model_deployment import ModelDeploymentStatus, RolloutState
from hallmark.api.names import ANNOTATION_ACTION, manifest_label
from hallmark.api.texts import timestamp
from hallmark.policies.model_deployment.decide import (
    BASELINE_SECONDS,
    DeploymentDecision,
    decide,
    switches_to,
)
from hallmark.policies.model_deployment.desired import URL_MARGIN
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need, View, Workload
from tests.unit.policies.model_deployment.rollouts import (
    BASELINE,
    approval,
    asked,
    at,
    candidate_status,
    digest,
    drifted,
    entry,
    going_back_status,
    pod,
    serving_status,
    trust,
    version,
    view,
    workload,
)

S = RolloutState
V1, V2 = version(1), version(2)
TWO = entry(2, start=10, intent=asked(2))
ONE = entry(1, end=10)
SERVING = serving_status(TWO, ONE)
BOTH = (workload(1), workload(2))


def trusted(given: View) -> DeploymentInputs:
    """Return the inputs with the trusts that the factories record, so that none is mended."""
    verified = view(given.status, V1, verified=(1,)).inputs
    known = {f"{number:02x}" * 32: trust(verified, 1).drift for number in (1, 2, 3)}
    return replace(given.inputs, trusts=known)


def decided(given: View) -> DeploymentDecision:
    found = decide(trusted(given))
    assert isinstance(found, DeploymentDecision)
    return found


def acting(given: View, action: str, **more: str) -> View:
    """Return the view with a person's action in the annotation."""
    text = json.dumps({"id": "1", "action": action, "by": "ada", **more})
    deployment = given.inputs.deployment
    metadata = deployment.metadata.replace(annotations={ANNOTATION_ACTION: text})
    return replace(
        given, inputs=replace(given.inputs, deployment=deployment.replace(metadata=metadata))
    )


PROMOTION = view(
    candidate_status(2, ONE.replace(to=None), state=S.STARTING),
    V1,
    V2,
    verified=(1, 2),
    workloads=(workload(1), workload(2)),
)

RECORDED: dict[str, tuple[View, list[str]]] = {
    "an intent is no decision yet": (view(ModelDeploymentStatus(), V1), []),
    "a candidate that passed": (
        view(candidate_status(1), V1, verified=(1,)),
        ["verify passed Starting"],
    ),
    "a candidate that passed but for its approval": (
        view(candidate_status(1), version(1, approvals=()), verified=(1,)),
        ["verify passed AwaitingApproval"],
    ),
    "a candidate that was denied": (
        view(candidate_status(2), version(2, denied=True)),
        ["verify refused Denied"],
    ),
    "a candidate that did not start is a failed promotion": (
        view(candidate_status(1, state=S.STARTING), V1, verified=(1,), now=at(30)),
        ["promote refused ProgressDeadlineExceeded"],
    ),
    "a promotion": (PROMOTION, ["promote promoted Promoted"]),
    "a version that became stable": (
        view(
            serving_status(entry(1, stable=False, intent=asked(1)), state=S.PROMOTED),
            V1,
            workloads=(workload(1),),
            now=at(10),
        ),
        ["promote stable Serving"],
    ),
    "a version that was stable already": (
        view(serving_status(entry(1, intent=asked(1)), state=S.IDLE), V1, workloads=(workload(1),)),
        [],
    ),
    "a rollback that begins": (
        acting(view(SERVING, V1, V2, verified=(1,)), "rollback", reason="Complaints."),
        ["action done rollback", "rollback started ManualRollback"],
    ),
    "a rollback that is done": (
        view(going_back_status(1, TWO, ONE), V1, V2, verified=(1,), workloads=(workload(1),)),
        ["rollback completed DriftRollback"],
    ),
    "an acknowledgement": (
        acting(view(SERVING, V1, V2), "acknowledge"),
        ["action done acknowledge"],
    ),
    "an action that cannot be done": (
        acting(view(SERVING, V1, V2), "abort"),
        ["action done abort"],
    ),
    "nothing": (view(SERVING, V1, V2, workloads=(workload(2),)), []),
}


@pytest.mark.parametrize(("given", "expected"), RECORDED.values(), ids=RECORDED.keys())
def test_what_is_recorded(given: View, expected: list[str]) -> None:
    found = decided(given)
    assert [f"{r.event} {r.outcome} {r.reason}" for r in found.records] == expected
    again = decided(given)
    assert [r.decision_id for r in again.records] == [r.decision_id for r in found.records]
    actor = "ada" if expected[:1] and expected[0].startswith("action") else "hallmark-operator"
    assert {record.actor for record in found.records} <= {actor}


def test_the_id_of_a_decision_stays_as_it_is() -> None:
    """A log that was begun by an older operator goes on without a record twice."""
    (record,) = decided(PROMOTION).records
    assert record.decision_id == "/".join(
        (
            "deployment-uid",
            asked(2),
            "Promote",
            manifest_label(digest(2)),
            timestamp(at(0)),
            timestamp(at(0)),
        )
    )


def test_bytes_that_are_needed_are_asked_for() -> None:
    assert decide(view(candidate_status(1), V1).inputs) == Need(V1)


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        (view(ModelDeploymentStatus(), V1), True),
        (view(SERVING, V1, V2, workloads=(workload(2),)), False),
        (acting(view(SERVING, V1, V2, workloads=(workload(2),)), "abort"), True),
    ],
    ids=["a transition", "nothing", "an action without effect"],
)
def test_what_moved_is_looked_at_again_at_once(given: View, moved: bool) -> None:
    found = decided(given)
    assert found.moved is moved
    assert (found.requeue == 0) is moved


def test_an_action_is_kept_with_what_came_of_it() -> None:
    last = decided(acting(view(SERVING, V1, V2), "pause")).status.last_action
    assert last is not None
    assert (last.id, last.by, last.outcome) == ("1", "ada", "Promotion is paused.")


def test_an_action_that_cannot_be_read_is_told() -> None:
    given = view(SERVING, V1, V2)
    metadata = given.inputs.deployment.metadata.replace(annotations={ANNOTATION_ACTION: "{"})
    deployment = given.inputs.deployment.replace(metadata=metadata)
    found = decided(replace(given, inputs=replace(given.inputs, deployment=deployment)))
    assert [event.reason for event in found.events] == ["InvalidAction"]
    assert found.status.last_action is not None
    assert found.status.last_action.action is None


# -- what is seen -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workloads", "replicas", "healthy"),
    [
        ((workload(2),), 1, True),
        ((workload(2, ready=0),), 1, False),
        ((workload(2),), 2, False),
        ((), 1, False),
        ((workload(2),), 0, False),
    ],
    ids=["ready", "not ready", "too few", "no workload", "none asked for"],
)
def test_the_time_since_when_it_is_healthy(
    workloads: tuple[Workload, ...], replicas: int, healthy: bool
) -> None:
    given = view(SERVING, V1, V2, workloads=workloads, replicas=replicas, now=at(20))
    since = decided(given).status.history[0].healthy_since
    assert since == (timestamp(at(10)) if healthy else None)


def test_health_begins_when_it_is_first_seen() -> None:
    status = serving_status(TWO.replace(healthy_since=None), ONE)
    found = decided(view(status, V1, V2, workloads=(workload(2),), now=at(20)))
    assert found.status.history[0].healthy_since == timestamp(at(20))


def test_the_status_tells_where_the_model_is() -> None:
    found = decided(view(SERVING, V1, V2, workloads=(workload(2),))).status
    assert (found.replicas, found.ready_replicas) == (1, 1)
    assert found.url == "http://credit.bank.svc"
    assert found.selector is not None
    assert manifest_label(digest(2)) in found.selector
    nothing = decided(view(ModelDeploymentStatus(), V1)).status
    assert (nothing.url, nothing.replicas) == (None, 0)


def test_a_candidate_that_is_scaled_up_has_its_time_anew() -> None:
    status = candidate_status(1, state=S.STARTING)
    found = decided(
        view(status, V1, verified=(1,), workloads=(workload(1),), replicas=2, now=at(40))
    )
    assert found.status.rollout is not None
    assert (found.status.rollout.state, found.status.rollout.since) == (
        S.STARTING,
        timestamp(at(40)),
    )


def test_reports_of_pods_that_are_gone_are_named() -> None:
    report = DriftReport(manifest_digest=digest(2), boot_id="boot-0001", sequence=1)
    seen = view(SERVING, V1, V2, pods=(pod(2, ready=True),))
    inputs = replace(seen.inputs, reports={"pod-2": report, "pod-9": report})
    assert decided(replace(seen, inputs=inputs)).gone == ("pod-9",)


JUDGED = {
    "by the baseline": {"baseline": BASELINE},
    "by nobody, without a baseline": {"baseline": None},
    "by nobody, of what was withdrawn": {"versions": (V1, version(2, revoked=True))},
}


@pytest.mark.parametrize("judged", JUDGED.values(), ids=JUDGED)
@pytest.mark.parametrize("live", [(), (2,), (1, 2)], ids=["no Pod", "one Pod", "two Pods"])
def test_what_is_shown_of_drift_names_no_pod_that_is_gone(
    judged: dict[str, object], live: tuple[int, ...]
) -> None:
    said = PodDriftState(boot_id="boot-0001", sequence=1, manifest_digest=digest(2))
    shown = drifted(2, "NoDrift").replace(pods={f"pod-{number}": said for number in (1, 2, 9)})
    status, pods = SERVING.replace(drift_state=shown), tuple(map(pod, live))
    seen = view(status, V1, V2, verified=(1,), pods=pods)
    found = decided(replace(seen, inputs=replace(seen.inputs, **judged))).status
    assert found.drift_state is not None
    assert set(found.drift_state.pods) == {f"pod-{number}" for number in live}


# -- what a rollback that begins leads to -----------------------------------------------------

DRIFTS = SERVING.replace(drift_state=drifted(2))


@pytest.mark.parametrize(
    ("given", "leads_to"),
    [
        pytest.param(view(DRIFTS, V1, V2, verified=(1,), workloads=BOTH), 1, id="Pods are ready"),
        pytest.param(view(DRIFTS, V1, V2, verified=(1,), workloads=BOTH[1:]), None, id="no Pods"),
        pytest.param(
            view(DRIFTS, V1, V2, verified=(1,), workloads=(workload(1, ready=0), BOTH[1])),
            None,
            id="Pods that are not ready",
        ),
        pytest.param(view(SERVING, V1, V2, verified=(1,), workloads=BOTH), None, id="no drift"),
        pytest.param(
            view(DRIFTS, V1, version(2, revoked=True), verified=(1,), workloads=BOTH),
            None,
            id="bytes that must not serve",
        ),
        pytest.param(
            view(DRIFTS, V1, V2, verified=(1,), workloads=BOTH, paused=True), 1, id="paused"
        ),
        pytest.param(
            view(DRIFTS, V1, V2, verified=(1,), workloads=BOTH, rollback="Manual"),
            None,
            id="a person rolls back",
        ),
    ],
)
def test_a_rollback_that_begins_leads_at_once_only_to_pods_that_are_ready(
    given: View, leads_to: int | None
) -> None:
    found = switches_to(trusted(given), decided(given))
    assert (found.active_digest if found else None) == (digest(leads_to) if leads_to else None)


# -- when to look again -----------------------------------------------------------------------

BAKES = serving_status(entry(2, stable=False, intent=asked(2)), state=S.PROMOTED)

MOMENTS: dict[str, tuple[View, float | None]] = {
    "never, where nothing is to come": (
        view(serving_status(TWO), V2, workloads=(workload(2),), now=at(11)),
        None,
    ),
    "when it has baked": (view(BAKES, V2, workloads=(workload(2),), now=at(4)), 6.05),
    "when the former version gets cold": (
        view(SERVING, V1, V2, workloads=(workload(2),), now=at(20)),
        50.05,
    ),
    "when a candidate must have started": (
        view(candidate_status(1, state=S.STARTING), V1, verified=(1,), now=at(10)),
        20.05,
    ),
    "when the store is asked again": (
        view(candidate_status(1), V1, verified=(1,), foreign=("x",)),
        5.0,
    ),
    "when the approval ends": (
        view(
            serving_status(TWO),
            version(2, approvals=(approval(not_after=at(100)),)),
            workloads=(workload(2),),
            now=at(20),
        ),
        80.05,
    ),
}


@pytest.mark.parametrize(("given", "expected"), MOMENTS.values(), ids=MOMENTS.keys())
def test_when_to_look_again(given: View, expected: float | None) -> None:
    read = replace(given, inputs=replace(given.inputs, baseline=BASELINE))
    found = decided(read).requeue
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_baseline_that_cannot_be_read_is_asked_for_again() -> None:
    given = view(serving_status(TWO), V2, workloads=(workload(2),), now=at(11))
    assert decided(given).requeue == BASELINE_SECONDS


def test_download_urls_are_looked_at_before_they_end() -> None:
    seen = view(serving_status(TWO), V2, workloads=(workload(2),), now=at(20))
    given = replace(seen, inputs=replace(seen.inputs, baseline=BASELINE))
    until = {"a" * 12: at(20) + URL_MARGIN + timedelta(seconds=7)}
    found = decide(replace(trusted(given), urls_until=until))
    assert isinstance(found, DeploymentDecision)
    assert found.requeue == pytest.approx(7.05)
