"""What may be asked of each algorithm, and what it may grow to."""

from __future__ import annotations

import numpy as np
import pytest

from hallmark.api.findings import Finding
from hallmark.api.trainer import Algorithm, Parameter
from hallmark.training import estimators
from hallmark.training.pipeline import fit
from tests.unit.training.fits import MIXES, fitted, made, small, trainer

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
    value = estimators.parse_value(Parameter(name="p", value=text))
    assert value == VALUES[text]
    assert type(value) is type(VALUES[text])


FOREST, BOOSTING, SVM = "RandomForest", "HistGradientBoosting", "LinearSVM"
REFUSED: dict[str, tuple[str, dict[str, str], int, str]] = {
    "a name that the estimator does not know": ("", {"depth": "3"}, 2, "found 'depth'"),
    "a name that the trainer sets itself": ("", {"n_jobs": "2"}, 2, "found 'n_jobs'"),
    "the seed by the back door": ("", {"random_state": "2"}, 2, "found 'random_state'"),
    "a forest's cores": (FOREST, {"n_jobs": "2"}, 2, "found 'n_jobs'"),
    "another algorithm's parameter": (
        SVM,
        {"n_estimators": "5"},
        2,
        "a parameter of LinearSVM: C,",
    ),
    "a loss that has no probabilities": (BOOSTING, {"loss": "x"}, 2, "found 'loss'"),
    "a value out of its range": ("", {"C": "0"}, 2, "'C' parameter"),
    "a value that is no number": ("", {"C": "nan"}, 2, "'C' parameter"),
    "a value of another type": ("", {"max_iter": "many"}, 2, "'max_iter' parameter"),
    "values that do not go together": (
        "",
        {"solver": "lbfgs", "l1_ratio": "1"},
        2,
        "values that LogisticRegression takes",
    ),
    "a solver for two classes, and three of them": ("", {"solver": "liblinear"}, 3, "liblinear"),
    "an SVM's value out of its range": (SVM, {"C": "-1"}, 2, "'C' from 1e-06 to 1e+06"),
    "an SVM's values that do not go together": (
        SVM,
        {"loss": "hinge", "penalty": "l1"},
        2,
        "Unsupported set of arguments",
    ),
    "no tree": (FOREST, {"n_estimators": "0"}, 2, "'n_estimators' parameter"),
    "half a tree": (FOREST, {"n_estimators": "1.5"}, 2, "'n_estimators' parameter"),
    "a forest of too many trees": (FOREST, {"n_estimators": "5000"}, 2, "at most 4096 trees"),
    "leaves without limit": (
        FOREST,
        {"max_leaf_nodes": "null"},
        2,
        "'max_leaf_nodes' of at most 2621 with 100 trees and 2 classes, so that the served form "
        "stays small, found no limit",
    ),
    "too many leaves": (FOREST, {"max_leaf_nodes": "2622"}, 2, "found 2622"),
    "leaves that vote on each of ten classes": (
        FOREST,
        {"max_leaf_nodes": "263"},
        10,
        "of at most 262 with 100 trees and 10 classes",
    ),
    "rounds without limit": (BOOSTING, {"max_iter": "5000"}, 2, "lower 'max_iter', found 5000"),
    "rounds of a tree for each of ten classes": (
        BOOSTING,
        {"max_iter": "500"},
        10,
        "at most 4096 trees; lower 'max_iter', found 5000 trees",
    ),
    "boosted leaves without limit": (BOOSTING, {"max_leaf_nodes": "null"}, 2, "found no limit"),
    "a negative learning rate": (BOOSTING, {"learning_rate": "-1"}, 2, "'learning_rate' parameter"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_settings_refused(case: tuple[str, dict[str, str], int, str]) -> None:
    algorithm, parameters, classes, expected = case
    asked = trainer(algorithm or "LogisticRegression", parameters=parameters)
    findings = estimators.check(asked, classes)
    assert [expected in finding.sentence() for finding in findings] == [True]


@pytest.mark.parametrize("fraction", ["0", "1", "-0.2"])
def test_a_test_fraction_out_of_range_is_refused(fraction: str) -> None:
    (found,) = estimators.check(trainer(testFraction=fraction), 2)
    assert "a testFraction from 0.05 to 0.5" in found.sentence()


ACCEPTED: dict[str, tuple[str, dict[str, str], int]] = {
    "an SVM": (SVM, {"C": "0.5", "class_weight": "balanced", "dual": "false"}, 3),
    "a regression": ("LogisticRegression", {"C": "0.5", "solver": "liblinear", "tol": "1e-6"}, 2),
    "a forest": (FOREST, {"max_depth": "9", "max_features": "0.5", "criterion": "entropy"}, 64),
    "a large forest": (FOREST, {"n_estimators": "4096"}, 2),
    "boosting": (BOOSTING, {"max_iter": "200", "l2_regularization": "1", "max_bins": "64"}, 5),
}


@pytest.mark.parametrize("case", ACCEPTED.values(), ids=ACCEPTED)
def test_settings_accepted(case: tuple[str, dict[str, str], int]) -> None:
    algorithm, parameters, classes = case
    assert estimators.check(trainer(algorithm, parameters=parameters), classes) == []


@pytest.mark.parametrize("algorithm", Algorithm)
def test_every_default_is_accepted_for_any_number_of_classes(algorithm: Algorithm) -> None:
    for classes in (2, 3, 20, 40):
        assert estimators.check(trainer(algorithm), classes) == []


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("algorithm", Algorithm)
def test_each_algorithm_learns(algorithm: Algorithm, classes: int) -> None:
    rows, truth = made(MIXES["all types"], 600, classes)
    found = fitted(rows[:400], truth[:400], MIXES["all types"], small(algorithm))
    probabilities = found.probabilities(rows[400:])
    assert probabilities.shape == (200, classes)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert (probabilities.argmax(axis=1) == truth[400:]).mean() > 1 / classes + 0.2
    names = [f"class {i}" for i in range(classes)]
    assert found.pipeline.classes_.tolist() == names
    assert set(found.pipeline.predict(rows.astype(np.float64))) <= set(names)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_column_that_is_null_in_every_training_row_is_no_obstacle(algorithm: Algorithm) -> None:
    features = MIXES["all types"]
    rows, truth = made(features)
    for position in range(len(features)):
        blank = rows.copy()
        blank[:, position] = np.nan
        found = fitted(blank, truth, features, small(algorithm))
        assert np.isfinite(found.probabilities(rows)).all()


@pytest.mark.parametrize("algorithm", Algorithm)
def test_an_unknown_category_and_a_null_one_have_no_weight_of_their_own(
    algorithm: Algorithm,
) -> None:
    features = MIXES["a category before a number"]
    found = fitted(*made(features), features, small(algorithm))
    answers = found.probabilities(np.array([[np.nan, 9], [-1, 9], [3, 9]], dtype=np.float32))
    assert (answers == answers[0]).all()


def test_a_fit_that_does_not_converge_is_a_remark() -> None:
    rows, truth = made(MIXES["all types"])
    found = fitted(rows, truth, MIXES["all types"], trainer(parameters={"max_iter": "1"}))
    assert [remark.sentence() for remark in found.remarks] == [
        "Convergence: expected a fit that converges, found 1 iterations."
    ]
    assert fitted(rows, truth, MIXES["all types"]).remarks == ()


def test_values_that_only_the_rows_show_to_be_wrong_are_refused() -> None:
    rows, truth = made(MIXES["all types"])
    asked = trainer(BOOSTING, parameters={"early_stopping": "true", "validation_fraction": "1"})
    assert estimators.check(asked, 2) == []
    found = fit(rows, truth, ["a", "b"], MIXES["all types"], asked)
    assert isinstance(found, Finding)
    assert "values that HistGradientBoosting takes for these rows" in found.sentence()
    assert "test_size" in found.sentence()


def test_a_few_rows_of_a_class_calibrate_an_svm_in_fewer_folds() -> None:
    rows, truth = made(MIXES["numbers alone"], 40)
    truth[:] = 0
    truth[:2] = 1
    found = fitted(rows, truth, MIXES["numbers alone"], trainer("LinearSVM"))
    assert np.isfinite(found.probabilities(rows)).all()
