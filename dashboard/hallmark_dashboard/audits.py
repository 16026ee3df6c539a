"""The audit log, read as it grows: its newest records, and whether the whole is sound.

The file is the operator's; it is only read here. What one caller may see of it follows from which
objects he may see.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hallmark.api.model_policy import ModelPolicy
from hallmark.api.names import AUDIT_ANCHOR
from hallmark.api.texts import parse_timestamp
from hallmark.api.trust import TrustedKey
from hallmark.audit.files import log_files, read_head
from hallmark.audit.record import MAX_LINE, AuditRecord, read_record
from hallmark.audit.verify import AuditVerdict, verify_log
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    TRAINING_RUN,
)
from hallmark.errors import HallmarkError
from hallmark.files import open_regular
from hallmark_dashboard.access.rights import Sight

MOST_KEPT = 20_000
"""Records that are kept, the newest; the file has the rest."""
LOOK_SECONDS = 1.0
VERIFY_SECONDS = 30.0
"""A verdict counts so long: a whole log is not read for each caller."""
LARGEST_READ = 32 * 1024 * 1024
"""Bytes that one look reads at most, from the end."""

_KINDS = {
    "TrainingRun": TRAINING_RUN,
    "ModelVersion": MODEL_VERSION,
    "ModelApproval": MODEL_APPROVAL,
    "Deployment": MODEL_DEPLOYMENT,
    "ModelDeployment": MODEL_DEPLOYMENT,
}


@dataclass(frozen=True)
class AuditQuery:
    """What is looked for; an empty field is everything."""

    actor: str = ""
    namespace: str = ""
    name: str = ""
    event: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class Soundness:
    """Whether the log is whole, as it was found at a moment."""

    ok: bool
    records: int
    problems: tuple[str, ...]
    at: datetime
    head_seq: int | None
    head_hash: str
    key_id: str
    signature: str
    """Whether the head's signature was checked, as a sentence."""
    anchor: str
    """Whether it was held against the head that is kept outside its volume, as a sentence."""
    notes: tuple[str, ...] = ()
    """What is in order and worth knowing: what was pruned, which breaks were acknowledged."""


class Audits:
    """Follows one log.

    Args:
        path: The log's current file.
        clock: seconds that never go back.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._records: deque[AuditRecord] = deque(maxlen=MOST_KEPT)
        self._looked = -LOOK_SECONDS
        self._verdict: tuple[float, tuple[str, ...], Soundness] | None = None
        self._lock = asyncio.Lock()
        self._verifying = asyncio.Lock()
        self._last_seq = 0
        self._problem = ""

    async def records(self) -> tuple[Sequence[AuditRecord], str]:
        """Return the newest records, oldest first, and why there may be none."""
        async with self._lock:
            if self._clock() - self._looked >= LOOK_SECONDS:
                self._looked = self._clock()
                self._problem = await asyncio.to_thread(self._look)
            return tuple(self._records), self._problem

    def _look(self) -> str:
        """Read what was added; return why that cannot be done, or nothing."""
        try:
            files = log_files(self.path)
            if not files:
                return f"There is no audit log at {self.path}; mount the operator's volume there."
            fresh = _newest_first(files, self._last_seq)
        except OSError as error:
            return f"The audit log {self.path} cannot be read ({type(error).__name__})."
        for record in reversed(fresh):
            self._records.append(record)
            self._last_seq = record.seq
        return ""

    async def soundness(
        self, policies: Iterable[ModelPolicy], anchor: bytes | None = None
    ) -> Soundness:
        """Return whether the whole log is sound.

        Args:
            policies: whose auditors' keys may have signed its head.
            anchor: the head that is kept outside the log's volume.

        Raises:
            OSError: It cannot be read.
        """
        keys = {key.key_id: key for policy in policies for key in policy.spec.auditors}
        named = tuple(sorted(keys))
        async with self._verifying:
            kept = self._verdict
            if kept and kept[1] == named and self._clock() - kept[0] < VERIFY_SECONDS:
                return kept[2]
            found = await asyncio.to_thread(_verified, self.path, keys, anchor)
            self._verdict = (self._clock(), named, found)
            return found


def _newest_first(files: Sequence[Path], after: int) -> list[AuditRecord]:
    """Return the records after a number, the newest first; no more of the log is read than that."""
    for budget in (256 * 1024, 2 * 1024 * 1024, LARGEST_READ):
        found, whole = _read_back(files, after, budget)
        if whole:
            break
    return found


def _read_back(files: Sequence[Path], after: int, budget: int) -> tuple[list[AuditRecord], bool]:
    """Return the records after a number in the last bytes, and whether that is all of them."""
    found: list[AuditRecord] = []
    for path in reversed(files):
        with open_regular(path) as file:
            start = max(0, file.seek(0, 2) - budget)
            file.seek(start)
            data = file.read(budget)
        budget -= len(data)
        lines = data.split(b"\n")[:-1]  # what has no end is still being written
        for line in reversed(lines[1:] if start else lines):
            record = _record(line)
            if record is None:
                continue
            if record.seq <= after or len(found) >= MOST_KEPT:
                return found, True
            found.append(record)
        if budget <= 0:
            return found, False
    return found, True


def _record(line: bytes) -> AuditRecord | None:
    """Return the record in a line, or None: what is none is the verifier's to tell."""
    if len(line) > MAX_LINE:
        return None
    try:
        return read_record(line)
    except ValueError:
        return None


