"""The audit log's keeper: its anchor, what waits for the volume, breaks, and what is too old.

What it keeps outside the volume stands in one ConfigMap (``audit/outside.py`` says what).
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from hallmark.api import names
from hallmark.api.model_version import RolledBack
from hallmark.api.texts import timestamp
from hallmark.audit import AuditLog, Record
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.audit.files import log_files
from hallmark.audit.head import Head
from hallmark.audit.memory import DECIDED_AT, LogMemory
from hallmark.audit.outside import (
    BREAK_KEY,
    GUARDS_KEY,
    HEAD_KEY,
    anchored,
    is_pending,
    pending_texts,
    read_pending,
    read_signed,
    require_room,
    signed_text,
)
from hallmark.cluster.audit_anchor import AnchorStore
from hallmark.cluster.cache import Change
from hallmark.cluster.kinds import CONFIG_MAP, MODEL_DEPLOYMENT, MODEL_POLICY
from hallmark.controllers import metrics
from hallmark.controllers.deletions import Deletions
from hallmark.controllers.guards import GuardRecorder
from hallmark.controllers.publishing import Publishing
from hallmark.controllers.runtime import Operator, count, log
from hallmark.errors import HallmarkError
from hallmark.policies.acknowledgement import read_acknowledgement

PRUNE_EVERY = timedelta(hours=6)
READ_EVERY = timedelta(minutes=1)


class Keeper:
    """Keeps the audit log of one operator."""

    def __init__(self, operator: Operator) -> None:
        """Prepare; ``run`` works."""
        self.started = asyncio.Event()
        """The log is verified or begun anew, and the anchor says so."""
        self.loaded = asyncio.Event()
        """What an earlier process saw of the guards is known."""
        self.guards = GuardRecorder(operator)
        self.deletions = Deletions(operator, self.guards.wanted)
        self.publishing = Publishing(operator)
        self._operator = operator
        self._store = AnchorStore(operator.cluster, operator.settings.namespace)
        self._writing = asyncio.Lock()
        self._pending: list[Record] = []
        """They wait outside the volume."""
        self._arriving: list[Record] = []
        """They are nowhere yet; their decisions wait."""
        self._told: tuple[str, ...] = ()
        self._pruned: datetime | None = None
        self._read_at: datetime | None = None
        self._unsaved_guards = ""

    @property
    def _log(self) -> AuditLog:
        return self._operator.audit

    def hold(self) -> str:
        """Return why no version may be promoted; empty where promotions go on."""
        broken = self._log.broken
        return broken.hold if broken else ""

    async def run(self) -> None:
        """Verify the log, then keep it, until cancelled."""
        while not await self._start():
            await asyncio.sleep(self._operator.settings.audit_seconds)
        while True:
            await self.turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._operator.settings.audit_seconds):
                    await self.guards.wanted.wait()

    async def turn(self) -> None:
        """Do once what is to be done now and then; what fails is done the next time."""
        for step in (
            self._flush,
            self._record_guards,
            self.deletions.record,
            self._read,
            self._look_for_acknowledgement,
            self.anchor,
            self.publishing.step,
            self._prune,
        ):
            try:
                await step()
            except HallmarkError as error:
                log.warning("The audit log's keeping is tried again.", error=str(error))
        await asyncio.to_thread(self._log.probe)
        self._tell()

    async def keep(self, records: Sequence[Record]) -> None:
        """Keep records of a withdrawal outside the volume until the log takes them.

        Raises:
            HallmarkError: there is no room, or the API server does not take them either.
        """
        now = timestamp(self._operator.clock())
        known = {record.decision_id for record in (*self._pending, *self._arriving)}
        new = [
            replace(record, details={DECIDED_AT: now, **record.details})
            for record in records
            if record.decision_id not in known
        ]
        self._arriving += new
        async with self._writing:
            # What arrived while another one was written is written together.
            if self._arriving:
                await self._keep_what_arrived()
        self._tell()

    async def _keep_what_arrived(self) -> None:
        if not self._store.exists:
            await self._store.load()
        arrived, self._arriving = self._arriving, []
        pending = [*self._pending, *arrived]
        try:
            texts = pending_texts(self._log.key, pending, len(self._pending))
            require_room(self._store.data, texts)
            await self._save(texts)
        except BaseException:
            # Cancelled, too: others wait for what arrived with theirs.
            self._arriving = [*arrived, *self._arriving]
            raise
        self._pending = pending
        for record in arrived:
            count(record)
        log.warning("Records wait outside the audit volume.", new=len(arrived), all=len(pending))

    def rolled_back(self, namespace: str, digest: str) -> RolledBack | None:
        """Return the last time that some bytes had to give way, of what waits outside."""
        memory = LogMemory()
        for record in self._pending:
            memory.hear(record, timestamp(self._operator.clock()))
        return memory.rolled_back(namespace, digest)

    def changed(self, change: Change) -> None:
        """Take what a watch told of, where it is that an object is gone."""
        self.deletions.saw(change)

    def note(self, record: Record) -> None:
        """Have a record written soon, of what happened whether it is recorded or not."""
        self.guards.note(record)

    async def close(self) -> None:
        """Leave the anchor at the log's last record."""
        await self.publishing.close()
        with suppress(HallmarkError, TimeoutError):
            async with asyncio.timeout(5):
                await self.anchor()

    # -- the start ----------------------------------------------------------------------------

    async def _start(self) -> bool:
        """Verify the log against the anchor; False where that must be tried again."""
        try:
            async with self._writing:
                data = dict(await self._store.load())
            self._restore(data)
            await asyncio.to_thread(self._log.verify_rest, anchored(data.get(HEAD_KEY)))
            if not self._log.ready:
                return False
            await self.anchor()
        except HallmarkError as error:
            log.error("The audit log cannot be taken yet.", error=str(error))
            self._tell()
            return False
        if self._log.broken is not None:
            log.critical("The audit log was broken.", error=self._log.broken.message)
        self.started.set()
        self._tell()
        return True

    def _restore(self, data: Mapping[str, str]) -> None:
        if self.loaded.is_set():
            return
        keys = self._log.public_keys
        waiting = {record.decision_id for record in self._pending}
        self._pending = [
            *(record for record in read_pending(keys, data) if record.decision_id not in waiting),
            *self._pending,
        ]
        kept = read_signed(keys, GUARDS_KEY, data.get(GUARDS_KEY))
        is_new = not data and not log_files(self._log.path)
        self._operator.guards.restore(kept, first_start=is_new)
        self.loaded.set()

    # -- what is done now and then ------------------------------------------------------------

    async def anchor(self) -> None:
        """Bring what stands outside the volume up to the log.

        Raises:
            HallmarkError: the API server failed.
        """
        head = await asyncio.to_thread(self._log.head)
        if head is None:
            return
        broken = self._log.broken
        shown = (
            json.dumps({"id": broken.id, "message": broken.message, "since": broken.time})
            if broken
            else None
        )
        async with self._writing:
            data: dict[str, str | None] = {BREAK_KEY: shown}
            if self._anchored_seq() != head.seq or not self._store.exists:
                data[HEAD_KEY] = head.to_bytes().decode()
            await self._save(data)

    def _anchored_seq(self) -> int:
        found = anchored(self._store.data.get(HEAD_KEY))
        return found.seq if isinstance(found, Head) else -1

    async def _save(self, data: Mapping[str, str | None]) -> None:
        """Write outside the volume; what somebody else did there is a record."""
        foreign = await self._store.save(data)
        if foreign is not None:
            self._tell_foreign(foreign)

    def _tell_foreign(self, sentence: str) -> None:
        log.error("The audit log's anchor is not the operator's alone.", error=sentence)
        self.note(self._about_anchor(sentence))

    def _about_anchor(self, sentence: str) -> Record:
        head = self._store.data.get(HEAD_KEY, "")
        return Record(
            decision_id=f"guard/anchor/{names.short_hash(sentence, head)}",
            event=AuditEvent.GUARD,
            kind=CONFIG_MAP.kind,
            namespace=self._operator.settings.namespace,
            name=names.AUDIT_ANCHOR,
            uid="",
            outcome=AuditOutcome.CHANGED,
            reason="AnchorChanged",
            message=sentence,
        )

    async def _flush(self) -> None:
        """Write what waited outside into the log."""
        if not self._pending:
            return
        written = list(self._pending)
        for record in written:
            await asyncio.to_thread(self._log.append, record)
        async with self._writing:
            left = [record for record in self._pending if record not in written]
            gone = dict.fromkeys(filter(is_pending, self._store.data))
            await self._save({**gone, **pending_texts(self._log.key, left)})
            self._pending = left

    async def _record_guards(self) -> None:
        await self.guards.record()
        if self._operator.guards.is_news:
            kept = self._operator.guards.kept()
            self._unsaved_guards = signed_text(self._log.key, GUARDS_KEY, kept)
        if self._unsaved_guards:
            async with self._writing:
                await self._save({GUARDS_KEY: self._unsaved_guards})
                self._unsaved_guards = ""

    async def _read(self) -> None:
        """Read what stands outside: a person's word for a break soon, else now and then."""
        now = self._operator.clock()
        is_due = self._read_at is None or now - self._read_at >= READ_EVERY
        if self._log.broken is None and not is_due:
            return
        async with self._writing:
            before, existed = dict(self._store.data), self._store.exists
            found = dict(await self._store.load())
            if existed and found != before:
                # What is written next is the operator's own again.
                await self._store.save({**dict.fromkeys(found), **before})
                self._tell_foreign(f"The data of ConfigMap {names.AUDIT_ANCHOR} were changed.")
        self._read_at = now

    async def _look_for_acknowledgement(self) -> None:
        """Take a person's word for a break, where admission vouches for who said it."""
        broken = self._log.broken
        if broken is None:
            return
        said = read_acknowledgement(self._store.acknowledgement())
        if said is None or said.break_id != broken.id:
            return
        if await self._operator.identity.in_force_since(names.AUDIT_ANCHOR_POLICY) is None:
            log.error(
                "A break was acknowledged, but nobody vouches for who did.",
                expected=f"the admission policy {names.AUDIT_ANCHOR_POLICY} as it is shipped",
            )
            return
        await asyncio.to_thread(self._log.acknowledge, said.break_id, said.by, said.reason)
        log.warning("A break of the audit log was acknowledged.", by=said.by, id=said.break_id)

    async def _prune(self) -> None:
        """Remove what is too old, once the anchor is beyond what says so."""
        now, days = self._operator.clock(), self._operator.settings.audit_retention_days
        if not days or (self._pruned is not None and now - self._pruned < PRUNE_EVERY):
            return
        if await asyncio.to_thread(self._log.checkpoint, days) is not None:
            await self.anchor()
        found = anchored(self._store.data.get(HEAD_KEY))
        if isinstance(found, Head):
            for path in await asyncio.to_thread(self._log.drop, found.place):
                log.info("A file of the audit log was removed for its age.", file=path.name)
        self._pruned = now

    def _tell(self) -> None:
        """Set the metrics, and look again at what shows or waits for the state of the log."""
        broken, trouble = self._log.broken, self._log.trouble
        metrics.AUDIT_BROKEN.set(broken is not None)
        metrics.AUDIT_UNWRITABLE.set(bool(trouble))
        metrics.AUDIT_UNANCHORED.set(max(0, self._log.seq - max(0, self._anchored_seq())))
        metrics.AUDIT_KEPT_OUTSIDE.set(len(self._pending))
        with suppress(OSError):
            metrics.AUDIT_FREE_BYTES.set(shutil.disk_usage(self._log.path.parent).free)
        state = (broken.id if broken else "", trouble)
        if state != self._told:
            self._told = state
            for kind in (MODEL_POLICY, MODEL_DEPLOYMENT):
                for key in self._operator.cache.keys(kind):
                    self._operator.queue.request(key)
