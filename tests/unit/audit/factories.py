"""Decisions to record, a key, and logs with a clock that stands still."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit import AuditLog, Record
from hallmark.audit.files import read_head
from hallmark.audit.head import Head
from hallmark.audit.opening import Anchored
from hallmark.audit.succession import Keys
from hallmark.keys import public_pem

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = public_pem(KEY.public_key())
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def decided(decision_id: str, **changes: object) -> Record:
    """Return a decision, as the operator hands it over."""
    promoted = Record(
        decision_id=decision_id,
        event="promote",
        kind="Deployment",
        namespace="team",
        name="credit",
        uid="uid-1",
        outcome="promoted",
        reason="Promoted",
        message="Version 2 has the traffic.",
        details={"manifestDigest": "sha256:ab"},
    )
    return replace(promoted, **changes)


def open_unverified(
    path: Path,
    *,
    key: ec.EllipticCurvePrivateKey = KEY,
    rotate_at: int = 1 << 20,
    sync: Callable[[int], None] = os.fsync,
    handover: Keys | None = None,
) -> AuditLog:
    return AuditLog(path, key, clock=lambda: NOW, rotate_at=rotate_at, sync=sync, handover=handover)


def head_of(path: Path) -> Head | None:
    """Return the head that stands beside a log."""
    head = read_head(path)
    return head if isinstance(head, Head) else None


def open_log(path: Path, *, anchor: Anchored = "the head", **options: object) -> AuditLog:
    """Open a log as the operator does, and wait until it is ready.

    Without another anchor it is the head beside the log, as after an orderly end.
    """
    log = open_unverified(path, **options)
    try:
        log.verify_rest(head_of(path) if anchor == "the head" else anchor)
    except Exception:
        log.close()
        raise
    return log


def write_log(path: Path, count: int, *, rotate_at: int = 1 << 20) -> Head:
    """Write a log of ``count`` decisions; return its head, which is the anchor."""
    log = open_log(path, rotate_at=rotate_at)
    for number in range(count):
        log.append(decided(f"decision-{number}"))
    head = log.head()
    log.close()
    assert head is not None
    return head
