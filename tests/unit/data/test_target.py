"""The classes: declared or found, each spelled in one way, two where one of them is positive."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st

from hallmark.api.schema import Schema
from hallmark.data import schema as checks
from hallmark.data.declaration import check_declaration
from hallmark.data.table import Table
from hallmark.data.target import class_counts
from hallmark.data.twins import near_twins, said, spelling
from tests.examples import examples
from tests.unit.data.factories import category, schema, table

X = [float(i) for i in range(60)]


def target(positive: str | None = "yes", categories: list[str] | None = None) -> Schema:
    asked: dict[str, Any] = {"name": "label"}
    asked |= {"positive": positive} if positive else {}
    asked |= {"categories": categories} if categories else {}
    return Schema.model_validate({"features": [{"name": "x", "type": "Number"}], "target": asked})


def rows(declared: Schema, labels: list[str]) -> Table:
    return table(declared, x=[float(i) for i in range(len(labels))], label=labels)


REFUSED: dict[str, tuple[Schema, list[str], list[str]]] = {
    "classes with and without a full stop": (
        target(">50K"),
        [">50K", "<=50K"] * 30 + [">50K.", "<=50K."] * 15,
        ["in rows 61, 63", "found '>50K' and '>50K.'", "'<=50K' and '<=50K.'"],
    ),
    "classes that differ in case": (
        target(None),
        ["Yes", "no"] * 30 + ["yes"],
        ["first in row 61", "found 'Yes' and 'yes'", "'target.categories'"],
    ),
    "classes that differ in spaces": (
        target(None),
        ["very good", "no"] * 30 + ["very\u00a0 good "],
        ["first in row 61", "'very good' and 'very? good '"],
    ),
    "a third value beside the positive class": (
        target(),
        ["yes", "no"] * 30 + ["maybe"],
        ["first in row 61", "expected two classes", "found 'maybe'", "'target.categories'"],
    ),
    "a third and a fourth value": (
        target(),
        ["yes", "no"] * 30 + ["maybe", "?"],
        ["first in row 61", "found 'maybe'", "first in row 62", "found '?'"],
    ),
    "a value that is not declared": (
        target("yes", ["yes", "no"]),
        ["yes", "no"] * 30 + ["maybe"],
        ["first in row 61", "one of the 2 classes in 'target.categories'", "found 'maybe'"],
    ),
    "a value that is a near twin of a declared one": (
        target("yes", ["yes", "no"]),
        ["yes", "no"] * 30 + ["Yes."],
        ["first in row 61", "found 'Yes.', which differs from one of them in case"],
    ),
    "a positive class in another spelling": (
        target("Yes"),
        ["yes", "no"] * 30,
        ["rows of the positive class 'Yes', found none, but of one that differs in case"],
    ),
    "a declared class that does not occur": (
        target("yes", ["yes", "no", "maybe"]),
        ["yes", "no"] * 30,
        ["at least 10 rows of each class, found 0 of one"],
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused(case: tuple[Schema, list[str], list[str]]) -> None:
    declared, labels, words = case
    refusals = checks.validate(rows(declared, labels), declared).refusals
    told = " ".join(finding.sentence() for finding in refusals)
    for word in words:
        assert word in told
    assert {finding.check for finding in refusals} == {"Target"}
    assert "rows of each class" not in told or "found 0" in told


PASS: dict[str, tuple[Schema, list[str]]] = {
    "two classes": (target(), ["yes", "no"] * 30),
    "peers": (target(None), ["a", "b", "c"] * 20),
    "declared classes": (target("a", ["a", "b", "c"]), ["a", "b", "c"] * 20),
    "near twins that are declared": (target("a", ["a", "A", "b"]), ["a", "A", "b"] * 20),
    "numbers": (target(None), ["1", "11", "1.1"] * 20),
    "fractions": (target(None), ["5", ".5", "0.5"] * 20),
}


@pytest.mark.parametrize("case", PASS.values(), ids=PASS)
def test_pass(case: tuple[Schema, list[str]]) -> None:
    declared, labels = case
    assert checks.validate(rows(declared, labels), declared).refusals == ()


def test_a_private_target_is_told_by_rows_alone() -> None:
    declared = target()
    labels = ["yes", "no"] * 30 + ["maybe", "YES"]
    private = rows(declared, labels)
    hidden = Table(
        tuple(
            type(column)(type(spec)(spec.name, spec.type, private=True), column.values)
            for column in private.columns
            for spec in (column.spec,)
        )
    )
    told = " ".join(finding.sentence() for finding in checks.validate(hidden, declared).refusals)
    assert "maybe" not in told
    assert "YES" not in told
    assert "found 'yes' and another" in told  # the schema says so
    assert "first in row 61" in told
    assert "first in row 62" in told


def test_an_undeclared_class_is_an_invalid_cell() -> None:
    declared = target("yes", ["yes", "no"])
    found = checks.validate(rows(declared, ["yes", "no"] * 30 + ["maybe"] * 3), declared)
    assert found.invalid_cells == 3


DECLARATIONS = {
    "a positive class that is not declared": (target("yes", ["a", "b"]), "a positive class that"),
    "an empty class": (target(None, ["", "b"]), "distinct, non-empty classes"),
    "a class twice": (target(None, ["b", "b"]), "distinct, non-empty classes"),
}


@pytest.mark.parametrize("case", DECLARATIONS.values(), ids=DECLARATIONS)
def test_a_declaration_is_refused(case: tuple[Schema, str]) -> None:
    declared, words = case
    (found,) = check_declaration(declared)
    assert words in found.sentence()


def test_near_twins_among_categories_are_a_remark() -> None:
    declared = schema(category("c", "north", "North", "south"))
    found = checks.validate(
        table(declared, c=["north", "North", "south"] * 20, label=["yes", "no"] * 30), declared
    )
    assert found.refusals == ()
    assert (
        "Twins in column 'c': expected values that differ in more than case, spaces or a full "
        "stop, found 'north' and 'North'." in [remark.sentence() for remark in found.remarks]
    )


def test_declared_classes_that_are_near_twins_are_no_remark() -> None:
    declared = target("a", ["a", "A", "b"])
    private = rows(declared, ["a", "A", "b"] * 20)
    hidden = Table(
        tuple(
            type(column)(type(spec)(spec.name, spec.type, private=True), column.values)
            for column in private.columns
            for spec in (column.spec,)
        )
    )
    found = checks.validate(hidden, declared)
    assert [remark.check for remark in found.remarks if remark.check == "Twins"] == []


def test_near_twins_among_groups_are_a_remark_without_values() -> None:
    declared = schema(sensitive=[{"name": "g"}])
    groups = ["Female", "female ", "male"] * 20
    found = checks.validate(table(declared, x=X, label=["yes", "no"] * 30, g=groups), declared)
    told = [remark.sentence() for remark in found.remarks if remark.check == "Twins"]
    assert told == [
        "Twins in column 'g': expected values that differ in more than case, spaces or a full "
        "stop, found 2 that do not."
    ]


def test_an_undeclared_category_that_is_a_near_twin_is_called_so() -> None:
    declared = schema(category("c", "north", "south"))
    cells = ["north", "south"] * 29 + ["North", "east"]
    refusals = checks.validate(
        table(declared, c=cells, label=["yes", "no"] * 30), declared
    ).refusals
    (found,) = [finding for finding in refusals if finding.check == "Category"]
    assert found.rows == [59, 60]
    assert "some of which differ from one of them in case" in found.found


WORDS = st.text(st.sampled_from("aAbBéÉ \u00a0\t.1ß"), max_size=6)


@examples(300)
@given(st.lists(WORDS, unique=True, max_size=8))
def test_twins_are_those_that_are_spelled_alike(values: list[str]) -> None:
    groups = near_twins(values)
    twins = [value for group in groups for value in group]
    assert len(twins) == len(set(twins))
    for group in groups:
        assert len({spelling(value) for value in group}) == 1
    for value in set(values) - set(twins):
        assert sum(spelling(value) == spelling(other) for other in values) == 1


@given(st.lists(st.text(max_size=80), min_size=1, max_size=3))
def test_what_is_said_of_values_is_short_and_printable(values: list[str]) -> None:
    told = said(values)
    assert told.isprintable()
    assert len(told) <= len(values) * 50


@pytest.mark.parametrize("name", ["count", "value", "len", "index", "literal", "row", "label", ""])
def test_a_name_that_a_library_uses_is_a_name_like_any_other(name: str) -> None:
    counted = class_counts(pl.Series(name, ["no", "yes", "yes", None]))
    assert list(counted.items()) == [("yes", 2), ("no", 1)]