_ANCHORED = "It was held against the head that is kept outside the log's volume."
_NOT_ANCHORED = (
    f"It was not held against the ConfigMap {AUDIT_ANCHOR}, which the dashboard cannot read: an "
    "older copy of the whole log would not be noticed."
)


def _verified(path: Path, keys: dict[str, TrustedKey], anchor: bytes | None) -> Soundness:
    head = read_head(path)
    known = None if head is None or isinstance(head, str) else head
    key = keys.get(known.key_id) if known else None
    signature = (
        f"The head is signed with the key {known.key_id} of a ModelPolicy's auditors."
        if key and known
        else "The head's signature was not checked: no ModelPolicy that you may read names its "
        "key under spec.auditors."
    )
    told = _ANCHORED if anchor is not None else _NOT_ANCHORED
    try:
        verdict = verify_log(path, key.public_key if key else None, anchor)
    except HallmarkError as error:
        verdict = AuditVerdict(ok=False, records=0, problems=(str(error),))
    return Soundness(
        verdict.ok,
        verdict.records,
        verdict.problems,
        datetime.now(UTC),
        known.seq if known else None,
        known.hash if known else "",
        known.key_id if known else "",
        signature,
        told,
        verdict.notes,
    )


def visible(records: Iterable[AuditRecord], sight: Sight) -> list[AuditRecord]:
    """Return the records about objects that a caller may see."""
    return [record for record in records if _may_see(record, sight)]


def _may_see(record: AuditRecord, sight: Sight) -> bool:
    kind = _KINDS.get(record.kind)
    if kind is None:  # about the log itself, or about a policy
        return MODEL_POLICY in sight.everywhere and not record.namespace
    return sight.sees(kind, record.namespace)


def matching(records: Iterable[AuditRecord], query: AuditQuery) -> list[AuditRecord]:
    """Return the records that fit a query, in their order.

    Raises:
        ValueError: ``since`` or ``until`` is no moment.
    """
    since = parse_timestamp(query.since) if query.since else None
    until = parse_timestamp(query.until) if query.until else None

    def fits(record: AuditRecord) -> bool:
        moment = parse_timestamp(record.time)
        return (
            (not query.actor or query.actor.lower() in record.actor.lower())
            and (not query.namespace or record.namespace == query.namespace)
            and (not query.name or query.name.lower() in record.name.lower())
            and (not query.event or record.event == query.event)
            and (since is None or moment >= since)
            and (until is None or moment <= until)
        )

    return [record for record in records if fits(record)]
