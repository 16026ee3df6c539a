"""Decisions to record, a key, and logs with a clock that stands still."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hallmark.audit import AuditLog

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Decided:
    """A decision, as the operator hands it over."""

    decision_id: str
    event: str = "promote"
    kind: str = "Deployment"
    namespace: str = "team"
    name: str = "credit"
    uid: str = "uid-1"
    outcome: str = "promoted"
    reason: str = "Promoted"
    message: str = "Version 2 has the traffic."
    actor: str = "hallmark-operator"
    details: Mapping[str, str] = field(default_factory=lambda: {"manifestDigest": "sha256:ab"})


def open_log(
    path: Path,
    *,
    key: ec.EllipticCurvePrivateKey = KEY,
    rotate_at: int = 1 << 20,
    sync: Callable[[int], None] = os.fsync,
) -> AuditLog:
    return AuditLog(path, key, clock=lambda: NOW, rotate_at=rotate_at, sync=sync)


def write_log(path: Path, count: int, *, rotate_at: int = 1 << 20) -> None:
    """Write a log of ``count`` decisions."""
    log = open_log(path, rotate_at=rotate_at)
    for number in range(count):
        log.append(Decided(f"decision-{number}"))
    log.close()
