"""What another policy would stop, before anybody applies it: versions and promotions. Pure.

The checks are the operator's own (``hallmark.policies.model_version.checks`` and
``hallmark.policies.model_deployment.bounds``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import ModelPolicy, ModelPolicySpec
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark.policies.model_deployment.bounds import beyond_policy
from hallmark.policies.model_version.approvals import needs
from hallmark.policies.model_version.checks import asked_packages, check_evidence
from hallmark.policies.model_version.inputs import VersionInputs
from hallmark.policies.model_version.words import words_in_force
from hallmark.policies.unmet import votes
from hallmark.supply_chain.vulnerabilities import NOT_MOUNTED, LookUp
from hallmark_dashboard.views.standing import State
from hallmark_dashboard.views.words import plural

MOST = 100
"""Versions that are looked at: each is read from the store."""


@dataclass(frozen=True)
class Files:
    """What is sealed of a version, or why it could not be read."""

    manifest: str | None
    report: bytes | None
    sentence: str = ""
    sbom: bytes | None = None


@dataclass(frozen=True)
class Effect:
    """What another policy would do to a version.

    Attributes:
        namespace: Of the version.
        name: Its name.
        used_by: ModelDeployments that serve it or could serve it again.
        state: Stopped, good, or unknown where its files could not be read.
        reasons: Why it would be stopped, or is unknown.
        new: Whether it passes today.
    """

    namespace: str
    name: str
    used_by: tuple[str, ...]
    state: State
    reasons: tuple[str, ...]
    new: bool


@dataclass(frozen=True)
class Kept:
    """A ModelDeployment that would promote nothing new under another policy.

    Attributes:
        namespace: Of the ModelDeployment.
        name: Its name.
        reasons: What it asks for too much of, or watches too little.
        new: Whether the policy of today lets it promote.
        state: How it stands then.
    """

    namespace: str
    name: str
    reasons: tuple[str, ...]
    new: bool
    state: State = State.STOPPED


@dataclass(frozen=True)
class WhatIf:
    """What another policy would do.

    Attributes:
        headline: The first line.
        effects: Stopped ones that serve first, then other stopped ones, unknown and good ones.
        left_out: Versions that were not looked at.
        kept: ModelDeployments that would promote nothing new; what they serve goes on.
    """

    headline: str
    effects: tuple[Effect, ...]
    left_out: int
    kept: tuple[Kept, ...] = ()


def kept(
    deployment: ModelDeployment, today: ModelPolicySpec, candidate: ModelPolicySpec
) -> Kept | None:
    """Return what another policy would keep a ModelDeployment from promoting for, or None."""
    reasons = beyond_policy(deployment.spec, candidate)
    if not reasons:
        return None
    metadata, now = deployment.metadata, beyond_policy(deployment.spec, today)
    return Kept(metadata.namespace, metadata.name, reasons, new=not now)


def chosen(versions: Sequence[ModelVersion]) -> list[ModelVersion]:
    """Return the versions that are looked at: those in use, then the newest."""
    ordered = sorted(
        versions, key=lambda one: (not one.status.used_by, -one.spec.version, one.metadata.name)
    )
    return ordered[:MOST]


def effect(
    version: ModelVersion,
    candidate: ModelPolicy,
    files: Files,
    now: datetime,
    look_up: LookUp = lambda _: NOT_MOUNTED,
) -> Effect:
    """Return what another policy would do to a version.

    Args:
        version: The version.
        candidate: The other policy.
        files: What is sealed of the version.
        now: The time (aware).
        look_up: Says which vulnerabilities packages have; without it there is no snapshot.
    """
    inputs = _inputs(version, candidate, files, now)
    if candidate.spec.dependencies.vulnerabilities is not None:
        inputs = replace(inputs, vulnerabilities=look_up(asked_packages(inputs)))
    found = list(_reasons(inputs, candidate)) if not files.sentence else []
    unknown = (files.sentence,) if files.sentence else ()
    state = State.UNKNOWN if unknown else State.STOPPED if found else State.GOOD
    held = (
        VersionCondition.VERIFIED,
        VersionCondition.POLICY_PASSED,
        VersionCondition.APPROVED,
    )
    return Effect(
        version.metadata.namespace,
        version.metadata.name,
        tuple(version.status.used_by),
        state,
        (*found, *unknown),
        new=bool(found) and all(map(version.status.is_true, held)),
    )


def _inputs(
    version: ModelVersion, candidate: ModelPolicy, files: Files, now: datetime
) -> VersionInputs:
    return VersionInputs(
        version=version,
        now=now,
        policy_name=candidate.metadata.name,
        policy=candidate,
        manifest=files.manifest,
        report=files.report,
        sbom=files.sbom,
        words=words_in_force(version.status.approvals, candidate.spec, now),
    )


def _reasons(inputs: VersionInputs, candidate: ModelPolicy) -> Sequence[str]:
    version, now = inputs.version, inputs.now
    evidence = check_evidence(inputs)
    said = [refusal.message for refusal in (evidence.refusal, evidence.policy) if refusal]
    found = needs(candidate.spec.approvals, votes(version, candidate.spec, now).approvers)
    if not found.enough:
        more = plural(found.more, "more person", "more people")
        said.append(f"{more} would have to approve it ({found.sentence}).")
    return said


def what_if(effects: Sequence[Effect], left_out: int, held: Sequence[Kept] = ()) -> WhatIf:
    """Return what another policy would do, the worst first."""
    order = (State.STOPPED, State.UNKNOWN, State.GOOD)
    ordered = sorted(
        effects, key=lambda one: (order.index(one.state), not one.new, not one.used_by, one.name)
    )
    new = [one for one in effects if one.new]
    serving = [one for one in new if one.used_by]
    unknown = sum(one.state is State.UNKNOWN for one in effects)
    said = f"It would newly stop {plural(len(new), 'version')}"
    said += f", {len(serving)} of them in use" if new else ""
    said += f"; of {plural(unknown, 'other')} nothing can be told" if unknown else ""
    newly = sum(one.new for one in held)
    said += f"; {plural(newly, 'Deployment')} would newly promote nothing" if newly else ""
    worst = sorted(held, key=lambda one: (not one.new, one.namespace, one.name))
    return WhatIf(f"{said}.", tuple(ordered), left_out, tuple(worst))
