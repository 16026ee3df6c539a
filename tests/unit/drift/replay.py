"""Replays long traffic of one Pod: millions of rows, as counts, decided as the operator decides.

``python -m tests.unit.drift.replay`` prints the figures of docs/deploy.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from hallmark.api.columns import FeatureType
from hallmark.api.drift import Drift
from hallmark.api.served import Baseline, BaselineFeature
from hallmark.drift.budget import kept_windows, needed
from hallmark.drift.evidence import Evidence
from hallmark.drift.psi import FALSE_ALARM, Reference, chi_square_quantile
from hallmark.training.baseline import quantile_edges

Counts = NDArray[np.int64]
CHUNK = 500
"""Windows that are looked at together."""


@dataclass(frozen=True)
class Traffic:
    """Independent normal features, and a baseline of as many training rows."""

    features: int
    drift: Drift
    training_rows: int = 4000
    seed: int = 1
    shift: float = 0.0
    """Standard deviations by which the first feature's traffic has moved."""
    first_window: int = 1
    """Which window in the life of the ModelDeployment the first one is."""
    _random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        """Seed the traffic."""
        object.__setattr__(self, "_random", np.random.default_rng([self.seed, self.features]))

    @cached_property
    def baseline(self) -> Baseline:
        """The training rows in bins, as the trainer makes them."""
        made = []
        for index in range(self.features):
            values = self._random.normal(size=self.training_rows)
            edges = quantile_edges(values)
            counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
            made.append(
                BaselineFeature(
                    name=f"x{index}",
                    type=FeatureType.NUMBER,
                    edges=edges,
                    counts=[*counts.tolist(), 0],
                )
            )
        return Baseline(rows=self.training_rows, features=made)

    def counts(self, windows: int) -> Iterator[Counts]:
        """Yield the rows per bin of windows, in chunks of shape (windows, features, bins)."""
        for start in range(0, windows, CHUNK):
            many = min(CHUNK, windows - start)
            parts = [
                self._random.multinomial(self.drift.window, shares, size=many)
                for shares in self._shares
            ]
            yield np.stack(parts, axis=1)

    @cached_property
    def _shares(self) -> list[NDArray[np.float64]]:
        found = []
        for index, feature in enumerate(self.baseline.features):
            normal = NormalDist(self.shift if index == 0 else 0.0)
            below = [normal.cdf(edge) for edge in feature.edges or []]
            found.append(np.append(np.diff([0.0, *below, 1.0]), 0.0))
        return found


@dataclass(frozen=True)
class Result:
    """What was decided."""

    windows: int
    """That were looked at."""
    crossed: int
    """How many times PSI alone would have rolled back."""
    drifted_after: int | None
    """After how many windows the Pod drifts, by PSI and evidence; None if it never does."""


def replay(traffic: Traffic, windows: int, *, until_drift: bool = False) -> Result:
    """Decide over windows of traffic, one after the other."""
    drift, reference = traffic.drift, Reference(traffic.baseline.features)
    evidence = [Evidence(feature) for feature in reference.features]
    before = kept_windows(drift) - 1 + drift.consecutive
    tail, seen, crossed, drifted = None, 0, 0, None
    for chunk in traffic.counts(windows):
        whole = chunk if tail is None else np.concatenate([tail, chunk])
        old = len(whole) - len(chunk)
        moves = _moves(whole, traffic.baseline, drift)
        for place in _in_a_row(moves.any(axis=1), drift.consecutive, old):
            crossed += 1
            number = traffic.first_window + seen + place - old
            limit = needed(drift, traffic.features, number)
            kept = whole[max(0, place + 1 - kept_windows(drift)) : place + 1]
            proven = any(
                evidence[one].since_any(kept[:, one].tolist()) >= limit
                for one in np.flatnonzero(moves[place])
            )
            if proven and drifted is None:
                drifted = seen + place - old + 1
        seen, tail = seen + len(chunk), whole[-before:]
        if until_drift and drifted:
            break
    return Result(seen, crossed, drifted)


def _in_a_row(flags: NDArray[np.bool_], many: int, start: int) -> list[int]:
    """Return the places from ``start`` on where so many flags in a row are set."""
    return [
        place
        for place in np.flatnonzero(flags).tolist()
        if place >= start and place + 1 >= many and flags[place + 1 - many : place + 1].all()
    ]


def _moves(counts: Counts, baseline: Baseline, drift: Drift) -> NDArray[np.bool_]:
    """Return what ``hallmark.drift.psi.moved`` says of each window, shape (windows, features)."""
    training = np.asarray([feature.counts for feature in baseline.features], dtype=np.float64)
    threshold, rows = float(drift.threshold), np.zeros(counts.shape)
    above = found = None
    for back in range(min(kept_windows(drift), len(counts))):
        # A window with fewer before it is held against all of those.
        rows[back:] += counts[: len(counts) - back]
        psi, limit = _psi(rows, training)
        moved = psi > np.maximum(limit, threshold)
        above = psi > threshold if above is None else above
        found = moved if found is None else found | moved
    assert above is not None
    assert found is not None
    return np.asarray(above & found)


def _psi(
    rows: NDArray[np.float64], training: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    occupied = (rows + training) > 0
    p, q = (np.where(occupied, side + 0.5, 0) for side in (rows, training + 0 * rows))
    p, q = p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        psi = np.where(occupied, (p - q) * np.log(p / q), 0).sum(axis=-1)
    features, freedom = rows.shape[1], int(occupied[0, 0].sum()) - 1
    quantile = chi_square_quantile(1 - FALSE_ALARM / features, freedom)
    return psi, (1 / rows.sum(axis=-1) + 1 / training.sum(axis=-1)) * quantile


def main() -> None:
    """Print the figures."""
    million = 1_000_000
    for window in (100, 1000):
        for features in (10, 50, 200):
            drift = Drift(window=window, consecutive=1, threshold="0.1")
            found = replay(Traffic(features, drift), 10 * million // window)
            print(f"unshifted: {features} features, windows of {window}: {found}", flush=True)
    for window, consecutive in ((100, 2), (250, 2), (500, 1)):
        for features in (10, 50, 200):
            for first in (1, 100_000):
                drift = Drift(window=window, consecutive=consecutive, threshold="0.1")
                rows = sorted(
                    (
                        replay(
                            Traffic(features, drift, seed=seed, shift=0.5, first_window=first),
                            20,
                            until_drift=True,
                        ).drifted_after
                        or 99
                    )
                    * window
                    for seed in range(100)
                )
                print(
                    f"0.5 sd: {features} features, {consecutive} windows of {window}, from "
                    f"window {first}: median {rows[50]}, 95 % {rows[95]}, most {rows[-1]} rows",
                    flush=True,
                )


if __name__ == "__main__":
    main()
