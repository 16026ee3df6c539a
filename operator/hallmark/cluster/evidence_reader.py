"""Reads the sealed files of versions in the background: no decision waits for a store.

A store that is away or hangs keeps nobody from judging what people decided. A few versions are
read at the same time; when one was read, or could not be, its decision is made again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from hallmark.bundles.evidence import EvidenceMemory, asked_by
from hallmark.cluster.cache import Key
from hallmark.cluster.kinds import MODEL_VERSION
from hallmark.errors import HallmarkError
from hallmark.policies.model_version.checks import check_evidence
from hallmark.policies.model_version.inputs import Evidence, VersionInputs
from hallmark.policies.model_version.words import digest_of
from hallmark.supply_chain.vulnerabilities import Known

AT_ONCE = 4
"""Versions that are read at the same time from one store: one that hangs holds up no other."""
PATIENCE = 60.0
"""Seconds that reading one version may take."""
FIRST_RETRY, LAST_RETRY = timedelta(seconds=2), timedelta(seconds=60)
"""After a failure it is tried again so much later; doubled with each further one."""

ReadFiles = Callable[[VersionInputs], Awaitable[VersionInputs]]
"""Adds what is in the store to the inputs; raises ``HallmarkError`` where the store fails."""
log = structlog.get_logger("hallmark")


@dataclass(frozen=True)
class _Question:
    """Of which files under which policy, by which feed and words, something was asked."""

    policy: str
    asked: str
    feed: str
    vex: str


@dataclass(frozen=True)
class _Answer:
    """What came of reading: evidence, or the trouble and when to try again."""

    question: _Question
    evidence: Evidence | None = None
    trouble: str = ""
    again: datetime | None = None


class EvidenceReader:
    """What the files say of each version: remembered, or asked for. Used by one event loop."""

    def __init__(
        self,
        memory: EvidenceMemory,
        read_files: ReadFiles,
        wake: Callable[[Key], None],
        unexpected: Callable[[Exception], str],
        clock: Callable[[], datetime],
        feed: Callable[[], Known | None],
    ) -> None:
        """Start with nothing asked.

        Args:
            memory: what was found a while ago.
            read_files: reads one version's files.
            wake: asks for a look at a version.
            unexpected: told of a bug; returns the sentence that is shown.
            clock: the time.
            feed: the snapshot of OSV as it was last looked at; None before that.
        """
        self._memory = memory
        self._read_files = read_files
        self._wake = wake
        self._unexpected = unexpected
        self._clock = clock
        self._feed = feed
        self._room = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(AT_ONCE))
        """By the store's URI."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._answers: dict[str, _Answer] = {}
        self._failures: dict[str, int] = {}

    def add_to(self, inputs: VersionInputs) -> VersionInputs:
        """Return the inputs with what is known of the files; what is not known is asked for."""
        version, policy = inputs.version, inputs.policy
        if policy is None:
            return inputs
        feed = self._feed() if asks_for_feed(inputs) else None
        if feed is None and asks_for_feed(inputs):
            return replace(inputs, unread=True)  # Who watches it asks for another look.
        known = self._memory.recall(version, policy.spec, inputs.now, feed, digest_of(inputs.words))
        if known is None:
            known = self._taken(inputs)
        if known is not None:
            return replace(inputs, known=known, believed_until=self._memory.until(version))
        failed = self._answers.get(version.metadata.uid)
        if failed is None or failed.again is None or failed.again <= inputs.now:
            self._ask(inputs)
        if failed is None:
            return replace(inputs, unread=True)
        return replace(inputs, unread=True, trouble=failed.trouble, believed_until=failed.again)

    def forget(self, uid: str) -> None:
        """Forget a version that is gone."""
        self._memory.forget(uid)
        self._answers.pop(uid, None)
        self._failures.pop(uid, None)
        if uid in self._tasks:
            self._tasks[uid].cancel()

    @property
    def reading(self) -> bool:
        """Whether anything is being read."""
        return bool(self._tasks)

    async def settle(self) -> None:
        """Wait until nothing is being read."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def close(self) -> None:
        """Stop reading."""
        for task in self._tasks.values():
            task.cancel()
        await self.settle()

    def _taken(self, inputs: VersionInputs) -> Evidence | None:
        """Return what was just read for these inputs; it counts for one decision."""
        uid = inputs.version.metadata.uid
        answer = self._answers.get(uid)
        if answer is None or answer.question != self._question(inputs):
            self._answers.pop(uid, None)
            return None
        if answer.evidence is None or inputs.policy is None:
            return None
        del self._answers[uid]
        self._memory.remember(inputs.version, inputs.policy.spec, answer.evidence, self._clock())
        return answer.evidence

    def _ask(self, inputs: VersionInputs) -> None:
        uid = inputs.version.metadata.uid
        if uid not in self._tasks:
            self._tasks[uid] = asyncio.create_task(self._read(uid, inputs))

    async def _read(self, uid: str, inputs: VersionInputs) -> None:
        metadata = inputs.version.metadata
        try:
            answer = await self._answer(inputs)
        finally:
            self._tasks.pop(uid, None)
        self._answers[uid] = answer
        if answer.trouble:
            log.warning(
                "The sealed files of a version cannot be read.",
                namespace=metadata.namespace,
                name=metadata.name,
                error=answer.trouble,
            )
        else:
            self._failures.pop(uid, None)
        self._wake(Key(MODEL_VERSION, metadata.namespace, metadata.name))

    async def _answer(self, inputs: VersionInputs) -> _Answer:
        try:
            store = inputs.policy.spec.store.uri if inputs.policy else ""
            async with self._room[store], asyncio.timeout(PATIENCE):
                read = await self._read_files(inputs)
                # A bill of ten thousand packages takes a second, in which nothing else would go on.
                evidence = await asyncio.to_thread(check_evidence, read)
        except HallmarkError as error:
            return self._failed(inputs, str(error))
        except TimeoutError:
            uri = inputs.version.spec.artifact.uri
            return self._failed(
                inputs,
                f"Expected the files at {uri} within {PATIENCE:.0f} s, found that the store does "
                f"not answer; check that it runs and can be reached.",
            )
        except Exception as error:
            return self._failed(inputs, self._unexpected(error))
        question = self._question(inputs)
        if evidence.refusal is None:  # The feed may have been replaced since it was looked at.
            question = replace(question, feed=evidence.feed)
        return _Answer(question, evidence)

    def _failed(self, inputs: VersionInputs, trouble: str) -> _Answer:
        uid = inputs.version.metadata.uid
        failures = self._failures[uid] = self._failures.get(uid, 0) + 1
        wait = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(failures - 1, 8))
        return _Answer(self._question(inputs), trouble=trouble, again=self._clock() + wait)

    def _question(self, inputs: VersionInputs) -> _Question:
        version, policy = inputs.version, inputs.policy
        feed = self._feed() if asks_for_feed(inputs) else None
        return _Question(
            policy.spec.digest if policy else "",
            asked_by(version),
            feed.digest if feed else "",
            digest_of(inputs.words),
        )


def asks_for_feed(inputs: VersionInputs) -> bool:
    """Whether the policy wants known vulnerabilities to be looked for."""
    policy = inputs.policy
    return policy is not None and policy.spec.dependencies.vulnerabilities is not None
