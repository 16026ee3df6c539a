import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.columns import FeatureType
from hallmark.api.drift import Drift
from hallmark.api.served import BaselineFeature, ServedFeature, ServedSchema
from hallmark.drift.counts import BinCounter, watched
from tests.unit.drift import factories

EDGES = [-1.0, 0.25, 0.25, 2.5]


def number_feature(**changes: object) -> BaselineFeature:
    values = {"name": "x", "type": FeatureType.NUMBER, "edges": EDGES, "counts": [1] * 6}
    return BaselineFeature.model_validate(values | changes)


def category_feature(categories: list[str]) -> BaselineFeature:
    return BaselineFeature(
        name="x",
        type=FeatureType.CATEGORY,
        categories=categories,
        counts=[1] * (len(categories) + 2),
    )


def schema_of(*features: ServedFeature) -> ServedSchema:
    return factories.schema().model_copy(update={"features": list(features)})


NUMBER = ServedFeature(name="x", type=FeatureType.NUMBER, nullable=True)


def count(feature: BaselineFeature, served: ServedFeature, values: list[float]) -> list[int]:
    counter = BinCounter([feature], schema_of(served))
    totals = counter.zeros()
    counter.add(np.asarray(values, dtype=np.float32).reshape(-1, 1), totals)
    return counter.named(totals)["x"]


@pytest.mark.parametrize(
    ("value", "bin_"),
    [
        pytest.param(-math.inf, 0, id="minus infinity falls into the first bin, which is open"),
        pytest.param(-1.0, 0, id="a value on an edge falls below it"),
        pytest.param(0.25, 1, id="a value on a doubled edge falls below it too"),
        pytest.param(0.26, 3, id="a value above a doubled edge passes the empty bin"),
        pytest.param(2.5, 3, id="the last edge belongs to the bin below"),
        pytest.param(2.6, 4, id="above the last edge is the last bin of numbers"),
        pytest.param(math.inf, 4, id="infinity falls into the last bin, which is open"),
        pytest.param(math.nan, 5, id="null has a bin of its own"),
    ],
)
def test_a_number_falls_into_the_bin_that_the_baseline_defines(value: float, bin_: int) -> None:
    assert count(number_feature(), NUMBER, [value]) == [int(i == bin_) for i in range(6)]


@pytest.mark.parametrize(
    ("value", "bin_"),
    [
        pytest.param(0.0, 1, id="the schema's first category is found by name"),
        pytest.param(1.0, 0, id="the schema's second category is found by name"),
        pytest.param(2.0, 2, id="a category that the baseline lacks is other"),
        pytest.param(7.0, 2, id="an index beyond the schema is other"),
        pytest.param(-1.0, 2, id="a negative index is other"),
        pytest.param(0.5, 2, id="a fraction is other"),
        pytest.param(math.nan, 3, id="null has a bin of its own"),
    ],
)
def test_a_category_falls_into_its_bin(value: float, bin_: int) -> None:
    served = ServedFeature(
        name="x", type=FeatureType.CATEGORY, nullable=True, categories=["a", "b", "new"]
    )
    found = count(category_feature(["b", "a"]), served, [value])
    assert found == [int(i == bin_) for i in range(4)]


@given(st.lists(st.floats(width=32), max_size=200), st.integers(0, 200))
def test_every_row_is_counted_once_however_the_rows_are_cut(values: list[float], cut: int) -> None:
    whole = count(number_feature(), NUMBER, values)
    first = count(number_feature(), NUMBER, values[:cut])
    second = count(number_feature(), NUMBER, values[cut:])
    assert sum(whole) == len(values)
    assert whole == [a + b for a, b in zip(first, second, strict=True)]


@given(st.lists(st.floats(width=32), min_size=1, max_size=50))
def test_bins_are_those_of_the_plain_definition(values: list[float]) -> None:
    edges = np.asarray(EDGES)
    expected = [0] * 6
    for value in np.asarray(values, dtype=np.float32):
        expected[5 if np.isnan(value) else int(np.sum(value > edges))] += 1
    assert count(number_feature(), NUMBER, values) == expected


