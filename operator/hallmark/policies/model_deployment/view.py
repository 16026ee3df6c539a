"""The inputs and the record, with the questions that every look asks of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hallmark.api.common import parse_duration, parse_timestamp
from hallmark.api.model_deployment import (
    DeploymentReason,
    HistoryEntry,
    ModelDeploymentStatus,
    Rollout,
)
from hallmark.api.model_version import ModelVersion
from hallmark.policies.model_deployment import checks
from hallmark.policies.model_deployment.inputs import DeploymentInputs
from hallmark.policies.model_deployment.intent import Intent, desired


@dataclass(frozen=True)
class View:
    """The inputs and the record, with what every look needs."""

    inputs: DeploymentInputs
    status: ModelDeploymentStatus

    @property
    def rollout(self) -> Rollout:
        """The record of what is under way."""
        return self.status.rollout or Rollout()

    @property
    def head(self) -> HistoryEntry | None:
        """The version that serves, in the history."""
        return self.status.history[0] if self.status.history else None

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
    def frozen(self) -> bool:
        """Tell whether promotion waits for a person."""
        paused = self.inputs.deployment.spec.suspend or self.status.paused
        return paused and not self.rollout.released

    @property
    def intent(self) -> Intent | None:
        """What is asked for now."""
        spec, inputs = self.inputs.deployment.spec, self.inputs
        serving = self.active if self.active and self.active.spec.model == spec.model else None
        return desired(
            spec,
            inputs.versions,
            approved=lambda each: checks.is_approved(each, inputs),
            rejected=checks.is_rejected,
            at_least=serving.spec.version if serving else 0,
            active=self.status.active_digest if serving else None,
        )

    def elapsed(self, since: str | None, length: str) -> bool:
        """Tell whether a Go-style duration has passed since a moment."""
        return self.until(since, length) <= self.inputs.now

    def until(self, since: str | None, length: str) -> datetime:
        """Return when a Go-style duration since a moment ends."""
        start = parse_timestamp(since) if since else self.inputs.now
        return start + parse_duration(length)
