"""Condition updates: what holds now, and the kstatus triple Ready, Reconciling, Stalled."""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.api.common import ConditionStatus


@dataclass(frozen=True)
class ConditionUpdate:
    """A condition as it was found now; when it last changed is not the policy's business."""

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""


def holds(type_: str, reason: str, message: str = "") -> ConditionUpdate:
    """Return a condition that is True."""
    return ConditionUpdate(type_, ConditionStatus.TRUE, reason, message)


def fails(type_: str, reason: str, message: str = "") -> ConditionUpdate:
    """Return a condition that is False."""
    return ConditionUpdate(type_, ConditionStatus.FALSE, reason, message)


def unknown(type_: str, reason: str, message: str = "") -> ConditionUpdate:
    """Return a condition that is Unknown."""
    return ConditionUpdate(type_, ConditionStatus.UNKNOWN, reason, message)


def ready(reason: str, message: str = "") -> tuple[ConditionUpdate, ...]:
    """Return the kstatus triple of an object that is what its spec asks for."""
    return (
        holds("Ready", reason, message),
        fails("Reconciling", reason),
        fails("Stalled", reason),
    )


def waiting(reason: str, message: str = "") -> tuple[ConditionUpdate, ...]:
    """Return the kstatus triple of an object that gets there by itself, or by an approval."""
    return (
        fails("Ready", reason, message),
        holds("Reconciling", reason, message),
        fails("Stalled", reason),
    )


def stalled(reason: str, message: str) -> tuple[ConditionUpdate, ...]:
    """Return the kstatus triple of an object that stays as it is until a person acts."""
    return (
        fails("Ready", reason, message),
        fails("Reconciling", reason),
        holds("Stalled", reason, message),
    )
