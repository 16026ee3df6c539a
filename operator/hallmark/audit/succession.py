"""Which audit key signs which records: a key hands the log over to its successor.

A handover is signed by the old key over both. Its record is the first that the new key signs, so
that it binds both ways: who trusts the old key follows to the new one, and who trusts the new one
learns from its own signature which key signed before.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field

from hallmark.api.common import FileModel
from hallmark.api.texts import canonical_json
from hallmark.audit.events import LOG_KIND, AuditEvent, AuditOutcome, LogReason
from hallmark.audit.record import AuditRecord, Record, read_record
from hallmark.errors import ConfigurationError
from hallmark.files import read_first
from hallmark.keys import (
    Signer,
    is_text_signature,
    key_id,
    load_public_key,
    public_pem,
    text_signature,
)

HANDOVER = "handover.json"
"""The entry beside a new audit key in its Secret: the old one's word."""
MAX_BYTES = 4096
"""A longer handover is refused unread."""

_CONTEXT = b"hallmark.dev/audit-handover/v1\n"
_Text = Annotated[str, Field(max_length=256)]


class Handover(FileModel):
    """The old audit key's word that another one signs from now on."""

    schema_version: Literal["hallmark.dev/audit-handover/v1"] = "hallmark.dev/audit-handover/v1"
    old_key: _Text
    """SubjectPublicKeyInfo in PEM."""
    new_key: _Text
    """The same of the successor."""
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=128)]
    """ECDSA P-256/SHA-256 by the old key, DER in base64, over all other fields."""


@dataclass(frozen=True)
class Keys:
    """Both keys of a handover whose signature holds."""

    old: ec.EllipticCurvePublicKey
    new: ec.EllipticCurvePublicKey
    handover: Handover

    @property
    def names(self) -> tuple[str, str]:
        """The ids of old and new key."""
        return key_id(self.old), key_id(self.new)


@dataclass(frozen=True)
class Change:
    """A handover in a log.

    Args:
        seq: the number of its record, the first that the new key signs.
        before: the key before.
        new: the key from there on.
    """

    seq: int
    before: ec.EllipticCurvePublicKey
    new: ec.EllipticCurvePublicKey


class Succession:
    """The keys of a log, each from a record on."""

    def __init__(self, trusted: ec.EllipticCurvePublicKey, changes: Iterable[Change] = ()) -> None:
        """Follow the changes from a trusted key in both directions, as far as they join.

        Args:
            trusted: any key of the log.
            changes: in the order of their records.
        """
        self._stretches = list(_joined(trusted, list(changes)))

    @property
    def last(self) -> ec.EllipticCurvePublicKey:
        """The key of the newest records."""
        return self._stretches[-1][1]

    @property
    def since(self) -> int:
        """The number of the first record of the newest key."""
        return self._stretches[-1][0]

    def at(self, seq: int) -> ec.EllipticCurvePublicKey:
        """Return the key that signs a record, or a head that names it."""
        return next(key for first, key in reversed(self._stretches) if first <= seq)


def hand_over(old: Signer, new: ec.EllipticCurvePublicKey) -> Handover:
    """Return the old key's word that the new one signs from now on."""
    made = Handover(old_key=public_pem(old.public_key()), new_key=public_pem(new), signature="A")
    return made.model_copy(update={"signature": text_signature(old, _signed_bytes(made))})


def keys_of(handover: Handover) -> Keys | None:
    """Return both keys of a handover, or None where the old one did not sign it."""
    try:
        old, new = load_public_key(handover.old_key), load_public_key(handover.new_key)
    except ConfigurationError:
        return None
    one_form = (public_pem(old), public_pem(new)) == (handover.old_key, handover.new_key)
    if not one_form or not is_text_signature(old, handover.signature, _signed_bytes(handover)):
        return None
    return Keys(old, new, handover)


def read_handover(data: bytes) -> Keys:
    """Return the keys of a handover as it stands beside the new key.

    Raises:
        ConfigurationError: it is none, or was not signed by the old key.
    """
    found = None
    try:
        if len(data) <= MAX_BYTES:
            found = keys_of(Handover.model_validate_json(data))
    except ValueError:
        pass
    if found is None:
        raise ConfigurationError(
            f"Expected in '{HANDOVER}' the old audit key's signed word on the new one, found "
            "something else. Make the key again with 'hallmark keys create audit'."
        )
    return found


