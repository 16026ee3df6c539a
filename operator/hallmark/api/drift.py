"""``spec.drift``: what is watched while a version serves, and what follows."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from hallmark.api.canary import ErrorShare, Latency
from hallmark.api.common import MAX_WATCHED, ApiModel, DecimalString, Risk, WatchedName
from hallmark.api.feedback import Feedback
from hallmark.api.rules import SET, cel, rule


class OnRejections(StrEnum):
    """What too many refused rows lead to."""

    ALERT = "Alert"
    ROLLBACK = "Rollback"


class Rejections(ApiModel):
    """When too many rows are refused, so that drift watching is blind."""

    limit: Annotated[
        DecimalString,
        Field(
            json_schema_extra=cel(
                rule(
                    "double(self) > 0.0 && double(self) < 1.0",
                    "The limit must be a share above 0 and below 1, such as '0.1'.",
                )
            )
        ),
    ] = "0.1"
    """The share of refused rows above which a block of rows is too many."""
    minimum: Annotated[int, Field(ge=100, le=1000000)] = 200
    """Rows in a block, for each Pod, beside those of the busiest clients."""
    then: OnRejections = OnRejections.ALERT
    """Alert, or roll back as drift does, where ``rollback`` is Automatic."""


class Probing(ApiModel):
    """What clients lead to that feel their way along the model's decision boundary."""

    clients: Annotated[int, Field(ge=1, le=3)] = 2
    """So many clients must be seen by one Pod; with 1, a single hostile client is enough."""
    then: OnRejections = OnRejections.ALERT
    """Alert, or roll back as drift does, where ``rollback`` is Automatic."""


class RequestLimits(ApiModel):
    """When what serves fails too many of its requests, or takes too long for its answers."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "has(self.maxErrors) || has(self.maxLatency)",
                "Give 'maxErrors', 'maxLatency' or both; without either nothing is looked at.",
            )
        )
    )

    minimum: Annotated[int, Field(ge=100, le=1000000)] = 200
    """Requests in a block, for each Pod, beside those of the busiest clients."""
    max_errors: ErrorShare | None = None
    """The greatest share of requests that it may fail to answer; none: it is not looked at."""
    max_latency: Latency | None = None
    """How much of the processor's time 95 per cent of its answers may take (batches: for each 100
    rows), rounded up to a bound of the histogram; none: it is not looked at."""
    then: OnRejections = OnRejections.ALERT
    """Alert, or roll back as drift does, where ``rollback`` is Automatic."""


class Drift(ApiModel):
    """When the traffic is too far from the training data."""

    features: Annotated[list[WatchedName], Field(max_length=MAX_WATCHED, json_schema_extra=SET)] = (
        Field(default_factory=list)
    )
    """Which features are watched, ``prediction/score`` and ``prediction/label`` among them; empty:
    all of the baseline."""
    threshold: Annotated[
        DecimalString,
        Field(
            json_schema_extra=cel(
                rule("double(self) > 0.0", "The threshold must be above zero, such as '0.2'.")
            )
        ),
    ] = "0.2"
    """The PSI above which a window drifts."""
    false_rollback_risk: Risk = "0.01"
    """How likely chance alone may ever cause a drift rollback, in the Deployment's whole life."""
    window: Annotated[int, Field(ge=100, le=1000000)] = 500
    """Rows in a window, for each Pod."""
    consecutive: Annotated[int, Field(ge=1, le=5)] = 2
    """How many windows in a row must drift."""
    rejections: Rejections | None = None
    """Refused rows that are a verdict of their own; without it they are only counted."""
    probing: Probing | None = None
    """Probing that is a verdict of its own; without it it is told, counted and put on record."""
    feedback: Feedback | None = None
    """Delayed truth: answers get receipts, and ``POST /feedback`` takes what became true."""
    requests: RequestLimits | None = None
    """Errors and late answers that are a verdict of their own; without it they are only counted."""
