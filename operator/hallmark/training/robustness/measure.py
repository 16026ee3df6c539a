"""The robustness of a fitted model on the test rows: metrics by row, and the report's section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hallmark.api.report import CertifiedAt, NoiseLevel, RobustnessReport
from hallmark.api.served import ServedFeature
from hallmark.training.matrix import Matrix, Truth
from hallmark.training.pipeline import Fitted
from hallmark.training.plain import LinearScores
from hallmark.training.robustness import noise
from hallmark.training.robustness.certify import Model, certify
from hallmark.training.robustness.domain import LARGEST, SLACK, Floats, domain
from hallmark.training.robustness.linear import Norm

CURVE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Radii of the certified-accuracy curve, besides epsilon."""
NOISE = (1.0, 2.0, 5.0)
"""Noise levels, in epsilon."""
NOISE_ROWS = 1000
MAX_TREE_ROWS, MIN_TREE_ROWS = 1000, 50
TREE_WORK = 10_000_000
"""Rows times nodes of all trees that are looked at; decides how many rows are sampled."""
MAX_LINEAR_ROWS = 1_000_000
MOST = {
    "certifiedAccuracy": 1.0,
    "certifiedAccuracyL2": 1.0,
    "meanRobustRadius": LARGEST,
    "meanRobustRadiusL2": LARGEST,
    "attackedAccuracy": 1.0,
    "noiseStability": 1.0,
}
"""The greatest number that a row can have of each metric; the least is 0."""


@dataclass(frozen=True)
class Robustness:
    """The measurements of robustness.

    Attributes:
        by_row: Metrics by name, each with one number for each row looked at; the metric is their
            mean. Those rows are a sample where there are many.
        report: The report's section.
    """

    by_row: dict[str, Floats]
    report: RobustnessReport

    @property
    def metrics(self) -> dict[str, float | None]:
        """Each metric by the name that gates use."""
        return {name: float(values.mean()) for name, values in self.by_row.items()}


def measure_robustness(
    fitted: Fitted,
    features: Sequence[ServedFeature],
    train_rows: Matrix,
    test_rows: Matrix,
    test_truth: Truth,
    *,
    positive: int | None,
    epsilon: float,
    seed: int,
    max_linear_rows: int = MAX_LINEAR_ROWS,
) -> Robustness:
    """Return what certificates, an attack and noise say of a model's decisions on the test rows.

    Args:
        fitted: The model.
        features: What each column is, and its range.
        train_rows: Shape (training rows, features): where the standard deviations come from.
        test_rows: Shape (test rows, features).
        test_truth: Shape (test rows,): class indices.
        positive: Of two classes the one decided at a probability of one half.
        epsilon: The radius to certify, in standard deviations.
        seed: Of the sample and the noise.
        max_linear_rows: Of a linear model and more rows a sample of this size is looked at.
    """
    random = np.random.default_rng([seed, 6])
    space = domain(features, train_rows)
    model = Model(fitted, positive)
    chosen = _sample(len(test_rows), _most_rows(fitted, max_linear_rows), random)
    rows, truth = test_rows[chosen], test_truth[chosen]
    decided = model.decide(rows)
    right = decided == truth
    certificate = certify(model, rows, decided, space, epsilon)
    noisy = _sample(len(rows), NOISE_ROWS, random)
    stable = {
        level * epsilon: noise.stability(
            model.decide, rows[noisy], decided[noisy], space, level * epsilon, random
        )
        for level in NOISE
    }
    certified = {
        norm: right & (radii > epsilon * SLACK) for norm, radii in certificate.radii.items()
    }
    by_row = {
        "certifiedAccuracy": certified[Norm.MAXIMUM].astype(np.float64),
        "certifiedAccuracyL2": certified[Norm.EUCLIDEAN].astype(np.float64),
        "meanRobustRadius": _counted(certificate.radii[Norm.MAXIMUM], right),
        "meanRobustRadiusL2": _counted(certificate.radii[Norm.EUCLIDEAN], right),
        "attackedAccuracy": (right & ~certificate.flipped).astype(np.float64),
        "noiseStability": stable[epsilon],
    }
    unranged = {
        norm: _certified(radii, right, epsilon) for norm, radii in certificate.unranged.items()
    }
    report = RobustnessReport(
        epsilon=epsilon,
        moving=[features[column].name for column in space.columns],
        rows=len(rows),
        test_rows=len(test_rows),
        bound="Exact" if certificate.exact[Norm.MAXIMUM] else "Lower",
        bound_l2="Exact" if certificate.exact[Norm.EUCLIDEAN] else "Lower",
        certified_without_range=unranged.get(Norm.MAXIMUM),
        certified_without_range_l2=unranged.get(Norm.EUCLIDEAN),
        unmovable=float(np.isinf(certificate.radii[Norm.MAXIMUM]).mean()),
        attack="WorstCase" if certificate.exact_attack else "CoordinateSearch",
        curve=[
            CertifiedAt(
                radius=radius,
                certified_accuracy=_certified(certificate.radii[Norm.MAXIMUM], right, radius),
                certified_accuracy_l2=_certified(certificate.radii[Norm.EUCLIDEAN], right, radius),
            )
            for radius in sorted({*CURVE, epsilon})
        ],
        noise_rows=len(noisy),
        noise_draws=noise.DRAWS,
        noise=[
            NoiseLevel(deviations=level, stability=float(shares.mean()))
            for level, shares in stable.items()
        ],
    )
    return Robustness(by_row, report)


def _certified(radii: Floats, right: npt.NDArray[np.bool_], within: float) -> float:
    """Return the share of rows that are decided rightly and stay so within a radius."""
    return float((right & (radii > within * SLACK)).mean())


def _counted(radii: Floats, right: npt.NDArray[np.bool_]) -> Floats:
    """Return the radii up to ``LARGEST``; 0 where the decision is wrong (MACER, ICLR 2020)."""
    return np.where(right, np.minimum(radii, LARGEST), 0.0)


def _most_rows(fitted: Fitted, max_linear_rows: int) -> int:
    scores = fitted.plain.scores
    if isinstance(scores, LinearScores):
        return max_linear_rows
    nodes = sum(len(tree.left) for tree in scores.trees)
    return int(np.clip(TREE_WORK // max(nodes, 1), MIN_TREE_ROWS, MAX_TREE_ROWS))


def _sample(rows: int, most: int, random: np.random.Generator) -> npt.NDArray[np.intp]:
    if rows <= most:
        return np.arange(rows)
    return np.sort(random.choice(rows, most, replace=False))
