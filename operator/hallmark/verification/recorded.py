"""What the audit log says of each object: by uid, in the order of the records. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import RolledBack
from hallmark.audit.events import AuditEvent, AuditOutcome, LogReason
from hallmark.audit.memory import LogMemory
from hallmark.audit.record import AuditRecord

DECISIONS = (AuditEvent.APPROVE, AuditEvent.DENY, AuditEvent.REVOKE)
_SERVES = {
    (AuditEvent.PROMOTE, AuditOutcome.PROMOTED),
    (AuditEvent.ROLLBACK, AuditOutcome.COMPLETED),
}


class Thing(NamedTuple):
    """An object that records are about."""

    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class Period:
    """A time in which one version had the traffic of a ModelDeployment.

    Args:
        record: that began it.
        version: the ModelVersion's name; empty where nothing served.
        digest: its manifest digest.
        until: the record that ended it, or None.
    """

    record: AuditRecord
    version: str
    digest: str
    until: AuditRecord | None = None


class Recorded:
    """The records of a log, found by what they are about."""

    def __init__(self, records: Iterable[AuditRecord]) -> None:
        """Sort the records by the objects that they are about."""
        self.records: Sequence[AuditRecord] = tuple(records)
        self._of: dict[tuple[str, str], list[AuditRecord]] = defaultdict(list)
        self._decisions: dict[str, list[AuditRecord]] = defaultdict(list)
        self._words: dict[tuple[str, str], list[AuditRecord]] = defaultdict(list)
        self.seals: dict[tuple[str, str], AuditRecord] = {}
        """The first record that some bytes of a namespace were sealed, by both."""
        self.policies: dict[str, str] = {}
        """The digest by which the newest record that does names each ModelPolicy, by its name."""
        self._memory = LogMemory()
        self._gave_way: dict[tuple[str, str], list[tuple[int, RolledBack | None]]]
        self._gave_way = defaultdict(list)
        """By record: the last time that some bytes had to give way, it included."""
        self.deleted: dict[str, AuditRecord] = {}
        """The record that an object is gone, by its uid."""
        self.names_deletions = False
        """Whether whatever is gone is on record."""
        self._policies: set[tuple[str, str]] = set()
        for record in self.records:
            self._add(record)

    @property
    def whole(self) -> bool:
        """Whether the log begins with the first record there ever was."""
        return bool(self.records) and self.records[0].seq == 1

    def of(self, kind: str, uid: str) -> Sequence[AuditRecord]:
        """Return the records about one object, in their order."""
        return self._of.get((kind, uid), ())

    def decision(self, approval_uid: str) -> Sequence[AuditRecord]:
        """Return what was recorded of one ModelApproval: its judgements and its withdrawal."""
        return self._decisions.get(approval_uid, ())

    def words_on(self, namespace: str, digest: str) -> Sequence[AuditRecord]:
        """Return people's decisions on some bytes of a namespace, in their order."""
        return self._words.get((namespace, digest), ())

    def rolled_back(
        self, namespace: str, digest: str, before: int | None = None
    ) -> RolledBack | None:
        """Return the last time that some bytes had to give way, before a record or at all."""
        if before is None:
            return self._memory.rolled_back(namespace, digest)
        known = self._gave_way.get((namespace, digest), ())
        earlier = bisect_left(known, before, key=itemgetter(0))
        return known[earlier - 1][1] if earlier else None

    def names_policy(self, policy: ModelPolicy) -> bool:
        """Tell whether a record names a ModelPolicy with its present content."""
        return (policy.metadata.name, policy.spec.digest) in self._policies

    def things(self) -> set[Thing]:
        """Return every run, version, approval and deployment that a record is about."""
        return {*self._things()}

    def periods(self, uid: str) -> list[Period]:
        """Return what a ModelDeployment served, oldest first."""
        found: list[Period] = []
        for record in self.of("Deployment", uid):
            began = _began(record)
            if began is None:
                continue
            if found:
                last = found.pop()
                found.append(Period(last.record, last.version, last.digest, record))
            found.append(began)
        return found

    def _add(self, record: AuditRecord) -> None:
        self._of[record.kind, record.uid].append(record)
        details = record.details
        if record.event == AuditEvent.ROLLBACK:
            gave_way = record.namespace, details.get("fromDigest", "")
            self._memory.hear(record, record.time)
            self._gave_way[gave_way].append((record.seq, self._memory.rolled_back(*gave_way)))
        if record.event == AuditEvent.DELETE:
            self.names_deletions |= record.reason == LogReason.DELETIONS_RECORDED
            self.deleted.setdefault(record.uid, record)
        if approval := details.get("approvalUid"):
            self._decisions[approval].append(record)
            self._words[record.namespace, details.get("manifestDigest", "")].append(record)
        if (record.event, record.outcome) == (AuditEvent.SEAL, AuditOutcome.SEALED):
            self.seals.setdefault((record.namespace, details.get("manifestDigest", "")), record)
        if policy := details.get("policyDigest"):
            name = record.name if record.event == AuditEvent.GUARD else details.get("policy", "")
            self._policies.add((name, policy))
            self.policies[name] = policy

    def _things(self) -> Iterable[Thing]:
        for (kind, uid), records in self._of.items():
            if kind in {"TrainingRun", "ModelVersion", "Deployment"}:
                first = records[0]
                yield Thing(kind, first.namespace, first.name, uid)
        for uid, records in self._decisions.items():
            first = records[0]
            yield Thing("ModelApproval", first.namespace, first.details.get("approval", ""), uid)


def _began(record: AuditRecord) -> Period | None:
    """Return the time in service that a record begins, or None."""
    if (record.event, record.outcome) in _SERVES:
        details = record.details
        version, digest = details.get("modelVersion", ""), details.get("manifestDigest", "")
        return Period(record, version, digest)
    stopped = (record.event, record.outcome) == (AuditEvent.ROLLBACK, AuditOutcome.STOPPED)
    if stopped or record.event == AuditEvent.DELETE:
        return Period(record, "", "")
    return None


def standing_words(words: Iterable[AuditRecord], before: int) -> tuple[Sequence[AuditRecord], bool]:
    """Return which approvals of some bytes stood before a record, and whether they were rejected.

    Args:
        words: people's decisions on the bytes, in their order.
        before: the number of a record.
    """
    approved: dict[str, AuditRecord] = {}
    rejected = False
    for word in words:
        if word.seq >= before:
            break
        uid = word.details.get("approvalUid", "")
        accepted = word.outcome == AuditOutcome.ACCEPTED
        if word.event == AuditEvent.APPROVE and accepted:
            approved[uid] = word
        elif word.event in {AuditEvent.APPROVE, AuditEvent.WITHDRAW}:
            approved.pop(uid, None)
        elif accepted and word.event in {AuditEvent.DENY, AuditEvent.REVOKE}:
            rejected = True
    return tuple(approved.values()), rejected
