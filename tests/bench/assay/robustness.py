"""Exact radii of a linear model beside PGD-20 of the adversarial-robustness-toolbox.

Both get the same 20 standardised columns. The toolbox attacks with projected gradient descent in
the maximum norm, 20 steps; we give the exact radius in that norm, within a declared range. First
the verdicts are compared: no attack succeeds inside a radius, each succeeds clearly beyond it, and
no successful change is smaller than the radius. Then they alternate.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from hallmark.training.robustness.domain import Domain
from hallmark.training.robustness.linear import Boundaries, Norm, linear_radii
from tests.bench.figures import Figure, figure
from tests.bench.measuring import seconds

COLUMNS = 20
RANGE = 4.5
ROUNDS = 9
PEER_ROWS = 2048
"""The peer's time per row does not depend on how many there are."""
EPSILON = 0.1
BATCHES = {"": 1024, " at its default batch of 32": 32}
"""The fastest batch size of those tried (32 to 20,000), and the default."""


@dataclass(frozen=True)
class Setting:
    """A linear model and the standardised rows that both are given, float32."""

    classifier: Any
    space: Domain
    rows: npt.NDArray[np.float32]

    def radii(
        self, rows: npt.NDArray[np.float32], space: Domain | None = None
    ) -> npt.NDArray[np.float64]:
        """Return each row's exact radius, from the rows alone."""
        weights = np.vstack([np.zeros(COLUMNS), self.classifier.coef_[0]])
        scores = rows @ weights.T.astype(np.float32)
        scores[:, 1] += self.classifier.intercept_[0].astype(np.float32)
        model = Boundaries(weights, scores, (scores[:, 1] >= 0).view(np.int8))
        return linear_radii(model, space or self.space, rows, Norm.MAXIMUM)


def run() -> list[Figure]:
    """Return the figures; the rows are ``HALLMARK_BENCH_ROWS`` (1,000,000)."""
    setting = make_setting(int(os.environ.get("HALLMARK_BENCH_ROWS", "1000000")))
    peer = make_peer(setting)
    compare(setting, peer)
    attacked = setting.rows[:PEER_ROWS]
    ours: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in BATCHES}
    for _ in range(ROUNDS):
        # As the trainer does: one thread for linear algebra, and the rows' own threads.
        with threadpool_limits(1):
            ours.append(seconds(lambda: setting.radii(setting.rows)) / len(setting.rows))
        for name, batch in BATCHES.items():
            attack = _attack(peer, batch)
            theirs[name].append(seconds(partial(attack.generate, attacked)) / PEER_ROWS)
    figures = [figure("robustness, exact radius", [1e9 * duration for duration in ours], "ns/row")]
    for name, times in theirs.items():
        ratios = [peer_s / own_s for peer_s, own_s in zip(times, ours, strict=True)]
        figures += [
            figure(f"robustness, PGD-20{name}", [1e6 * duration for duration in times], "us/row"),
            figure(f"robustness, times faster than PGD-20{name}", ratios, "times", at_least=1000),
        ]
    return figures


def make_setting(rows: int) -> Setting:
    """Return so many rows of 20 numbers between -4.5 and 4.5, and a model fitted to some."""
    random = np.random.default_rng(7)
    numbers = np.clip(random.standard_normal((rows, COLUMNS), dtype=np.float32), -RANGE, RANGE)
    train = numbers[:20_000]
    noise = random.normal(size=len(train))
    truth = (train @ random.normal(size=COLUMNS) + noise > 0).astype(np.int64)
    limits = np.full(COLUMNS, RANGE)
    space = Domain(np.arange(COLUMNS), np.ones(COLUMNS), np.zeros(COLUMNS), -limits, limits)
    return Setting(LogisticRegression().fit(train.astype(np.float64), truth), space, numbers)


def make_peer(setting: Setting) -> Any:  # noqa: ANN401
    """Return the toolbox's view of the classifier."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from art.estimators.classification.scikitlearn import ScikitlearnLogisticRegression
    return ScikitlearnLogisticRegression(setting.classifier)


def _attack(peer: Any, batch: int, epsilon: float = EPSILON) -> Any:  # noqa: ANN401
    from art.attacks.evasion import ProjectedGradientDescent

    return ProjectedGradientDescent(
        peer,
        norm=np.inf,
        eps=epsilon,
        eps_step=epsilon / 8,
        max_iter=20,
        batch_size=batch,
        verbose=False,
    )


def compare(setting: Setting, peer: Any) -> None:  # noqa: ANN401
    """Check that both say the same of every row that the peer looks at."""
    rows = setting.rows[:PEER_ROWS]
    # The toolbox knows no range here, so neither do we.
    radii = setting.radii(rows, setting.space.unbounded())
    changed = _attack(peer, 1024).generate(rows)
    flipped = peer.predict(changed).argmax(axis=1) != peer.predict(rows).argmax(axis=1)
    # The toolbox computes in float32.
    assert not (flipped & (radii > EPSILON * 1.001)).any(), "a change inside a radius succeeded"
    assert flipped[radii < EPSILON * 0.98].all(), "no change beyond a radius succeeded"
    distance = np.abs(changed - rows).max(axis=1)
    assert (distance[flipped] >= radii[flipped] * 0.999).all(), "a change was too small"
