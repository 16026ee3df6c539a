"""Fairness beside fairlearn's, and what has too few rows to say."""

from __future__ import annotations

import numpy as np
import pytest
from fairlearn import metrics as peer

from hallmark.api.gates import FAIRNESS
from hallmark.training.fairness import (
    MAX_GROUPS,
    Groups,
    count,
    group_rows,
    intersection,
    measure,
    of_rows,
    report,
)
from hallmark.training.metrics import Predictions

CONFIDENCE = 0.95


def rows(*cells: tuple[str, int, int, int, int]) -> tuple[Groups, Predictions]:
    """Return groups and predictions.

    Args:
        cells: Name, then how many rows are true and decided positive, true and decided negative,
            false and decided positive, false and decided negative.
    """
    rows = [
        (name, truth, decision)
        for name, *counts in cells
        for number, (truth, decision) in zip(counts, ((1, 1), (1, 0), (0, 1), (0, 0)), strict=True)
        for _ in range(number)
    ]
    names, truth, decisions = zip(*rows, strict=True)
    found = group_rows("g", names, {name for name, *_ in cells}, ())
    said = np.where(np.array(decisions) == 1, 0.9, 0.1)
    return found, Predictions(np.array(truth), np.column_stack([1 - said, said]), 1)


def measured(*cells: tuple[str, int, int, int, int], minimum: int = 30) -> dict:
    found, predictions = rows(*cells)
    return measure(found, count(found, predictions), minimum, CONFIDENCE)


TWO = (("a", 30, 10, 5, 15), ("b", 12, 8, 10, 10))
THREE = (*TWO, ("c", 40, 1, 30, 9))


def test_the_metrics_are_those_of_the_definitions() -> None:
    found = measured(*TWO)
    # Selected: 35 of 60 and 22 of 40. True positives: 30 of 40 and 12 of 20. False positives:
    # 5 of 20 and 10 of 20.
    assert [found[name].value for name in FAIRNESS] == pytest.approx(
        [35 / 60 - 22 / 40, (22 / 40) / (35 / 60), 10 / 20 - 5 / 20, 30 / 40 - 12 / 20]
    )


@pytest.mark.parametrize("cells", [TWO, THREE], ids=["two groups", "three groups"])
def test_estimates_are_fairlearns(cells: tuple) -> None:
    found, predictions = rows(*cells)
    counts = count(found, predictions)
    wanted = {
        "demographicParityDifference": peer.demographic_parity_difference,
        "demographicParityRatio": peer.demographic_parity_ratio,
        "equalizedOddsDifference": peer.equalized_odds_difference,
        "equalOpportunityDifference": peer.equal_opportunity_difference,
    }
    estimates = measure(found, counts, 30, CONFIDENCE)
    for name, compute in wanted.items():
        value = compute(predictions.truth, predictions.decisions, sensitive_features=found.codes)
        assert estimates[name].value == pytest.approx(value, abs=1e-12)


def test_with_three_classes_the_favourable_one_is_looked_at() -> None:
    random = np.random.default_rng(3)
    truth, said = random.integers(0, 3, 400), random.dirichlet(np.ones(3), 400)
    found = group_rows("g", random.choice(["a", "b"], 400).tolist(), ["a", "b"], ())
    predictions = Predictions(truth, said, 2)
    estimates = measure(found, count(found, predictions), 30, CONFIDENCE)
    for name, compute in (
        ("demographicParityDifference", peer.demographic_parity_difference),
        ("equalizedOddsDifference", peer.equalized_odds_difference),
    ):
        value = compute(truth == 2, said.argmax(axis=1) == 2, sensitive_features=found.codes)
        assert estimates[name].value == pytest.approx(value, abs=1e-12)


def test_each_number_has_an_interval_around_it() -> None:
    for measurement in measured(*THREE).values():
        assert measurement.lower < measurement.value < measurement.upper
    assert measured(*THREE) == measured(*THREE)


