"""Groups of a sensitive attribute: none stands for rows without a value, whatever it is called."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.training.fairness import Groups, group_rows, intersection, of_rows
from tests.examples import examples

HOSTILE = ["(missing)", "((missing))", "missing", "None", "null", "nan", "", " ", "-1", "group 1"]
HOSTILE += ["group 2", "a", "a\0", "A", "a x b", "'a x b'", "b", "x", "(other)"]
VALUES = st.lists(st.none() | st.sampled_from(HOSTILE), min_size=1, max_size=30)
DECLARED = st.sets(st.sampled_from(HOSTILE), max_size=len(HOSTILE))


def together(groups: Groups) -> list[set[int]]:
    """Return the rows of each group."""
    return [
        set(np.flatnonzero(groups.codes == code).tolist()) for code in range(len(groups.labels))
    ]


@examples(300)
@given(VALUES, DECLARED, st.data())
def test_rows_are_together_if_and_only_if_their_values_are_equal(
    values: list[str | None], declared: set[str], data: st.DataObject
) -> None:
    compared = data.draw(st.sets(st.sampled_from(sorted(declared)))) if declared else set()
    found = group_rows("g", values, declared, compared)
    for row, value in enumerate(values):
        for other, its in enumerate(values):
            assert (found.codes[row] == found.codes[other]) == (value == its)
    assert len(set(found.labels)) == len(found.labels)
    for code in range(len(found.labels)):
        rows = np.flatnonzero(found.codes == code)
        missing = len(rows) > 0 and values[rows[0]] is None
        assert (code in found.without_value) == missing
    named = {label for label in found.labels if label in declared}
    assert named == {value for value in values if value in declared} | compared


@examples(200)
@given(VALUES, DECLARED, st.data())
def test_some_rows_and_pairs_keep_what_is_missing_apart(
    values: list[str | None], declared: set[str], data: st.DataObject
) -> None:
    others = data.draw(st.lists(st.none() | st.sampled_from(HOSTILE), min_size=len(values),
                                max_size=len(values)))  # fmt: skip
    first, second = (group_rows(name, cells, declared, ()) for name, cells in
                     (("g", values), ("h", others)))  # fmt: skip
    some = np.arange(0, len(values), 2)
    few = of_rows(first, some)
    assert [few.labels[code] for code in few.codes] == [
        first.labels[code] for code in first.codes[some]
    ]
    assert {few.labels[code] for code in few.without_value} <= {
        first.labels[code] for code in first.without_value
    }
    both = intersection(first, second)
    assert len(set(both.labels)) == len(both.labels)
    for row, pair in enumerate(zip(values, others, strict=True)):
        assert (int(both.codes[row]) in both.without_value) == (None in pair)


def test_a_group_that_is_called_missing_is_not_the_rows_without_a_value() -> None:
    found = group_rows("g", ["(missing)", None, "a", None], ["(missing)", "a"], ["(missing)", "a"])
    assert together(found) == [{0}, {2}, {1, 3}]
    assert found.labels == ("(missing)", "a", "((missing))")
    assert found.without_value == {2}


@pytest.mark.parametrize("name", ["group 1", "group 2"])
def test_a_group_without_a_name_is_not_called_like_a_declared_one(name: str) -> None:
    found = group_rows("g", ["secret", name, "other"], [name], [])
    assert len(set(found.labels)) == 3
    assert not {"secret", "other"} & set(found.labels)
