from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from hallmark.api.columns import FeatureType
from hallmark.api.served import ServedFeature
from hallmark.training.anomalies import find_anomalies
from hallmark.training.matrix import Matrix


def features(count: int, kind: FeatureType = FeatureType.NUMBER) -> list[ServedFeature]:
    return [ServedFeature(name=f"x{i}", type=kind, nullable=True) for i in range(count)]


def found_in(cells: Matrix) -> list[int]:
    found = find_anomalies(cells, features(cells.shape[1]))
    assert found.rows is not None
    assert found.fraction == len(found.rows) / len(cells)
    return found.rows.tolist()


def normal(rows: int = 2000) -> Matrix:
    return np.random.default_rng(2).normal(size=(rows, 4)).astype(np.float32)


def correlated() -> Matrix:
    random = np.random.default_rng(11)
    common = random.normal(size=(1000, 1))
    cells: Matrix = (common + 0.05 * random.normal(size=(1000, 6))).astype(np.float32)
    return cells


def test_a_row_of_usual_numbers_that_do_not_go_together_is_found() -> None:
    cells = correlated()
    cells[17] = [1.5, -1.5, 1.5, -1.5, 1.5, -1.5]
    assert found_in(cells) == [17]
    (finding,) = find_anomalies(cells, features(6)).findings()
    assert (finding.check, finding.count, finding.rows) == ("Anomaly", 1, [18])


def test_many_of_them_do_not_hide_each_other() -> None:
    cells = correlated()
    cells[:150] += np.array([1.5, -1.5, 1.5, -1.5, 1.5, -1.5], dtype=np.float32)
    assert set(range(150)) <= set(found_in(cells))


@pytest.mark.parametrize(
    "cells",
    [
        normal(),
        np.random.default_rng(3).uniform(size=(600, 3)).astype(np.float32),
        np.random.default_rng(3).integers(0, 3, size=(600, 3)).astype(np.float32),
        np.ones((600, 4), dtype=np.float32),
        np.repeat(normal()[:, :1], 4, axis=1),
        np.eye(600, 4, dtype=np.float32),
    ],
    ids=["normal", "uniform", "whole numbers", "all equal", "copies of one", "nearly all equal"],
)
def test_usual_rows_have_none(cells: Matrix) -> None:
    assert found_in(cells) == []
    assert find_anomalies(cells, features(cells.shape[1])).findings() == ()


def test_a_null_is_nothing_unusual() -> None:
    cells = normal()
    cells[5, 1:] = np.nan
    cells[:, 0] = np.nan
    assert found_in(cells) == []


def test_the_order_of_columns_and_their_units_do_not_matter() -> None:
    cells = correlated()
    cells[17] = [1.5, -1.5, 1.5, -1.5, 1.5, -1.5]
    assert found_in(cells[:, ::-1] * np.float32(1024) + np.float32(3)) == [17]


def test_one_number_has_no_others_to_be_seen_with() -> None:
    assert find_anomalies(normal()[:, :1], features(1)).fraction is None
    assert find_anomalies(normal(), features(4, FeatureType.BOOLEAN)).fraction is None


def test_real_tables_have_few() -> None:
    for table in (load_diabetes(),):
        cells = table.data.astype(np.float32)
        assert len(found_in(cells)) < 0.05 * len(cells)
