"""Own arithmetic serves only where it has the very bits of the sealed graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hallmark.api.files import MODEL_ONNX
from hallmark.api.served import ServedFeature, ServedSchema
from hallmark.api.trainer import Algorithm
from hallmark.drift.counts import Rows
from hallmark.training.graph import build
from hallmark_predictor.linear_form import read_linear
from hallmark_predictor.runtime import open_graph
from hallmark_predictor.scoring import Score, open_scorer, proving_rows
from tests.unit.predictor import factories
from tests.unit.training.fits import MIXES, fitted, made, small

LINEAR = (Algorithm.LOGISTIC_REGRESSION, Algorithm.LINEAR_SVM)


def sealed_form(
    algorithm: Algorithm, features: list[ServedFeature], classes: int
) -> tuple[bytes, ServedSchema]:
    rows, truth = made(features, classes=classes)
    graph = build(fitted(rows, truth, features, small(algorithm)).plain, "m")
    names = [f"c{index}" for index in range(classes)]
    changes = {"features": features, "classes": names, "positive": None}
    return graph, factories.SCHEMA_DOCUMENT.model_copy(update=changes)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("features", MIXES.values(), ids=MIXES)
@pytest.mark.parametrize("algorithm", LINEAR)
def test_a_linear_model_has_the_graphs_bits_on_any_rows(
    algorithm: Algorithm, features: list[ServedFeature], classes: int
) -> None:
    data, schema = sealed_form(algorithm, features, classes)
    graph = open_graph(data, schema)
    scorer = open_scorer(data, schema, open_graph)
    if algorithm is Algorithm.LINEAR_SVM and classes == 3:
        assert scorer.row is None, "one against the rest is the runtime's"
        return
    assert scorer.row is not None
    rows = np.vstack([proving_rows(schema), made(features, count=2000)[0]])
    expected = graph(rows)
    np.testing.assert_array_equal(scorer(rows), expected)
    alone = np.array([scorer.row(row) for row in rows.tolist()], dtype=np.float32)
    np.testing.assert_array_equal(alone, expected)


@pytest.mark.parametrize("algorithm", [one for one in Algorithm if one not in LINEAR])
def test_trees_are_the_runtimes(algorithm: Algorithm) -> None:
    data, schema = sealed_form(algorithm, MIXES["all types"], 2)
    assert read_linear(data, schema.input_name, schema.probabilities_name) is None
    scorer, graph = open_scorer(data, schema, open_graph), open_graph(data, schema)
    rows = proving_rows(schema)
    np.testing.assert_array_equal(scorer(rows), graph(rows))


@pytest.mark.parametrize("row", [0, 7, -1])
def test_one_other_bit_in_one_row_leaves_the_model_to_the_runtime(row: int) -> None:
    asked: list[int] = []

    def other(data: bytes, schema: ServedSchema) -> Score:
        graph = open_graph(data, schema)

        def answer(rows: Rows) -> Any:  # noqa: ANN401
            asked.append(len(rows))
            found = graph(rows).copy()
            if len(found) > 3:
                found[row, 1] = np.nextafter(found[row, 1], np.float32(2))
            return found

        return answer

    scorer = open_scorer(factories.onnx(), factories.SCHEMA_DOCUMENT, other)
    assert scorer.row is None
    scorer(factories.traffic(3))
    assert asked[-1] == 3


def test_any_bytes_are_no_linear_model_and_no_error() -> None:
    data = factories.served_files()[MODEL_ONNX]
    random = np.random.default_rng(3)
    for _ in range(3000):
        changed = bytearray(data)
        for at in random.integers(0, len(data), 3):
            changed[at] = random.integers(0, 256)
        read_linear(
            bytes(changed[: random.integers(0, len(data) + 1)]), "features", "probabilities"
        )
        read_linear(bytes(changed), "features", "probabilities")