@given(st.lists(st.floats(width=32), min_size=1, max_size=50), st.integers(1, 12))
def test_categories_are_those_of_the_plain_definition(drawn: list[float], served: int) -> None:
    known = [f"c{number}" for number in range(0, 12, 2)]
    values = np.asarray([*drawn, *range(-1, 14)], dtype=np.float32)
    expected = [0] * 8
    for value in values.tolist():
        if math.isnan(value):
            expected[7] += 1
        else:
            is_known = value in range(served) and f"c{int(value)}" in known
            expected[known.index(f"c{int(value)}") if is_known else 6] += 1
    names = [f"c{number}" for number in range(served)]
    column = ServedFeature(name="x", type=FeatureType.CATEGORY, nullable=True, categories=names)
    assert count(category_feature(known), column, values.tolist()) == expected


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(5, 1), (1, 3), (4, 3)])
def test_counting_leaves_the_rows_as_they_were(shape: tuple[int, int], order: str) -> None:
    features = [number_feature(name=f"x{at}") for at in range(shape[1])]
    served = [NUMBER.model_copy(update={"name": feature.name}) for feature in features]
    counter = BinCounter(features, schema_of(*served))
    rows = np.asarray(np.arange(shape[0] * shape[1])[::-1].reshape(shape), np.float32, order=order)
    before = rows.copy()
    counter.add(rows, counter.zeros())
    assert (rows == before).all()


@pytest.mark.parametrize(
    ("feature", "sentence"),
    [
        pytest.param(number_feature(counts=[1] * 5), "must have 6 counts", id="a count is missing"),
        pytest.param(
            number_feature(edges=[2.0, 1.0, 3, 4]), "finite and ascend", id="edges descend"
        ),
        pytest.param(
            number_feature(edges=[1.0, 2.0, 4, 3]), "finite and ascend", id="the last one does"
        ),
        pytest.param(
            number_feature(edges=[math.nan], counts=[1] * 3), "finite and ascend", id="no number"
        ),
        pytest.param(
            number_feature(edges=[0.0, math.inf], counts=[1] * 4), "finite and", id="no end"
        ),
        pytest.param(number_feature(name="y"), "not in the served schema", id="unknown feature"),
    ],
)
def test_a_baseline_that_does_not_fit_is_refused(feature: BaselineFeature, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        BinCounter([feature], schema_of(NUMBER))


def test_a_value_is_not_rounded_onto_an_edge_between_its_neighbours() -> None:
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2))
    middle = (float(low) + float(high)) / 2
    feature = number_feature(edges=[middle], counts=[1, 1, 0])
    assert count(feature, NUMBER, [float(low), float(high)]) == [1, 1, 0]
    above = np.nextafter(high, np.float32(2))
    feature = number_feature(edges=[(float(high) + float(above)) / 2], counts=[1, 1, 0])
    assert count(feature, NUMBER, [float(high), float(above)]) == [1, 1, 0]


@pytest.mark.parametrize("edge", [float(np.finfo(np.float32).max), 1e39, -1e39])
def test_an_edge_may_be_beyond_all_numbers_that_rows_have(edge: float) -> None:
    values = [-math.inf, float(np.finfo(np.float32).min), 0.0, float(np.finfo(np.float32).max)]
    below = sum(value <= edge for value in values)
    found = count(number_feature(edges=[edge], counts=[1, 1, 0]), NUMBER, [*values, math.inf])
    assert found == [below, 5 - below, 0]


def test_a_feature_that_never_varied_has_one_bin_and_nulls() -> None:
    feature = number_feature(edges=[], counts=[1, 0])
    assert count(feature, NUMBER, [-5.0, 7.0, math.nan]) == [2, 1]


def test_named_features_alone_are_watched_and_all_if_none_is_named() -> None:
    base = factories.baseline()
    assert [f.name for f in watched(base, Drift())] == ["income", "purpose"]
    assert [f.name for f in watched(base, Drift(features=["purpose"]))] == ["purpose"]
