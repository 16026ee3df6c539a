"""How closely a ModelPolicy demands that what serves is watched; no author may watch less closely.

Each floor has the name of the ModelDeployment's own field with ``max`` or ``min`` before it. A
block that is given demands the ModelDeployment's block of that name, whatever is in it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hallmark.api.canary import ErrorShare, Latency
from hallmark.api.common import (
    MAX_WATCHED,
    ApiModel,
    DecimalString,
    PositiveDuration,
    Risk,
    WatchedName,
)
from hallmark.api.feedback import MAX_GROUPS, GroupName
from hallmark.api.rules import SET, cel, rule

_Positive = Annotated[
    DecimalString,
    Field(
        json_schema_extra=cel(
            rule("double(self) > 0.0", "The number must be above zero, such as '0.2'.")
        )
    ),
]
_Share = Annotated[
    DecimalString,
    Field(
        json_schema_extra=cel(
            rule(
                "double(self) > 0.0 && double(self) < 1.0",
                "The number must be a share above 0 and below 1, such as '0.1'.",
            )
        )
    ),
]
_Block = Annotated[int, Field(ge=100, le=1_000_000)]


class RejectionFloors(ApiModel):
    """How closely refused rows must be watched."""

    max_limit: _Share | None = None
    """The greatest share of refused rows that a block may have."""
    max_minimum: _Block | None = None
    """The most rows of a block."""
    rollback: bool = False
    """Whether ``then`` must be Rollback."""


class ProbingFloors(ApiModel):
    """How closely clients must be watched that feel their way along the decision boundary."""

    max_clients: Annotated[int, Field(ge=1, le=3)] | None = None
    """How many of them it may take at most."""
    rollback: bool = False
    """Whether ``then`` must be Rollback."""


class RequestFloors(ApiModel):
    """How closely errors and late answers must be watched."""

    max_errors: ErrorShare | None = None
    """The greatest share of failed requests."""
    max_latency: Latency | None = None
    """The longest time that 95 per cent of the answers may take."""
    max_minimum: _Block | None = None
    """The most requests of a block."""
    rollback: bool = False
    """Whether ``then`` must be Rollback."""


class GroupFloors(ApiModel):
    """The floor that each group's answers must have at least."""

    min_accuracy: _Share
    """The lowest floor of a group's accuracy (``minimumAccuracy``)."""
    max_minimum_outcomes: Annotated[int, Field(ge=30, le=1_000_000)] | None = None
    """The most outcomes that a verdict on a group may need."""


class GroupGapFloors(ApiModel):
    """How far groups may be apart at most."""

    max: _Share
    """The greatest gap (``maximum``)."""
    max_minimum_outcomes: Annotated[int, Field(ge=30, le=1_000_000)] | None = None
    """The most outcomes of each of both groups that a verdict may need."""


class FeedbackFloors(ApiModel):
    """How closely the truth about answers must be watched."""

    min_accuracy: _Share | None = None
    """The lowest floor of the accuracy (``minimumAccuracy``)."""
    max_calibration_error: _Share | None = None
    """The highest limit of the calibration error (``maximumCalibrationError``)."""
    max_window: _Block | None = None
    """The most outcomes of a window."""
    min_max_age: PositiveDuration | None = None
    """How old an answer must be allowed to be whose truth is told."""
    min_false_rollback_risk: Risk | None = None
    """The smallest error budget: the smaller it is, the more evidence the verdict needs."""
    groups: Annotated[list[GroupName], Field(max_length=MAX_GROUPS, json_schema_extra=SET)] = Field(
        default_factory=list
    )
    """Groups of people by which outcomes must be counted."""
    group_floor: GroupFloors | None = None
    group_gap: GroupGapFloors | None = None
    rollback: bool = False
    """Whether ``then`` must be Rollback."""


class DriftFloors(ApiModel):
    """How closely every ModelDeployment must watch its traffic; what is absent is not demanded."""

    max_threshold: _Positive | None = None
    """The highest PSI that may count as no drift."""
    max_window: _Block | None = None
    """The most rows of a window."""
    max_consecutive: Annotated[int, Field(ge=1, le=5)] | None = None
    """The most windows in a row that must drift."""
    min_false_rollback_risk: Risk | None = None
    """The smallest error budget: the smaller it is, the more evidence a rollback needs."""
    features: Annotated[list[WatchedName], Field(max_length=MAX_WATCHED, json_schema_extra=SET)] = (
        Field(default_factory=list)
    )
    """Those that must be watched where a ModelDeployment names some."""
    rejections: RejectionFloors | None = None
    probing: ProbingFloors | None = None
    requests: RequestFloors | None = None
    feedback: FeedbackFloors | None = None
    automatic_rollback: bool = False
    """Whether ``rollback`` must be Automatic."""
