"""Extreme parameters and extreme numbers: a model that keeps what it promises, or a refusal."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, strategies as st

from hallmark.api import files as api
from hallmark.api.bounds import FLOAT32_MAX
from hallmark.api.columns import FeatureType, OutOfRange
from hallmark.api.findings import Finding
from hallmark.api.served import ServedFeature
from hallmark.api.trainer import Algorithm, Trainer
from hallmark.training import estimators
from hallmark.training.finite import check_scores
from hallmark.training.outcome import Artifacts, RefusedRun
from hallmark.training.pipeline import Fitted, fit
from hallmark.training.robustness import measure_robustness
from hallmark.training.robustness.linear import Boundaries, Norm, linear_radii
from tests.examples import examples
from tests.unit.training.factories import run
from tests.unit.training.fits import made, trainer
from tests.unit.training.test_hostile_rows import parquet
from tests.unit.training.test_robustness_linear import space

FEATURES = [
    ServedFeature(name="x", type=FeatureType.NUMBER, nullable=True, minimum=0, maximum=20),
    ServedFeature(name="k", type=FeatureType.INTEGER, nullable=True, minimum=0, maximum=9),
    ServedFeature(name="y", type=FeatureType.NUMBER, nullable=False),
]
TRAIN = 120
EXTREMES = ["1e-300", "1e-12", "0.5", "7", "1e12", "1e100", "1e200", "1e308", "-1", "null", "1e999"]
PARAMETERS = {
    Algorithm.LOGISTIC_REGRESSION: ["C", "tol", "intercept_scaling", "l1_ratio"],
    Algorithm.LINEAR_SVM: ["C", "tol", "intercept_scaling"],
    Algorithm.RANDOM_FOREST: ["ccp_alpha", "min_impurity_decrease", "min_weight_fraction_leaf"],
    Algorithm.HIST_GRADIENT_BOOSTING: ["learning_rate", "l2_regularization", "tol"],
}
SMALL = {
    Algorithm.LOGISTIC_REGRESSION: {"max_iter": "50"},
    Algorithm.LINEAR_SVM: {"max_iter": "200"},
    Algorithm.RANDOM_FOREST: {"n_estimators": "6"},
    Algorithm.HIST_GRADIENT_BOOSTING: {"max_iter": "6", "min_samples_leaf": "5"},
}


def fitted(settings: Trainer, classes: int) -> Fitted | Finding | list[Finding]:
    rows, truth = made(FEATURES, count=240, classes=classes)
    rows[np.isnan(rows[:, 2]), 2] = 0
    wrong = estimators.check(settings, classes)
    if wrong:
        return wrong
    names = [f"c{number}" for number in range(classes)]
    return fit(rows[:TRAIN], truth[:TRAIN], names, FEATURES, settings)


@st.composite
def trainers(draw: st.DrawFn) -> Trainer:
    algorithm = draw(st.sampled_from(list(Algorithm)))
    names = draw(st.sets(st.sampled_from(PARAMETERS[algorithm]), max_size=2))
    extreme = {name: draw(st.sampled_from(EXTREMES)) for name in sorted(names)}
    return trainer(algorithm, parameters={**SMALL[algorithm], **extreme})


@examples(30, suppress_health_check=[HealthCheck.too_slow])
@given(trainers(), st.integers(2, 3), st.sampled_from([0.05, 0.3, 2.0]), st.integers(0, 9))
def test_no_certificate_is_above_what_random_changes_leave(
    settings_: Trainer, classes: int, epsilon: float, seed: int
) -> None:
    model = fitted(settings_, classes)
    if not isinstance(model, Fitted):
        findings = model if isinstance(model, list) else [model]
        assert all(finding.sentence() for finding in findings)
        return
    rows, truth = made(FEATURES, count=240, classes=classes)
    rows[np.isnan(rows[:, 2]), 2] = 0
    test, right = rows[TRAIN:], truth[TRAIN:]
    found = measure_robustness(
        model, FEATURES, rows[:TRAIN], test, right, positive=None, epsilon=epsilon, seed=seed
    )
    assert np.isfinite(list(found.metrics.values())).all()
    certified = found.by_row["certifiedAccuracy"] == 1
    assert (certified <= (found.by_row["attackedAccuracy"] == 1)).all()
    random = np.random.default_rng(seed)
    unit = np.nanstd(rows[:TRAIN].astype(float), axis=0)
    for share in (*random.choice([-1.0, 1.0], (12, 3)), *random.uniform(-1, 1, (24, 3))):
        moved = test.astype(float) + share * epsilon * unit * (1 - 1e-6)
        moved[:, 1] = test[:, 1] + np.trunc(share[1] * epsilon * unit[1])
        moved[:, 0], moved[:, 1] = np.clip(moved[:, 0], 0, 20), np.clip(moved[:, 1], 0, 9)
        decided = model.probabilities(moved.astype(np.float32)).argmax(axis=1)
        assert not (certified & (decided != right)).any()


@pytest.mark.parametrize("value", ["1e-300", "1e308", "-1", "0", "1e999", "nan"])
@pytest.mark.parametrize("name", ["C", "tol", "intercept_scaling"])
def test_a_value_with_which_a_fit_never_ends_is_refused_before(name: str, value: str) -> None:
    asked = trainer("LinearSVM", parameters={name: value})
    [found] = estimators.check(asked, 2)
    assert f"'{name}'" in found.sentence() or "values that LinearSVM takes" in found.sentence()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("rate", ["1e200", "1e308", "1e999"])
def test_an_overflowing_model_is_refused_in_a_sentence(rate: str, classes: int) -> None:
    asked = trainer("HistGradientBoosting", parameters={"learning_rate": rate})
    model = fitted(asked, classes)
    (finding,) = model if isinstance(model, list) else [model]
    assert isinstance(finding, Finding)
    assert finding.check in ("Scores", "Parameter")
    assert "expected" in finding.sentence()


def test_a_model_is_refused_for_any_parameter_that_is_no_number() -> None:
    for algorithm in Algorithm:
        model = fitted(trainer(algorithm, parameters=SMALL[algorithm]), 3)
        assert isinstance(model, Fitted)
        assert check_scores(model.plain, FEATURES) is None
        scores = model.plain.scores
        parts = (
            [scores.weights, scores.biases]
            if hasattr(scores, "weights")
            else [scores.base, *(tree.value for tree in scores.trees[:2])]
        )
        for part in parts:
            for wrong in (np.nan, np.inf, -np.inf, 1e101):
                kept, part.flat[-1] = part.flat[-1], wrong
                finding = check_scores(model.plain, FEATURES)
                part.flat[-1] = kept
                assert finding is not None
                assert finding.check == "Scores"


def test_scores_that_are_no_numbers_certify_nothing() -> None:
    weights = np.array([[0.0], [1.0]])
    rows = np.array([[1.0], [2.0], [3.0]], dtype=np.float32)
    scores = np.array([[0.0, np.nan], [np.inf, 1.0], [5.0, 1.0]])
    bounds = Boundaries(weights, scores, np.zeros(3, dtype=np.int64))
    for norm in Norm:
        radii = linear_radii(bounds, space([1.0]), rows, norm)
        assert radii.tolist() == [0, 0, 4]


def test_a_range_that_lets_numbers_pass_is_no_range_to_a_certificate() -> None:
    tight = FEATURES[0].model_copy(update={"minimum": 9.0, "maximum": 11.0})
    assert tight.range == (9, 11)
    assert tight.model_copy(update={"out_of_range": OutOfRange.ALLOW}).range == (
        -FLOAT32_MAX,
        FLOAT32_MAX,
    )
    features = [tight, *FEATURES[1:]]
    loose = [tight.model_copy(update={"out_of_range": OutOfRange.ALLOW}), *FEATURES[1:]]
    rows, truth = made(FEATURES, count=240)
    rows = np.nan_to_num(rows, nan=5.0)
    rows[:, 0] = np.clip(rows[:, 0], 9, 11)
    model = fit(rows[:TRAIN], truth[:TRAIN], ["a", "b"], features, trainer())
    assert isinstance(model, Fitted)
    found = [
        measure_robustness(
            model,
            each,
            rows[:TRAIN],
            rows[TRAIN:],
            truth[TRAIN:],
            positive=None,
            epsilon=0.3,
            seed=0,
        )
        for each in (features, loose)
    ]
    assert found[0].metrics["certifiedAccuracy"] > found[1].metrics["certifiedAccuracy"]
    free = found[1].report.certified_without_range
    assert found[1].metrics["certifiedAccuracy"] == free == found[0].report.certified_without_range


NUMBERS: dict[str, list[float]] = {
    "the ends of float32": [FLOAT32_MAX, -FLOAT32_MAX],
    "near the end of float32": [FLOAT32_MAX, 3.3e38, 1e38, 1.0],
    "the smallest normal float32": [1.1754943508222875e-38, 2e-38, 0.0],
    "subnormal float32": [1e-45, 1e-44, 5e-42, 0.0],
    "numbers below float32": [1e-300, 0.0, 5e-324, 1.0],
    "zeros of both signs": [-0.0, 0.0, 1.0, -1.0],
    "the ends of doubles": [1.7976931348623157e308, -1.7976931348623157e308, 0.0],
    "one double that is too large": [1e39, *map(float, range(30))],
    "from the smallest to the largest": [1e-45, FLOAT32_MAX, -1e-45, -FLOAT32_MAX, 1.0],
    "one at the end, among small ones": [FLOAT32_MAX, *(number / 7 for number in range(40))],
}
INTEGERS: dict[str, list[int]] = {
    "the ends of 64 bits": [2**63 - 1, -(2**63), 0],
    "neighbours at the end of 64 bits": [2**63 - 1, 2**63 - 2, 2**63 - 3],
    "beyond 24 bits": [2**24, 2**24 + 1, 2**24 + 2, 0],
}


def not_finite(value: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return any(map(not_finite, value.values()))
    if isinstance(value, list):
        return any(map(not_finite, value))
    return isinstance(value, float) and not np.isfinite(value)


def extreme_run(kind: str, numbers: list[Any], algorithm: Algorithm) -> RefusedRun | Artifacts:
    count = 160
    values = (numbers * count)[:count]
    random = np.random.default_rng(2)
    other = random.normal(0, 1, count)
    middle = sorted(values)[count // 2]
    score = other + np.array([value > middle for value in values]) + random.normal(0, 0.5, count)
    dtype = pl.Int64 if kind == "Integer" else pl.Float64
    frame = pl.DataFrame(
        {
            "extreme": pl.Series(values, dtype=dtype),
            "other": other,
            "label": np.where(score > np.median(score), "yes", "no").tolist(),
        }
    )
    parameters = [{"name": n, "value": v} for n, v in SMALL[algorithm].items()]
    spec = {
        "model": "extreme",
        "dataset": {"configMap": {"name": "d", "key": "d"}, "format": "Parquet"},
        "schema": {
            "features": [{"name": "extreme", "type": kind}, {"name": "other", "type": "Number"}],
            "target": {"name": "label", "positive": "yes"},
        },
        "trainer": {"algorithm": algorithm.value, "parameters": parameters},
        "evaluation": {"resamples": 100},
        "requestedBy": "alice",
    }
    return run(spec, parquet(frame))


@pytest.mark.filterwarnings("default::RuntimeWarning")
@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize(
    ("kind", "numbers"),
    [("Number", numbers) for numbers in NUMBERS.values()]
    + [("Integer", numbers) for numbers in INTEGERS.values()],
    ids=[*NUMBERS, *INTEGERS],
)
def test_extreme_numbers_are_learned_from_or_refused(
    kind: str, numbers: list[Any], algorithm: Algorithm
) -> None:
    found = extreme_run(kind, numbers, algorithm)
    if isinstance(found, RefusedRun):
        assert "expected" in found.outcome.message
        return
    report = json.loads(found.files[api.REPORT])
    assert not not_finite(report)
    assert not not_finite(json.loads(found.files[api.BASELINE]))
    assert report["robustness"]["rows"] > 0
