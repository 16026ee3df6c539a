"""A record of the audit log, and how its hash binds it to the one before. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Protocol

from pydantic import Field

from hallmark.api.common import FileModel, Timestamp, canonical_json, clip

FIRST_PREVIOUS = "sha256:" + "0" * 64
"""What the first record names as the one before."""

MAX_LINE = 64 * 1024
"""The most bytes of a record with its line end."""

_MAX_DETAILS = 32
_MAX_ID = 512

Hash = Annotated[str, Field(pattern=r"^sha256:[a-f0-9]{64}$")]


class Transition(Protocol):
    """What a caller wants recorded; ``hallmark.policies.checks.Record`` is one."""

    @property
    def decision_id(self) -> str:
        """The same for the same decision, also after a crash."""

    @property
    def event(self) -> str:
        """What happened, such as ``approve``."""

    @property
    def kind(self) -> str:
        """Kind of the object that was decided on."""

    @property
    def namespace(self) -> str:
        """Its namespace."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def uid(self) -> str:
        """Its uid."""

    @property
    def outcome(self) -> str:
        """What was decided, such as ``refused``."""

    @property
    def reason(self) -> str:
        """The reason, of the kind's enum."""

    @property
    def message(self) -> str:
        """A sentence; never a value of a personal datum."""

    @property
    def actor(self) -> str:
        """Who decided."""

    @property
    def details(self) -> Mapping[str, str]:
        """Digests, versions and numbers, as text."""


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
    prev: Hash
    """The hash of the record before."""
    hash: Hash
    """SHA-256 over the canonical JSON of all other fields."""

    def line(self) -> bytes:
        """Return the record as it stands in the file."""
        return self.to_bytes() + b"\n"


def hash_of(wire: Mapping[str, Any]) -> str:
    """Return the hash that a record's JSON object gives: over all fields but ``hash``."""
    rest = {name: value for name, value in wire.items() if name != "hash"}
    return f"sha256:{hashlib.sha256(canonical_json(rest)).hexdigest()}"


def bounded_id(decision_id: str) -> str:
    """Return a decision's id as it is recorded: one that cannot stand so ends in its digest."""
    if clip(decision_id, _MAX_ID) == decision_id:
        return decision_id
    digest = hashlib.sha256(decision_id.encode(errors="backslashreplace")).hexdigest()
    return clip(decision_id, _MAX_ID - len(digest)) + digest


def build_record(transition: Transition, seq: int, time: str, prev: str) -> AuditRecord:
    """Return the record of a transition; texts that are too long are clipped."""
    details = {
        clip(name, 64): clip(value)
        for name, value in sorted(transition.details.items())[:_MAX_DETAILS]
    }
    unsealed = AuditRecord(
        seq=seq,
        time=time,
        event=clip(transition.event, 64),
        kind=clip(transition.kind, 64),
        namespace=clip(transition.namespace, 64),
        name=clip(transition.name, 253),
        uid=clip(transition.uid, 64),
        outcome=clip(transition.outcome, 64),
        reason=clip(transition.reason, 64),
        message=clip(transition.message, 1024),
        actor=clip(transition.actor, 253),
        decision_id=bounded_id(transition.decision_id),
        details=details,
        prev=prev,
        hash=FIRST_PREVIOUS,
    )
    return unsealed.model_copy(update={"hash": hash_of(unsealed.to_wire())})