def handover_to(key: ec.EllipticCurvePublicKey, path: Path) -> Keys | None:
    """Return the handover to an audit key in a file beside it, or None where there is none.

    Raises:
        ConfigurationError: it is none, or names another key.
    """
    try:
        found = read_handover(read_first(path, MAX_BYTES + 1))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}).") from error
    if key_id(found.new) != key_id(key):
        raise ConfigurationError(
            f"Expected in '{HANDOVER}' the old key's word on the key beside it, found one on "
            f"{key_id(found.new)[:12]}. Make the key again with 'hallmark keys create audit'."
        )
    return found


def handover_record(keys: Keys, log: str, after: int) -> Record:
    """Return the record with which the new key goes on after record ``after``."""
    old, new = keys.names
    return Record(
        decision_id=f"handover/{old}/{new}/{after}",
        event=AuditEvent.ROTATE,
        kind=LOG_KIND,
        namespace="",
        name=log,
        uid="",
        outcome=AuditOutcome.CHANGED,
        reason=LogReason.KEY_HANDED_OVER,
        message=f"The audit key {old[:12]} handed the log over to {new[:12]}.",
        details={
            "from": old,
            "to": new,
            "fromKey": _packed(keys.old),
            "toKey": _packed(keys.new),
            "signature": keys.handover.signature,
        },
    )


def changes_in(lines: Iterable[bytes]) -> Iterator[Change]:
    """Yield the handovers among the lines of a log that the old key did sign.

    Whether the new key signed the record itself is the chain's part.
    """
    marks = f'"{LogReason.KEY_HANDED_OVER}"'.encode()
    for line in lines:
        if marks not in line:
            continue
        try:
            record = read_record(line)
        except ValueError:
            continue
        named = (record.kind, record.reason) == (LOG_KIND, LogReason.KEY_HANDED_OVER)
        keys = _recorded(record) if named else None
        if keys is not None:
            yield Change(record.seq, keys.old, keys.new)


def _recorded(record: AuditRecord) -> Keys | None:
    details = record.details
    try:
        old, new = (_unpacked(details.get(name, "")) for name in ("fromKey", "toKey"))
        handover = Handover(old_key=old, new_key=new, signature=details.get("signature", ""))
    except ValueError:
        return None
    return keys_of(handover)


def _joined(
    trusted: ec.EllipticCurvePublicKey, changes: Sequence[Change]
) -> Iterator[tuple[int, ec.EllipticCurvePublicKey]]:
    """Yield from which record on which key signs, beginning with 0."""
    name = key_id(trusted)
    olds = [key_id(change.before) for change in changes]
    news = [key_id(change.new) for change in changes]
    # Stretch n lies between the changes n-1 and n.
    own = next((n for n, old in enumerate(olds) if old == name), None)
    if own is None:
        own = next((n + 1 for n, new in enumerate(news) if new == name), None)
    if own is None:
        yield 0, trusted
        return
    first, here = own, name
    while first > 0 and news[first - 1] == here:
        first, here = first - 1, olds[first - 1]
    last, here = own, name
    while last < len(changes) and olds[last] == here:
        last, here = last + 1, news[last]
    yield 0, changes[first].before if first < last else trusted
    for change in changes[first:last]:
        yield change.seq, change.new


def _packed(key: ec.EllipticCurvePublicKey) -> str:
    """Return a public key's DER in base64: the lines of its PEM in one."""
    return "".join(public_pem(key).splitlines()[1:-1])


def _unpacked(text: str) -> str:
    """Return the PEM of what ``_packed`` gave.

    Raises:
        ValueError: it is no base64.
    """
    raw = base64.b64encode(base64.b64decode(text, validate=True)).decode()
    lines = [raw[at : at + 64] for at in range(0, len(raw), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def _signed_bytes(handover: Handover) -> bytes:
    wire = handover.to_wire()
    del wire["signature"]
    return _CONTEXT + canonical_json(wire)
