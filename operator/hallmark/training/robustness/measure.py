"""The robustness of a fitted model on the test rows: metrics by row, and the report's section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hallmark.api.artifacts import ServedFeature
from hallmark.api.report import CertifiedAt, NoiseLevel, RobustnessReport
from hallmark.classification import DECISION_THRESHOLD, predicted_classes
from hallmark.training.matrix import Matrix, Truth
from hallmark.training.pipeline import Fitted
from hallmark.training.plain import LinearScores, Link, TreeScores
from hallmark.training.preprocessing import Encoded
from hallmark.training.robustness import attack, noise
from hallmark.training.robustness.domain import (
    LARGEST,
    ROUNDING,
    SLACK,
    TIE,
    Domain,
    Floats,
    domain,
)
from hallmark.training.robustness.linear import Boundaries, Norm, linear_radii
from hallmark.training.robustness.trees import TreeDecisions, tree_radii

CURVE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Radii of the certified-accuracy curve, besides epsilon."""
NOISE = (1.0, 2.0, 5.0)
"""Noise levels, in epsilon."""
NOISE_ROWS = 1000
MAX_TREE_ROWS, MIN_TREE_ROWS = 1000, 50
TREE_WORK = 10_000_000
"""Rows times nodes of all trees that are looked at; decides how many rows are sampled."""
MAX_LINEAR_ROWS = 1_000_000
SATURATED = 3.0
"""Up to this score two classes' sigmoids differ in float32 where their scores differ by
``SIGMOID_TIE``: the logarithm of a sigmoid has the slope 0.047 there."""
SIGMOID_TIE = 4e-6
VANISHED = -700.0
"""Below this score a sigmoid is no normal double."""
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


@dataclass(frozen=True)
class _Radii:
    exact: dict[Norm, bool]
    radii: dict[Norm, Floats]
    unranged: dict[Norm, Floats]
    exact_attack: bool
    flipped: npt.NDArray[np.bool_]


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
    model = _Model(fitted, positive)
    chosen = _sample(len(test_rows), _most_rows(fitted, max_linear_rows), random)
    rows, truth = test_rows[chosen], test_truth[chosen]
    decided = model.decide(rows)
    right = decided == truth
    certificate = _certify(model, rows, decided, space, epsilon)
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


@dataclass(frozen=True)
class _Model:
    fitted: Fitted
    positive: int | None

    def decide(self, rows: Matrix) -> npt.NDArray[np.int64]:
        return predicted_classes(self.fitted.probabilities(rows), self.positive)


def _certify(
    model: _Model,
    rows: Matrix,
    decided: npt.NDArray[np.int64],
    space: Domain,
    epsilon: float,
) -> _Radii:
    plain = model.fitted.plain
    if isinstance(plain.scores, LinearScores):
        return _certify_linear(model, plain.scores, rows, decided, space, epsilon)
    return _certify_trees(model, plain.scores, rows, decided, space, epsilon)


def _certify_linear(
    model: _Model,
    linear: LinearScores,
    rows: Matrix,
    decided: npt.NDArray[np.int64],
    space: Domain,
    epsilon: float,
) -> _Radii:
    bounds = boundaries(model.fitted, linear, rows, decided, space)
    radii = {norm: linear_radii(bounds, space, rows, norm) for norm in Norm}
    unranged = {norm: linear_radii(bounds, space.unbounded(), rows, norm) for norm in Norm}
    exact = {norm: bounds.exact(space, norm) for norm in Norm}
    if model.fitted.plain.link is Link.ONE_VS_REST:
        for norm in Norm:
            known = _known_radii(bounds, space, rows, norm)
            exact[norm] &= bool((known >= radii[norm]).all())
            radii[norm] = np.minimum(radii[norm], known)
            free = _known_radii(bounds, space.unbounded(), rows, norm)
            unranged[norm] = np.minimum(unranged[norm], free)
    flipped = attack.flipped_linear(bounds, model.decide, rows, space, epsilon)
    return _Radii(exact, radii, unranged, True, flipped)


