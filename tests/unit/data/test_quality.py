from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, strategies as st

from hallmark.api.gates import DATA
from hallmark.data.anomalies import outliers
from hallmark.data.conversion import convert
from hallmark.data.measures import data_metrics
from hallmark.data.quality import WEIGHTS, quality_parts, quality_score
from hallmark.data.schema import validate
from hallmark.data.table import declared_columns
from tests.examples import examples
from tests.unit.data.factories import category, schema, table

LABELS = ["yes", "no"] * 30
X = [float(i) for i in range(60)]
DECLARED = schema(
    {"name": "x", "type": "Number", "nullable": True, "maximum": "100"},
    category("c", "a", "b", nullable=True),
    sensitive=[{"name": "g"}],
)


def metrics(**columns: list[Any]) -> dict[str, float | None]:
    """Return the metrics of raw columns, of which cells may be of a wrong type."""
    raw = pl.DataFrame(columns, strict=False)
    converted = convert(raw, declared_columns(DECLARED))
    assert converted.table is not None
    validation = validate(converted.table, DECLARED)
    parts = quality_parts(converted.table, validation, wrong_types=converted.wrong_types)
    assert [part.weight for part in parts] == list(WEIGHTS.values())
    return data_metrics(raw.height, validation, parts, outliers(converted.table))


def clean() -> dict[str, list[Any]]:
    return {
        "x": [str(number) for number in X],
        "c": ["a", "b", "b"] * 20,
        "label": list(LABELS),
        "g": ["m", "m", "n"] * 20,
    }


def test_clean_and_balanced_rows_score_100() -> None:
    found = metrics(**clean())
    assert found["dataQuality"] == 100
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert {name for name in found if name not in DATA} == set()


def test_each_dimension_measures_its_own() -> None:
    columns = clean()
    columns["x"][0] = None  # 1 of 240 cells is empty
    columns["x"][1] = "many"  # of a wrong type, which is not empty
    columns["x"][2] = "101"  # out of range
    columns["c"][4] = "z"  # undeclared
    for name in columns:
        columns[name][59] = columns[name][57]  # an equal row
    columns["x"][10], columns["c"][10] = columns["x"][11], columns["c"][11]  # a contradiction
    found = metrics(**columns)
    assert {name: value for name, value in found.items() if name.startswith("quality.")} == {
        "quality.completeness": pytest.approx(100 * 239 / 240),
        "quality.validity": pytest.approx(100 * 237 / 240),
        "quality.uniqueness": pytest.approx(100 * 59 / 60),
        "quality.consistency": pytest.approx(100 * 58 / 60),
        "quality.balance": pytest.approx(100, abs=0.1),
    }
    assert found["duplicateFraction"] == pytest.approx(1 / 60)
    assert found["contradictionFraction"] == pytest.approx(2 / 60)
    assert found["smallestGroupRows"] == 19


def test_balance_is_the_entropy_of_the_classes() -> None:
    columns = clean()
    columns["label"] = ["yes"] * 15 + ["no"] * 45
    found = metrics(**columns)
    assert found["quality.balance"] == pytest.approx(81.128, abs=0.001)  # h(1/4) in bits
    assert found["minorityFraction"] == 0.25


def test_outliers_and_leakage_are_metrics() -> None:
    columns = clean()
    columns["x"] = [str(float(i % 10)) for i in range(59)] + ["99"]
    found = metrics(**columns)
    assert found["outlierFraction"] == pytest.approx(1 / 60)
    assert 0 <= (found["targetLeakage"] or 0) < 0.2


CELLS = st.tuples(
    st.sampled_from([None, "1", "2.5", "many", "900"]),
    st.sampled_from([None, "a", "b", "z"]),
    st.sampled_from(["yes", "no", None]),
    st.sampled_from(["m", "n"]),
)


@examples(60)
@given(st.lists(CELLS, min_size=2, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: list[tuple[Any, ...]], random: Random) -> None:
    turned = list(rows)
    random.shuffle(turned)
    found = [
        metrics(
            **{name: [row[i] for row in order] for i, name in enumerate(("x", "c", "label", "g"))}
        )
        for order in (rows, turned)
    ]
    assert found[0] == found[1]
    assert 0 <= (found[0]["dataQuality"] or 0) <= 100


def test_the_score_is_the_weighted_mean() -> None:
    rows = table(DECLARED, x=[1.0, 1.0], c=["a", "a"], label=["yes", "no"], g=["m", "m"])
    validation = validate(rows, DECLARED)
    parts = quality_parts(rows, validation, wrong_types=0)
    # Nothing but consistency is missing.
    assert quality_score(parts) == pytest.approx(100 - 100 * WEIGHTS["consistency"])
