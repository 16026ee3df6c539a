"""What the predictors' reports say about the version that serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from hallmark.api import names
from hallmark.api.drift import Drift
from hallmark.api.drift_state import DriftState, Verdict
from hallmark.api.model_deployment import ModelDeployment, ModelDeploymentStatus, RollbackMode
from hallmark.api.served import Baseline
from hallmark.api.texts import parse_timestamp
from hallmark.drift.decision import DriftInputs, DriftVerdict, Memory, judge
from hallmark.drift.recount import pack
from hallmark.drift.reports import Report
from hallmark.policies.model_deployment.inputs import DeploymentInputs, PodState, View


def judge_drift(
    deployment: ModelDeployment,
    trusts: Mapping[str, Drift],
    pods: Iterable[PodState],
    reports: Mapping[str, Report],
    baseline: Baseline | None,
    memory: Memory | None,
    now: datetime,
) -> DriftVerdict | None:
    """Return the verdict, or None where no version serves or its baseline cannot be had.

    Args:
        deployment: with the record of what serves.
        trusts: how the Pods of each trust (by its SHA-256, hex) were told to count.
        pods: all of the ModelDeployment.
        reports: by Pod, as they stand in ``status.drift``.
        baseline: of the version that serves.
        memory: what was judged before.
        now: the time.
    """
    status = deployment.status
    if not status.history or status.active_digest is None or baseline is None:
        return None
    drift, since = counted_since(deployment, trusts)
    label = names.manifest_label(status.active_digest)
    states = tuple(pods)
    return judge(
        DriftInputs(
            reports=reports,
            baseline=baseline,
            active_digest=status.active_digest,
            drift=drift,
            live_pods=frozenset(pod.name for pod in states),
            active_pods=frozenset(pod.name for pod in states if pod.manifest == label),
            serving_pods=frozenset(
                pod.name for pod in states if pod.manifest == label and pod.ready
            ),
            now=now,
            former=status.drift_state or DriftState(),
            since=parse_timestamp(since),
            memory=memory,
        )
    )


def counted_since(deployment: ModelDeployment, trusts: Mapping[str, Drift]) -> tuple[Drift, str]:
    """Return how the windows of the version that serves are counted, and from when on."""
    head, rollout = deployment.status.history[0], deployment.status.rollout
    since = (rollout.drift_since if rollout else None) or head.from_
    # The windows were counted as the Pods were told, also while a new intent waits.
    return trusts.get(head.trust_sha256, deployment.spec.drift), since


def drift_looms(
    status: ModelDeploymentStatus, inputs: DeploymentInputs, memory: Memory | None
) -> bool:
    """Tell whether the newest window of a Pod drifts, and more of them may roll back.

    Args:
        status: as it was decided.
        inputs: what it was decided on.
        memory: what the Pods' reports said.
    """
    state, rollout = status.drift_state, status.rollout
    if memory is None or (state is not None and state.verdict is Verdict.DRIFT):
        return False
    if inputs.deployment.spec.rollback is not RollbackMode.AUTOMATIC:
        return False
    spent = rollout is not None and rollout.drift_rollback_spent
    return not spent and any(vote.state.drifted_windows for vote in memory.votes.values())


def drift_evidence(view: View) -> str:
    """Return what the verdict on the version that serves was made from, for its record."""
    inputs = view.inputs
    status = inputs.deployment.status
    if not status.history or status.active_digest is None:
        return ""
    drift, since = counted_since(inputs.deployment, inputs.trusts)
    judged = view.status.drift_state
    accepted = judged.pods if judged else {}
    return pack(status.active_digest, drift, since, inputs.reports, accepted)
