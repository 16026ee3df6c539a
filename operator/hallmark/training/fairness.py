"""Whether groups of sensitive attributes are treated alike, on the test rows.

The estimates are fairlearn's, of each attribute and of each pair of attributes; fairlearn is given
the counts of group, class and decision as weights, so that its time does not grow with the rows.
The intervals are those of shares of few rows (``intervals``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from fairlearn import metrics as fairlearn

from hallmark.api import gates
from hallmark.api.report import AttributeFairness, GroupMetrics
from hallmark.training.gates import Measurement
from hallmark.training.intervals import (
    MIN_CLASS_ROWS,
    MIN_ROWS,
    Limits,
    ratio_limits,
    share_limits,
    spread_limits,
)
from hallmark.training.metrics import Floats, Indices, Predictions, performance

MAX_GROUPS = 64
"""With more groups an attribute is no grouping; the report lists no more of them."""

_MISSING = "(missing)"


@dataclass(frozen=True)
class Groups:
    """The rows' groups of an attribute.

    Attributes:
        attributes: The attribute's name, or two names.
        codes: Shape (rows,): indices of ``labels``.
        labels: The groups' names.
        must: Whether the schema demands that a group is there.
        without_value: Indices of the groups whose rows have no value of an attribute.
    """

    attributes: tuple[str, ...]
    codes: Indices
    labels: tuple[str, ...]
    must: tuple[bool, ...]
    without_value: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """The name of the attribute, or of both."""
        return " x ".join(self.attributes)


def group_rows(
    attribute: str, values: Sequence[object], declared: Collection[str], compared: Collection[str]
) -> Groups:
    """Return the groups of an attribute.

    A group is named if the schema declares it; another is a value of a sensitive column, so it
    only gets a number.

    Args:
        attribute: The sensitive attribute's name.
        values: Each row's value.
        declared: The groups that the schema declares.
        compared: Those of them that must be there.
    """
    texts = [None if value is None else str(value) for value in values]
    # No array of numpy's texts: it drops a NUL at the end, and two groups would be one.
    names = sorted({*(text for text in texts if text is not None), *compared})
    places: dict[str | None, int] = {name: place for place, name in enumerate(names)}
    labels = [
        name if name in declared else _unlike(f"group {number}", declared)
        for number, name in enumerate(names, start=1)
    ]
    must = [name in compared for name in names]
    without_value: frozenset[int] = frozenset()
    if None in texts:
        places[None] = len(names)
        without_value = frozenset({len(names)})
        labels.append(_unlike(_MISSING, declared))
        must.append(False)
    codes: Indices = np.asarray([places[text] for text in texts], dtype=np.int64)
    return Groups((attribute,), codes, tuple(labels), tuple(must), without_value)


def _unlike(label: str, declared: Collection[str]) -> str:
    """Return a label in as many parentheses as it takes to be no declared group's name."""
    while label in declared:
        label = f"({label})"
    return label


def of_rows(whole: Groups, rows: npt.NDArray[np.intp]) -> Groups:
    """Return the groups of some rows: those that occur there, and those that must be there."""
    codes = whole.codes[rows]
    there = np.bincount(codes, minlength=len(whole.labels)) > 0
    kept = [number for number in range(len(whole.labels)) if there[number] or whole.must[number]]
    places = np.searchsorted(kept, codes).astype(np.int64)
    return Groups(
        whole.attributes,
        places,
        tuple(whole.labels[number] for number in kept),
        tuple(whole.must[number] for number in kept),
        frozenset(place for place, number in enumerate(kept) if number in whole.without_value),
    )


def intersection(first: Groups, second: Groups) -> Groups:
    """Return the groups of two attributes together, those that occur."""
    pairs = first.codes * len(second.labels) + second.codes
    present, codes = np.unique(pairs, return_inverse=True)
    members = [divmod(pair, len(second.labels)) for pair in present.tolist()]
    labels = tuple(
        f"{_part(first.labels[one])} x {_part(second.labels[other])}" for one, other in members
    )
    return Groups(
        (*first.attributes, *second.attributes),
        codes.astype(np.int64),
        labels,
        (False,) * len(labels),
        frozenset(
            place
            for place, (one, other) in enumerate(members)
            if one in first.without_value or other in second.without_value
        ),
    )


