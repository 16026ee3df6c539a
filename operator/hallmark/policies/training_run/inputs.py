"""What a decision about a TrainingRun is made from: the cluster at one moment, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hallmark.api.artifacts import UploadURLs
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion, ModelVersionSpec, Requester
from hallmark.api.tasks import SealTask, TrainTask
from hallmark.api.training_run import Progress, TrainingRun
from hallmark.policies.decision import Decision, Reference
from hallmark.policies.training_run.jobs import JobView, PodView
from hallmark.policies.training_run.seal import Evidence, Seal, sealed_spec
from hallmark.policies.training_run.turns import NOTHING_BEFORE, SealingQueue


@dataclass(frozen=True)
class MountedObject:
    """An object of somebody else that a training Pod is to mount.

    Args:
        kind: its kind.
        name: its name.
        labels: what it carries, or None where there is no such object.
    """

    kind: str
    name: str
    labels: Mapping[str, str] | None


@dataclass(frozen=True)
class RunInputs:
    """Everything that a decision about one TrainingRun depends on.

    Args:
        run: the run.
        now: the time.
        system: the operator's namespace.
        policy_name: the name of the policy that applies.
        policy: that policy, or None where there is none.
        version: the ModelVersion of the run's name, or None.
        requester: who asked for it and who vouches for that, where it is to be sealed.
        job: the training Job of this run (of its uid), or None.
        pod: the training Pod whose word counts, or None.
        progress: what the training Job last said of itself, or None.
        mounted: what the dataset names in the run's namespace, where a Job is to be started.
        urls: presigned URLs for a training Job that does not run yet, or None.
        sealing: what is before it in its namespace, where it is to be sealed.
        seal_job: the sealing Job of this run, or None.
        seal_pod: its Pod, or None.
        evidence: what lies in the store as sealed, or None.
        leftovers: this run's helpers that are of no use once it has ended.
    """

    run: TrainingRun
    now: datetime
    system: str
    policy_name: str
    policy: ModelPolicy | None = None
    version: ModelVersion | None = None
    requester: Requester | None = None
    job: JobView | None = None
    pod: PodView | None = None
    progress: Progress | None = None
    mounted: tuple[MountedObject, ...] = ()
    urls: UploadURLs | None = None
    sealing: SealingQueue = NOTHING_BEFORE
    seal_job: JobView | None = None
    seal_pod: PodView | None = None
    evidence: Evidence | None = None
    leftovers: tuple[Reference, ...] = ()


@dataclass(frozen=True)
class TrainingJob:
    """The run's training Job, to be made, or to be suspended or resumed as the task says."""

    task: TrainTask
    urls: UploadURLs


@dataclass(frozen=True)
class SealingJob:
    """The run's sealing Job, to be made."""

    task: SealTask


@dataclass(frozen=True)
class SealedVersion:
    """The run's ModelVersion, to be made under a number that is not reserved yet."""

    seal: Seal
    requester: Requester

    def spec(self, number: int) -> ModelVersionSpec:
        """Return its spec under a number."""
        return sealed_spec(self.seal, number, self.requester)


Wanted = TrainingJob | SealingJob | SealedVersion
"""What is to be made for a run; ``hallmark.resources`` knows how it looks."""


@dataclass(frozen=True)
class RunDecision:
    """What to do about a run."""

    decision: Decision
    wanted: Wanted | None = None
