"""What a status says in conditions: the part of it that every kind has."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from hallmark.api.common import ApiModel, Count
from hallmark.api.rules import list_map


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class SummaryCondition(StrEnum):
    """What every kind says of itself: the conditions that kstatus reads."""

    READY = "Ready"
    """The object is what its spec asks for."""
    RECONCILING = "Reconciling"
    """It gets there by itself, or by an approval."""
    STALLED = "Stalled"
    """It stays as it is until a person acts."""


class TroubleReason(StrEnum):
    """Reasons of ``Reconciling`` on every kind, where a look at the object failed."""

    INTERNAL_ERROR = "InternalError"
    """The operator met an error that it does not know; see its log, and report it."""
    TIMED_OUT = "TimedOut"
    """The look took too long."""
    API_ERROR = "ApiError"
    """The API server refused a call or failed; the message says which."""
    ARTIFACT_ERROR = "ArtifactError"
    """The store refused a call or failed."""
    CONFIGURATION_ERROR = "ConfigurationError"
    """The set-up is wrong; the message says what."""
    CLUSTER_ERROR = "ClusterError"
    """The cluster holds what the operator cannot work with."""
    INTEGRITY_ERROR = "IntegrityError"
    """Bytes, a signature or a chain are not what they must be."""


class Condition(ApiModel):
    """A metav1.Condition."""

    type: Annotated[str, Field(max_length=64)]
    """What is told."""
    status: ConditionStatus
    """Whether it holds."""
    reason: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$", min_length=1, max_length=64)]
    """Why, for programs: one of a closed list."""
    message: Annotated[str, Field(max_length=2048)] = ""
    """Why, for people."""
    last_transition_time: Annotated[str, Field(max_length=32)]
    """When ``status`` last changed."""
    observed_generation: Count = 0
    """The generation of the object that this was told of."""


UNSEEN = -1
"""The observed generation of an object that the operator has not looked at yet."""


class ConditionedStatus(ApiModel):
    """The part of a status that every kind has."""

    observed_generation: Annotated[
        int | None, Field(ge=UNSEEN, le=2**53 - 1, json_schema_extra={"format": "int64"})
    ] = None
    """The generation of the object that this status tells of; -1: it was not looked at yet."""
    conditions: Annotated[
        list[Condition], Field(max_length=16, json_schema_extra=list_map("type"))
    ] = Field(default_factory=list)
    """What holds, one entry of each type; see ``reason`` and ``message`` for why."""

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object as it stands in Kubernetes, without what is empty.

        A map or a set whose last entry goes is stored as null where it is applied as empty, and
        no schema takes that; what is left out goes as a whole.
        """
        filled: dict[str, Any] = without_empty(super().to_wire())
        return filled

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of that type, or None."""
        return next((condition for condition in self.conditions if condition.type == type_), None)

    def is_true(self, type_: str) -> bool:
        """Whether the condition of that type is there and True."""
        condition = self.condition(type_)
        return condition is not None and condition.status is ConditionStatus.TRUE


def without_empty(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON value without the empty maps and lists in its maps, however deep."""
    if isinstance(value, list):
        return [without_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    filled = {key: without_empty(item) for key, item in value.items()}
    return {key: item for key, item in filled.items() if item not in ({}, [])}
