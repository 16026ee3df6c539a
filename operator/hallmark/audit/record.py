"""A record of the audit log: its hash binds it to the one before, its signature to the operator.

Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field, TypeAdapter, ValidationError

from hallmark.api.common import FileModel, Timestamp
from hallmark.api.names import OPERATOR_NAME
from hallmark.api.texts import canonical_json, clip, sha256_digest
from hallmark.audit.events import AuditEvent, AuditOutcome
from hallmark.keys import Signer, is_text_signature, text_signature

FIRST_PREVIOUS = "sha256:" + "0" * 64
"""What the first record names as the one before."""

MAX_LINE = 64 * 1024
"""The most bytes of a record with its line end."""

_CONTEXT = b"hallmark.dev/audit-record/v1\n"
"""Keeps a signature over a record from being one over anything else."""
_MAX_DETAILS = 32
MAX_EVIDENCE = 40_000
"""Characters of a record's evidence; what is longer is left out."""
_MAX_ID = 512

_MOMENT = TypeAdapter[str](Timestamp)

Hash = Annotated[str, Field(pattern=r"^sha256:[a-f0-9]{64}$")]


@dataclass(frozen=True)
class Record:
    """A decision to be recorded.

    Args:
        decision_id: The same for the same decision, also after a crash: made of uids and digests,
            never of the time.
        event: Which kind of decision.
        kind: Kind of the object that was decided on.
        namespace: Its namespace.
        name: Its name.
        uid: Its uid.
        outcome: What was decided.
        reason: The reason, of the kind's enum.
        message: A sentence; never a value of a personal datum.
        actor: Who decided: the operator, or a person's authenticated name.
        details: Digests, versions and numbers, as text.
        evidence: What the decision was made from, packed, where anyone can make it again from
            that: the counts of a drift verdict.
    """

    decision_id: str
    event: AuditEvent
    kind: str
    namespace: str
    name: str
    uid: str
    outcome: AuditOutcome
    reason: str
    message: str = ""
    actor: str = OPERATOR_NAME
    details: Mapping[str, str] = field(default_factory=dict)
    evidence: str = ""


class AuditRecord(FileModel):
    """One line of the log."""

    seq: Annotated[int, Field(ge=1)]
    """Counts up by one from 1, across rotated files."""
    time: Timestamp
    event: str
    kind: str
    namespace: str
    name: str
    uid: str
    outcome: str
    reason: str
    message: str
    actor: str
    decision_id: str
    details: dict[str, str]
    evidence: Annotated[str, Field(max_length=MAX_EVIDENCE)] | None = None
    """What the decision was made from, packed; absent where there is none, or it is too long."""
    prev: Hash
    """The hash of the record before."""
    hash: Hash
    """SHA-256 over the canonical JSON of all other fields but the signature."""
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=128)]
    """ECDSA P-256/SHA-256 with the audit key, DER in base64, over the hash.

    It vouches for this record and, by the chain, for all before.
    """

    def line(self) -> bytes:
        """Return the record as it stands in the file."""
        return self.to_bytes() + b"\n"


def hash_of(wire: Mapping[str, Any]) -> str:
    """Return the hash that a record's JSON object gives: over all that is not made from it."""
    rest = {name: value for name, value in wire.items() if name not in {"hash", "signature"}}
    return sha256_digest(canonical_json(rest))


def read_record(line: bytes) -> AuditRecord:
    """Return the record in a line without its end.

    Raises:
        ValueError: It is none.
    """
    return AuditRecord.model_validate_json(line)


def moment_in(record: Record | AuditRecord, detail: str, otherwise: str) -> str:
    """Return the moment that a record's detail names, or another where it names none.

    Who verifies reads on behind a record that was changed, so that a detail may be anything.
    """
    try:
        return _MOMENT.validate_python(record.details.get(detail))
    except ValidationError:
        return otherwise


def is_as_hashed(record: AuditRecord, line: bytes) -> bool:
    """Tell whether each byte of a record's line is as it was when the record got its hash."""
    # What stands before and after hash and signature is the canonical JSON of all other fields.
    # Each is the last such text: later fields are strings, and a quote in a string is escaped.
    rest = _without(f'"signature":"{record.signature}",', b'"time":', line)
    return sha256_digest(_without(f'"hash":"{record.hash}",', b'"kind":', rest)) == record.hash


def _without(member: str, follows: bytes, line: bytes) -> bytes:
    """Return a line without a member that stands where it must, or nothing."""
    before, _, after = line.rpartition(member.encode())
    return before + after if after.startswith(follows) else b""


def sign_record(record: AuditRecord, key: Signer) -> AuditRecord:
    """Return the record with the key's signature over its hash."""
    signature = text_signature(key, _CONTEXT + record.hash.encode())
    return record.model_copy(update={"signature": signature})


def is_record_signed_by(record: AuditRecord, public_key: ec.EllipticCurvePublicKey) -> bool:
    """Tell whether the key's owner signed the record's hash."""
    return is_text_signature(public_key, record.signature, _CONTEXT + record.hash.encode())


def bounded_id(decision_id: str) -> str:
    """Return a decision's id as it is recorded: one that cannot stand so ends in its digest."""
    if clip(decision_id, _MAX_ID) == decision_id:
        return decision_id
    digest = hashlib.sha256(decision_id.encode(errors="backslashreplace")).hexdigest()
    return clip(decision_id, _MAX_ID - len(digest)) + digest


def build_record(decided: Record, seq: int, time: str, prev: str) -> AuditRecord:
    """Return the line's record of a decision, unsigned; texts that are too long are clipped."""
    details = {
        clip(name, 64): clip(value)
        for name, value in sorted(decided.details.items())[:_MAX_DETAILS]
    }
    unsealed = AuditRecord(
        seq=seq,
        time=time,
        event=clip(decided.event, 64),
        kind=clip(decided.kind, 64),
        namespace=clip(decided.namespace, 64),
        name=clip(decided.name, 253),
        uid=clip(decided.uid, 64),
        outcome=clip(decided.outcome, 64),
        reason=clip(decided.reason, 64),
        message=clip(decided.message, 1024),
        actor=clip(decided.actor, 253),
        decision_id=bounded_id(decided.decision_id),
        details=details,
        evidence=decided.evidence if 0 < len(decided.evidence) <= MAX_EVIDENCE else None,
        prev=prev,
        hash=FIRST_PREVIOUS,
        signature="A",
    )
    return unsealed.model_copy(update={"hash": hash_of(unsealed.to_wire())})
