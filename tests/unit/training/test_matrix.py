"""The one float matrix, and what does not survive in it."""

from __future__ import annotations

import numpy as np
import pytest

from hallmark.api.artifacts import Finding
from hallmark.training.matrix import check_precision, class_names, encode, truth
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


NUMBERS = {
    "small numbers": ([0.1, 0.2, None, 0.3], ""),
    "large numbers far apart": ([1e30, 3e30, 2e30], ""),
    "the same number throughout": ([1e9 + 0.1] * 3, ""),
    "nulls alone": ([None, None], ""),
    "large numbers close together": ([1e8, 1e8 + 1, 1e8 + 2], "subtract a constant"),
    "numbers beyond float32": (
        [1.0, 1e39, -1e40],
        "(2 times): expected numbers of at most 3.4e+38",
    ),
}


@pytest.mark.parametrize("case", NUMBERS.values(), ids=NUMBERS)
def test_numbers_must_survive_in_float32(case: tuple[list[float | None], str]) -> None:
    values, expected = case
    declared = schema({"name": "x", "type": "Number", "nullable": True})
    rows = table(declared, x=values, label=["yes"] * len(values))
    with np.errstate(over="ignore"):
        findings = check_precision(rows, declared, encode(rows, declared))
    assert len(findings) == bool(expected)
    assert all(expected in finding.sentence() for finding in findings)
