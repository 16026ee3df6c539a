"""What a record says of a rollout's stages, and what came before it about the same candidate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hallmark.api.model_deployment import ActionName
from hallmark.api.reasons import DeploymentReason
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.record import AuditRecord
from hallmark.policies.model_deployment.stage import FAILED, Stage
from hallmark.policies.model_version.demands import read_demands

_BEGINS = (DeploymentReason.MIRRORING, DeploymentReason.CANARY)


def candidate(record: AuditRecord) -> tuple[str, str]:
    """Return of which bytes and intent a record is."""
    return record.details.get("manifestDigest", ""), record.details.get("intent", "")


def stage_in(record: AuditRecord) -> Stage | None:
    """Return the stage whose numbers a record keeps; one of a former release keeps none."""
    demands = read_demands(record.evidence)
    return demands.stage if demands else None


def begins(record: AuditRecord) -> bool:
    """Tell whether a mirror, or a step of a canary, began."""
    started = (record.event, record.outcome) == (AuditEvent.PROMOTE, AuditOutcome.STARTED)
    return started and record.reason in _BEGINS


def gives(record: AuditRecord) -> bool:
    """Tell whether the candidate got all traffic."""
    return (record.event, record.outcome) == (AuditEvent.PROMOTE, AuditOutcome.PROMOTED)


def fails(record: AuditRecord) -> bool:
    """Tell whether the candidate was refused because its own numbers speak against it."""
    refused = (record.event, record.outcome) == (AuditEvent.PROMOTE, AuditOutcome.REFUSED)
    return refused and record.reason in FAILED


def bakes(record: AuditRecord) -> bool:
    """Tell whether the version became stable."""
    return (record.event, record.outcome) == (AuditEvent.PROMOTE, AuditOutcome.STABLE)


def keeps_drift_counts(record: AuditRecord) -> bool:
    """Tell whether a record may keep what a candidate's rows were found to be."""
    told = record.event == AuditEvent.PROMOTE and record.evidence is not None
    return told and record.outcome != AuditOutcome.PROMOTED


@dataclass(frozen=True)
class Place:
    """What a record begins.

    Args:
        reason: the record's; empty for all traffic.
        step: of the canary, from 0; the number after the last one: all Pods start.
    """

    reason: str = ""
    step: int | None = None

    @property
    def said(self) -> str:
        """It as a part of a sentence."""
        if self.reason == DeploymentReason.MIRRORING:
            return "copies of requests"
        return "all traffic" if self.step is None else f"step {self.step + 1}"

    def may_be_begun_by(self, record: AuditRecord) -> bool:
        """Tell whether a record begins it; one of a former release does not say which step."""
        stage = stage_in(record)
        return record.reason == self.reason and (stage is None or stage.begins == self.step)


class Before:
    """What was recorded about one candidate so far; each question takes a moment, however much."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.promoted_by_a_person = False
        """Whether somebody asked that the candidate is promoted, and it was done."""
        self._begun: list[AuditRecord] = []
        self._since = 0
        """How many of them came before the candidate last got all traffic."""
        self._last: dict[Place | str, int] = {}
        """Which of them last began a place, or anything for a reason without saying its step."""
        self._placed = 0
        """How many of them that knows."""

    def add(self, record: AuditRecord) -> None:
        """Take the next record about the candidate."""
        if begins(record):
            self._begun.append(record)
        elif gives(record):
            self._since = len(self._begun)
        elif (record.event, record.outcome) == (AuditEvent.ACTION, AuditOutcome.DONE):
            self.promoted_by_a_person |= record.details.get("action") == ActionName.PROMOTE

    @property
    def last_begun(self) -> AuditRecord | None:
        """The newest record that began something since the candidate last got all traffic."""
        return next(self.begun(), None)

    def begun(self) -> Iterator[AuditRecord]:
        """Yield what began something since the candidate last got all traffic, newest first."""
        for number in range(len(self._begun) - 1, self._since - 1, -1):
            yield self._begun[number]

    def last_to_begin(self, place: Place) -> AuditRecord | None:
        """Return the newest record, of any time, that may have begun something, or None."""
        for number, record in enumerate(self._begun[self._placed :], self._placed):
            stage = stage_in(record)
            began: Place | str = Place(record.reason, stage.begins) if stage else record.reason
            self._last[began] = number
        self._placed = len(self._begun)
        number = max(self._last.get(place, -1), self._last.get(place.reason, -1))
        return None if number < 0 else self._begun[number]
