"""What a record keeps of a stage of a rollout: what was asked of a candidate, and what was counted.

A stage is a mirror, or a step of a canary. Who has the record alone judges its numbers with the
functions that judged them here (``analysis``, ``mirror``), and comes to the same verdict.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hallmark.api.canary import CanaryCounts, CanaryRecord
from hallmark.api.common import Count, Digest, FileModel, Timestamp
from hallmark.api.drift_state import Verdict
from hallmark.api.mirror import MirrorRecord
from hallmark.api.model_deployment import ModelDeploymentSpec, RolloutState
from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import timestamp
from hallmark.drift.recount import DriftEvidence
from hallmark.policies.model_deployment import analysis, mirror
from hallmark.policies.model_deployment.inputs import PodState, View
from hallmark.policies.model_deployment.triggers import (
    Mirrored,
    Ready,
    Refused,
    Settled,
    Stepped,
    Trigger,
)

FAILED = (DeploymentReason.MIRROR_FAILED, DeploymentReason.CANARY_FAILED)
"""Why a candidate is refused whose own numbers speak against it."""


class CrashedPod(FileModel):
    """A Pod of the candidate whose container ended by the version's own fault."""

    name: Annotated[str, Field(max_length=253)]
    exit_code: int
    ended_at: Timestamp


class StepSeen(FileModel):
    """A step of a canary, and what its Pods had told when it ended."""

    record: CanaryRecord
    """Which step, since when the candidate has traffic, and all counts when the step began."""
    all: CanaryCounts
    fair: CanaryCounts
    """Without the busiest clients."""
    drift: Verdict
    """What was found of the candidate's own rows."""
    voters: Count = 0
    """How many Pods had enough windows to say so."""
    counts: DriftEvidence | None = None
    """What they counted; absent where none had, or it does not fit."""
    crashed: CrashedPod | None = None


class CopiesSeen(FileModel):
    """A mirror, and what the Pods of what served had told when it ended."""

    record: MirrorRecord
    crashed: CrashedPod | None = None


class Stage(FileModel):
    """What a decision to go on with a candidate, or not to, was made from."""

    manifest_digest: Digest
    """The candidate's."""
    spec: ModelDeploymentSpec
    """What was asked for: the intent's fields, ``replicas`` and ``suspend``."""
    since: Timestamp
    """When what ended had begun; where a version becomes stable: since when it was healthy."""
    until: Timestamp
    """When it was decided."""
    released: bool = False
    """A person had let the candidate through."""
    begins: Count | None = None
    """The step that begins, from 0; the number after the last one: all Pods start."""
    copies: CopiesSeen | None = None
    """The mirror that ended."""
    step: StepSeen | None = None
    """The step that ended."""

    def without_drift_counts(self) -> Stage:
        """Return it with the verdict on drift alone."""
        return self.replace(step=self.step and self.step.replace(counts=None))


def stage_of(before: View, trigger: Trigger | None) -> Stage | None:
    """Return what a trigger was found from, or None where it ends and begins no stage.

    Args:
        before: the inputs, and the record when it was found.
        trigger: what was found.
    """
    if isinstance(trigger, Settled):
        return _bake(before)
    fails = isinstance(trigger, Refused) and trigger.refusal.reason in FAILED
    if not fails and not isinstance(trigger, Mirrored | Stepped | Ready):
        return None
    rollout, now = before.rollout, timestamp(before.inputs.now)
    if rollout.manifest_digest is None:
        return None
    return Stage(
        manifest_digest=rollout.manifest_digest,
        spec=_asked(before),
        since=rollout.since or now,
        until=now,
        released=rollout.released,
        begins=trigger.step if isinstance(trigger, Stepped) else None,
        copies=_copies(before) if rollout.state is RolloutState.MIRRORING else None,
        step=_step(before) if rollout.state is RolloutState.CANARY else None,
    )


def _bake(view: View) -> Stage | None:
    """Return since when what serves has been healthy, where it becomes stable."""
    head = view.head
    if head is None or head.healthy_since is None:
        return None
    return Stage(
        manifest_digest=head.manifest_digest,
        spec=_asked(view),
        since=head.healthy_since,
        until=timestamp(view.inputs.now),
    )


def _asked(view: View) -> ModelDeploymentSpec:
    return view.inputs.deployment.spec.replace(resources=None, scheduling=None)


def _copies(view: View) -> CopiesSeen | None:
    record = view.rollout.mirror
    if record is None:
        return None
    return CopiesSeen(record=record, crashed=_pod(mirror.crashed(view, record)))


def _step(view: View) -> StepSeen | None:
    record, found = view.rollout.canary, analysis.evidence(view)
    if record is None:
        return None
    voters, counts = analysis.drift_counts(view)
    return StepSeen(
        record=record,
        all=found.all,
        fair=found.fair,
        drift=found.drift,
        voters=voters,
        counts=counts,
        crashed=_pod(found.crashed),
    )


def _pod(pod: PodState | None) -> CrashedPod | None:
    if pod is None or pod.exit_code is None or pod.ended_at is None:
        return None
    return CrashedPod(name=pod.name, exit_code=pod.exit_code, ended_at=pod.ended_at)
