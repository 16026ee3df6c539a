"""The audit log as tiles in the store, where the operator's settings name it to others.

What is published lags, and nothing waits for it: a store that is away is asked again later.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.api import names
from hallmark.api.model_policy import ModelPolicy
from hallmark.audit.tlog.continuous import Place, Published, Publisher
from hallmark.audit.tlog.note import NoteSigner, log_signer
from hallmark.cluster.kinds import MODEL_POLICY
from hallmark.controllers import metrics
from hallmark.controllers.runtime import Operator, log
from hallmark.errors import ConfigurationError
from hallmark.keys import key_id
from hallmark.store import ArtifactMissing, Store


def signer_of(operator: Operator) -> NoteSigner:
    """Return what signs this installation's checkpoints: a new audit key is a log of its own.

    Raises:
        ConfigurationError: the audit key is in a token, from which no other key follows.
    """
    key = operator.audit.key
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(
            "HALLMARK_AUDIT_PUBLISH: expected an audit key in a file, from which the checkpoints' "
            "key follows, found one in a token; leave the variable empty."
        )
    name = f"{operator.settings.audit_publish}/{key_id(key.public_key())[:12]}"
    return log_signer(key, name)


def place_in(store: Store, log_name: str) -> Place:
    """Return where a log of that name is published in a store: ``published/<name>/``."""
    folder = f"published/{log_name}/"

    def read(path: str) -> bytes | None:
        try:
            return store.get(folder + path)
        except ArtifactMissing:
            return None

    def write(path: str, data: bytes) -> None:
        store.put(folder + path, data)

    def remove(path: str) -> None:
        for entry in store.list(folder + path.rstrip("/")):
            store.delete(entry.path)

    return Place(read, write, remove)


class Publishing:
    """Publishes now and then what the log has grown by, beside all else that the keeper does."""

    def __init__(self, operator: Operator) -> None:
        """Know whose log it is."""
        self._operator = operator
        self._publisher: tuple[Store, Publisher] | None = None
        self._running: asyncio.Task[Published] | None = None
        self._due: datetime | None = None
        self._wanted = 0
        """How far the log was when it was last time to publish; what came since does not lag."""
        self._size = 0
        self._told = ""

    async def step(self) -> None:
        """Take what the last attempt came to, and begin another one if it is time.

        Raises:
            HallmarkError: the store failed, or the key cannot be used; it is tried again.
        """
        operator, now = self._operator, self._operator.clock()
        if not operator.settings.audit_publish or not operator.audit.ready:
            return
        if self._due is None or now >= self._due:
            self._wanted = operator.audit.seq
        self._tell_lag()
        if self._running is not None:
            if not self._running.done():
                return
            done, self._running = self._running, None
            self._take(done.result(), now)
        if self._due is not None and now < self._due:
            return
        self._due = now + timedelta(seconds=operator.settings.audit_publish_seconds)
        publisher = self._find()
        if publisher is not None:
            moment = int(now.timestamp())
            step = asyncio.to_thread(_step, publisher, self._wanted, moment)
            self._running = asyncio.create_task(step)

    async def close(self) -> None:
        """Leave what is under way; what is published says how far it came."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def _find(self) -> Publisher | None:
        """Return what publishes into the store of the policy ``default``; None without one."""
        operator = self._operator
        policy = operator.cache.read(ModelPolicy, MODEL_POLICY, None, names.DEFAULT_POLICY)
        if not isinstance(policy, ModelPolicy):
            return None
        store = operator.stores.open(policy.spec.store)
        if self._publisher is None or self._publisher[0] is not store:
            signer = signer_of(operator)
            place = place_in(store, signer.key.name)
            self._publisher = store, Publisher(operator.audit.path, place, signer)
            log.info("The audit log is published.", key=signer.key.to_text(), store=store.uri)
        return self._publisher[1]

    def _take(self, found: Published, now: datetime) -> None:
        self._size = found.size
        self._tell_lag()
        if found.size < self._wanted and not found.problem:
            self._due = now  # There was more than one step publishes.
        if found.problem and found.problem != self._told:
            log.error("The audit log is not published any further.", error=found.problem)
        self._told = found.problem

    def _tell_lag(self) -> None:
        """Show how far both differ: a log that ends before what is published is none that is."""
        metrics.AUDIT_UNPUBLISHED.set(abs(self._wanted - self._size))


def _step(publisher: Publisher, seq: int, time: int) -> Published:
    """Publish some more; a log that cannot be read is a sentence, a store that fails raises."""
    try:
        return publisher.step(seq, time)
    except (OSError, ValueError) as error:
        return Published(0, f"The log's files cannot be read ({type(error).__name__}).")
