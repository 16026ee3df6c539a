"""Delayed truth: what became true of answers, as it is declared, counted and shown."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from hallmark.api.bounds import (
    EARLIER_VERSIONS,
    OUTCOME_WINDOWS,
    SCORE_BINS,
)
from hallmark.api.common import (
    ApiModel,
    Count,
    DecimalString,
    Ordinal,
    PositiveDuration,
    Risk,
    Timestamp,
)
from hallmark.api.rules import SET, cel, rule

GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\- ]{0,31}$", max_length=32)]
"""The name of a group of people, as a protected attribute has it."""
MAX_GROUPS = 16
VersionDigits = Annotated[str, Field(pattern=r"^[a-f0-9]{16}$", max_length=16)]
"""The first 16 hex digits of a version's manifest digest, as receipts name it."""


class OnFeedback(StrEnum):
    """What a realised quality below a floor leads to."""

    ALERT = "Alert"
    ROLLBACK = "Rollback"


def _share(field: str) -> dict[str, object]:
    return cel(
        rule(
            "double(self) > 0.0 && double(self) < 1.0",
            f"{field} must be above 0 and below 1, such as '0.9'.",
        )
    )


class GroupFloor(ApiModel):
    """What is expected of the truth about each group's answers."""

    minimum_accuracy: Annotated[DecimalString, Field(json_schema_extra=_share("The accuracy"))]
    """The least share of a group's answers that must come true."""
    minimum_outcomes: Annotated[int, Field(ge=30, le=1_000_000)] = 100
    """Outcomes of a group in a Pod's newest windows; with fewer there is no verdict on it."""


class GroupGap(ApiModel):
    """How far the truth about one group's answers may be from that about another's."""

    maximum: Annotated[DecimalString, Field(json_schema_extra=_share("The gap"))]
    """By so much the share of right answers of a group may be below that of the best one."""
    minimum_outcomes: Annotated[int, Field(ge=30, le=1_000_000)] = 100
    """Outcomes of each of both groups in a Pod's newest windows; with fewer there is no verdict."""


class Feedback(ApiModel):
    """That answers come with a receipt, and what is expected of their truth once it is known.

    Who may tell the truth is said by the Secret ``<name>-feedback`` beside the object: see
    docs/deploy.md.
    """

    model_config = ConfigDict(
        json_schema_extra=cel(
            rule(
                "!has(self.groupFloor) || (has(self.groups) && self.groups.size() > 0)",
                "'groupFloor' is for the groups in 'groups'; name some, or remove it.",
                field="groupFloor",
            ),
            rule(
                "!has(self.groupFloor) || "
                f"self.groupFloor.minimumOutcomes <= {OUTCOME_WINDOWS} * self.window",
                f"'groupFloor.minimumOutcomes' must be at most {OUTCOME_WINDOWS} times 'window': a "
                "Pod keeps so many windows.",
                field="groupFloor",
            ),
            rule(
                "!has(self.groupGap) || (has(self.groups) && self.groups.size() > 1)",
                "'groupGap' is for the groups in 'groups'; name two or more, or remove it.",
                field="groupGap",
            ),
            rule(
                "!has(self.groupGap) || "
                f"self.groupGap.minimumOutcomes <= {OUTCOME_WINDOWS} * self.window",
                f"'groupGap.minimumOutcomes' must be at most {OUTCOME_WINDOWS} times 'window': a "
                "Pod keeps so many windows.",
                field="groupGap",
            ),
        )
    )

    minimum_accuracy: (
        Annotated[DecimalString, Field(json_schema_extra=_share("The accuracy"))] | None
    ) = None
    """The least share of answers that must come true; none: it is only counted."""
    maximum_calibration_error: (
        Annotated[DecimalString, Field(json_schema_extra=_share("The calibration error"))] | None
    ) = None
    """How far scores may be from the share of rows that come true, on average; none: it is only
    counted."""
    window: Annotated[int, Field(ge=100, le=1_000_000)] = 500
    """Outcomes in a window, for each Pod; with fewer there is no verdict."""
    groups: Annotated[list[GroupName], Field(max_length=MAX_GROUPS, json_schema_extra=SET)] = Field(
        default_factory=list
    )
    """Of people; an outcome may name one of them, and is counted by it, too."""
    group_floor: GroupFloor | None = None
    """What is expected of each group's answers; none: they are only counted."""
    group_gap: GroupGap | None = None
    """How far groups may be apart; none: it is not looked at."""
    max_age: PositiveDuration = "2160h"
    """How old an answer may be whose truth is told."""
    false_rollback_risk: Risk = "0.01"
    """How likely chance alone may ever cause the verdict, in the Deployment's whole life."""
    then: OnFeedback = OnFeedback.ALERT
    """Alert, or roll back as drift does, where ``rollback`` is Automatic."""


class GroupOutcomes(ApiModel):
    """Outcomes that named a group."""

    group: GroupName
    outcomes: Count
    correct: Count


