"""Condition updates: what holds now, and the kstatus triple Ready, Reconciling, Stalled."""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.api.conditions import ConditionStatus, SummaryCondition


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
        holds(SummaryCondition.READY, reason, message),
        fails(SummaryCondition.RECONCILING, reason),
        fails(SummaryCondition.STALLED, reason),
    )


def waiting(reason: str, message: str = "") -> tuple[ConditionUpdate, ...]:
    """Return the kstatus triple of an object that gets there by itself, or by an approval."""
    return (
        fails(SummaryCondition.READY, reason, message),
        holds(SummaryCondition.RECONCILING, reason, message),
        fails(SummaryCondition.STALLED, reason),
    )


def stalled(reason: str, message: str) -> tuple[ConditionUpdate, ...]:
    """Return the kstatus triple of an object that stays as it is until a person acts."""
    return (
        fails(SummaryCondition.READY, reason, message),
        fails(SummaryCondition.RECONCILING, reason),
        holds(SummaryCondition.STALLED, reason, message),
    )
