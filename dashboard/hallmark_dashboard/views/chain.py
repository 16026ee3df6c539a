"""The chain of a version as links: each a state and one fact, declared or verified. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hallmark.api.conditions import Condition, ConditionStatus
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_deployment import DeploymentCondition, ModelDeployment
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark.api.training_run import TrainingRun
from hallmark_dashboard.views.rows import drift_row
from hallmark_dashboard.views.standing import State, deployment_standing, run_standing
from hallmark_dashboard.views.words import account, plural, short


@dataclass(frozen=True)
class Link:
    """A link of the chain.

    Attributes:
        name: Which one.
        state: How it stands.
        fact: One fact.
        known: How the fact is known: ``verified``, ``declared`` or ``unknown``.
        href: Where its evidence is.
    """

    name: str
    state: State
    fact: str
    known: str
    href: str


VERIFIED = "verified"
DECLARED = "declared"
UNKNOWN = "unknown"


def chain(
    version: ModelVersion, run: TrainingRun | None, deployments: Sequence[ModelDeployment]
) -> list[Link]:
    """Return the nine links of a version.

    Args:
        version: the version.
        run: the run that it came from, where it still exists.
        deployments: the ModelDeployments that serve it, could serve it again, or ask for it.
    """
    namespace, name = version.metadata.namespace, version.metadata.name
    page = f"/versions/{namespace}/{name}"
    spec, status = version.spec, version.status
    sealed = status.condition(VersionCondition.VERIFIED)
    return [
        Link("dataset", State.GOOD, short(spec.dataset_fingerprint), VERIFIED, f"{page}#data"),
        _run(version, run),
        _gates(run, f"{page}#gates"),
        _checked("seal", sealed, short(spec.artifact.manifest_digest), f"{page}#provenance"),
        _checked(
            "SBOM",
            status.condition(VersionCondition.SBOM_READY),
            plural(status.sbom.components, "component") if status.sbom else short(spec.sbom_digest),
            f"{page}#sbom",
        ),
        _approval(version, f"/reviews/{namespace}/{name}"),
        *_serving(version, deployments),
    ]


def _run(version: ModelVersion, run: TrainingRun | None) -> Link:
    reference = version.spec.training_run
    href = f"/runs/{version.metadata.namespace}/{reference.name}"
    if run is None or run.metadata.uid != reference.uid:
        fact = f"{reference.name}, which is gone"
        return Link("run", State.UNKNOWN, fact, DECLARED, href)
    by = version.spec.requested_by
    known = VERIFIED if by.authenticated else DECLARED
    return Link(
        "run", run_standing(run).state, f"asked by {account(by.name) or by.name}", known, href
    )


def _gates(run: TrainingRun | None, href: str) -> Link:
    if run is None or not run.status.gates:
        return Link("gates", State.UNKNOWN, "see the sealed report", UNKNOWN, href)
    passed = sum(gate.passed for gate in run.status.gates)
    state = State.GOOD if passed == len(run.status.gates) else State.STOPPED
    return Link("gates", state, f"{passed} of {len(run.status.gates)} passed", VERIFIED, href)


def _checked(name: str, condition: Condition | None, fact: str, href: str) -> Link:
    if condition is None or condition.status is ConditionStatus.UNKNOWN:
        return Link(name, State.UNKNOWN, "not checked yet", UNKNOWN, href)
    holds = condition.status is ConditionStatus.TRUE
    told = fact if holds else condition.reason
    return Link(name, State.GOOD if holds else State.STOPPED, told, VERIFIED, href)


def _approval(version: ModelVersion, href: str) -> Link:
    status = version.status
    for type_ in (VersionCondition.REVOKED, VersionCondition.DENIED):
        if status.is_true(type_):
            return Link("approval", State.STOPPED, type_.value.lower(), VERIFIED, href)
    accepted = [
        record
        for record in status.approvals
        if record.decision is ReviewDecision.APPROVED and record.accepted and not record.withdrawn
    ]
    if status.is_true(VersionCondition.APPROVED):
        names = ", ".join(sorted({account(said.approver) or said.approver for said in accepted}))
        return Link("approval", State.GOOD, names or "approved", VERIFIED, href)
    return Link("approval", State.WAITING, f"{len(accepted)} so far", VERIFIED, href)


def _serving(version: ModelVersion, deployments: Sequence[ModelDeployment]) -> list[Link]:
    """Return rollout, drift and rollback, over all that serve the version."""
    digest = version.spec.artifact.manifest_digest
    active = [found for found in deployments if found.status.active_digest == digest]
    coming = [found for found in deployments if found.status.candidate_digest == digest]
    if active:
        first = active[0]
        standing = deployment_standing(first)
        why = "" if standing.state is State.GOOD else f": {standing.word}"
        rollout = Link(
            "rollout",
            standing.state,
            f"serves in {first.metadata.name}{why}"
            + (f"; and in {len(active) - 1} more" if len(active) > 1 else ""),
            VERIFIED,
            _page(first),
        )
    elif coming:
        rollout = Link(
            "rollout",
            State.WAITING,
            f"comes in {coming[0].metadata.name}",
            VERIFIED,
            _page(coming[0]),
        )
    else:
        rollout = Link("rollout", State.UNKNOWN, "serves nowhere", UNKNOWN, "")
    return [rollout, _drift(active), _rollback(version, deployments)]


def _drift(active: Sequence[ModelDeployment]) -> Link:
    if not active:
        return Link("drift", State.UNKNOWN, "no traffic", UNKNOWN, "")
    first = active[0]
    drifting = [
        found for found in active if found.status.is_true(DeploymentCondition.DRIFT_DETECTED)
    ]
    shown = drifting[0] if drifting else first
    row = drift_row(shown)
    fact = (
        row.verdict if row.psi is None else f"{row.feature} PSI {row.psi:.3f}, limit {row.limit:g}"
    )
    state = State.STOPPED if drifting else State.GOOD if row.psi is not None else State.UNKNOWN
    return Link("drift", state, fact, VERIFIED, f"{_page(shown)}#drift")


def _rollback(version: ModelVersion, deployments: Sequence[ModelDeployment]) -> Link:
    digest = version.spec.artifact.manifest_digest
    for found in deployments:
        last = found.status.last_rollback
        if last and last.from_digest == digest:
            fact = f"gave way to {last.to} in {found.metadata.name}"
            return Link("rollback", State.STOPPED, fact, VERIFIED, f"{_page(found)}#history")
    targets = [
        found.metadata.name
        for found in deployments
        if any(
            entry.was_stable and entry.manifest_digest == digest for entry in found.status.history
        )
    ]
    if targets:
        return Link("rollback", State.GOOD, f"a target in {targets[0]}", VERIFIED, "")
    return Link("rollback", State.GOOD, "none", VERIFIED, "")


def _page(deployment: ModelDeployment) -> str:
    return f"/deployments/{deployment.metadata.namespace}/{deployment.metadata.name}"
