from __future__ import annotations

import datetime as dt
import decimal

import polars as pl
import pytest

from hallmark.data.conversion import convert
from hallmark.data.table import declared_columns
from tests.unit.data.factories import category, schema

NUMBER = {"name": "x", "type": "Number", "nullable": True}
INTEGER = {"name": "x", "type": "Integer", "nullable": True}
BOOLEAN = {"name": "x", "type": "Boolean", "nullable": True}
CATEGORY = category("x", "a", nullable=True)

ACCEPTED = {
    "decimal text is a number": (NUMBER, ["1.5", "-2", "+3", ".5", "1e3"], [1.5, -2, 3, 0.5, 1e3]),
    "minus zero is zero": (NUMBER, ["-0", "-0.0"], [0.0, 0.0]),
    "whole numbers are numbers": (NUMBER, [1, 2], [1.0, 2.0]),
    "decimals are numbers": (NUMBER, [decimal.Decimal("1.25")], [1.25]),
    "digits are whole numbers": (INTEGER, ["12", "+3", "-4"], [12, 3, -4]),
    "a float without fraction is a whole number": (INTEGER, [2.0, None], [2, None]),
    "true and false in their usual forms": (
        BOOLEAN,
        ["true", "False", "1", "0"],
        [True, False, True, False],
    ),
    "one and zero are booleans": (BOOLEAN, [1, 0, None], [True, False, None]),
    "whole numbers name categories": (CATEGORY, [1, 2], ["1", "2"]),
    "booleans name categories": (CATEGORY, [True, None], ["true", None]),
    "floats without fraction name categories": (CATEGORY, [1.0, 2.0], ["1", "2"]),
}


@pytest.mark.parametrize("case", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(case: tuple[dict[str, object], list[object], list[object]]) -> None:
    feature, cells, expected = case
    raw = pl.DataFrame({"x": cells, "label": ["yes"] * len(cells)})
    found = convert(raw, declared_columns(schema(feature)))
    assert not found.findings
    assert found.table is not None
    values = found.table.column("x").values.to_list()
    assert values == expected
    assert [str(value) for value in values] == [
        str(float(value)) if feature is NUMBER and value is not None else str(value)
        for value in expected
    ]


REFUSED = {
    "a word is no number": (NUMBER, ["1", "4111 1111"], "row 2: expected a finite decimal number"),
    "NaN as text is no number": (NUMBER, ["NaN"], "found text of 3 characters"),
    "infinity as text is no number": (NUMBER, ["inf"], "found text of 3 characters"),
    "NaN of a float column is no number": (NUMBER, [float("nan")], "found NaN or infinity"),
    "a number beyond doubles": (NUMBER, ["1e999"], "found text of 5 characters"),
    "a whole number that no double holds": (NUMBER, [2**53 + 1], "a whole number of 16 digits"),
    "a space before a number": (NUMBER, [" 1"], "found text of 2 characters"),
    "a date is no number": (NUMBER, [dt.date(2020, 1, 2)], "found a date"),
    "a fraction is no whole number": (INTEGER, [1.5], "found a fraction"),
    "a fraction in text is no whole number": (INTEGER, ["1.0"], "found text of 3 characters"),
    "more than 64 bits": (INTEGER, ["9223372036854775808"], "found text of 19 characters"),
    "yes is no boolean": (BOOLEAN, ["yes"], "expected true or false"),
    "two is no boolean": (BOOLEAN, [2], "found a whole number of 1 digits"),
    "a fraction names no category": (CATEGORY, [1.5], "found a fraction"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused(case: tuple[dict[str, object], list[object], str]) -> None:
    feature, cells, expected = case
    raw = pl.DataFrame({"x": cells, "label": ["yes"] * len(cells)})
    found = convert(raw, declared_columns(schema(feature)))
    assert [finding.check for finding in found.findings] == ["Type"]
    sentence = found.findings[0].sentence()
    assert expected in sentence
    assert "4111" not in sentence


def test_missing_columns_are_named_each() -> None:
    found = convert(pl.DataFrame({"z": [1]}), declared_columns(schema()))
    assert found.table is None
    assert [finding.column for finding in found.findings] == ["x", "label"]


def test_an_empty_cell_is_a_finding_where_the_column_is_not_nullable() -> None:
    raw = pl.DataFrame({"x": ["1", None, None], "label": ["yes", "no", None]})
    found = convert(raw, declared_columns(schema()))
    assert [
        (finding.check, finding.column, finding.row, finding.count) for finding in found.findings
    ] == [
        ("Null", "x", 2, 2),
        ("Null", "label", 3, 1),
    ]


def test_a_feature_that_is_sensitive_too_stands_once() -> None:
    declared = schema(category("g", "a", "b"), sensitive=[{"name": "g"}, {"name": "h"}])
    assert [spec.name for spec in declared_columns(declared)] == ["g", "label", "h"]
    assert declared_columns(declared)[0].private
