from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from hallmark.api.artifacts import ServedFeature
from hallmark.api.training_run import FeatureType, Parameter, Trainer
from hallmark.training.matrix import encode, labels
from hallmark.training.metrics import performance
from hallmark.training.pipeline import check_trainer, fit, parse_value, probabilities, split
from tests.unit.data.factories import category, schema, table


def trainer(**settings: Any) -> Trainer:  # noqa: ANN401
    parameters = settings.pop("parameters", {})
    named = [{"name": name, "value": value} for name, value in parameters.items()]
    return Trainer.model_validate({**settings, "parameters": named})


def test_the_matrix_is_as_the_served_schema_says() -> None:
    declared = schema(
        {"name": "x", "type": "Number", "nullable": True},
        {"name": "k", "type": "Integer"},
        {"name": "b", "type": "Boolean", "nullable": True},
        category("c", "red", "green", nullable=True),
    )
    rows = table(
        declared,
        x=[0.1, None],
        k=[-3, 16777217],
        b=[True, None],
        c=["green", None],
        label=["yes", "no"],
    )
    matrix = encode(rows, declared)
    assert matrix.dtype == np.float32
    expected = np.array([[0.1, -3, 1, 1], [np.nan, 16777217, np.nan, np.nan]], dtype=np.float32)
    assert np.array_equal(matrix, expected, equal_nan=True)
    assert labels(rows, declared).tolist() == ["yes", "no"]


def test_the_split_is_stratified_and_the_same_for_the_same_seed() -> None:
    classes = np.array(["no"] * 160 + ["yes"] * 40)
    found = split(classes, trainer(testFraction="0.25", seed=4))
    assert (len(found.train), len(found.test)) == (150, 50)
    assert (classes[found.test] == "yes").sum() == 10
    assert sorted([*found.train, *found.test]) == list(range(200))
    assert np.array_equal(found.test, split(classes, trainer(seed=4)).test)
    assert not np.array_equal(found.test, split(classes, trainer(seed=5)).test)


VALUES = {
    "null": None,
    "None": None,
    "true": True,
    "false": False,
    "12": 12,
    "-0.5": -0.5,
    "1e-4": 1e-4,
    "saga": "saga",
}


@pytest.mark.parametrize("text", VALUES)
def test_a_parameters_text(text: str) -> None:
    value = parse_value(Parameter(name="p", value=text))
    assert value == VALUES[text]
    assert type(value) is type(VALUES[text])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a name that the estimator does not know": ({"parameters": {"depth": "3"}}, "found 'depth'"),
    "a name that the trainer sets itself": ({"parameters": {"n_jobs": "2"}}, "found 'n_jobs'"),
    "the seed by the back door": ({"parameters": {"random_state": "2"}}, "found 'random_state'"),
    "a value out of its range": ({"parameters": {"C": "0"}}, "'C' parameter"),
    "a value of another type": ({"parameters": {"max_iter": "many"}}, "'max_iter' parameter"),
    "values that do not go together": (
        {"parameters": {"solver": "lbfgs", "l1_ratio": "1"}},
        "values that LogisticRegression takes",
    ),
    "a test set of nothing": ({"testFraction": "0"}, "a testFraction from 0.05 to 0.5"),
    "a test set of everything": ({"testFraction": "1"}, "a testFraction from 0.05 to 0.5"),
    "a negative test set": ({"testFraction": "-0.2"}, "a testFraction from 0.05 to 0.5"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_settings_refused(case: tuple[dict[str, Any], str]) -> None:
    settings, expected = case
    findings = check_trainer(trainer(**settings))
    assert [expected in finding.sentence() for finding in findings] == [True]


def test_settings_accepted() -> None:
    assert check_trainer(trainer()) == []
    given = {"C": "0.5", "solver": "liblinear", "class_weight": "balanced", "tol": "1e-6"}
    assert check_trainer(trainer(parameters=given)) == []


def features() -> list[ServedFeature]:
    return [
        ServedFeature(name="x", type=FeatureType.NUMBER, nullable=True),
        ServedFeature(name="b", type=FeatureType.BOOLEAN, nullable=True),
        ServedFeature(name="c", type=FeatureType.CATEGORY, nullable=True, categories=["p", "q"]),
    ]


def made_rows(count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    rows = np.column_stack(
        [random.normal(10, 3, count), random.integers(0, 2, count), random.integers(0, 2, count)]
    ).astype(np.float32)
    classes = np.where(rows[:, 0] + 2 * rows[:, 2] + random.normal(0, 1, count) > 11, "yes", "no")
    rows[::17] = np.nan
    return rows, classes


def test_a_column_that_is_null_in_every_training_row_is_no_obstacle() -> None:
    rows, classes = made_rows()
    for column in range(3):
        blank = rows.copy()
        blank[:, column] = np.nan
        fitted = fit(blank, classes, features(), trainer())
        assert np.isfinite(probabilities(fitted.pipeline, rows)).all()


def test_an_unknown_category_and_a_null_one_have_no_weight_of_their_own() -> None:
    rows, classes = made_rows()
    pipeline = fit(rows, classes, features(), trainer()).pipeline
    same = np.array([[10, 0, np.nan], [10, 0, -1], [10, 0, 2]], dtype=np.float32)
    found = probabilities(pipeline, same)
    assert (found == found[0]).all()


def test_a_fit_that_does_not_converge_is_a_remark() -> None:
    rows, classes = made_rows()
    fitted = fit(rows, classes, features(), trainer(parameters={"max_iter": "1"}))
    assert [each.sentence() for each in fitted.remarks] == [
        "Convergence: expected a fit that converges, found 1 iterations."
    ]
    assert fit(rows, classes, features(), trainer()).remarks == ()


def test_metrics_are_those_of_their_definitions() -> None:
    truth = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    said = np.array([0.9, 0.5, 0.4, 0.6, 0.3, 0.2, 0.1, 0.0])
    found = performance(truth, said)
    # Pairs of a positive and a negative row: 15; wrongly ordered: (0.5, 0.6) and (0.4, 0.6).
    assert found == {
        "accuracy": 6 / 8,
        "balancedAccuracy": pytest.approx((2 / 3 + 4 / 5) / 2),
        "rocAuc": pytest.approx(13 / 15),
        "logLoss": pytest.approx(log_loss(truth, said)),
        "brier": pytest.approx(np.mean((said - truth) ** 2)),
    }


def test_metrics_that_need_both_classes_are_undefined_without() -> None:
    found = performance(np.array([1, 1]), np.array([0.9, 0.2]))
    assert (found["accuracy"], found["rocAuc"], found["balancedAccuracy"]) == (0.5, None, None)
