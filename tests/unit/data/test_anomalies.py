from __future__ import annotations

from hallmark.data.anomalies import outliers
from tests.unit.data.factories import category, schema, table

LABELS = ["yes", "no"] * 30


def test_outliers_are_counted_beyond_tukeys_outer_fences() -> None:
    declared = schema(sensitive=[{"name": "g"}])
    values = [float(i % 10) for i in range(58)] + [500.0, -500.0]
    found = outliers(table(declared, x=values, label=LABELS, g=["a"] * 60))
    (finding,) = found.findings
    assert (finding.column, finding.count, finding.rows) == ("x", 2, [59, 60])
    assert "from -13 to 22" in finding.sentence()
    assert found.fraction == 2 / 60


def test_a_sensitive_columns_fences_are_not_named() -> None:
    declared = schema(sensitive=[{"name": "x"}])
    rows = table(declared, x=[float(i % 10) for i in range(59)] + [500.0], label=LABELS)
    (finding,) = outliers(rows).findings
    assert "22" not in finding.sentence()
    assert "500" not in finding.sentence()


def test_a_column_that_is_mostly_one_value_has_no_outliers() -> None:
    rows = table(schema(), x=[0.0] * 59 + [1.0], label=LABELS)
    assert outliers(rows).findings == ()
    assert outliers(rows).fraction == 0


def test_nulls_are_no_numbers() -> None:
    declared = schema({"name": "x", "type": "Number", "nullable": True})
    rows = table(declared, x=[float(i) for i in range(20)] + [900.0] + [None] * 39, label=LABELS)
    assert outliers(rows).fraction == 1 / 21


def test_without_numbers_there_is_no_fraction() -> None:
    declared = schema(category("x", "a", "b"))
    assert outliers(table(declared, x=["a", "b"] * 30, label=LABELS)).fraction is None
