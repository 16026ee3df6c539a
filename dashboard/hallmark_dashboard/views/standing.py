"""The four states, the same everywhere, and how each object stands. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hallmark.api.conditions import Condition, ConditionedStatus, ConditionStatus, SummaryCondition
from hallmark.api.model_deployment import DeploymentCondition, ModelDeployment
from hallmark.api.model_version import ModelVersion, VersionCondition
from hallmark.api.reasons import VersionReason
from hallmark.api.training_run import TrainingRun
from hallmark_dashboard.views.remembered import remembered


class State(StrEnum):
    """How something stands; a page says it as a word and a shape before a colour."""

    GOOD = "good"
    """It serves, or passed."""
    WAITING = "waiting"
    """For a person or for time."""
    STOPPED = "stopped"
    """Refused, rolled back or revoked."""
    UNKNOWN = "unknown"
    """No data, or old ones."""


@dataclass(frozen=True)
class Standing:
    """How an object stands.

    Attributes:
        state: One of the four.
        word: The condition's reason.
        sentence: The condition's message.
        since: When that began, RFC 3339, or nothing.
    """

    state: State
    word: str
    sentence: str
    since: str = ""


@dataclass(frozen=True)
class Known:
    """A condition as a page shows it.

    Attributes:
        type: What is told.
        state: How it stands.
        word: The reason.
        sentence: The message.
        since: When it became so.
        verified: Whether it is a check that the operator ran; otherwise it is declared.
    """

    type: str
    state: State
    word: str
    sentence: str
    since: str
    verified: bool = True


NEGATIVE = frozenset(
    {
        VersionCondition.DENIED.value,
        VersionCondition.REVOKED.value,
        DeploymentCondition.DRIFT_DETECTED.value,
        DeploymentCondition.ROLLED_BACK.value,
        SummaryCondition.STALLED.value,
    }
)
"""Conditions that are well while they are False."""
_BETWEEN = frozenset(
    {
        DeploymentCondition.PROGRESSING.value,
        DeploymentCondition.ON_HOLD.value,
        SummaryCondition.RECONCILING.value,
    }
)
"""Conditions that are neither good nor bad."""


def standing(status: ConditionedStatus, generation: int = 0) -> Standing:
    """Return how an object stands by its summary conditions."""
    if not status.conditions:
        return Standing(State.UNKNOWN, "NotSeen", "The operator has not said anything of it yet.")
    ready = status.condition(SummaryCondition.READY)
    for type_, state in (
        (SummaryCondition.STALLED, State.STOPPED),
        (SummaryCondition.READY, State.GOOD),
        (SummaryCondition.RECONCILING, State.WAITING),
    ):
        condition = status.condition(type_)
        if condition is not None and condition.status is ConditionStatus.TRUE:
            told = condition if condition.message or ready is None else ready
            behind = status.observed_generation or 0
            if state is State.GOOD and generation > behind:
                return Standing(
                    State.WAITING,
                    "Pending",
                    "The spec changed; the operator has not said anything of the new one yet.",
                    condition.last_transition_time,
                )
            return _standing(state, told)
    return _standing(
        State.UNKNOWN if ready is None else State.WAITING, ready or status.conditions[0]
    )


def _standing(state: State, condition: Condition) -> Standing:
    return Standing(state, condition.reason, condition.message, condition.last_transition_time)


@remembered
def run_standing(run: TrainingRun) -> Standing:
    """Return how a TrainingRun stands."""
    return standing(run.status)


@remembered
def version_standing(version: ModelVersion) -> Standing:
    """Return how a ModelVersion stands; a rejection counts before everything else."""
    status = version.status
    for type_ in (VersionCondition.REVOKED, VersionCondition.DENIED):
        condition = status.condition(type_)
        if condition is not None and condition.status is ConditionStatus.TRUE:
            return _standing(State.STOPPED, condition)
    approved = status.condition(VersionCondition.APPROVED)
    found = standing(status)
    if (
        found.state is State.GOOD
        and approved is not None
        and approved.status is not ConditionStatus.TRUE
        and approved.reason == VersionReason.AWAITING_APPROVAL
    ):
        return _standing(State.WAITING, approved)
    return found


@remembered
def deployment_standing(deployment: ModelDeployment) -> Standing:
    """Return how a ModelDeployment stands; drift and a rollback count where all else is well."""
    status = deployment.status
    found = standing(status, deployment.metadata.generation)
    if found.state is not State.GOOD:
        return found
    for type_ in (DeploymentCondition.ROLLED_BACK, DeploymentCondition.DRIFT_DETECTED):
        condition = status.condition(type_)
        if condition is not None and condition.status is ConditionStatus.TRUE:
            return _standing(State.STOPPED, condition)
    return found


def conditions(status: ConditionedStatus) -> list[Known]:
    """Return the conditions beside the summary, as a page shows them."""
    summary = {condition.value for condition in SummaryCondition}
    return [_known(found) for found in status.conditions if found.type not in summary]


def _known(condition: Condition) -> Known:
    return Known(
        condition.type,
        _state(condition),
        condition.reason,
        condition.message,
        condition.last_transition_time,
    )


_WAITING = {
    "AwaitingApproval",
    "Pending",
    "Training",
    "Sealing",
    "SealingQueued",
    "Starting",
}


def _state(condition: Condition) -> State:
    if condition.status is ConditionStatus.UNKNOWN:
        return State.UNKNOWN
    holds = condition.status is ConditionStatus.TRUE
    if condition.type in _BETWEEN:
        return State.WAITING if holds else State.GOOD
    if condition.type in NEGATIVE:
        return State.STOPPED if holds else State.GOOD
    if holds:
        return State.GOOD
    waiting = condition.reason in _WAITING
    return State.WAITING if waiting else State.STOPPED


def worst(states: Iterable[State]) -> State:
    """Return the state that a reader must know first."""
    order = (State.STOPPED, State.UNKNOWN, State.WAITING, State.GOOD)
    found = set(states)
    return next((state for state in order if state in found), State.UNKNOWN)
