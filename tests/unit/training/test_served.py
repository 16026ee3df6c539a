"""The graph that is served answers as the estimator, on rows and on whatever may come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given, strategies as st

from hallmark.api.columns import FeatureType
from hallmark.api.findings import Finding
from hallmark.api.served import ServedFeature
from hallmark.api.trainer import Algorithm
from hallmark.classification import predicted_classes
from hallmark.golden import MAX_GOLDEN_ROWS, golden_rows
from hallmark.supply_chain.onnx_form import check_onnx_form
from hallmark.training.baseline import build_baseline, quantile_edges
from hallmark.training.graph import INPUT, PROBABILITIES, build
from hallmark.training.pipeline import Fitted
from hallmark.training.plain import LinearScores, TreeScores
from hallmark.training.served import (
    TOLERANCE,
    ServedForm,
    answers,
    build_golden,
    prove,
)
from tests.examples import examples
from tests.unit.training.fits import (
    CATEGORY,
    FLAG,
    INTEGER,
    MIXES,
    NUMBER,
    fitted,
    made,
    small,
)

HUGE = float(np.finfo(np.float32).max)
EDGES = [np.nan, -1.0, -0.0, 0.5, 1.0, 2.0, 3.0, 200.0, 1e-45, 1e6, -1e6, HUGE, -HUGE]
TREES = [Algorithm.RANDOM_FOREST, Algorithm.HIST_GRADIENT_BOOSTING]


def edge_rows(rows: np.ndarray) -> np.ndarray:
    """Return the first row with each edge in each column alone, in all, and rolled over all."""
    width = rows.shape[1]
    alone = np.tile(rows[0], (len(EDGES) * width, 1))
    for position in range(width):
        alone[position * len(EDGES) : (position + 1) * len(EDGES), position] = EDGES
    throughout = np.repeat(np.array(EDGES)[:, None], width, axis=1)
    rolled = np.array([np.resize(np.roll(EDGES, shift), width) for shift in range(len(EDGES))])
    return np.vstack([alone, throughout, rolled]).astype(np.float32)


def difference(found: Fitted, rows: np.ndarray) -> float:
    """Return the largest difference between the graph and the estimator, which decide alike."""
    here, there = found.probabilities(rows), answers(build(found.plain, "m"), rows)
    assert np.isfinite(here).all()
    assert np.array_equal(here.argmax(axis=1), there.argmax(axis=1))
    return float(np.abs(here - there).max())


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("features", MIXES.values(), ids=MIXES)
def test_the_graph_answers_as_the_estimator_on_rows_and_edge_cases(
    features: list[ServedFeature], algorithm: Algorithm, classes: int
) -> None:
    rows, truth = made(features, 300, classes)
    found = fitted(rows[:200], truth[:200], features, small(algorithm))
    asked = np.vstack([rows, golden_rows(features), edge_rows(rows)])
    assert difference(found, asked) <= TOLERANCE
    assert check_onnx_form(build(found.plain, "m")) == []


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("algorithm", TREES)
def test_a_row_on_a_trees_threshold_and_its_neighbours_take_the_same_side(
    algorithm: Algorithm, classes: int
) -> None:
    features = MIXES["numbers alone"]
    rows, truth = made(features, 400, classes, nulls=0)
    # Neighbours in float32: the threshold between them is a number that only float64 has.
    rows[:, 0] = np.float32(1000) + rows[:, 0].round() * np.float32(2**-14)
    found = fitted(rows, truth, features, small(algorithm))
    assert isinstance(found.plain.scores, TreeScores)
    asked = []
    for tree in found.plain.scores.trees:
        for node in np.flatnonzero(tree.left >= 0):
            threshold = np.float32(tree.threshold[node])
            for value in (
                threshold,
                np.nextafter(threshold, np.float32(-np.inf)),
                np.nextafter(threshold, np.float32(np.inf)),
            ):
                row = rows[node % len(rows)].copy()
                row[tree.feature[node]] = value
                asked.append(row)
    assert len(asked) > 100
    assert difference(found, np.array(asked)) <= TOLERANCE


@pytest.mark.parametrize("algorithm", Algorithm)
def test_numbers_that_are_large_against_their_spread_are_served_exactly(
    algorithm: Algorithm,
) -> None:
    features = MIXES["numbers alone"]
    rows, truth = made(features, nulls=0)
    rows = (rows + np.float32(1e5)).astype(np.float32)
    assert difference(fitted(rows, truth, features, small(algorithm)), rows) <= TOLERANCE


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_column_of_nulls_is_served_too(algorithm: Algorithm) -> None:
    features = [NUMBER, FLAG, CATEGORY]
    rows, truth = made(features)
    for position in range(3):
        blank = rows.copy()
        blank[:, position] = np.nan
        assert difference(fitted(blank, truth, features, small(algorithm)), rows) <= TOLERANCE


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_model_that_learned_nothing_is_served_too(algorithm: Algorithm, classes: int) -> None:
    features = [NUMBER]
    rows = np.zeros((60, 1), dtype=np.float32)
    truth = np.arange(60) % classes
    found = fitted(rows, truth, features, small(algorithm))
    assert difference(found, edge_rows(rows)) <= TOLERANCE


def test_the_graph_has_one_input_no_random_name_and_no_time() -> None:
    features = MIXES["all types"]
    found = fitted(*made(features), features)
    data = build(found.plain, "m")
    assert data == build(found.plain, "m")
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert model.graph.name == "m"
    assert [tensor.name for tensor in model.graph.input] == [INPUT]
    assert [tensor.name for tensor in model.graph.output] == [PROBABILITIES]


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_form_that_answers_otherwise_is_refused(algorithm: Algorithm) -> None:
    features = [NUMBER, FLAG]
    rows, truth = made(features)
    found = fitted(rows, truth, features, small(algorithm))
    assert isinstance(prove("m", found, features, rows, 1), ServedForm)
    scores = found.plain.scores
    other: LinearScores | TreeScores
    if isinstance(scores, LinearScores):
        other = replace(scores, biases=scores.biases + 1e-4)
    else:
        other = replace(scores, base=scores.base + 1e-4)
    wrong = replace(found, plain=replace(found.plain, scores=other))
    refused = prove("m", wrong, features, rows, 1)
    assert isinstance(refused, Finding)
    assert "ServedForm: expected the estimator's decisions, and its pro" in refused.sentence()


def test_a_form_that_decides_otherwise_is_refused_even_within_the_tolerance() -> None:
    features = [NUMBER]
    rows, truth = made(features, nulls=0)
    found = fitted(rows, truth, features)
    scores = found.plain.scores
    assert isinstance(scores, LinearScores)
    score = scores.compute(found.encoded(rows[:1]))[0]
    below = replace(scores, biases=scores.biases - score - 1.6e-6)
    found.pipeline.named_steps["classifier"].intercept_ = scores.biases - score + 1.6e-6
    refused = prove(
        "m", replace(found, plain=replace(found.plain, scores=below)), features, rows, 1
    )
    assert isinstance(refused, Finding)
    assert refused.found.startswith("a difference of 8.3e-07, and 1 other decisions in 3")


def test_a_form_that_the_sealing_job_would_refuse_for_its_size_is_refused() -> None:
    many = [f"{i:03}" for i in range(256)]
    features = [
        CATEGORY.model_copy(update={"name": f"c{i}", "categories": many}) for i in range(140)
    ]
    rows = np.zeros((120, 140), dtype=np.float32)
    found = fitted(rows, np.arange(120) % 60, features)
    refused = prove("m", found, features, rows, None)
    assert isinstance(refused, Finding)
    assert "at most 16777216 bytes; ask for fewer leaves or fewer" in refused.sentence()


DECISIONS = {
    "two classes, the positive one at the threshold": ([0.5, 0.5], 1, 1),
    "two classes, the other order": ([0.5, 0.5], 0, 0),
    "two classes below the threshold": ([0.51, 0.49], 1, 0),
    "two classes that are peers": ([0.5, 0.5], None, 0),
    "three classes": ([0.2, 0.5, 0.3], 0, 1),
    "three classes that are equally probable": ([0.4, 0.4, 0.2], 1, 0),
}


@pytest.mark.parametrize("case", DECISIONS.values(), ids=DECISIONS)
def test_decisions(case: tuple[list[float], int | None, int]) -> None:
    probabilities, positive, expected = case
    assert predicted_classes(np.array([probabilities]), positive).tolist() == [expected]


@pytest.mark.parametrize("algorithm", Algorithm)
def test_golden_rows_have_the_estimators_answers_without_a_warning(algorithm: Algorithm) -> None:
    features = MIXES["numbers alone"]
    found = fitted(*made(features, nulls=0), features, small(algorithm))
    golden = build_golden(golden_rows(features), found)
    assert golden.rows[1] == [None, None]
    assert max(row[0] or 0 for row in golden.rows) == HUGE
    said = answers(build(found.plain, "m"), np.array(golden.rows, dtype=np.float32))
    assert said == pytest.approx(np.array(golden.probabilities), abs=golden.tolerance)


def test_golden_rows_come_from_the_schema_alone() -> None:
    found = golden_rows([NUMBER, INTEGER, FLAG, CATEGORY])
    assert found[0].tolist() == [10, 0, 0, 0]
    assert np.isnan(found[1]).all()
    assert set(found[2:, 0][~np.isnan(found[2:, 0])].tolist()) == {0, 10, 20, -20, 40, HUGE, -HUGE}
    assert {2.0, 3.0, -1.0} <= set(found[:, 3].tolist())
    assert np.isnan(found[2:]).any(axis=0).all()


def test_many_features_share_the_golden_rows() -> None:
    features = [
        ServedFeature(name=f"f{i}", type=FeatureType.NUMBER, nullable=False) for i in range(120)
    ]
    found = golden_rows(features)
    assert len(found) == MAX_GOLDEN_ROWS
    assert (found[1:] != found[0]).any(axis=0).all()


def test_the_baseline_counts_numbers_booleans_categories_and_nulls() -> None:
    rows = np.array(
        [[i, i % 2, i % 3] for i in range(100)] + [[np.nan, np.nan, np.nan]], dtype=np.float32
    )
    found = build_baseline(rows, [NUMBER, FLAG, CATEGORY])
    assert found.rows == 101
    x, b, c = found.features
    assert x.edges == [9.5, 19.5, 29.5, 39.5, 49.5, 59.5, 69.5, 79.5, 89.5]
    assert x.counts == [*[10] * 10, 1]
    assert (b.edges, b.counts) == ([0.5], [50, 50, 1])
    assert (c.categories, c.counts) == (["p", "q", "r"], [34, 33, 33, 0, 1])


NUMBERS = st.floats(-1e6, 1e6, width=32)


@examples(200)
@given(st.lists(NUMBERS, max_size=60))
def test_no_value_of_the_training_rows_lies_on_an_edge(values: list[float]) -> None:
    edges = quantile_edges(np.array(values, dtype=np.float64))
    assert edges == sorted(set(edges))
    assert len(edges) <= 9
    assert not set(edges) & set(values)
    if edges:
        bins = np.searchsorted(edges, values)
        assert set(range(len(edges) + 1)) == set(bins.tolist())  # none is empty


def test_a_value_falls_into_the_same_bin_as_float32_and_as_float64() -> None:
    exact = np.array([0.1, 0.2, 0.3, 0.33, 0.35, 0.7] * 20)
    edges = quantile_edges(exact.astype(np.float32).astype(np.float64))
    assert np.array_equal(
        np.searchsorted(edges, exact), np.searchsorted(edges, exact.astype(np.float32))
    )