def _known_radii(bounds: Boundaries, space: Domain, rows: Matrix, norm: Norm) -> Floats:
    """Return how far rows can go until sigmoids, as they are served, may not tell classes apart.

    Where two are both 1, or all are 0, the order of the scores is lost, and the first class is
    decided. So it counts as another decision, too, that another class's score gets up to where
    sigmoids saturate, or the row's own down to where they vanish.
    """
    radii = np.full(len(rows), np.inf)
    still = np.zeros_like(bounds.weights[:1])
    for own in np.unique(bounds.decided):
        here = np.flatnonzero(bounds.decided == own)
        column = np.zeros((len(here), 1))
        others = np.delete(np.arange(len(bounds.weights)), own)
        weights, scores = bounds.weights, bounds.scores[here]
        up = np.vstack([still, weights[others]]), np.hstack([column + SATURATED, scores[:, others]])
        down = np.vstack([weights[[own]], still]), np.hstack([scores[:, [own]], column + VANISHED])
        for ends in (up, down):
            between = Boundaries(*ends, np.zeros(len(here), dtype=np.int64))
            radii[here] = np.minimum(radii[here], linear_radii(between, space, rows[here], norm))
    return radii


def boundaries(
    fitted: Fitted,
    linear: LinearScores,
    rows: Matrix,
    decided: npt.NDArray[np.int64],
    space: Domain,
) -> Boundaries:
    """Return a linear model's scores, one for each class, and its weights in the domain's units.

    Of two classes with one score the first one's is 0.
    """
    encoding = fitted.plain.encoding
    at = [int(np.flatnonzero(encoding.numbers == column)[0]) for column in space.columns]
    weights = linear.weights[:, at] * (space.units / encoding.scale[at])
    encoded = encoding.apply(rows)
    scores = linear.compute(encoded)
    tie = SIGMOID_TIE if fitted.plain.link is Link.ONE_VS_REST else TIE
    lost = tie + _lost(linear, encoded, weights)
    if scores.shape[1] == 1:
        weights = np.vstack([np.zeros_like(weights), weights])
        scores = np.hstack([np.zeros_like(scores), scores])
    scores[np.arange(len(scores)), decided] -= lost
    return Boundaries(weights, scores, decided)


def _lost(linear: LinearScores, encoded: Encoded, weights: Floats) -> Floats:
    """Return what a row's scores can lose by rounding, (rows,), also where its numbers moved."""
    size = np.abs(encoded) @ np.abs(linear.weights).T + np.abs(linear.biases)
    size += LARGEST * np.abs(weights).sum(axis=1)
    lost: Floats = ROUNDING * (encoded.shape[1] + 1) * size.max(axis=1)
    return lost


def _certify_trees(
    model: _Model,
    trees: TreeScores,
    rows: Matrix,
    decided: npt.NDArray[np.int64],
    space: Domain,
    epsilon: float,
) -> _Radii:
    encoding = model.fitted.plain.encoding
    place = np.full(encoding.width, -1, dtype=np.intp)
    for position, column in enumerate(space.columns):
        place[np.flatnonzero(encoding.numbers == column)] = position
    half = DECISION_THRESHOLD if model.fitted.plain.link is Link.SHARE else 0.0
    asked = TreeDecisions(trees, half, encoding.apply(rows), decided, space, place)
    radii = {norm: tree_radii(asked, norm) for norm in Norm}
    flipped = np.zeros(len(rows), dtype=np.bool_)
    open_rows = np.flatnonzero(radii[Norm.MAXIMUM] <= epsilon * SLACK)
    if len(open_rows):
        attacked = attack.flipped_trees(
            trees,
            model.fitted.probabilities,
            rows[open_rows],
            decided[open_rows],
            space,
            place,
            epsilon,
        )
        flipped[open_rows] = model.decide(attacked) != decided[open_rows]
    exact = len(trees.trees) == 1
    return _Radii(dict.fromkeys(Norm, exact), radii, {}, False, flipped)


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