INCONCLUSIVE = {
    "a group of 29 rows": (
        [("a", 30, 10, 5, 15), ("b", 10, 9, 5, 5)],
        FAIRNESS,
        "group 'b' of 'g' has 29 test rows, 30 are needed",
    ),
    "two groups that are small": (
        [("a", 30, 10, 5, 15), ("b", 10, 9, 5, 5), ("c", 5, 5, 5, 5)],
        FAIRNESS,
        "group 'c' of 'g' has 20 test rows, 30 are needed (and 1 more such group)",
    ),
    "one group only": (
        [("a", 30, 10, 5, 15)],
        FAIRNESS,
        f"'g' has 1 group in the test rows, 2 to {MAX_GROUPS} are needed",
    ),
    "four rows of the negative class in a group": (
        [("a", 30, 10, 5, 15), ("b", 20, 20, 2, 2)],
        FAIRNESS[2:3],
        "group 'b' of 'g' has 4 test rows of another class, 5 are needed",
    ),
    "four rows of the positive class in a group": (
        [("a", 30, 10, 5, 15), ("b", 2, 2, 20, 20)],
        FAIRNESS[2:],
        "group 'b' of 'g' has 4 test rows of the positive class, 5 are needed",
    ),
}


@pytest.mark.parametrize("case", INCONCLUSIVE.values(), ids=INCONCLUSIVE)
def test_too_few_rows_are_inconclusive(case: tuple) -> None:
    cells, names, sentence = case
    for name, measurement in measured(*cells).items():
        assert measurement.inconclusive == (sentence if name in names else None)
        assert (measurement.value is None) == (name in names)


def test_a_run_can_ask_for_fewer_rows() -> None:
    few = (("a", 9, 9, 9, 9), ("b", 2, 3, 3, 2))
    assert measured(*few)["demographicParityDifference"].inconclusive is not None
    assert measured(*few, minimum=10)["demographicParityDifference"].value == pytest.approx(0)


def test_nobody_selected_has_no_ratio() -> None:
    found = measured(("a", 0, 20, 0, 20), ("b", 0, 30, 0, 10))
    assert found["demographicParityDifference"].value == 0
    assert found["demographicParityRatio"].value is None


def test_a_declared_group_without_a_row_is_inconclusive() -> None:
    values = ["a"] * 40 + ["b"] * 40
    whole = group_rows("sex", values, ["a", "b", "c"], ["a", "b", "c"])
    found = of_rows(whole, np.arange(80))
    said = np.full(80, 0.9)
    predictions = Predictions(np.tile([0, 1], 40), np.column_stack([1 - said, said]), 1)
    estimates = measure(found, count(found, predictions), 30, CONFIDENCE)
    assert {estimate.inconclusive for estimate in estimates.values()} == {
        "group 'c' of 'sex' has 0 test rows, 30 are needed"
    }


def test_a_group_that_nobody_declared_gets_a_number() -> None:
    found = group_rows("name", ["Ada", "Bob", None, "Ada"], ["Bob"], ())
    assert found.labels == ("group 1", "Bob", "(missing)")
    assert found.codes.tolist() == [0, 1, 2, 0]


def test_two_attributes_together_have_the_groups_that_occur() -> None:
    sex = group_rows("sex", ["f", "f", "m", "m"], ["f", "m"], ())
    age = group_rows("age", ["old", "young", "old", "old"], ["old", "young"], ())
    both = intersection(sex, age)
    assert both.name == "sex x age"
    assert both.labels == ("f x old", "f x young", "m x old")
    assert both.codes.tolist() == [0, 1, 2, 2]


def test_the_report_has_sizes_and_rates_of_each_group() -> None:
    found, predictions = rows(*TWO)
    counts = count(found, predictions)
    said = report(found, predictions, counts, measure(found, counts, 30, CONFIDENCE), CONFIDENCE)
    assert said.attribute == "g"
    assert said.demographic_parity_difference == pytest.approx(35 / 60 - 22 / 40, abs=1e-6)
    assert said.inconclusive is None
    assert [(group.group, group.rows, group.positives) for group in said.groups] == [
        ("a", 60, 40),
        ("b", 40, 20),
    ]
    assert [group.selection_rate for group in said.groups] == [0.583333, 0.55]
    assert [group.true_positive_rate for group in said.groups] == [0.75, 0.6]
    assert [group.false_positive_rate for group in said.groups] == [0.25, 0.5]
    assert [group.accuracy for group in said.groups] == [0.75, 0.55]
    for group in said.groups:
        assert group.selection_rate_lower < group.selection_rate < group.selection_rate_upper
        assert group.metrics["brier"] > 0


def test_classes_that_are_peers_have_no_selection_rate() -> None:
    found, predictions = rows(*TWO)
    peers = Predictions(predictions.truth, predictions.probabilities, None)
    said = report(found, peers, count(found, peers), {}, CONFIDENCE)
    assert {group.selection_rate for group in said.groups} == {None}
    assert [group.accuracy for group in said.groups] == [0.75, 0.55]