def _part(label: str) -> str:
    """Return a label as part of a pair's, in quotes where it looks like a pair's itself."""
    return f"'{label}'" if " x " in label else label


@dataclass(frozen=True)
class Counts:
    """Rows by group, class (0, 1 for positive) and decision.

    Attributes:
        cells: Shape (groups, 2, 2).
    """

    cells: Floats

    @property
    def rows(self) -> Floats:
        """Rows by group."""
        rows: Floats = self.cells.sum(axis=(-1, -2))
        return rows

    @property
    def selected(self) -> Floats:
        """Rows that are decided as positive, by group."""
        selected: Floats = self.cells[:, :, 1].sum(axis=-1)
        return selected

    def decided(self, truth: int) -> tuple[Floats, Floats]:
        """Return the rows of a class that are decided as positive and all of it, by group."""
        of_class = self.cells[:, truth, :]
        return of_class[:, 1], of_class.sum(axis=-1)


def count(groups: Groups, predictions: Predictions) -> Counts:
    """Return the counts of groups, truth and decisions, the positive class being 1."""
    truth = (predictions.truth == predictions.positive).astype(np.int64)
    decisions = (predictions.decisions == predictions.positive).astype(np.int64)
    size = len(groups.labels)
    counted = np.bincount(groups.codes * 4 + truth * 2 + decisions, minlength=size * 4)
    return Counts(counted.reshape(size, 2, 2).astype(np.float64))


def _odds_limits(counts: Counts, confidence: float) -> Limits:
    both = [spread_limits(*counts.decided(truth), confidence, questions=2) for truth in range(2)]
    return max(low for low, _ in both), max(high for _, high in both)


_LIMITS: Mapping[str, Callable[[Counts, float], Limits]] = {
    gates.DEMOGRAPHIC_PARITY_DIFFERENCE: lambda counts, confidence: spread_limits(
        counts.selected, counts.rows, confidence
    ),
    gates.DEMOGRAPHIC_PARITY_RATIO: lambda counts, confidence: ratio_limits(
        counts.selected, counts.rows, confidence
    ),
    gates.EQUALIZED_ODDS_DIFFERENCE: _odds_limits,
    gates.EQUAL_OPPORTUNITY_DIFFERENCE: lambda counts, confidence: spread_limits(
        *counts.decided(1), confidence
    ),
}

_ESTIMATES: Mapping[str, Callable[..., float]] = {
    gates.DEMOGRAPHIC_PARITY_DIFFERENCE: fairlearn.demographic_parity_difference,
    gates.DEMOGRAPHIC_PARITY_RATIO: fairlearn.demographic_parity_ratio,
    gates.EQUALIZED_ODDS_DIFFERENCE: fairlearn.equalized_odds_difference,
    gates.EQUAL_OPPORTUNITY_DIFFERENCE: fairlearn.equal_opportunity_difference,
}
_OF_CLASSES: Mapping[str, tuple[int, ...]] = {
    gates.EQUALIZED_ODDS_DIFFERENCE: (0, 1),
    gates.EQUAL_OPPORTUNITY_DIFFERENCE: (1,),
}
"""The classes of which every group needs some rows."""


def measure(
    groups: Groups, counts: Counts, minimum_rows: int, confidence: float
) -> dict[str, Measurement]:
    """Return each metric without the attribute's name, inconclusive where it would be noise.

    Args:
        groups: The groups.
        counts: What ``count`` returns of them.
        minimum_rows: The test rows that every group needs; no fewer than ``MIN_ROWS`` ever.
        confidence: Of the intervals, between 0 and 1.
    """
    needed = max(minimum_rows, MIN_ROWS)
    return {
        name: Measurement(None, inconclusive=why)
        if (why := _too_little(groups, counts, needed, _OF_CLASSES.get(name, ())))
        else _measurement(_estimate(name, counts), limits(counts, confidence))
        for name, limits in _LIMITS.items()
    }


def _measurement(estimate: float, limits: Limits) -> Measurement:
    """Return an estimate with its interval; of nobody selected there is no ratio."""
    if not np.isfinite(estimate):
        return Measurement(None)
    return Measurement(estimate, min(limits[0], estimate), max(limits[1], estimate))


