"""The one float matrix, and what does not survive in it."""

from __future__ import annotations

import numpy as np
import pytest

from hallmark.api.findings import Finding
from hallmark.training.matrix import class_names, encode, truth
from tests.unit.data.factories import category, schema, table


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


def test_classes_are_numbered_by_their_code_points() -> None:
    declared = schema({"name": "x", "type": "Number"})
    rows = table(declared, x=[1.0, 2.0, 3.0, 4.0], label=["yes", "Yes", "no", "yes"])
    names = class_names(rows, declared)
    assert names == ["Yes", "no", "yes"]
    assert truth(rows, declared, names).tolist() == [2, 0, 1, 2]


@pytest.mark.parametrize("count", [1, 65])
def test_too_few_or_too_many_classes_are_refused(count: int) -> None:
    declared = schema({"name": "x", "type": "Number"})
    rows = table(declared, x=[1.0] * count, label=[f"l{i}" for i in range(count)])
    found = class_names(rows, declared)
    assert isinstance(found, Finding)
    assert found.sentence() == (
        f"Target in column 'label': expected from 2 to 64 classes, found {count}."
    )
