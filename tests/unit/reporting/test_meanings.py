"""Who does not know a metric's name reads what it says; names in a chart stay apart."""

from __future__ import annotations

import pytest

from hallmark.api.gates import DATA, FAIRNESS, PERFORMANCE, PROXY, ROBUSTNESS
from hallmark.reporting.charts import Line, intervals
from hallmark.reporting.meanings import MEANINGS, meaning
from hallmark_dashboard.views.words import parts

ALL = (*PERFORMANCE, *ROBUSTNESS, *DATA, *FAIRNESS, PROXY)


def test_each_metric_that_is_measured_has_a_meaning_and_no_other() -> None:
    assert MEANINGS.keys() == set(ALL)


@pytest.mark.parametrize("name", [*FAIRNESS, PROXY])
@pytest.mark.parametrize("attribute", ["age", "age_x_sex", "a.b-c", "completeness"])
def test_the_attribute_changes_no_meaning(name: str, attribute: str) -> None:
    assert meaning(f"{name}.{attribute}") == meaning(name)


@pytest.mark.parametrize("name", ["", ".", "quality", "quality.", "nothing.age"])
def test_what_nobody_measures_has_none(name: str) -> None:
    assert meaning(name) == ""


@pytest.mark.parametrize("name", FAIRNESS)
@pytest.mark.parametrize(("one", "other"), [("afam", "single"), ("age", "sex"), ("a", "b")])
def test_a_chart_tells_the_attributes_of_a_long_name_apart(name: str, one: str, other: str) -> None:
    lines = [Line(f"{name}.{attribute}", 0.5) for attribute in (one, other)]
    texts = [shape.text for shape in intervals("x", lines).shapes if "ink" in str(shape.attributes)]

    shown = [text for text in texts if text.endswith((f".{one}", f".{other}"))]
    assert len(set(shown)) == 2


@pytest.mark.parametrize("name", [*ALL, "equalizedOddsDifference.age_x_sex", "", "...", "ABC", "a"])
def test_a_name_in_parts_is_the_same_name(name: str) -> None:
    assert "".join(parts(name)) == name
    assert all(parts(name))


def test_a_long_name_may_be_broken_between_its_words() -> None:
    assert parts("demographicParity.age_x_sex") == ["demographic", "Parity.", "age_", "x_", "sex"]
