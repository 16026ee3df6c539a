"""One row for each object in a list. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hallmark.api.drift_state import Verdict
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark.api.texts import parse_timestamp
from hallmark.api.training_run import TrainingRun
from hallmark_dashboard.views.remembered import remembered
from hallmark_dashboard.views.standing import (
    Standing,
    deployment_standing,
    run_standing,
    version_standing,
)
from hallmark_dashboard.views.words import ago


@dataclass(frozen=True)
class DriftRow:
    """The worst feature of a ModelDeployment.

    Attributes:
        verdict: What the operator says of the traffic.
        feature: The feature that moved most; empty where none is known.
        psi: Its PSI; None where none is known.
        limit: The PSI above which a window drifts.
    """

    verdict: str
    feature: str
    psi: float | None
    limit: float


@dataclass(frozen=True)
class DeploymentRow:
    """A ModelDeployment in a list."""

    namespace: str
    name: str
    model: str
    active: str
    stable: str
    candidate: str
    standing: Standing
    ready: int | None
    replicas: int
    drift: DriftRow
    frozen: bool


@dataclass(frozen=True)
class VersionRow:
    """A ModelVersion in a list."""

    namespace: str
    name: str
    model: str
    version: int
    digest: str
    standing: Standing
    requester: str
    authenticated: bool
    approved: bool
    used_by: tuple[str, ...]
    created: str


@dataclass(frozen=True)
class RunRow:
    """A TrainingRun in a list."""

    namespace: str
    name: str
    model: str
    standing: Standing
    requester: str
    stage: str
    percent: int | None
    quality: str
    created: str


ALARM_AFTER = timedelta(hours=1)
"""After so long what is asked for and does not serve is an alarm."""
EXPECTED = frozenset({"Acknowledged", "AwaitingApproval", "OnHold", "Suspended"})
"""Why it need not: a person said so, or is asked already (as in manifests/monitoring)."""


def unserved_sentence(deployment: ModelDeployment, now: datetime) -> str:
    """Return what is asked for and does not serve, since when and why; nothing where all does."""
    found = deployment.status.unserved
    if found is None:
        return ""
    what = found.model_version or "What it asks for"
    return f"{what} is asked for and does not serve: {found.reason} ({ago(found.since, now)})."


def is_overdue(deployment: ModelDeployment, now: datetime) -> bool:
    """Tell whether what is asked for has not served for too long, and no person knows of it."""
    found = deployment.status.unserved
    if found is None or found.reason in EXPECTED:
        return False
    return now - parse_timestamp(found.since) > ALARM_AFTER


@remembered
def deployment_row(deployment: ModelDeployment) -> DeploymentRow:
    """Return the row of a ModelDeployment."""
    spec, status, metadata = deployment.spec, deployment.status, deployment.metadata
    return DeploymentRow(
        metadata.namespace,
        metadata.name,
        spec.model or spec.model_version or "",
        status.active_model_version or "",
        status.stable_model_version or "",
        status.candidate_model_version or "",
        deployment_standing(deployment),
        status.ready_replicas,
        spec.replicas,
        drift_row(deployment),
        spec.suspend or status.paused,
    )


def drift_row(deployment: ModelDeployment) -> DriftRow:
    """Return what the operator says of a ModelDeployment's traffic."""
    state, limit = deployment.status.drift_state, float(deployment.spec.drift.threshold)
    if state is None:
        return DriftRow(Verdict.INCONCLUSIVE, "", None, limit)
    worst = state.top[0] if state.top else None
    return DriftRow(
        state.verdict,
        worst.feature if worst else "",
        number_in(worst.psi) if worst else None,
        limit,
    )


def number_in(text: str) -> float | None:
    """Return the number in a text, or None: what a status holds may be anything."""
    try:
        return float(text)
    except ValueError:
        return None


@remembered
def version_row(version: ModelVersion) -> VersionRow:
    """Return the row of a ModelVersion."""
    spec, status, metadata = version.spec, version.status, version.metadata
    return VersionRow(
        metadata.namespace,
        metadata.name,
        spec.model,
        spec.version,
        spec.artifact.manifest_digest,
        version_standing(version),
        spec.requested_by.name,
        spec.requested_by.authenticated,
        status.is_true(VersionCondition.APPROVED),
        tuple(status.used_by),
        metadata.creation_timestamp or "",
    )


@remembered
def run_row(run: TrainingRun) -> RunRow:
    """Return the row of a TrainingRun."""
    progress = run.status.progress
    return RunRow(
        run.metadata.namespace,
        run.metadata.name,
        run.spec.model,
        run_standing(run),
        run.spec.requested_by,
        progress.stage if progress else "",
        progress.percent if progress else None,
        run.status.quality or "",
        run.metadata.creation_timestamp or "",
    )
