from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from hypothesis import given, strategies as st

from hallmark.data.duplicates import duplicate_findings, repeated_rows, shared_with_training
from tests.examples import examples
from tests.unit.data.factories import category, schema, table

DECLARED = schema(
    {"name": "x", "type": "Number", "nullable": True},
    {"name": "b", "type": "Boolean", "nullable": True},
    category("c", "p", "q", nullable=True),
    sensitive=[{"name": "g"}],
    identifiers=["id"],
)

ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, 0.0, 1.0, 1e300]),
        st.sampled_from([None, True, False]),
        st.sampled_from([None, "p", "q"]),
        st.sampled_from(["yes", "no"]),
        st.sampled_from(["m", "n"]),
    ),
    min_size=1,
    max_size=30,
)


def columns(rows: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    names = ("x", "b", "c", "label", "g")
    cells = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return {**cells, "id": [str(number) for number in range(len(rows))]}


@examples(80)
@given(ROWS)
def test_twins_are_those_that_a_comparison_of_all_pairs_finds(rows: list[tuple[Any, ...]]) -> None:
    found = repeated_rows(table(DECLARED, **columns(rows)), DECLARED)
    by_features = defaultdict(list)
    for number, row in enumerate(rows):
        by_features[row[:3]].append(number)
    together = [group for group in by_features.values() if len(group) > 1]
    assert found.repeats.tolist() == [i for i, row in enumerate(rows) if row in rows[:i]]
    assert found.twins.tolist() == sorted(number for group in together for number in group)
    assert found.contradictory.tolist() == sorted(
        number for group in together if len({rows[i][3] for i in group}) > 1 for number in group
    )
    groups = defaultdict(list)
    for row, group in zip(found.twins.tolist(), found.groups.tolist(), strict=True):
        groups[group].append(row)
    assert sorted(groups.values()) == sorted(together)


def test_continuous_numbers_have_no_twins_and_one_that_is_put_there_is_found() -> None:
    declared = schema(*({"name": f"x{i}", "type": "Number"} for i in range(4)))
    numbers = np.random.default_rng(5).normal(size=(5000, 4))
    labels = ["yes", "no"] * 2500
    # Equal in all columns but one is no twin; the last row is one, with another class.
    numbers[-2, :3] = numbers[17, :3]
    numbers[-1] = numbers[42]
    cells = {f"x{i}": numbers[:, i].tolist() for i in range(4)}
    found = repeated_rows(table(declared, **cells, label=labels), declared)
    assert found.twins.tolist() == [42, 4999]
    assert found.contradictory.tolist() == [42, 4999]
    assert found.repeats.tolist() == []


def test_remarks_count_and_name_rows() -> None:
    rows = [(float(i), None, "p", "yes", "m") for i in range(9)]
    rows += [rows[3], (4.0, None, "p", "no", "m")]
    found = repeated_rows(table(DECLARED, **columns(rows)), DECLARED)
    duplicate, contradiction = duplicate_findings(found)
    assert (duplicate.check, duplicate.count, duplicate.rows) == ("Duplicate", 1, [10])
    assert (contradiction.check, contradiction.rows) == ("Contradiction", [5, 11])


def test_test_rows_that_training_has_seen() -> None:
    rows = [(1.0, None, "p", "yes", "m"), (2.0, None, "p", "no", "m"), (3.0, None, "p", "no", "m")]
    found = repeated_rows(table(DECLARED, **columns([*rows, *rows[:2], rows[1]])), DECLARED)
    train, test = np.array([0, 2, 3]), np.array([1, 4, 5])
    assert shared_with_training(found, train, test).tolist() == []
    train, test = np.array([0, 1, 2]), np.array([3, 4, 5])
    assert shared_with_training(found, train, test).tolist() == [3, 4, 5]
