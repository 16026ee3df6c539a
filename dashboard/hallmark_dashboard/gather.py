"""From a request to the inputs of a view: what is read, and from where. The views are pure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from hallmark.api.artifacts import Manifest
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ActionName, ModelDeployment
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ModelVersion
from hallmark.api.report import Report
from hallmark.api.served import Baseline
from hallmark.api.training_run import TrainingRun
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    TRAINING_RUN,
)
from hallmark.policies.model_version.shown import asks_for, serving_version, shown_digest
from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.audits import visible
from hallmark_dashboard.bills import Bill
from hallmark_dashboard.evidence import Found
from hallmark_dashboard.problems import Right, not_found
from hallmark_dashboard.seen import Seen
from hallmark_dashboard.services import Services
from hallmark_dashboard.views import decisions
from hallmark_dashboard.views.changes import Changes, compare
from hallmark_dashboard.views.deployment import (
    DeploymentDetail,
    asked_version,
    deed_rights,
    deployment_detail,
)
from hallmark_dashboard.views.drift import DriftDetail, drift_detail
from hallmark_dashboard.views.gates import gate_lines
from hallmark_dashboard.views.inputs import ModelInputs, inputs_of
from hallmark_dashboard.views.overview import (
    MOST_ROWS,
    Overview,
    OverviewInputs,
    overview,
    urgent_first,
)
from hallmark_dashboard.views.quality import QualityDetail, quality_detail
from hallmark_dashboard.views.rates import rates_by_place, rates_of
from hallmark_dashboard.views.review import (
    Review,
    approved_before,
    choices,
    review_headline,
    review_rights,
)
from hallmark_dashboard.views.version import (
    VersionDetail,
    VersionInputs,
    version_detail,
)
from hallmark_dashboard.views.what_if import Effect, WhatIf, chosen, effect, kept, what_if


async def gather_overview(services: Services, caller: Caller) -> Overview:
    """Return the first page of a caller."""
    seen = await services.seen(caller)
    versions, deployments = seen.versions(), seen.deployments()
    spaces = sorted({version.metadata.namespace for version in versions})
    rights = {Right("approve", "modelversions", space): space for space in spaces}
    lacked = set(await services.rights.missing(caller, rights))
    return overview(
        OverviewInputs(
            person=caller.name,
            reviews_in=frozenset(space for right, space in rights.items() if right not in lacked),
            runs=seen.runs(),
            versions=versions,
            deployments=deployments,
            unreadable=list(seen.unreadable()),
            decisions=await newest_decisions(services, seen),
            now=seen.now,
            rates=rates_by_place(urgent_first(deployments)[:MOST_ROWS], services.watch.traffic),
        )
    )


async def newest_decisions(services: Services, seen: Seen) -> tuple[decisions.Decision, ...]:
    """Return the last decisions: of the audit log where there is one, else of the objects."""
    records, _ = await services.audits.records()
    newest = records[-2000:]
    if found := visible(newest, seen.sight):
        return decisions.newest(decisions.of_records(found))
    told = [
        *decisions.of_versions(seen.versions()),
        *decisions.of_deployments(seen.deployments()),
    ]
    return decisions.newest(told)


@dataclass(frozen=True)
class VersionEvidence:
    """One version with what is sealed of it."""

    version: ModelVersion
    detail: VersionDetail
    policy: ModelPolicySpec | None
    report: Found[Report]
    bill: Found[Bill]
    manifest: Found[Manifest]
    baseline: Found[Baseline]
    seen: Seen

    @property
    def inputs(self) -> ModelInputs:
        """What it decides by."""
        return inputs_of(self.baseline.content, self.report.content, self.baseline.sentence)


async def gather_version(
    services: Services, caller: Caller, namespace: str, name: str
) -> VersionEvidence:
    """Return one version with its sealed evidence.

    Raises:
        Problem: There is none, or the caller may not see it.
    """
    seen = await services.seen(caller, namespace)
    version = seen.version(namespace, name)
    applied = seen.policy(namespace)
    policy = applied.policy.spec if applied.policy else None
    manifest = await services.evidence.manifest(version, policy)
    report, bill, baseline = await asyncio.gather(
        services.evidence.report(version, policy),
        services.evidence.bill(version, policy),
        services.evidence.baseline(version, policy),
    )
    detail = version_detail(
        VersionInputs(
            version=version,
            run=run_of(seen, version),
            deployments=seen.deployments(namespace),
            policy=policy,
            policy_name=applied.name,
            said=_said(seen, version),
            now=seen.now,
        )
    )
    return VersionEvidence(version, detail, policy, report, bill, manifest, baseline, seen)


def run_of(seen: Seen, version: ModelVersion) -> TrainingRun | None:
    """Return the run that a version came from, where it still exists and may be seen."""
    namespace = version.metadata.namespace
    if not seen.sight.sees(TRAINING_RUN, namespace):
        return None
    name = version.spec.training_run.name
    found = seen.watch.cache.read(TrainingRun, TRAINING_RUN, namespace, name)
    if not isinstance(found, TrainingRun) or found.metadata.uid != version.spec.training_run.uid:
        return None
    return found


def _said(seen: Seen, version: ModelVersion) -> dict[str, str]:
    namespace, name = version.metadata.namespace, version.metadata.name
    if not seen.sight.sees(MODEL_APPROVAL, namespace):
        return {}
    cache = seen.watch.cache
    found = (
        cache.read(ModelApproval, key.kind, key.namespace, key.name)
        for key in cache.indexed("version", namespace, name, kind=MODEL_APPROVAL)
    )
    return {
        approval.metadata.uid: approval.spec.reason
        for approval in found
        if isinstance(approval, ModelApproval)
    }


async def gather_review(
    services: Services, caller: Caller, namespace: str, name: str
) -> tuple[Review, VersionEvidence]:
    """Return the review of one version, with the rights that the caller lacks for a decision.

    Raises:
        Problem: There is none, or the caller may not see it.
    """
    evidence = await gather_version(services, caller, namespace, name)
    version, seen = evidence.version, evidence.seen
    deployments, versions = seen.deployments(namespace), seen.versions(namespace)
    serving = serving_version(version, deployments, versions)
    before = serving or approved_before(version, versions)
    changes, unknown = None, ""
    if before is not None:
        changes, unknown = await gather_changes(services, before, evidence)
    sees = seen.sight.sees(MODEL_DEPLOYMENT, namespace)
    read = evidence.report.content and evidence.bill.content and not (serving and unknown)
    missing = await services.rights.missing(caller, review_rights(version))
    run = run_of(seen, version)
    report = evidence.report.content
    gates = gate_lines(report.gates, report.metrics) if report else []
    if report is None and run is not None:
        gates = gate_lines(run.status.gates, run.status.metrics)
    against = before.metadata.name if before else ""
    review = Review(
        review_headline(evidence.detail, against, changes),
        evidence.detail,
        against,
        changes,
        unknown,
        tuple(gates),
        evidence.report.sentence,
        choices(evidence.detail, caller.name, missing),
        tuple(found.metadata.name for found in deployments if asks_for(found, version)),
        shown_digest(version, serving) if sees and read else "",
    )
    return review, evidence


async def gather_changes(
    services: Services, before: ModelVersion, after: VersionEvidence
) -> tuple[Changes | None, str]:
    """Return what differs between two versions, and why not all of that can be told."""
    first, bill, baseline = await asyncio.gather(
        services.evidence.report(before, after.policy),
        services.evidence.bill(before, after.policy),
        services.evidence.baseline(before, after.policy),
    )
    if first.content is None or after.report.content is None:
        return None, first.sentence or after.report.sentence
    baselines = None
    if baseline.content is not None and after.baseline.content is not None:
        baselines = (baseline.content, after.baseline.content)
    if bill.content is None or after.bill.content is None:
        unknown = bill.sentence or after.bill.sentence
        return compare(first.content, after.report.content, None, baselines), unknown
    bills = (bill.content, after.bill.content)
    return compare(first.content, after.report.content, bills, baselines), ""


async def gather_what_if(
    services: Services, caller: Caller, name: str, spec: ModelPolicySpec
) -> WhatIf:
    """Return what another spec of a policy would do to what the caller may see.

    Raises:
        Problem: There is no such policy, or the caller may not see it.
    """
    seen = await services.seen(caller, None, MODEL_VERSION, MODEL_DEPLOYMENT)
    current = next((found for found in seen.policies() if found.metadata.name == name), None)
    if current is None:
        raise not_found("ModelPolicy", None, name)
    versions, deployments = seen.versions(), seen.deployments()
    spaces = {found.metadata.namespace for found in (*versions, *deployments)}
    under = {space for space in spaces if seen.policy(space).name == name}
    concerned = [version for version in versions if version.metadata.namespace in under]
    looked_at = chosen(concerned)
    held = [
        kept(found, current.spec, spec)
        for found in deployments
        if found.metadata.namespace in under
    ]
    candidate = current.replace(spec=spec)
    limit = asyncio.Semaphore(8)

    async def one(version: ModelVersion) -> Effect:
        async with limit:
            files = await services.evidence.files(version, current.spec)
        if spec.dependencies.vulnerabilities is None:
            return effect(version, candidate, files, seen.now)
        return await asyncio.to_thread(
            effect, version, candidate, files, seen.now, partial(services.feed.about, now=seen.now)
        )

    effects = await asyncio.gather(*map(one, looked_at))
    return what_if(effects, len(concerned) - len(looked_at), [one for one in held if one])


@dataclass(frozen=True)
class DeploymentEvidence:
    """One ModelDeployment with its traffic."""

    deployment: ModelDeployment
    detail: DeploymentDetail
    drift: DriftDetail
    quality: QualityDetail | None = None
    """What became true of its answers; None where no feedback is declared."""


async def gather_deployment(
    services: Services, caller: Caller, namespace: str, name: str
) -> DeploymentEvidence:
    """Return one ModelDeployment with its traffic.

    Raises:
        Problem: There is none, or the caller may not see it.
    """
    seen = await services.seen(caller, namespace, MODEL_DEPLOYMENT, MODEL_VERSION)
    deployment = seen.deployment(namespace, name)
    versions = seen.versions(namespace)
    rights = {action: deed_rights(deployment, action) for action in ActionName}
    lacked = set(
        await services.rights.missing(
            caller, dict.fromkeys(right for needed in rights.values() for right in needed)
        )
    )
    missing = {
        action: tuple(right for right in needed if right in lacked)
        for action, needed in rights.items()
    }
    applied = seen.policy(namespace)
    active = _by_digest(versions, deployment.status.active_digest)
    found, policy = None, applied.policy.spec if applied.policy else None
    if active is not None:
        found = await services.evidence.baseline(active, policy)
    rows, windows = services.watch.traffic.of(namespace, name)
    drift = drift_detail(
        deployment,
        found.content if found else None,
        found.sentence if found else "No version serves, or you may not see it.",
        rows,
        windows,
    )
    asked = asked_version(deployment, versions)
    rates = rates_of(deployment, services.watch.traffic)
    detail = deployment_detail(deployment, asked, missing, applied.name, seen.now, rates)
    quality = None
    if deployment.spec.drift.feedback is not None:
        sealed = await services.evidence.report(active, policy) if active is not None else None
        outcomes = services.watch.traffic.outcomes(namespace, name)
        quality = quality_detail(deployment, sealed.content if sealed else None, outcomes)
    return DeploymentEvidence(deployment, detail, drift, quality)


def _by_digest(versions: Sequence[ModelVersion], digest: str | None) -> ModelVersion | None:
    return next(
        (found for found in versions if found.spec.artifact.manifest_digest == digest), None
    )
