from __future__ import annotations

import numpy as np
import pytest

from hallmark.training.fairness import attribute_fairness, fairness_metrics


def rows(*groups: tuple[str, int, int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return groups, truth and decisions.

    Args:
        groups: Name, then how many rows are true and decided positive, true and decided negative,
            false and decided positive, false and decided negative.
    """
    cells = [
        (name, truth, decision)
        for name, *counts in groups
        for count, (truth, decision) in zip(counts, ((1, 1), (1, 0), (0, 1), (0, 0)), strict=True)
        for _ in range(count)
    ]
    names, truth, decisions = zip(*cells, strict=True)
    return np.array(names), np.array(truth), np.array(decisions)


def test_the_differences_are_those_of_the_definitions() -> None:
    groups, truth, decisions = rows(("a", 30, 10, 5, 15), ("b", 12, 8, 10, 10))
    found = attribute_fairness("g", groups, truth, decisions, ["a", "b"])
    # Selected: 35 of 60 and 22 of 40. True positives: 30 of 40 and 12 of 20. False positives:
    # 5 of 20 and 10 of 20.
    assert found.demographic_parity_difference == pytest.approx(35 / 60 - 22 / 40, abs=1e-6)
    assert found.equalized_odds_difference == pytest.approx(10 / 20 - 5 / 20)
    assert [(each.group, each.rows, each.selection_rate) for each in found.groups] == [
        ("a", 60, 0.583333),
        ("b", 40, 0.55),
    ]
    assert [each.accuracy for each in found.groups] == [0.75, 0.55]


INCONCLUSIVE = {
    "a group of 29 rows": ([("a", 30, 10, 5, 15), ("b", 10, 9, 5, 5)], (None, None)),
    "one group only": ([("a", 30, 10, 5, 15)], (None, None)),
    "four rows of a class in a group": (
        [("a", 30, 10, 5, 15), ("b", 20, 20, 2, 2)],
        (pytest.approx(35 / 60 - 22 / 44, abs=1e-6), None),
    ),
}


@pytest.mark.parametrize("case", INCONCLUSIVE.values(), ids=INCONCLUSIVE)
def test_too_few_rows_are_inconclusive(case: tuple[list, tuple]) -> None:
    groups, expected = case
    found = attribute_fairness("g", *rows(*groups), ["a", "b"])
    assert (found.demographic_parity_difference, found.equalized_odds_difference) == expected
    assert len(found.groups) == len(groups)


def test_the_metrics_names_hold_the_attributes() -> None:
    found = attribute_fairness("marital status", *rows(("a", 30, 10, 5, 15)), ["a"])
    assert fairness_metrics([found]) == {
        "demographicParityDifference.marital_status": None,
        "equalizedOddsDifference.marital_status": None,
    }


def test_a_group_that_the_schema_does_not_declare_is_not_named() -> None:
    cells = rows(("Ann Lee", 30, 10, 5, 15), ("b", 12, 8, 10, 10))
    found = attribute_fairness("g", *cells, ["b"])
    assert [each.group for each in found.groups] == ["group 1", "b"]


def test_an_attribute_with_a_value_for_every_row_is_no_grouping() -> None:
    groups = np.array([str(i) for i in range(3000)])
    truth = np.arange(3000) % 2
    found = attribute_fairness("g", groups, truth, truth, [])
    assert (found.demographic_parity_difference, len(found.groups)) == (None, 64)
    many = attribute_fairness("g", np.repeat(groups[:65], 40), truth[:2600], truth[:2600], [])
    assert many.demographic_parity_difference is None
