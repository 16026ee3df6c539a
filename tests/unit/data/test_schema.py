from __future__ import annotations

from typing import Any

import pytest

from hallmark.data import schema as checks
from hallmark.data.declaration import check_declaration
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
    assert expected in check_declaration(schema(feature))[0].sentence()


def test_declared_twice_or_in_two_roles() -> None:
    twice = schema({"name": "x", "type": "Number"}, {"name": "x", "type": "Number"})
    assert "each column once, found 2 of it" in check_declaration(twice)[0].sentence()
    both = schema(target="x")
    assert "neither a feature nor a sensitive" in check_declaration(both)[0].sentence()
    assert check_declaration(schema()) == []


def test_an_identifier_has_no_other_role() -> None:
    declared = schema(identifiers=["x"])
    (found,) = check_declaration(declared)
    assert "expected an identifier that is no feature, target or sensitive" in found.sentence()
    assert check_declaration(schema(identifiers=["id"])) == []


BOUNDED = {"name": "x", "type": "Number", "minimum": "0", "maximum": "50"}
REFUSED = {
    "a number above the maximum": (
        schema(BOUNDED),
        {"x": X},
        "Range in column 'x' (9 times, in rows 52, 53, 54, 55, 56, 57, 58, 59, 60): expected at "
        "most 50, found 51.0.",
    ),
    "a number below the minimum": (
        schema(BOUNDED),
        {"x": [-1.0] + [1.0] * 59},
        "Range in column 'x', first in row 1: expected at least 0, found -1.0.",
    ),
    "a number that is infinite as float32": (
        schema(),
        {"x": [1e39, -1e39] + [1.0] * 58},
        "Range in column 'x' (2 times, in rows 1, 2): expected a number up to 3.40282e+38",
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
    "prose instead of a group": (
        schema(sensitive=[{"name": "g"}]),
        {"x": X, "g": ["a"] * 58 + ["ä" * 257, "b" * 300]},
        "Length in column 'g' (2 times, in rows 59, 60): expected text of at most 256 characters, "
        "found the longest of 300 characters.",
    ),
    "prose instead of a class": (
        schema(),
        {"x": X, "label": ["yes"] * 30 + ["n" * 257] * 30},
        "Length in column 'label' (30 times",
    ),
    "prose instead of an identifier": (
        schema(identifiers=["id"]),
        {"x": X, "id": [str(i) for i in range(59)] + ["i" * 257]},
        "Length in column 'id', first in row 60",
    ),
    "an identifier that stands again": (
        schema(identifiers=["id"]),
        {"x": X, "id": [str(i) for i in range(58)] + ["7", "8"]},
        "Identifier in column 'id' (2 times, in rows 59, 60): expected each identifier once",
    ),
    "a feature that is the target": (
        schema({"name": "x", "type": "Integer"}),
        {"x": [7, 3] * 30},
        "Leakage in column 'x': expected a feature that is known before the answer is",
    ),
    "one class only": (
        schema(),
        {"x": X, "label": ["yes"] * 60},
        "expected from 2 to 64 classes, found 1",
    ),
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
    found = checks.validate(rows, declared, undeclared=["'a'", "column number 9"])
    assert found.refusals == ()
    assert [finding.sentence() for finding in found.remarks] == [
        "Constant in column 'c': expected values that differ, found the same in every row.",
        "Duplicate, first in row 59: expected rows that differ in the declared columns, found a "
        "row equal to an earlier one.",
        "Contradiction (3 times, in rows 1, 59, 60): expected one class for rows of equal "
        "features, found a row of equal features and another class.",
        "Columns (2 times): expected declared columns only, found 2 more, which are not used: "
        "'a', column number 9.",
    ]


def test_three_classes_that_are_peers_pass() -> None:
    declared = schema(target="label", positive="a")
    declared = declared.model_copy(
        update={"target": declared.target.model_copy(update={"positive": None})}
    )
    rows = table(declared, x=X, label=["a", "b", "c"] * 20)
    found = checks.validate(rows, declared)
    assert found.refusals == ()
    assert found.class_rows == (20, 20, 20)


def test_a_small_group_is_a_remark_that_does_not_name_it() -> None:
    declared = schema(sensitive=[{"name": "g"}])
    rows = table(declared, x=X, label=LABELS, g=["north"] * 55 + ["south"] * 5)
    found = checks.validate(rows, declared)
    assert found.smallest_group == 5
    assert [finding.sentence() for finding in found.remarks] == [
        "GroupRows in column 'g': expected at least 30 rows of each group, found 5 of one."
    ]


def test_a_declared_group_that_does_not_occur_has_no_rows() -> None:
    declared = schema(sensitive=[{"name": "g", "categories": ["a", "b"]}])
    rows = table(declared, x=X, label=LABELS, g=["a"] * 60)
    assert checks.validate(rows, declared).smallest_group == 0
    assert checks.validate(table(schema(), x=X, label=LABELS), schema()).smallest_group is None


def test_what_breaks_the_schema_names_at_most_twenty_rows() -> None:
    declared = schema(BOUNDED)
    rows = table(declared, x=[51.0] * 40 + X[:20], label=LABELS)
    (found,) = checks.validate(rows, declared).refusals
    assert (found.count, found.rows) == (40, list(range(1, 21)))
