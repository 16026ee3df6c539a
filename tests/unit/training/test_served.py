from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.api.artifacts import ServedFeature
from hallmark.api.training_run import FeatureType, Trainer
from hallmark.training.baseline import build_baseline, quantile_edges
from hallmark.training.pipeline import fit
from hallmark.training.served import (
    INPUT,
    MAX_GOLDEN_ROWS,
    PROBABILITIES,
    TOLERANCE,
    golden_rows,
    max_difference,
    to_served_form,
)

ROOT = Path(__file__).parents[3]
NUMBER = ServedFeature(name="x", type=FeatureType.NUMBER, nullable=True, minimum=0, maximum=20)
INTEGER = ServedFeature(name="k", type=FeatureType.INTEGER, nullable=True)
FLAG = ServedFeature(name="b", type=FeatureType.BOOLEAN, nullable=True)
CATEGORY = ServedFeature(
    name="c", type=FeatureType.CATEGORY, nullable=True, categories=["p", "q", "r"]
)


def column(feature: ServedFeature, random: np.random.Generator, count: int) -> np.ndarray:
    if feature.type is FeatureType.NUMBER:
        return random.normal(10, 3, count)
    if feature.type is FeatureType.INTEGER:
        return random.integers(1, 9, count).astype(float)
    high = 2 if feature.type is FeatureType.BOOLEAN else len(feature.categories or ())
    return random.integers(0, high, count).astype(float)


def made(features: list[ServedFeature], count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    rows = np.column_stack([column(each, random, count) for each in features])
    score = rows @ np.linspace(1, 0.2, rows.shape[1])
    classes = np.where(score + random.normal(0, 1, count) > np.median(score), "yes", "no")
    rows[random.random(rows.shape) < 0.05] = np.nan
    return rows.astype(np.float32), classes


MIXES = {
    "numbers alone": [NUMBER, INTEGER],
    "booleans alone": [FLAG],
    "categories alone": [CATEGORY],
    "a category before a number": [CATEGORY, NUMBER],
    "all types": [NUMBER, CATEGORY, FLAG, INTEGER],
    "many categories": [
        NUMBER,
        CATEGORY.model_copy(update={"categories": [f"c{i}" for i in range(200)]}),
    ],
}
EDGES = [np.nan, -1.0, 0.0, 1.0, 2.0, 3.0, 200.0, 1e6, -1e6, 3e38, -3e38]


@pytest.mark.parametrize("features", MIXES.values(), ids=MIXES)
def test_the_graph_answers_as_the_estimator_on_rows_and_edge_cases(
    features: list[ServedFeature],
) -> None:
    rows, classes = made(features)
    pipeline = fit(rows, classes, features, Trainer()).pipeline
    graph = to_served_form(pipeline, "m")
    edges = np.array([np.roll(EDGES, shift)[: len(features)] for shift in range(len(EDGES))])
    alone = np.tile(rows[0], (len(EDGES) * len(features), 1))
    for position in range(len(features)):
        alone[position * len(EDGES) : (position + 1) * len(EDGES), position] = EDGES
    # An undeclared category is encoded as any index that none has; the door keeps it small.
    for position, feature in enumerate(features):
        if feature.type is FeatureType.CATEGORY:
            edges[np.abs(edges[:, position]) > 1e5, position] = -1
            alone[np.abs(alone[:, position]) > 1e5, position] = -1
    asked = np.vstack([rows, golden_rows(features), alone, edges]).astype(np.float32)
    assert max_difference(graph, pipeline, asked) <= TOLERANCE


def test_a_column_of_nulls_is_served_too() -> None:
    features = [NUMBER, FLAG, CATEGORY]
    rows, classes = made(features)
    for position in range(3):
        blank = rows.copy()
        blank[:, position] = np.nan
        pipeline = fit(blank, classes, features, Trainer()).pipeline
        assert max_difference(to_served_form(pipeline, "m"), pipeline, rows) <= TOLERANCE


def test_the_graph_has_one_input_no_random_name_and_no_time() -> None:
    features = MIXES["all types"]
    rows, classes = made(features)
    pipeline = fit(rows, classes, features, Trainer()).pipeline
    data = to_served_form(pipeline, "m")
    assert data == to_served_form(pipeline, "m")
    graph = onnx.load_from_string(data).graph
    assert graph.name == "m"
    assert [each.name for each in graph.input] == [INPUT]
    assert PROBABILITIES in [each.name for each in graph.output]


_PRINT_DIGEST = """
import hashlib
from hallmark.api.training_run import Trainer
from hallmark.training.pipeline import fit
from hallmark.training.served import to_served_form
from tests.unit.training.test_served import MIXES, made
features = MIXES["all types"]
pipeline = fit(*made(features), features, Trainer()).pipeline
print(hashlib.sha256(to_served_form(pipeline, "m")).hexdigest())
"""


def test_the_graph_has_the_same_bytes_in_processes_that_hash_texts_differently() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", _PRINT_DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3", "4")
    }
    assert len(digests) == 1


def test_a_graph_that_answers_otherwise_is_noticed() -> None:
    features = [NUMBER, FLAG]
    rows, classes = made(features)
    pipeline = fit(rows, classes, features, Trainer()).pipeline
    graph = to_served_form(pipeline, "m")
    pipeline.named_steps["classifier"].coef_[0, 0] += 0.01
    assert max_difference(graph, pipeline, rows) > TOLERANCE


def test_golden_rows_come_from_the_schema_alone() -> None:
    found = golden_rows([NUMBER, INTEGER, FLAG, CATEGORY])
    assert found[0].tolist() == [10, 0, 0, 0]
    assert set(found[1:, 0][~np.isnan(found[1:, 0])].tolist()) == {0, 10, 20, -20, 40}
    assert {2.0, 3.0, -1.0} <= set(found[:, 3].tolist())
    assert np.isnan(found).any(axis=0).all()


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


@settings(max_examples=200, deadline=None)
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
