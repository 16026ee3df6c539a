"""Whether groups of a sensitive attribute are treated alike, on the test rows (fairlearn)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

from hallmark.api.report import AttributeFairness, GroupMetrics
from hallmark.training.metrics import Positives

MIN_GROUP_ROWS = 30
"""With fewer test rows in a group the differences are noise: they are not reported."""
MIN_GROUP_CLASS_ROWS = 5
"""With fewer rows of one class in a group its error rates are noise."""

MAX_GROUPS = 64
"""With more groups the attribute is no grouping; the report lists no more of them."""

DEMOGRAPHIC_PARITY = "demographicParityDifference"
EQUALIZED_ODDS = "equalizedOddsDifference"


def attribute_fairness(
    attribute: str,
    groups: npt.NDArray[np.str_],
    truth: Positives,
    decisions: Positives,
    declared: Collection[str],
) -> AttributeFairness:
    """Return the differences between the groups, or None where they would be noise.

    A group is named if the schema declares it; another is a value of a sensitive column, so it
    only gets a number.

    Args:
        attribute: The sensitive attribute's name.
        groups: Shape (rows,): each row's group.
        truth: Shape (rows,): 1 for the positive class.
        decisions: Shape (rows,): 1 where the model decides so.
        declared: The groups that the schema declares.
    """
    names = sorted(set(groups.tolist()))
    members = [groups == name for name in names[: MAX_GROUPS + 1]]
    parity = odds = None
    if 1 < len(names) <= MAX_GROUPS and min(map(np.sum, members)) >= MIN_GROUP_ROWS:
        parity = demographic_parity_difference(truth, decisions, sensitive_features=groups)
        if min(_rarer_class(truth[mask]) for mask in members) >= MIN_GROUP_CLASS_ROWS:
            odds = equalized_odds_difference(truth, decisions, sensitive_features=groups)
    return AttributeFairness(
        attribute=attribute,
        demographic_parity_difference=None if parity is None else round(float(parity), 6),
        equalized_odds_difference=None if odds is None else round(float(odds), 6),
        groups=[
            _group(name if name in declared else f"group {number}", truth[mask], decisions[mask])
            for number, (name, mask) in enumerate(
                zip(names[:MAX_GROUPS], members, strict=False), start=1
            )
        ],
    )


def _rarer_class(truth: Positives) -> int:
    return int(min(truth.sum(), len(truth) - truth.sum()))


def _group(name: str, truth: Positives, decisions: Positives) -> GroupMetrics:
    return GroupMetrics(
        group=name,
        rows=len(truth),
        selection_rate=round(float(decisions.mean()), 6),
        accuracy=round(float((truth == decisions).mean()), 6),
    )


def fairness_metrics(fairness: list[AttributeFairness]) -> dict[str, float | None]:
    """Return the differences by the names that gates use: ``<metric>.<attribute>``.

    A space in an attribute's name is an underscore there.
    """
    found: dict[str, float | None] = {}
    for each in fairness:
        name = each.attribute.replace(" ", "_")
        found[f"{DEMOGRAPHIC_PARITY}.{name}"] = each.demographic_parity_difference
        found[f"{EQUALIZED_ODDS}.{name}"] = each.equalized_odds_difference
    return found
