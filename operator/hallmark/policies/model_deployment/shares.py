"""How many Pods give which share of the traffic, and what a policy lets a step give. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hallmark.api.canary import Canary
from hallmark.api.rollout_floors import CanaryFloors


@dataclass(frozen=True)
class Split:
    """How many Pods each version has, in a step of a canary."""

    candidate: int
    active: int

    @property
    def share(self) -> Fraction:
        """The candidate's share of the traffic, between 0 and 1."""
        return Fraction(self.candidate, max(1, self.candidate + self.active))


def split(weight: int, replicas: int, most: int = 100) -> Split:
    """Return the Pods with which the candidate's share is nearest to a weight (in per cent).

    Each version has at least one Pod and at most ``replicas``, and one of them has all: what
    serves up to a half, the candidate above. Of two that are as near, the smaller share is taken,
    and the smaller one too where the other is above ``most`` per cent.
    """
    if replicas < 1:
        return Split(0, 0)
    smaller = min(weight, 100 - weight)
    # The share grows with the number, so the nearest is beside the exact one.
    below = smaller * replicas // (100 - smaller)
    numbers = {min(max(1, number), replicas) for number in (below, below + 1)}
    found = [Split(n, replicas) if weight <= 50 else Split(replicas, n) for n in numbers]
    least = min(pods.share for pods in found)
    allowed = [pods for pods in found if pods.share == least or 100 * pods.share <= most]
    return min(allowed, key=lambda pods: (abs(100 * pods.share - weight), pods.share))


def fitting(weight: int) -> int:
    """Return the smallest number of replicas that gives a weight within one per cent."""
    return next(
        replicas
        for replicas in range(1, 101)
        if abs(100 * split(weight, replicas).share - weight) < 1
    )


def most_share(canary: Canary, step: int, floors: CanaryFloors | None) -> int:
    """Return the per cent of the traffic that a policy lets a step (from 0) give at most."""
    if floors is None:
        return 100
    before = canary.steps[step - 1].weight if 0 < step <= len(canary.steps) else 0
    rise = before + floors.max_step if floors.max_step else 100
    first = floors.max_first_step or 100
    return min(100, rise, first) if step == 0 else min(100, rise)
