"""What a decision about a ModelDeployment is made from: the cluster at one moment, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hallmark.api import names
from hallmark.api.drift import Drift
from hallmark.api.model_deployment import (
    HistoryEntry,
    Hold,
    ModelDeployment,
    ModelDeploymentStatus,
    Rollout,
)
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion, RolledBack
from hallmark.api.reasons import DeploymentReason
from hallmark.api.served import Baseline
from hallmark.api.texts import parse_duration, parse_timestamp
from hallmark.drift.decision import Memory
from hallmark.drift.reports import Report
from hallmark.policies.model_deployment.hold import hold_in_force
from hallmark.policies.model_deployment.record import rollout_of
from hallmark.policies.model_deployment.route_state import RouteState
from hallmark.refusal import Refusal

_MOST_SAID = 4
"""Sentences about one thing that are told at once."""


@dataclass(frozen=True)
class Workload:
    """The apps/v1 Deployment that runs one version's Pods."""

    manifest: str
    """First 12 hex digits of the manifest digest."""
    trust_sha256: str
    """The trust that its Pod template demands."""
    image: str
    replicas: int
    """How many Pods it asks for."""
    pods: int
    """How many it has, of whichever template."""
    ready: int
    settled: bool
    """Its controller has seen the newest template, and no Pod of an older one is left."""


@dataclass(frozen=True)
class PodState:
    """A Pod of the ModelDeployment."""

    name: str
    manifest: str
    trust_sha256: str
    ready: bool
    exit_code: int | None = None
    """Of the predictor's last end."""
    message: str = ""
    """The predictor's termination message, or why the container waits."""
    ended_at: str | None = None
    """When the predictor last ended."""
    restarts: int = 0
    """How often it ended and was started again."""


@dataclass(frozen=True)
class Verification:
    """What hashing every byte of a bundle and checking its signature showed."""

    manifest_digest: str
    at: datetime
    manifest: str = ""
    """The text of ``manifest.json``, where it verified."""
    baseline: Baseline | None = None
    """The signed baseline, where the bundle verified."""
    refusal: Refusal | None = None
    transient: bool = False
    """The refusal is the store's trouble, not the bundle's; it is tried again."""