BinnedCounts = Annotated[list[Count], Field(max_length=SCORE_BINS)]


class OutcomeWindow(ApiModel):
    """A closed window of outcomes that one Pod was told."""

    number: Ordinal
    start: Timestamp
    end: Timestamp
    """When the first and the last of them were told."""
    outcomes: Ordinal
    correct: Count
    """Answers that came true."""
    scored: BinnedCounts
    """Outcomes by the bin of the answer's score."""
    happened: BinnedCounts
    """How many of these were what the score is the probability of."""
    scores: BinnedCounts
    """The sum of the scores in each bin, in ten thousandths."""
    groups: Annotated[list[GroupOutcomes], Field(max_length=MAX_GROUPS)] = Field(
        default_factory=list
    )


class EarlierOutcomes(ApiModel):
    """Outcomes of answers of a version that served before; they decide nothing."""

    version: VersionDigits
    outcomes: Count
    correct: Count


class OutcomeReport(ApiModel):
    """What a Pod was told since its start of what became true of answers."""

    outcomes: Count = 0
    correct: Count = 0
    refused: Count = 0
    """Outcomes that were not counted: their receipts were no good, or came twice."""
    windows: Annotated[list[OutcomeWindow], Field(max_length=OUTCOME_WINDOWS)] = Field(
        default_factory=list
    )
    earlier: Annotated[list[EarlierOutcomes], Field(max_length=EARLIER_VERSIONS)] = Field(
        default_factory=list
    )
    """Since the Pod's start, of other versions than its own; in no window and no other count."""


class EarlierQuality(ApiModel):
    """What became true of the answers of a version that served before."""

    version: VersionDigits
    outcomes: Count
    """That the Pods were told since their start."""
    accuracy: Annotated[str, Field(max_length=16)]


class GroupQuality(ApiModel):
    """The realised accuracy of a group, in so many of the newest windows as a verdict needs."""

    group: GroupName
    outcomes: Count
    accuracy: Annotated[str, Field(max_length=16)]
    below_floor: bool = False
    """More than half of the Pods that know enough of the group are below its floor."""
    voters: Count = 0
    """How many Pods know enough of it; none where no floor is declared."""
    failing: Count = 0
    """How many of them are below the floor, with as much evidence as the error budget asks for."""
    evidence: Annotated[str, Field(max_length=16)] = ""
    """The power of ten of the e-value (the median over these Pods)."""
    lags: bool = False
    """More than half of the Pods that know enough of it and of another one say that it is behind
    by more than ``groupGap`` allows."""
    behind: Annotated[str, Field(max_length=32)] = ""
    """Which other group is best; empty where none can be compared."""
    gap: Annotated[str, Field(max_length=16)] = ""
    """How much higher the share of right answers is there (the median over these Pods)."""
    compared: Count = 0
    """How many Pods know enough of both."""
    lagging: Count = 0
    """How many of them say so, with as much evidence as the error budget asks for."""
    gap_evidence: Annotated[str, Field(max_length=16)] = ""
    """The power of ten of the e-value (the median over these Pods)."""

    @property
    def falls_short(self) -> bool:
        """Whether it is below its floor, or too far behind another one."""
        return self.below_floor or self.lags


class QualityState(ApiModel):
    """The operator's view of what became true of the answers of the version that serves.

    Accuracy, calibration error and groups are of the newest window of each Pod, together.
    """

    below_floor: bool = False
    """More than half of the Pods that have a window are below a floor of all answers, or more
    than half of those that know enough of a group below the floor of groups, or say that it is too
    far behind another one."""
    voters: Count = 0
    """How many Pods have a window."""
    failing: Count = 0
    """How many of them are below a floor of all answers, with as much evidence as the error budget
    asks for."""
    unsure: Count = 0
    """How many are below one, and evidence is missing."""
    outcomes: Count = 0
    accuracy: Annotated[str, Field(max_length=16)] = ""
    calibration_error: Annotated[str, Field(max_length=16)] = ""
    evidence: Annotated[str, Field(max_length=16)] = ""
    """The power of ten of the greatest e-value (the median over the Pods)."""
    needed: Annotated[str, Field(max_length=16)] = ""
    """The power of ten that it must reach, by the error budget."""
    needed_of_group: Annotated[str, Field(max_length=16)] = ""
    """The power of ten that the evidence on a group must reach; all groups share a part."""
    needed_of_gap: Annotated[str, Field(max_length=16)] = ""
    """The power of ten that the evidence on a gap must reach; all pairs of groups share a part."""
    windows: Count = 0
    """On how many windows of a Pod the error budget is spent in the Deployment's life, at most."""
    groups: Annotated[list[GroupQuality], Field(max_length=MAX_GROUPS)] = Field(
        default_factory=list
    )
    earlier: Annotated[list[EarlierQuality], Field(max_length=EARLIER_VERSIONS)] = Field(
        default_factory=list
    )
    """Of versions that served before, those with most outcomes; they decide nothing."""
