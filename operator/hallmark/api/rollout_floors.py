"""How a ModelPolicy demands that new versions take over; no author may let them do so faster.

Each floor has the name of the ModelDeployment's own field with ``max`` or ``min`` before it. A
block that is given demands the ModelDeployment's block of that name, whatever is in it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hallmark.api.canary import ErrorShare, Latency
from hallmark.api.common import ApiModel, DecimalString, PositiveDuration
from hallmark.api.mirror import ScoreDifference
from hallmark.api.rules import cel, rule

_Share = Annotated[
    DecimalString,
    Field(
        json_schema_extra=cel(
            rule(
                "double(self) >= 0.0 && double(self) <= 1.0",
                "The share must be between 0 and 1, such as '0.05'.",
            )
        )
    ),
]
_Minimum = Annotated[int, Field(ge=1, le=1_000_000_000)]


class CanaryFloors(ApiModel):
    """The weakest canary that a ModelDeployment may declare; its type must be Canary."""

    max_first_step: Annotated[int, Field(ge=1, le=99)] | None = None
    """The most per cent of the traffic that the first step may give."""
    max_step: Annotated[int, Field(ge=10, le=99)] | None = None
    """By how many per cent each step may exceed the one before, the last one to 100 included.
    What whole Pods give counts, so that few replicas give no more, either."""
    min_pause: PositiveDuration | None = None
    """How long each step must last at least."""
    min_minimum_rows: _Minimum | None = None
    """The fewest rows that a step may be content with (``minimumRows``)."""
    max_rejections: _Share | None = None
    """The greatest share of refused rows."""
    min_minimum_requests: _Minimum | None = None
    """The fewest requests that a step may be content with (``minimumRequests``)."""
    max_errors: ErrorShare | None = None
    """The greatest share of failed requests."""
    max_latency: Latency | None = None
    """The longest time that 95 per cent of the answers may take."""
    drift: bool = False
    """Whether drift of the candidate's own rows must refuse it."""


class MirrorFloors(ApiModel):
    """The weakest mirror that a ModelDeployment may declare."""

    min_percent: Annotated[int, Field(ge=1, le=100)] | None = None
    """The fewest per cent of the requests that may be copied."""
    min_pause: PositiveDuration | None = None
    """How long it must last at least."""
    min_minimum_rows: _Minimum | None = None
    """The fewest rows that it may be content with (``minimumRows``)."""
    max_disagreement: _Share | None = None
    """The greatest share of rows with another label."""
    max_score_difference: ScoreDifference | None = None
    """How far apart the scores of 95 per cent of the rows may be."""
    min_minimum_requests: _Minimum | None = None
    """The fewest copies that it may be content with (``minimumRequests``)."""
    max_rejections: _Share | None = None
    """The greatest share of refused copies."""
    max_errors: ErrorShare | None = None
    """The greatest share of copies without an answer."""
    max_latency: Latency | None = None
    """Within how long 95 per cent of the answers must be back."""


class RolloutFloors(ApiModel):
    """How every new version must get the traffic; what is absent is not demanded.

    A rollback, and a version that comes where nothing serves, have nothing to stand beside: they
    take over as ever. Where ``canary`` or ``mirror`` is demanded, a person's ``promote`` lifts
    what freezes a promotion, and skips neither.
    """

    canary: CanaryFloors | None = None
    mirror: MirrorFloors | None = None
    min_bake: PositiveDuration | None = None
    """How long a promoted version must stay healthy at least to be stable."""
    min_keep_warm: PositiveDuration | None = None
    """How long the former version's Pods must be kept at least."""
    min_cool_down: PositiveDuration | None = None
    """How long nothing new may be promoted at least after a rollback."""
    max_switches_per_day: Annotated[int, Field(ge=1, le=9)] | None = None
    """The most often that the traffic may move within a day."""
    manual: bool = False
    """Whether promotions must be frozen (``suspend``), so that a person promotes each version."""

    @property
    def watched_first(self) -> bool:
        """Whether a version must be watched beside what serves before it has all traffic."""
        return self.canary is not None or self.mirror is not None
