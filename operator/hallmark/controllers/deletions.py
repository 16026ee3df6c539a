"""That an object is gone is on record, however that came: seen, missed, or while nobody looked.

The audit log says which objects there were, the cache which there are. So nothing hangs on an event
of a watch: an object that was made anew under its name has another uid.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import timestamp
from hallmark.api.training_run import TrainingRun
from hallmark.audit.memory import Known
from hallmark.audit.record import Record
from hallmark.cluster.cache import Change, Key
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    TRAINING_RUN,
    Kind,
    Obj,
)
from hallmark.cluster.parse import read
from hallmark.controllers.runtime import Operator, count
from hallmark.policies.deletions import (
    DeletionReason,
    Recorded,
    deletion_record,
    deletions_are_recorded,
)
from hallmark.refusal import Refusal

_MODELS: Mapping[Kind, type[Recorded]] = {
    TRAINING_RUN: TrainingRun,
    MODEL_VERSION: ModelVersion,
    MODEL_APPROVAL: ModelApproval,
    MODEL_DEPLOYMENT: ModelDeployment,
}
_KINDS = {kind.kind: kind for kind in _MODELS}
MOST_AT_ONCE = 500
"""Deletions that are recorded before the log's keeper does something else again."""
MOST_LAST = 4096
"""Objects whose last state is kept until their deletion is on record."""
MOST_UNKNOWN = 64
"""Of these, so many that no record is about: a first record may still be under way."""


class Deletions:
    """Holds what the log knows against what is there."""

    def __init__(self, operator: Operator, wanted: asyncio.Event) -> None:
        """Wait for the first lists.

        Args:
            operator: whose cache and log are compared.
            wanted: set when there is something to record.
        """
        self._operator = operator
        self._wanted = wanted
        self._listed = False
        self._seen = 0
        """How often a watch told of something that the log knows, or all of them began to."""
        self._compared = (0, 0)
        """What was seen and heard when log and cache were last compared to the end."""
        self._last: OrderedDict[str, tuple[Obj, str]] = OrderedDict()

    def begin(self) -> None:
        """Take that everything that is there is in the cache."""
        self._listed = True
        self._look_again()

    def saw(self, change: Change) -> None:
        """Take that an object is gone, or another one has its place, where that is so."""
        before, after = change.before, change.after
        if change.key.kind not in _MODELS or before is None:
            return
        uid = str(before["metadata"]["uid"])
        if after is not None and after["metadata"]["uid"] == uid:
            return
        self._last[uid] = before, timestamp(self._operator.clock())
        self._keep_last(MOST_LAST)
        if self._operator.audit.memory.knows(uid):
            self._look_again()

    async def record(self) -> None:
        """Record what is gone, some of it where it is much.

        Raises:
            ArtifactError: the log takes no record; it is tried again.
        """
        memory = self._operator.audit.memory
        news = self._seen, memory.heard
        if not self._listed:
            return
        if news == self._compared:
            self._keep_last(MOST_UNKNOWN)
            return
        gone = [known for known in memory.known() if not self._is_there(known)]
        for known in gone[:MOST_AT_ONCE]:
            await self._append(self._record(known))
            memory.forget(known.uid)
            self._last.pop(known.uid, None)
        if len(gone) > MOST_AT_ONCE:
            self._wanted.set()
            return
        await self._append(deletions_are_recorded())
        self._compared = news  # What came meanwhile is looked at the next time.

    def _keep_last(self, most: int) -> None:
        while len(self._last) > most:
            self._last.popitem(last=False)

    def _look_again(self) -> None:
        self._seen += 1
        self._wanted.set()

    def _is_there(self, known: Known) -> bool:
        kind = _KINDS[known.kind]
        return self._operator.cache.uid(Key(kind, known.namespace, known.name)) == known.uid

    def _record(self, known: Known) -> Record:
        last = self._last.get(known.uid)
        if last is None:
            return deletion_record(known, DeletionReason.FOUND_GONE)
        obj, seen = last
        return deletion_record(known, DeletionReason.DELETED, _as_model(known, obj), seen)

    async def _append(self, record: Record) -> None:
        if await asyncio.to_thread(self._operator.audit.append, record) is not None:
            count(record)


def _as_model(known: Known, obj: Obj) -> Recorded | None:
    found: Recorded | Refusal = read(_MODELS[_KINDS[known.kind]], obj)
    return None if isinstance(found, Refusal) else found
