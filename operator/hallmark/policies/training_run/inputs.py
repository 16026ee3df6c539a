"""What a decision about a TrainingRun is made from: the cluster at one moment, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hallmark.api.artifacts import UploadURLs
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import Progress, TrainingRun
from hallmark.policies.decision import Decision, Reference
from hallmark.policies.training_run.jobs import JobView, PodView
from hallmark.policies.training_run.seal import Evidence


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
        authenticated: whether the API server vouches for ``requestedBy``.
        job: the training Job of this run (of its uid), or None.
        pod: the training Pod whose word counts, or None.
        progress: what the training Job last said of itself, or None.
        urls: presigned URLs for a training Job that does not run yet, or None.
        seal_job: the sealing Job of this run, or None.
        seal_pod: its Pod, or None.
        evidence: what lies in the store as sealed, or None.
        version_number: a number that no version of the model has had, or None.
        leftovers: this run's helpers that are of no use once it has ended.
    """

    run: TrainingRun
    now: datetime
    system: str
    policy_name: str
    policy: ModelPolicy | None = None
    version: ModelVersion | None = None
    authenticated: bool = False
    job: JobView | None = None
    pod: PodView | None = None
    progress: Progress | None = None
    urls: UploadURLs | None = None
    seal_job: JobView | None = None
    seal_pod: PodView | None = None
    evidence: Evidence | None = None
    version_number: int | None = None
    leftovers: tuple[Reference, ...] = ()


class Wants(StrEnum):
    """Which children a plan asks for; ``hallmark.resources`` knows how they look."""

    NOTHING = "Nothing"
    TRAINING = "Training"
    SEALING = "Sealing"
    VERSION = "Version"


@dataclass(frozen=True)
class Plan:
    """What to do about a run."""

    decision: Decision
    wants: Wants = Wants.NOTHING
