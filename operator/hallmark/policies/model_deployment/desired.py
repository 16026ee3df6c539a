"""Which versions must run, with how many Pods and which trust: follows from the record alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hallmark.api import names
from hallmark.api.model_deployment import (
    HistoryEntry,
    ModelDeploymentStatus,
    Outcome,
    Rollout,
    RolloutState,
)
from hallmark.api.model_version import ModelVersion
from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import parse_duration, parse_timestamp
from hallmark.api.trust import Trust
from hallmark.policies.model_deployment import canary, checks, mirror, routing
from hallmark.policies.model_deployment.carrying import likely_target, must_carry
from hallmark.policies.model_deployment.inputs import DeploymentInputs, Need, View
from hallmark.policies.model_deployment.rollback import refused_since, stable_entries
from hallmark.policies.model_deployment.trust import trust_of, trust_sha256
from hallmark.policies.model_deployment.withdrawal import (
    must_give_way,
    withdrawn,
    withdrawn_labels,
)

URL_LIFETIME = timedelta(days=1)
URL_MARGIN = timedelta(hours=12)
"""Presigned URLs that end sooner are replaced."""
HANDOVER = timedelta(seconds=30)
"""How long a version that was replaced keeps its Pods at least."""


@dataclass(frozen=True)
class PlannedVersion:
    """A version that must have Pods."""

    name: str
    digest: str
    replicas: int
    trust_sha256: str
    version: ModelVersion | None
    """None where the object is gone; the Pods stay as they are."""
    trust: Trust | None = None
    """To be written; None where it stands already."""
    refresh_urls: bool = False
    carry: bool = False
    """Its served files are to travel beside the trust, and do not yet."""
    only_shrinks: bool = False
    """It must not serve (any longer): Pods are taken away, and nothing is made for it."""

    @property
    def label(self) -> str:
        """The manifest label."""
        return names.manifest_label(self.digest)


@dataclass(frozen=True)
class Plan:
    """What must run."""

    active_digest: str | None
    """Which version the Service selects; None: there is no Service yet."""
    shared: bool = False
    """The Service leads to the Pods of a candidate, too."""
    copies: mirror.Copies | None = None
    """A candidate gets copies of requests."""
    route: routing.Routed | None = None
    """What the HTTPRoute gives; None: there is none."""
    versions: tuple[PlannedVersion, ...] = ()
    carried: frozenset[str] = frozenset()
    """Manifest labels of versions whose served files stay in the cluster: those that are planned,
    and the one that a rollback would go to."""
    withdrawn: frozenset[str] = frozenset()
    """Manifest labels of versions that have Pods and must not."""
    ending: bool = False
    """Nothing is made for the object any more; only what must not serve goes."""


def plan(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> Plan:
    """Return what must run so that the cluster is as the record says."""
    others = [*_coming(status, inputs), *_replaced(status, inputs), *_warm(status, inputs)]
    wanted = [*_serving(status, inputs), *others]
    # The same bytes under a new intent are one workload, with the trust of the newer.
    by_digest = {version.digest: version for version in wanted}
    target = likely_target(status, inputs)
    carried = {*by_digest, *({target.manifest_digest} if target else ())}
    view, answering = View(inputs, status), with_traffic(status, inputs, others)
    return Plan(
        active_digest=answering,
        shared=canary.shares_traffic(view),
        # What stands in for the version that serves is not what the candidate is compared with.
        copies=mirror.copies(view) if answering == status.active_digest else None,
        route=routing.planned(view, answering) if answering else None,
        versions=tuple(by_digest.values()),
        carried=frozenset(map(names.manifest_label, carried)),
        withdrawn=frozenset(withdrawn_labels(inputs)),
        ending=view.ending,
    )


def with_traffic(
    status: ModelDeploymentStatus, inputs: DeploymentInputs, others: Iterable[PlannedVersion]
) -> str | None:
    """Return which version the Service selects (its manifest digest).

    It is the one that serves on record. While that has not proven itself (it bakes) and no Pod of
    it is ready, the version whose place it took answers, until all Pods that are asked for are
    ready again. The Service never goes to a version that must not serve, nor back to one that
    must give way from one that took over (the record of that may be lost, see ``Unwritten``).

    Args:
        status: the record.
        inputs: the cluster as it is.
        others: versions that have Pods beside the one that serves.
    """
    active = status.active_digest
    ready = {other.digest for other in others if inputs.ready_pods(other.digest)}
    if active is None or not ready:
        return active
    if withdrawn(active, inputs) is not None:
        took_over = (digest for digest in ready if names.manifest_label(digest) == inputs.selected)
        return next(took_over, active)
    return _stand_in(status, inputs, ready) or active


def _stand_in(
    status: ModelDeploymentStatus, inputs: DeploymentInputs, ready: set[str]
) -> str | None:
    """Return the version that answers for the one that bakes, or None while that does."""
    head, *former = status.history
    state = status.rollout.state if status.rollout else None
    if not former or head.outcome is not Outcome.SERVING or state is RolloutState.CANARY:
        return None
    digest, version = former[0].manifest_digest, version_of(former[0], inputs)
    if digest not in ready or version is None or not checks.is_approved(version, inputs):
        return None
    asked = inputs.deployment.spec.replicas
    enough = asked if inputs.selected == names.manifest_label(digest) else min(asked, 1)
    return digest if inputs.ready_pods(head.manifest_digest) < enough else None


def mend_trust(
    status: ModelDeploymentStatus, inputs: DeploymentInputs
) -> ModelDeploymentStatus | Need:
    """Return the record with today's trust where the recorded one is gone or was swapped.

    Nothing happens to a version whose trust stands: an approval that is added or expires later
    does not restart its Pods. While something is withdrawn, only the target's trust is mended: no
    other bytes are worth the wait for the store.
    """
    urgent = must_give_way(View(inputs, status)) is not None
    target = status.rollout.manifest_digest if status.rollout else None
    for planned in plan(status, inputs).versions:
        later = planned.only_shrinks or (urgent and planned.digest != target)
        stands = planned.trust_sha256 in inputs.trusts or later
        if stands or planned.version is None or inputs.policy is None:
            continue
        if planned.digest not in inputs.verifications:
            return Need(planned.version)
        trust = trust_of(inputs, planned.version)
        if trust is not None and trust_sha256(trust) != planned.trust_sha256:
            status = _with_trust(status, planned.digest, trust_sha256(trust))
    return status


def _with_trust(status: ModelDeploymentStatus, digest: str, sha256: str) -> ModelDeploymentStatus:
    rollout = status.rollout
    if rollout and rollout.manifest_digest == digest:
        rollout = rollout.replace(trust_sha256=sha256)
    history = [
        entry.replace(trust_sha256=sha256) if entry.manifest_digest == digest else entry
        for entry in status.history
    ]
    return status.replace(rollout=rollout, history=history)


def _serving(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> list[PlannedVersion]:
    if not status.history or status.active_digest is None:
        return []
    head, view = status.history[0], View(inputs, status)
    replicas = canary.active_replicas(view)
    planned = _planned(head.version, head.manifest_digest, head.trust_sha256, replicas, inputs)
    stopped = view.stopped
    if not stopped and withdrawn(head.manifest_digest, inputs) is None:
        return [planned]
    workload = inputs.workload(head.manifest_digest)
    left = min(replicas, workload.replicas) if workload and not stopped else 0
    return [replace(planned, replicas=left, refresh_urls=False, carry=False, only_shrinks=True)]


def _coming(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> list[PlannedVersion]:
    rollout = status.rollout or Rollout()
    states = {
        RolloutState.STARTING,
        RolloutState.MIRRORING,
        RolloutState.CANARY,
        RolloutState.ROLLING_BACK,
    }
    if rollout.state not in states:
        return []
    if not rollout.model_version or not rollout.manifest_digest:
        return []
    if withdrawn(rollout.manifest_digest, inputs) is not None:
        return []  # Its Pods go, whatever becomes of the record.
    replicas = canary.candidate_replicas(View(inputs, status))
    name, digest = rollout.model_version, rollout.manifest_digest
    if must_give_way(View(inputs, status)) is not None:
        # One Pod is enough to take over from what was withdrawn; the others follow.
        workload = inputs.workload(digest)
        replicas = min(replicas, max(1, workload.replicas if workload else 0))
    return [_planned(name, digest, rollout.trust_sha256, replicas, inputs)]


def _replaced(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> list[PlannedVersion]:
    """Return the version whose place was just taken, until its successor had time to show itself.

    Stable or not: what took over may be evicted in the next moment.
    """
    view = View(inputs, status)
    if len(status.history) < 2 or view.stopped or view.rollout.state is RolloutState.CANARY:
        return []
    head, former = status.history[:2]
    version = version_of(former, inputs)
    answers = inputs.selected == names.manifest_label(former.manifest_digest)
    recent = inputs.now < handover_ends(head)
    if (
        head.outcome is not Outcome.SERVING
        or former.manifest_digest in {head.manifest_digest, view.rollout.manifest_digest}
        or version is None
        or checks.rejection(version, inputs) is not None
        or inputs.workload(former.manifest_digest) is None
        or not (answers or recent)
    ):
        return []
    replicas, trust = inputs.deployment.spec.replicas, former.trust_sha256
    return [_planned(former.version, former.manifest_digest, trust, replicas, inputs)]


def handover_ends(head: HistoryEntry) -> datetime:
    """Return until when the version keeps its Pods whose place this one took."""
    return parse_timestamp(head.from_) + HANDOVER


def version_of(entry: HistoryEntry, inputs: DeploymentInputs) -> ModelVersion | None:
    """Return the version of a time in service, if it still exists with those bytes."""
    return inputs.version(entry.version, entry.manifest_digest)


def _warm(status: ModelDeploymentStatus, inputs: DeploymentInputs) -> list[PlannedVersion]:
    """Return the newest former version that a rollback could go to, while it is kept warm."""
    rollout = status.rollout or Rollout()
    # Beside a candidate that shares the traffic a third version would have some of it.
    if rollout.cause == DeploymentReason.STOPPED or rollout.state is RolloutState.CANARY:
        return []
    coming = rollout.manifest_digest
    for entry in stable_entries(status):
        if refused_since(entry, status.refused):
            continue
        version = inputs.version(entry.version, entry.manifest_digest)
        kept = (
            entry.manifest_digest != coming
            and inputs.workload(entry.manifest_digest) is not None
            and version is not None
            and checks.rejection(version, inputs) is None
            and warm_until(entry, inputs) > inputs.now.timestamp()
        )
        replicas = inputs.deployment.spec.replicas
        digest, trust = entry.manifest_digest, entry.trust_sha256
        return [_planned(entry.version, digest, trust, replicas, inputs)] if kept else []
    return []


def warm_until(entry: HistoryEntry, inputs: DeploymentInputs) -> float:
    """Return until when (seconds since the epoch) a former version is kept warm."""
    if entry.to is None:
        return 0.0
    keep = parse_duration(inputs.deployment.spec.strategy.keep_warm)
    return (parse_timestamp(entry.to) + keep).timestamp()


def _planned(
    name: str, digest: str, sha256: str, replicas: int, inputs: DeploymentInputs
) -> PlannedVersion:
    version = inputs.version(name, digest)
    trust = trust_of(inputs, version) if version and sha256 not in inputs.trusts else None
    until = inputs.urls_until.get(names.manifest_label(digest))
    return PlannedVersion(
        name=name,
        digest=digest,
        replicas=replicas,
        trust_sha256=sha256,
        version=version,
        # Only the very trust that is on record: another would not be what the Pods demand.
        trust=trust if trust is not None and trust_sha256(trust) == sha256 else None,
        refresh_urls=until is None or until < inputs.now + URL_MARGIN,
        carry=version is not None and must_carry(digest, sha256, inputs),
    )
