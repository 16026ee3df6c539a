"""What the Pods' votes say together: each weighs as much as the Pod was asked lately.

The verdict is drift where the Pods that drift have more than half of the weight, those that have no
vote yet included, and enough evidence for how many they are (``weights.surely``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hallmark.api.drift_state import FeatureDrift, Verdict
from hallmark.drift.budget import as_text
from hallmark.drift.psi import Reference
from hallmark.drift.votes import Vote
from hallmark.drift.weights import middle, surely

SHOWN = 5
"""So many features are shown."""


@dataclass(frozen=True)
class Poll:
    """How many Pods say what, and how much they weigh.

    Args:
        voters: those that have enough windows.
        drifting: how many of them drift, surely enough.
        unsure: how many more moved.
        idle: how many of the voters were asked for nothing lately.
        lately: any of them was asked for something lately; else all voters weigh alike.
        calm_weight: in rows, of the voters that did not move.
        drifting_weight: the same of those that drift.
        weight: of all Pods.
        unheard: how many had a vote before a restart and were not heard since.
        unheard_weight: of these.
        heard: the voters that weigh anything, and how much.
    """

    voters: int
    drifting: int
    unsure: int
    idle: int
    lately: bool
    calm_weight: int
    drifting_weight: int
    weight: int
    unheard: int
    unheard_weight: int
    heard: tuple[tuple[Vote, int], ...]

    @property
    def drifts(self) -> bool:
        """Those that drift have more than half of the weight."""
        return 2 * self.drifting_weight > self.weight

    def verdict(self, former: Verdict) -> Verdict:
        """Return the verdict.

        Args:
            former: the one before, about the same version. It stands while nobody is asked for
                anything, and while the answer hangs on Pods that are not heard again yet.
        """
        if not self.voters and not self.unheard_weight:
            return Verdict.INCONCLUSIVE
        if not self.lately and former is not Verdict.INCONCLUSIVE:
            return former
        if self.drifts:
            return Verdict.DRIFT
        if 2 * self.calm_weight >= self.weight:
            return Verdict.NO_DRIFT
        hangs = 2 * (self.drifting_weight + self.unheard_weight) > self.weight
        return former if hangs else Verdict.INCONCLUSIVE


def poll(
    votes: Mapping[str, Vote], weights: Mapping[str, int], whole: int, unheard: int = 0
) -> Poll:
    """Return what the Pods say together.

    Args:
        votes: by Pod, of all that reported.
        weights: by Pod, 0 to ``whole``.
        whole: what a Pod weighs at most.
        unheard: how many Pods had a vote before a restart and were not heard since.
    """
    voters = {pod: vote for pod, vote in votes.items() if vote.enough}
    moved = [pod for pod, vote in voters.items() if vote.moved]
    sure = surely([voters[pod].proof for pod in moved], len(votes) + unheard)
    drifting = [pod for pod, enough in zip(moved, sure, strict=True) if enough]
    idle = sum(not weights[pod] for pod in voters)
    lately = any(weights.values())
    if not lately:
        weights = {pod: whole * vote.enough for pod, vote in votes.items()}
    return Poll(
        voters=len(voters),
        drifting=len(drifting),
        unsure=len(moved) - len(drifting),
        idle=idle,
        lately=lately,
        calm_weight=sum(weights[pod] for pod, vote in voters.items() if not vote.moved),
        drifting_weight=sum(weights[pod] for pod in drifting),
        weight=sum(weights[pod] for pod in votes) + unheard * whole,
        unheard=unheard,
        unheard_weight=unheard * whole,
        heard=tuple((vote, weights[pod]) for pod, vote in voters.items() if weights[pod]),
    )


def most_moved(found: Poll, reference: Reference) -> list[FeatureDrift]:
    """Return the features by PSI of the newest window, highest first.

    The median over the Pods by weight: a single one of many, whatever it reports, cannot move it
    far.
    """
    if not found.heard:
        return []
    votes, weights = zip(*found.heard, strict=True)
    psi = middle([vote.psi for vote in votes], weights)
    shown = np.argsort(-psi, kind="stable")[:SHOWN]
    evidence = np.asarray([vote.evidence[shown] for vote in votes])
    weighed = np.asarray(np.isfinite(evidence).any(axis=0))
    proofs = middle(np.nan_to_num(evidence), weights)
    return [
        FeatureDrift(
            feature=reference.names[place],
            psi=f"{psi[place]:.4f}",
            evidence=as_text(proof) if known else "",
        )
        for place, proof, known in zip(shown, proofs, weighed, strict=True)
    ]