def _estimate(name: str, counts: Counts) -> float:
    group, truth, decision = (axis.ravel() for axis in np.indices(counts.cells.shape))
    weights = counts.cells.ravel()
    there = weights > 0
    return float(
        _ESTIMATES[name](
            truth[there],
            decision[there],
            sensitive_features=group[there],
            sample_weight=weights[there],
        )
    )


def _too_little(
    groups: Groups, counts: Counts, minimum_rows: int, classes: Sequence[int]
) -> str | None:
    """Return which group has too few rows, or nothing."""
    size = len(groups.labels)
    if not 1 < size <= MAX_GROUPS:
        wanted = f"2 to {MAX_GROUPS} are needed"
        return f"'{groups.name}' has {size} group{'s' * (size != 1)} in the test rows, {wanted}"
    checks = [("test rows", counts.rows, minimum_rows)]
    checks += [
        (
            f"test rows of {'the positive' if truth else 'another'} class",
            counts.cells[:, truth, :].sum(axis=-1),
            MIN_CLASS_ROWS,
        )
        for truth in classes
    ]
    for what, rows, needed in checks:
        smallest = int(np.argmin(rows))
        if rows[smallest] < needed:
            few = int((rows < needed).sum()) - 1
            more = f" (and {few} more such group{'s' * (few != 1)})" if few else ""
            return (
                f"group '{groups.labels[smallest]}' of '{groups.name}' has {int(rows[smallest])} "
                f"{what}, {needed} are needed{more}"
            )
    return None


def report(
    groups: Groups,
    predictions: Predictions,
    counts: Counts,
    measured: Mapping[str, Measurement],
    confidence: float,
) -> AttributeFairness:
    """Return what the report says of an attribute and its groups.

    Args:
        groups: The groups.
        predictions: Of the test rows.
        counts: What ``count`` returns of them.
        measured: What ``measure`` returns.
        confidence: Of the intervals, between 0 and 1.
    """
    why = [
        measurement.inconclusive for measurement in measured.values() if measurement.inconclusive
    ]
    listed = min(len(groups.labels), MAX_GROUPS)
    rates = share_limits(counts.selected, counts.rows, confidence)
    return AttributeFairness(
        attribute=groups.name,
        demographic_parity_difference=_rounded(measured, gates.DEMOGRAPHIC_PARITY_DIFFERENCE),
        demographic_parity_ratio=_rounded(measured, gates.DEMOGRAPHIC_PARITY_RATIO),
        equalized_odds_difference=_rounded(measured, gates.EQUALIZED_ODDS_DIFFERENCE),
        equal_opportunity_difference=_rounded(measured, gates.EQUAL_OPPORTUNITY_DIFFERENCE),
        inconclusive=why[0] if why else None,
        groups=[_group(groups, number, predictions, counts, rates) for number in range(listed)],
        groups_left_out=len(groups.labels) - listed,
    )


def _rounded(measured: Mapping[str, Measurement], name: str) -> float | None:
    value = measured[name].value if name in measured else None
    return None if value is None else round(value, 6)


def _group(
    groups: Groups,
    number: int,
    predictions: Predictions,
    counts: Counts,
    rates: tuple[Floats, Floats],
) -> GroupMetrics:
    inside = predictions.take(groups.codes == number)
    measured = performance(inside)
    fair = predictions.positive is not None and len(inside.truth) > 0
    low, high = (float(ends[number]) for ends in rates)
    further = {
        name: round(value, 6)
        for name, value in measured.items()
        if value is not None and name != "accuracy" and len(groups.attributes) == 1
    }
    return GroupMetrics(
        group=groups.labels[number],
        without_value=number in groups.without_value,
        rows=len(inside.truth),
        positives=int(counts.cells[number, 1].sum()) if fair else None,
        selection_rate=_rate(counts.selected, counts.rows, number) if fair else None,
        selection_rate_lower=round(low, 6) if fair else None,
        selection_rate_upper=round(high, 6) if fair else None,
        true_positive_rate=_rate(*counts.decided(1), number) if fair else None,
        false_positive_rate=_rate(*counts.decided(0), number) if fair else None,
        accuracy=None if measured["accuracy"] is None else round(measured["accuracy"], 6),
        metrics=further,
    )


def _rate(part: Floats, whole: Floats, number: int) -> float | None:
    return round(float(part[number] / whole[number]), 6) if whole[number] else None
