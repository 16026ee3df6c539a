"""What served at a moment, by whose approval, on which evidence: from the audit log alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from hallmark.api.texts import parse_timestamp
from hallmark.audit.record import AuditRecord
from hallmark.policies.model_version.demands import read_demands
from hallmark.verification.recorded import Period, Recorded
from hallmark.verification.stage_numbers import sentence
from hallmark.verification.stages import stages_before


@dataclass(frozen=True)
class Word:
    """A person's decision on the bytes, as it stood at the moment."""

    decision: str
    by: str
    time: str
    record: int
    outcome: str


@dataclass(frozen=True)
class Counted:
    """What was counted of a version in a stage before it got all traffic."""

    record: int
    time: str
    said: str


@dataclass(frozen=True)
class Served:
    """What one ModelDeployment served at a moment.

    Attributes:
        deployment: namespace and name.
        version: the ModelVersion; empty where nothing served.
        since: when it got the traffic, and ``record`` that says so.
        until: when it lost the traffic; None: it still had it at the log's end.
        sealed: the record that sealed the bytes, or None where it is no longer kept.
        evidence: digests of what it was sealed from.
        words: people's decisions on the bytes up to the moment, oldest first.
        asked: what the policy asked of approvals when it got the traffic; empty where the record
            does not keep it.
        rolled_back: when the bytes had last had to give way before that; None: never.
        stages: what was counted of it beside what served before, oldest first; ``verify`` judges
            it again.
    """

    deployment: str
    version: str
    manifest_digest: str
    since: str
    record: int
    how: str
    until: str | None
    sealed: int | None
    evidence: dict[str, str]
    words: tuple[Word, ...]
    asked: dict[str, Any]
    rolled_back: str | None
    stages: tuple[Counted, ...] = ()

    def to_wire(self) -> dict[str, Any]:
        """Return it as JSON for programs."""
        return asdict(self)


def served_at(
    recorded: Recorded, model: str, moment: datetime, namespace: str | None = None
) -> Iterator[Served]:
    """Yield what each ModelDeployment of a model served at a moment, by its name.

    Args:
        recorded: the log.
        model: the model's name, as seals and decisions name it.
        moment: aware.
        namespace: the only one that is asked about; None: all.
    """
    for thing in sorted(recorded.things()):
        if thing.kind != "Deployment" or namespace not in {None, thing.namespace}:
            continue
        periods = recorded.periods(thing.uid)
        names = {
            period.digest
            for period in periods
            if _model_of(recorded, thing.namespace, period.digest) == model
        }
        now = [period for period in periods if parse_timestamp(period.record.time) <= moment]
        if not names or not now:
            continue
        if now[-1].digest in names or not now[-1].digest:
            yield _served(recorded, f"{thing.namespace}/{thing.name}", now[-1], moment)


def _served(recorded: Recorded, name: str, period: Period, moment: datetime) -> Served:
    record = period.record
    seal = _seal_of(recorded, record.namespace, period.digest)
    details = seal.details if seal else {}
    demands = read_demands(record.evidence)
    gave_way = recorded.rolled_back(record.namespace, period.digest, record.seq)
    kept = ("datasetFingerprint", "specDigest", "gateReportDigest", "requestedBy")
    return Served(
        deployment=name,
        version=period.version,
        manifest_digest=period.digest,
        since=record.time,
        record=record.seq,
        how=record.event,
        until=period.until.time if period.until else None,
        sealed=seal.seq if seal else None,
        evidence={key: details[key] for key in kept if key in details},
        words=tuple(_words(recorded, record.namespace, period.digest, moment)),
        asked=demands.approvals.to_wire() if demands else {},
        rolled_back=gave_way.time if gave_way else None,
        stages=tuple(
            Counted(other.seq, other.time, sentence(stage))
            for other, stage in stages_before(recorded.of(record.kind, record.uid), record)
        ),
    )


def _words(recorded: Recorded, namespace: str, digest: str, moment: datetime) -> Iterator[Word]:
    for record in recorded.words_on(namespace, digest):
        if parse_timestamp(record.time) <= moment:
            yield Word(record.event, record.actor, record.time, record.seq, record.outcome)


def _model_of(recorded: Recorded, namespace: str, digest: str) -> str:
    """Return the model that some bytes are, as the records about them say."""
    seal = _seal_of(recorded, namespace, digest)
    if seal is not None:
        return seal.details.get("model", "")
    words = recorded.words_on(namespace, digest)
    return words[0].details.get("model", "") if words else ""


def _seal_of(recorded: Recorded, namespace: str, digest: str) -> AuditRecord | None:
    return recorded.seals.get((namespace, digest)) if digest else None
