from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hallmark.data.leakage import (
    ALMOST,
    measure_leakage,
    numbers_the_rows,
    refusals,
    remarks,
    uncertainty_coefficient,
)
from tests.unit.data.factories import category, schema, table

ROWS = 1000
RANDOM = np.random.default_rng(3)
TRUTH = RANDOM.integers(0, 2, ROWS)
LABELS = ["yes" if positive else "no" for positive in TRUTH]
NOISE = RANDOM.normal(size=ROWS)
NUMBER = {"name": "x", "type": "Number", "nullable": True}


def coefficient(feature: dict[str, Any], values: list[Any]) -> float:
    declared = schema(feature)
    (leak,) = measure_leakage(table(declared, x=values, label=LABELS), declared)
    return leak.coefficient


def flipped(share: float) -> np.ndarray[Any, Any]:
    wrong = np.arange(ROWS) < share * ROWS
    return np.where(wrong, 1 - TRUTH, TRUTH)


TELLING = {
    "a number that is higher for one class": (NUMBER, (TRUTH * 10 + NOISE).tolist()),
    "a number that is far from zero for one class": (
        NUMBER,
        np.where(TRUTH == 1, NOISE * 100, NOISE / 100).tolist(),
    ),
    "a value that is missing for one class": (
        NUMBER,
        [
            float(number) if positive else None
            for number, positive in zip(NOISE, TRUTH, strict=True)
        ],
    ),
    "a flag that is wrong in one row of a hundred": (
        {"name": "x", "type": "Boolean"},
        [bool(cell) for cell in flipped(0.01)],
    ),
    "categories of which each belongs to a class": (
        category("x", *"abcdef"),
        ["abc"[i % 3] if positive else "def"[i % 3] for i, positive in enumerate(TRUTH)],
    ),
}


@pytest.mark.parametrize("case", TELLING.values(), ids=TELLING)
def test_what_almost_determines_the_target(case: tuple[dict[str, Any], list[Any]]) -> None:
    feature, values = case
    declared = schema(feature)
    rows = table(declared, x=values, label=LABELS)
    leaks = measure_leakage(rows, declared)
    (found,) = remarks(rows, leaks)
    assert found.check == "Leakage"
    assert not list(refusals(leaks))


USUAL = {
    "noise": (NUMBER, NOISE.tolist()),
    "a strong and honest feature": (NUMBER, (TRUTH + NOISE).tolist()),
    "a flag that is wrong in one row of ten": (
        {"name": "x", "type": "Boolean"},
        [bool(cell) for cell in flipped(0.1)],
    ),
    "a constant": (NUMBER, [1.0] * ROWS),
    "nothing but nulls": (NUMBER, [None] * ROWS),
    "a category of its own for nearly every row": (
        category("x", *map(str, range(256))),
        [str(i % 256) for i in range(ROWS)],
    ),
}


@pytest.mark.parametrize("case", USUAL.values(), ids=USUAL)
def test_what_does_not(case: tuple[dict[str, Any], list[Any]]) -> None:
    feature, values = case
    assert coefficient(feature, values) < ALMOST / 1.5


SELF = {
    "a flag": ({"name": "x", "type": "Boolean"}, [bool(cell) for cell in TRUTH]),
    "other names": (
        category("x", "bad", "good", "never"),
        [["good", "bad"][code] for code in TRUTH],
    ),
    "numbers": ({"name": "x", "type": "Integer"}, [int(-5 * code) for code in TRUTH]),
    "a number or nothing": (NUMBER, [1.0 if positive else None for positive in TRUTH]),
}


@pytest.mark.parametrize("case", SELF.values(), ids=SELF)
def test_the_target_under_another_name_is_refused(case: tuple[dict[str, Any], list[Any]]) -> None:
    feature, values = case
    declared = schema(feature)
    leaks = measure_leakage(table(declared, x=values, label=LABELS), declared)
    assert [found.column for found in refusals(leaks)] == ["x"]


def test_three_classes() -> None:
    declared = schema({"name": "x", "type": "Number"}, category("c", "r", "s", "t"))
    labels = [["yes", "no", "maybe"][i % 3] for i in range(300)]
    rows = table(
        declared,
        x=[float(i % 3) * 5 + i / 300 for i in range(300)],
        c=[["r", "s", "t"][i % 3] for i in range(300)],
        label=labels,
    )
    number, renamed = measure_leakage(rows, declared)
    assert number.coefficient > ALMOST
    assert not number.renamed
    assert renamed.renamed


def test_the_coefficient_is_information_by_entropy() -> None:
    assert uncertainty_coefficient(np.array([[5, 0], [0, 5]])) == 1
    assert uncertainty_coefficient(np.array([[5, 5], [5, 5]])) == 0
    # A feature that is wrong in one of eight rows leaves h(1/8) bits of one bit.
    eighth = -(1 / 8) * math.log2(1 / 8) - (7 / 8) * math.log2(7 / 8)
    assert uncertainty_coefficient(np.array([[7, 1], [1, 7]])) == pytest.approx(1 - eighth)


def test_the_order_of_rows_does_not_matter() -> None:
    values = (TRUTH + NOISE).tolist()
    declared = schema(NUMBER)
    order = RANDOM.permutation(ROWS)
    turned = table(declared, x=[values[i] for i in order], label=[LABELS[i] for i in order])
    (leak,) = measure_leakage(turned, declared)
    assert leak.coefficient == coefficient(NUMBER, values)


NUMBERED = {
    "a number of the row": (list(range(1000, 2000)), True),
    "with gaps and in no order": (
        [int(number) for number in RANDOM.permutation(1500)[:1000]],
        True,
    ),
    "amounts, though each is another": (
        [int(number) * 37 for number in RANDOM.permutation(1000)],
        False,
    ),
    "ages": ([i % 80 for i in range(1000)], False),
}


@pytest.mark.parametrize("case", NUMBERED.values(), ids=NUMBERED)
def test_numbers_of_the_row(case: tuple[list[int], bool]) -> None:
    values, expected = case
    declared = schema({"name": "x", "type": "Integer"})
    rows = table(declared, x=values, label=LABELS)
    assert numbers_the_rows(rows.column("x")) is expected
    found = [remark.check for remark in remarks(rows, ())]
    assert found == ["Identifier"] * expected
