"""Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature). Pure.

Who signs needs an Ed25519 key, and the operator has one on P-256: so each key of a note follows
from that one by HKDF, and nobody must make, keep or replace another secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hallmark.errors import ConfigurationError

_LOG, _WITNESS = 0x01, 0x04
"""Types of signatures: Ed25519, and Ed25519 with a time."""
_DASH = "\u2014 "
_NAME = re.compile(r"[^\s+]{1,200}")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
MAX_NOTE = 64 * 1024


@dataclass(frozen=True)
class NoteKey:
    """A public key of a log or of a witness, with its name."""

    name: str
    kind: int
    public: bytes

    @property
    def hint(self) -> bytes:
        """The first four bytes of its hash, by which a signature names it."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(named).digest()[:4]

    def made(self, line: str) -> bool:
        """Tell whether the line of a signature names this key."""
        return _named(line)[:2] == (self.name, self.hint)

    def to_text(self) -> str:
        """Return it as it is given to verifiers."""
        key = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.hint.hex()}+{key}"


@dataclass(frozen=True)
class NoteSigner:
    """What signs notes."""

    key: NoteKey
    private: Ed25519PrivateKey

    def line(self, body: str, time: int) -> str:
        """Return the line of a signature on a note.

        Args:
            body: the note, to the end of its last line.
            time: seconds since 1970; a witness says when it saw the log.
        """
        data, stamp = body.encode(), b""
        if self.key.kind == _WITNESS:
            data, stamp = _cosigned(body, time), time.to_bytes(8)
        signature = base64.b64encode(self.key.hint + stamp + self.private.sign(data)).decode()
        return f"{_DASH}{self.key.name} {signature}\n"


@dataclass(frozen=True)
class Checkpoint:
    """How far a log reached: its size and root."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True)
class Note:
    """A checkpoint and the lines of its signatures."""

    checkpoint: Checkpoint
    lines: tuple[str, ...]

    def to_text(self) -> str:
        """Return the note as it stands in the file."""
        return f"{self.checkpoint.body}\n{''.join(self.lines)}"

    def signed_by(self, key: NoteKey) -> bool:
        """Tell whether the key's owner signed it."""
        return any(_verifies(self.checkpoint.body, line, key) for line in self.lines)

    def signers(self, keys: Iterable[NoteKey]) -> list[str]:
        """Return the names of those among some keys that signed it."""
        return sorted({key.name for key in keys if self.signed_by(key)})


def log_signer(key: ec.EllipticCurvePrivateKey, name: str) -> NoteSigner:
    """Return what signs the checkpoints of a log of that name."""
    return _signer(key, name, _LOG, b"hallmark.dev/checkpoint-key/v1")


def witness_signer(key: ec.EllipticCurvePrivateKey, name: str) -> NoteSigner:
    """Return what cosigns other logs' checkpoints in that name."""
    return _signer(key, name, _WITNESS, b"hallmark.dev/cosignature-key/v1")


def read_key(text: str) -> NoteKey:
    """Return the key in a text such as ``example.org/log+1a2b3c4d+AVi...``.

    Raises:
        ConfigurationError: it is none of a log or of a witness.
    """
    name, _, rest = text.strip().partition("+")
    hint, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        data = b""
    key = NoteKey(name, data[0] if data else 0, data[1:])
    fits = len(key.public) == 32 and key.kind in {_LOG, _WITNESS}
    if not fits or not _NAME.fullmatch(name) or key.hint.hex() != hint:
        raise ConfigurationError(
            f"Expected a log's or witness's key such as example.org/log+1a2b3c4d+AVi..., found "
            f"'{text.strip()[:80]}'."
        )
    return key


def read_note(data: bytes) -> Note | str:
    """Return the signed checkpoint in a file, or a sentence on what is wrong with it."""
    wrong = "Expected a signed checkpoint (origin, size, root, signatures), found something else."
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return wrong
    body, blank, signatures = text.partition("\n\n")
    lines, head = signatures.splitlines(keepends=True), body.split("\n")
    signed = all(line.startswith(_DASH) and line.endswith("\n") for line in lines)
    if len(data) > MAX_NOTE or not blank or len(head) != 3 or not lines or not signed:
        return wrong
    origin, size, root = head
    try:
        found = Checkpoint(origin, int(size), base64.b64decode(root, validate=True))
    except ValueError:
        return wrong
    in_form = _DECIMAL.fullmatch(size) and len(found.root) == 32 and found.body == f"{body}\n"
    return Note(found, tuple(lines)) if in_form and _NAME.fullmatch(origin) else wrong


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[NoteSigner], time: int) -> Note:
    """Return a checkpoint with the signatures of ``signers``."""
    return Note(checkpoint, tuple(signer.line(checkpoint.body, time) for signer in signers))


def _signer(key: ec.EllipticCurvePrivateKey, name: str, kind: int, purpose: bytes) -> NoteSigner:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"Expected a name such as example.org/hallmark, without spaces and plus signs, found "
            f"{name!r}."
        )
    secret = key.private_numbers().private_value.to_bytes(32)
    seed = HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret)
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return NoteSigner(NoteKey(name, kind, private.public_key().public_bytes_raw()), private)


def _verifies(body: str, line: str, key: NoteKey) -> bool:
    if not key.made(line):
        return False
    signature, signed = _named(line)[2], body.encode()
    if key.kind == _WITNESS:
        signed, signature = _cosigned(body, int.from_bytes(signature[:8])), signature[8:]
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _named(line: str) -> tuple[str, bytes, bytes]:
    """Return name, hint and signature in a line; the latter two are empty where they are none."""
    name, _, encoded = line.removeprefix(_DASH).rstrip("\n").partition(" ")
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        data = b""
    return name, data[:4], data[4:]


def _cosigned(body: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{body}".encode()
