"""Receipts of answers: what was answered comes back with the truth, and nobody can invent it.

A receipt is 42 bytes in base64: a format, the version (the first 8 bytes of its manifest digest),
2 bytes of the digest of its classes, when it was answered, a number of its own, the score and the
label, and the first 16 bytes of an HMAC-SHA-256 of all that. Its key is of one Deployment, so that
any Pod of it can judge what another one answered, of an earlier version with the same classes too,
and none needs to remember anything.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import logging
import secrets
import struct
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from msgspec import Struct
from numpy.typing import NDArray

from hallmark.api.documents import ServedSchema, Trust
from hallmark.api.texts import canonical_json
from hallmark.files import KEY_BYTES, read_whole
from hallmark_predictor.settings import Settings

LOG = logging.getLogger(__name__)

FORMAT = 2
CHARACTERS = 56
"""Of a receipt."""
TOKEN, KEY = "token", "receipts"
"""The Secret's entries: who may tell the truth shows the one; receipts are made with the other."""
LEAST = 32
"""Bytes that each of them must have."""
READ_AGAIN = 10.0
"""Seconds after which the files are read again: a Secret may come later, and change."""
_HEAD = struct.Struct(">B8s2sIQHB")
_MAC = 16
_STEPS = 65_535
"""A score is one of so many steps from 0 to 1."""
_PURPOSE = b"hallmark.dev/receipt/v1"


class Receipt(Struct, frozen=True):
    """What a receipt says.

    Attributes:
        version: The first 8 bytes of the manifest digest.
        classes: The first 2 bytes of the classes' digest.
        at: When it was answered, in seconds since 1970.
        number: Another one for each answer.
        score: From 0 to 1.
        label: The index of the decided class.
    """

    version: bytes
    classes: bytes
    at: int
    number: int
    score: float
    label: int


class Secrets(Struct, frozen=True):
    """What the Deployment's Secret holds, as far as it is fit for use."""

    token: bytes | None
    key: bytes | None
    """Of this Deployment's receipts."""


class SecretFiles:
    """The Deployment's Secret, read again now and then."""

    def __init__(
        self,
        folder: Path,
        namespace: str,
        deployment: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            folder: With a file for each entry; it may be empty or missing.
            namespace: Of the Deployment.
            deployment: Its name.
            clock: Tells seconds.
        """
        self._folder = folder
        self._purpose = b"\0".join([_PURPOSE, namespace.encode(), deployment.encode()])
        self._clock = clock
        self._until = float("-inf")
        self._known = Secrets(None, None)
        self._told = False

    def current(self) -> Secrets:
        """Return what the files say."""
        now = self._clock()
        if now >= self._until:
            self._until = now + READ_AGAIN
            self._known = self._read()
        return self._known

    def _read(self) -> Secrets:
        token, key = (self._entry(name) for name in (TOKEN, KEY))
        found = Secrets(token, key and hmac.digest(key, self._purpose, "sha256"))
        whole = found.token is not None and found.key is not None
        if not whole and not self._told:
            LOG.warning(
                "Feedback is declared, and its Secret has no '%s' and '%s' of at least %d "
                "characters (yet): nobody can tell the truth, and answers have no receipts.",
                TOKEN,
                KEY,
                LEAST,
            )
        self._told = not whole
        return found

    def _entry(self, name: str) -> bytes | None:
        try:
            found = read_whole(self._folder / name, KEY_BYTES).strip()
        except OSError:
            return None
        return found if len(found) >= LEAST else None


class Receipts:
    """Makes and reads the receipts of one version's answers."""

    def __init__(
        self,
        files: SecretFiles,
        manifest_digest: str,
        schema: ServedSchema,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            files: Have the key.
            manifest_digest: Of the version that answers.
            schema: Has its classes.
            clock: Tells seconds since 1970.
        """
        self.files = files
        self.version = bytes.fromhex(manifest_digest.removeprefix("sha256:")[:16])
        self.classes = _digest_of_classes(schema)
        self.clock = clock
        # No other process, before or after, begins near it; ``next`` is one step for all threads.
        self._numbers = count(secrets.randbits(62))

    def one(self, label: int, score: float) -> bytes:
        """Return the receipt of an answer; empty where there is no key (yet)."""
        key = self.files.current().key
        if key is None:
            return b""
        now, number = int(self.clock()), next(self._numbers)
        return self._made(key, now, number, label, score)

    def many(self, labels: NDArray[Any], scores: NDArray[Any]) -> list[bytes]:
        """Return the receipts of a request's answers."""
        key = self.files.current().key
        if key is None:
            return [b""] * len(labels)
        now, numbers = int(self.clock()), self._numbers
        pairs = zip(labels.tolist(), scores.tolist(), strict=True)
        return [self._made(key, now, next(numbers), label, score) for label, score in pairs]

    def _made(self, key: bytes, now: int, number: int, label: int, score: float) -> bytes:
        steps = int(min(1.0, max(0.0, score)) * _STEPS + 0.5)
        head = _HEAD.pack(FORMAT, self.version, self.classes, now, number, steps, label)
        return binascii.b2a_base64(head + _mac(key, head), newline=False)

    def read(self, text: str) -> Receipt | None:
        """Return what a receipt says, or None where this Deployment did not make it."""
        key = self.files.current().key
        if key is None or len(text) != CHARACTERS:
            return None
        try:
            data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
        except ValueError:
            return None
        head, mac = data[: _HEAD.size], data[_HEAD.size :]
        if not hmac.compare_digest(_mac(key, head), mac):
            return None
        made, version, classes, at, number, steps, label = _HEAD.unpack(head)
        if made != FORMAT:
            return None
        return Receipt(version, classes, at, number, steps / _STEPS, label)


def receipts_of(settings: Settings, trust: Trust, schema: ServedSchema) -> Receipts | None:
    """Return what makes a version's receipts, where feedback is declared."""
    if trust.drift.feedback is None:
        return None
    files = SecretFiles(settings.feedback, trust.namespace, trust.deployment)
    return Receipts(files, trust.manifest_digest, schema)


def _digest_of_classes(schema: ServedSchema) -> bytes:
    said = canonical_json([schema.classes, schema.positive])
    return hashlib.sha256(said).digest()[:2]


def _mac(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, head, "sha256")[:_MAC]
