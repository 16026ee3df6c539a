"""What served at a moment, by whose approval, on which evidence: from the audit log alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from hallmark.api.model_deployment import ActionName
from hallmark.api.reasons import DeploymentReason
from hallmark.api.texts import parse_timestamp
from hallmark.audit.events import AuditEvent, AuditOutcome
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
class Beside:
    """Another version that answered at the moment: with a share, or instead of what had all.

    Attributes:
        version: the ModelVersion.
        record: since which record, and ``time`` when.
        said: what the record says of it.
        sealed: as of ``Served``, and so are ``evidence`` and ``words``.
    """

    version: str
    manifest_digest: str
    record: int
    time: str
    said: str
    sealed: int | None
    evidence: dict[str, str]
    words: tuple[Word, ...]


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
        beside: what answered besides: a candidate with a share of the traffic, or the version
            before where this one was not ready.
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
    beside: tuple[Beside, ...] = ()

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
        now = [period for period in periods if _is_by(period.record, moment)]
        if not names or not now:
            continue
        if now[-1].digest in names or not now[-1].digest:
            yield _served(recorded, f"{thing.namespace}/{thing.name}", now[-1], moment)


def without_model(recorded: Recorded, moment: datetime, namespace: str | None = None) -> list[str]:
    """Return which ModelDeployments served bytes whose model no record names that is still kept."""
    return sorted(
        f"{thing.namespace}/{thing.name}"
        for thing in recorded.things()
        if thing.kind == "Deployment"
        and namespace in {None, thing.namespace}
        and (before := [p for p in recorded.periods(thing.uid) if _is_by(p.record, moment)])
        and before[-1].digest
        and not _model_of(recorded, thing.namespace, before[-1].digest)
    )


def models_named(recorded: Recorded) -> list[str]:
    """Return every model that a record says was sealed."""
    return sorted({seal.details.get("model", "") for seal in recorded.seals.values()} - {""})


def _is_by(record: AuditRecord, moment: datetime) -> bool:
    return parse_timestamp(record.time) <= moment


def _served(recorded: Recorded, name: str, period: Period, moment: datetime) -> Served:
    record = period.record
    sealed, evidence, words = _known_of(recorded, record.namespace, period.digest, moment)
    demands = read_demands(record.evidence)
    gave_way = recorded.rolled_back(record.namespace, period.digest, record.seq)
    return Served(
        deployment=name,
        version=period.version,
        manifest_digest=period.digest,
        since=record.time,
        record=record.seq,
        how=record.event,
        until=period.until.time if period.until else None,
        sealed=sealed,
        evidence=evidence,
        words=words,
        asked=demands.approvals.to_wire() if demands else {},
        rolled_back=gave_way.time if gave_way else None,
        stages=tuple(
            Counted(other.seq, other.time, sentence(stage))
            for other, stage in stages_before(recorded.of(record.kind, record.uid), record)
        ),
        beside=tuple(_beside(recorded, record, moment)),
    )


def _beside(recorded: Recorded, began: AuditRecord, moment: datetime) -> Iterator[Beside]:
    """Yield what answered besides at a moment of the period that a record began."""
    share: AuditRecord | None = None
    stand_in: AuditRecord | None = None
    for record in recorded.of(began.kind, began.uid):
        if record.seq <= began.seq or not _is_by(record, moment):
            continue
        if _gives_share(record):
            share = record
        elif _ends_share(record):
            share = None
        if record.event == AuditEvent.PROMOTE and record.outcome == AuditOutcome.HELD:
            stand_in = record
        elif record.event == AuditEvent.PROMOTE and record.outcome == AuditOutcome.DONE:
            stand_in = None
    for other in filter(None, (share, stand_in)):
        digest = other.details.get("manifestDigest", "")
        sealed, evidence, words = _known_of(recorded, other.namespace, digest, moment)
        yield Beside(
            version=other.details.get("modelVersion", ""),
            manifest_digest=digest,
            record=other.seq,
            time=other.time,
            said=other.message,
            sealed=sealed,
            evidence=evidence,
            words=words,
        )


def _gives_share(record: AuditRecord) -> bool:
    started = (record.event, record.outcome) == (AuditEvent.PROMOTE, AuditOutcome.STARTED)
    return started and record.reason == DeploymentReason.CANARY


def _ends_share(record: AuditRecord) -> bool:
    """Tell whether a candidate has no traffic from a record on: given up, or another one begins."""
    if record.event == AuditEvent.PROMOTE:
        return record.outcome in {AuditOutcome.REFUSED, AuditOutcome.STARTED}
    if record.event == AuditEvent.ACTION:
        done = record.outcome == AuditOutcome.DONE
        return done and record.details.get("action") == ActionName.ABORT
    return record.event in {AuditEvent.VERIFY, AuditEvent.ROLLBACK}


def _known_of(
    recorded: Recorded, namespace: str, digest: str, moment: datetime
) -> tuple[int | None, dict[str, str], tuple[Word, ...]]:
    """Return the record that sealed some bytes, from what, and people's decisions on them."""
    seal = _seal_of(recorded, namespace, digest)
    details = seal.details if seal else {}
    kept = ("datasetFingerprint", "specDigest", "gateReportDigest", "requestedBy")
    evidence = {key: details[key] for key in kept if key in details}
    words = tuple(_words(recorded, namespace, digest, moment))
    return (seal.seq if seal else None), evidence, words


def _words(recorded: Recorded, namespace: str, digest: str, moment: datetime) -> Iterator[Word]:
    for record in recorded.words_on(namespace, digest):
        if _is_by(record, moment):
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