@dataclass(frozen=True)
class DeploymentInputs:
    """Everything that a decision about one ModelDeployment depends on."""

    deployment: ModelDeployment
    now: datetime
    policy: ModelPolicy | None
    versions: tuple[ModelVersion, ...] = ()
    """Those of the model, those asked for and those on record."""
    workloads: Mapping[str, Workload] = field(default_factory=dict)
    """By manifest label."""
    pods: tuple[PodState, ...] = ()
    trusts: Mapping[str, Drift] = field(default_factory=dict)
    """The trust ConfigMaps that hold what their name says, by SHA-256 (hex): how each lets its
    Pods count."""
    carried: frozenset[str] | None = None
    """Manifest digests whose served files travel in a ConfigMap that holds what it says; None
    where there is no cluster for them to travel in."""
    carried_sizes: Mapping[str, int] = field(default_factory=dict)
    """How many bytes a version would carry, by the SHA-256 (hex) of its trust."""
    urls_until: Mapping[str, datetime] = field(default_factory=dict)
    """When the presigned URLs end, by manifest label."""
    foreign: tuple[str, ...] = ()
    """Sentences about objects of needed names that belong to somebody else."""
    verifications: Mapping[str, Verification] = field(default_factory=dict)
    """By manifest digest; what is missing is asked for by ``Need``."""
    baseline: Baseline | None = None
    """Of the version that serves; None where it cannot be had."""
    candidate_baseline: Baseline | None = None
    """Of the candidate that has a share of the traffic; None where it cannot be had."""
    reports: Mapping[str, Report] = field(default_factory=dict)
    """By Pod, as they stand in ``status.drift``."""
    reported_in: str = ""
    """The resource version of the object in which they stood."""
    drift_memory: Memory | None = None
    """What was judged of earlier reports."""
    selected: str = ""
    """The manifest label that the Service selects; empty where there is no Service."""
    selected_in: str = ""
    """The Service's resource version."""
    route: RouteState | None = None
    """The HTTPRoute; None where there is none."""
    no_routes: str = ""
    """Why no HTTPRoute can be made or watched in this cluster; empty where they can."""
    withdrawn_since: str | None = None
    """Since when it is known that what serves must give way, where the record may not say so."""
    unreadable: Refusal | None = None
    """Why the spec cannot be read; ``deployment`` then has one that asks for nothing."""
    beyond: tuple[str, ...] = ()
    """Sentences about what the spec asks for beyond the policy; ``deployment`` has the maximum."""
    rolled_back: Mapping[str, RolledBack] = field(default_factory=dict)
    """By manifest digest: the last time that the bytes had to give way, as the audit log knows."""
    hold: str = ""
    """Why no version may be promoted in this cluster now; empty where promotions go on."""

    @property
    def name(self) -> str:
        """The ModelDeployment's name."""
        return self.deployment.metadata.name

    @property
    def beyond_said(self) -> str:
        """``beyond`` as a text, with no more sentences than a condition's message holds."""
        left_out = len(self.beyond) - _MOST_SAID
        more = f" {left_out} more are told once these are met." if left_out > 0 else ""
        return f"{' '.join(self.beyond[:_MOST_SAID])}{more}"

    def version(self, name: str | None, digest: str | None) -> ModelVersion | None:
        """Return the ModelVersion of that name, if its bytes are the ones meant."""
        return next(
            (
                version
                for version in self.versions
                if version.metadata.name == name and version.spec.artifact.manifest_digest == digest
            ),
            None,
        )

    def workload(self, digest: str) -> Workload | None:
        """Return the workload of a version, or None."""
        return self.workloads.get(names.manifest_label(digest))

    def ready_pods(self, digest: str, trust: str | None = None) -> int:
        """Return how many Pods of a version are ready: those with that trust, or all.

        The Pods themselves tell first that one of them was evicted; where none is known (yet), the
        workload is believed.
        """
        label = names.manifest_label(digest)
        known = [pod for pod in self.pods if pod.manifest == label]
        if known:
            return sum(pod.ready and trust in (None, pod.trust_sha256) for pod in known)
        workload = self.workload(digest)
        if workload is None:
            return 0
        right = trust is None or (workload.settled and workload.trust_sha256 == trust)
        return workload.ready if right else 0


@dataclass(frozen=True)
class Need:
    """Bytes to verify before anything can be decided."""

    version: ModelVersion


@dataclass(frozen=True)
class Wait:
    """Nothing to do yet, and why."""

    reason: str
    message: str
    stalled: bool = False
    """It does not pass by itself: a person must act."""
    again: float | None = None
    """Seconds after which to look again without any event."""


@dataclass(frozen=True)
class View:
    """The inputs and the record, with what every look needs."""

    inputs: DeploymentInputs
    status: ModelDeploymentStatus

    @property
    def rollout(self) -> Rollout:
        """The record of what is under way."""
        return rollout_of(self.status)

    @property
    def head(self) -> HistoryEntry | None:
        """The version that serves, in the history."""
        return self.status.history[0] if self.status.history else None

    @property
    def ending(self) -> bool:
        """Tell whether nothing is made for it any more: it is being deleted, or is unreadable."""
        deleted = self.inputs.deployment.metadata.deletion_timestamp is not None
        return deleted or self.inputs.unreadable is not None

    @property
    def stopped(self) -> bool:
        """Tell whether nothing may serve."""
        return self.rollout.cause == DeploymentReason.STOPPED

    @property
    def active(self) -> ModelVersion | None:
        """The ModelVersion that serves, if it still exists."""
        status = self.status
        return self.inputs.version(status.active_model_version, status.active_digest)

    @property
    def held(self) -> Hold | None:
        """The hold that lasts, if there is one."""
        return hold_in_force(self.status, self.inputs.policy, self.inputs.now)

    @property
    def frozen(self) -> bool:
        """Tell whether promotion waits for a person."""
        paused = self.inputs.deployment.spec.suspend or self.status.paused
        return paused and not self.rollout.released

    def elapsed(self, since: str | None, length: str) -> bool:
        """Tell whether a Go-style duration has passed since a moment."""
        return self.until(since, length) <= self.inputs.now

    def until(self, since: str | None, length: str) -> datetime:
        """Return when a Go-style duration since a moment ends."""
        start = parse_timestamp(since) if since else self.inputs.now
        return start + parse_duration(length)
