from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from hallmark.data import schema as checks
from hallmark.data.anomalies import outliers
from hallmark.data.quality import WEIGHTS, quality_parts, quality_score
from tests.unit.data.factories import category, schema, table

LABELS = ["yes", "no"] * 30
X = [float(i) for i in range(60)]

DECLARATIONS = {
    "a category needs its categories": (
        {"name": "x", "type": "Category"},
        "expected declared categories, found none",
    ),
    "a number has no categories": (
        {"name": "x", "type": "Number", "categories": ["a"]},
        "expected no categories",
    ),
    "categories are distinct": (category("x", "a", "a"), "distinct, non-empty categories"),
    "a category has no bounds": (category("x", "a", "b", minimum="1"), "no minimum or maximum"),
    "the minimum is not above the maximum": (
        {"name": "x", "type": "Number", "minimum": "2", "maximum": "1"},
        "expected a minimum up to the maximum",
    ),
}


@pytest.mark.parametrize("case", DECLARATIONS.values(), ids=DECLARATIONS)
def test_declaration_refused(case: tuple[dict[str, Any], str]) -> None:
    feature, expected = case
    assert expected in checks.check_declaration(schema(feature))[0].sentence()


def test_declared_twice_or_in_two_roles() -> None:
    twice = schema({"name": "x", "type": "Number"}, {"name": "x", "type": "Number"})
    assert "each column once, found 2 of it" in checks.check_declaration(twice)[0].sentence()
    both = schema(target="x")
    assert "neither a feature nor a sensitive" in checks.check_declaration(both)[0].sentence()
    assert checks.check_declaration(schema()) == []


BOUNDED = {"name": "x", "type": "Number", "minimum": "0", "maximum": "50"}
REFUSED = {
    "a number above the maximum": (
        schema(BOUNDED),
        {"x": X},
        "Range in column 'x' (9 times, first in row 52): expected at most 50, found 51.0.",
    ),
    "a number below the minimum": (
        schema(BOUNDED),
        {"x": [-1.0] + [1.0] * 59},
        "Range in column 'x', first in row 1: expected at least 0, found -1.0.",
    ),
    "a number that is infinite as float32": (
        schema(),
        {"x": [1e39, -1e39] + [1.0] * 58},
        "Range in column 'x' (2 times, first in row 1): expected a number up to 3.40282e+38",
    ),
    "a number of a sensitive column is not named": (
        schema(BOUNDED, sensitive=[{"name": "x"}]),
        {"x": [-1.0] + [1.0] * 59},
        "expected at least 0, found a number beyond it.",
    ),
    "an undeclared category is not named": (
        schema(category("x", "a", "b")),
        {"x": ["a"] * 59 + ["secret"]},
        "first in row 60: expected one of the 2 declared categories, found another text.",
    ),
    "a group of an undeclared name": (
        schema(sensitive=[{"name": "g", "categories": ["a", "b"]}]),
        {"x": X, "g": ["a"] * 59 + ["c"]},
        "Category in column 'g', first in row 60",
    ),
    "one class only": (schema(), {"x": X, "label": ["yes"] * 60}, "expected two classes, found 1"),
    "three classes": (schema(), {"x": X, "label": ["yes", "no", "?"] * 20}, "found 3 of them"),
    "too few rows of a class": (
        schema(),
        {"x": X, "label": ["yes"] * 55 + ["no"] * 5},
        "expected at least 10 rows of each class, found 5 of one",
    ),
    "the positive class does not occur": (
        schema(positive="maybe"),
        {"x": X},
        "expected rows of the positive class 'maybe', found none",
    ),
    "too few rows": (
        schema(),
        {"x": X[:40], "label": LABELS[:40]},
        "expected at least 50 rows, found 40",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_rows_refused(case: tuple[Any, dict[str, list[Any]], str]) -> None:
    declared, columns, expected = case
    rows = table(declared, **{"label": LABELS, **columns})
    refusals = checks.validate(rows, declared).refusals
    assert [expected in finding.sentence() for finding in refusals] == [True]


def test_remarks_do_not_refuse() -> None:
    declared = schema({"name": "x", "type": "Number"}, {"name": "c", "type": "Number"})
    rows = table(declared, x=[*X[:58], 0.0, 0.0], c=[1.0] * 60, label=LABELS)
    found = checks.validate(rows, declared, undeclared=2)
    assert found.refusals == ()
    assert [finding.sentence() for finding in found.remarks] == [
        "Constant in column 'c': expected values that differ, found the same in every row.",
        "Duplicate, first in row 59: expected rows that differ in the declared columns, found a "
        "row equal to an earlier one.",
        "Columns (2 times): expected declared columns only, found 2 more, which are not used.",
    ]


def test_outliers_are_counted_beyond_tukeys_outer_fences() -> None:
    declared = schema(sensitive=[{"name": "g"}])
    values = [float(i % 10) for i in range(58)] + [500.0, -500.0]
    rows = table(declared, x=values, label=LABELS, g=["a"] * 60)
    (finding,) = outliers(rows)
    assert (finding.column, finding.count, finding.row) == ("x", 2, 59)
    assert "from -13 to 22" in finding.sentence()


def test_a_sensitive_columns_fences_are_not_named() -> None:
    declared = schema(sensitive=[{"name": "x"}])
    rows = table(declared, x=[float(i % 10) for i in range(59)] + [500.0], label=LABELS)
    (finding,) = outliers(rows)
    assert "22" not in finding.sentence()


def test_a_column_that_is_mostly_one_value_has_no_outliers() -> None:
    rows = table(schema(), x=[0.0] * 59 + [1.0], label=LABELS)
    assert list(outliers(rows)) == []


NULLABLE = schema({"name": "x", "type": "Number", "nullable": True})


def parts(invalid: int = 0, **columns: list[Any]) -> dict[str, float]:
    rows = table(NULLABLE, **columns)
    return {part.dimension: part.score for part in quality_parts(rows, NULLABLE, invalid)}


def test_clean_and_balanced_rows_score_100() -> None:
    assert set(parts(x=X, label=LABELS).values()) == {100.0}
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_each_dimension_measures_its_own() -> None:
    found = parts(invalid=6, x=[None, 1.0, 1.0, 1.0, 5.0, 6.0, 7.0, 8.0], label=["yes", "no"] * 4)
    # Of 16 cells one is null and six invalid. Rows 2 and 4 are equal; rows 2, 3 and 4 have
    # equal features and both classes.
    assert found == {
        "completeness": pytest.approx(100 * 15 / 16),
        "validity": pytest.approx(100 * 10 / 16),
        "uniqueness": pytest.approx(100 * 7 / 8),
        "consistency": pytest.approx(100 * 5 / 8),
        "balance": pytest.approx(100),
    }


def test_balance_is_the_entropy_of_the_classes() -> None:
    found = parts(x=X[:8], label=["yes"] + ["no"] * 7)
    assert found["balance"] == pytest.approx(54.356, abs=0.001)  # h(1/8) in bits


def test_the_order_of_rows_does_not_matter() -> None:
    x: list[Any] = [None, *(float(i % 7) for i in range(59))]
    frame = pl.DataFrame({"x": x, "label": LABELS})
    scores = set()
    for seed in range(4):
        shuffled = frame.sample(fraction=1, shuffle=True, seed=seed).to_dict(as_series=False)
        found = quality_parts(table(NULLABLE, **shuffled), NULLABLE, 3)
        scores.add(quality_score(found))
    assert len(scores) == 1
