"""Whether groups of sensitive attributes are treated alike, on the test rows.

The estimates are fairlearn's, of each attribute and of each pair of attributes; fairlearn is given
the counts of group, class and decision as weights, so that its time does not grow with the rows.
The intervals come from resampled counts (``bootstrap.cells``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from fairlearn import metrics as fairlearn

from hallmark.api import gates
from hallmark.api.report import AttributeFairness, GroupMetrics
from hallmark.training.bootstrap import Resampling, cells
from hallmark.training.gates import Measurement
from hallmark.training.metrics import Floats, Indices, Predictions, performance

MIN_GROUP_CLASS_ROWS = 5
"""With fewer rows of one class in a group its error rates are noise."""

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
    """Rows by group, class (0, 1 for positive) and decision, and rates of them.

    Attributes:
        cells: Shape (..., groups, 2, 2).
    """

    cells: Floats

    @property
    def rows(self) -> Floats:
        """Rows by group."""
        rows: Floats = self.cells.sum(axis=(-1, -2))
        return rows

    @property
    def selected(self) -> Floats:
        """The share that is decided as positive, by group; NaN where there are no rows."""
        return _ratio(self.cells[..., :, 1].sum(axis=-1), self.rows)

    def decided(self, truth: int) -> Floats:
        """Return the share of a class that is decided as positive, by group."""
        return _ratio(self.cells[..., truth, 1], self.cells[..., truth, :].sum(axis=-1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
    return ratio


def count(groups: Groups, predictions: Predictions) -> Counts:
    """Return the counts of groups, truth and decisions, the positive class being 1."""
    truth = (predictions.truth == predictions.positive).astype(np.int64)
    decisions = (predictions.decisions == predictions.positive).astype(np.int64)
    size = len(groups.labels)
    counted = np.bincount(groups.codes * 4 + truth * 2 + decisions, minlength=size * 4)
    return Counts(counted.reshape(size, 2, 2).astype(np.float64))


def _spread(rates: Floats) -> Floats:
    spread: Floats = np.nanmax(rates, axis=-1) - np.nanmin(rates, axis=-1)
    return spread


def _parity_ratio(counts: Counts) -> Floats:
    highest = np.nanmax(counts.selected, axis=-1)
    lowest = np.nanmin(counts.selected, axis=-1)
    return _ratio(lowest, highest)


RESAMPLED: Mapping[str, Callable[[Counts], Floats]] = {
    gates.DEMOGRAPHIC_PARITY_DIFFERENCE: lambda counts: _spread(counts.selected),
    gates.DEMOGRAPHIC_PARITY_RATIO: _parity_ratio,
    gates.EQUALIZED_ODDS_DIFFERENCE: lambda counts: np.maximum(
        _spread(counts.decided(0)), _spread(counts.decided(1))
    ),
    gates.EQUAL_OPPORTUNITY_DIFFERENCE: lambda counts: _spread(counts.decided(1)),
}
"""Each metric from counts, for any number of resamples; a test compares with fairlearn."""

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
    groups: Groups, counts: Counts, minimum_rows: int, resampling: Resampling
) -> dict[str, Measurement]:
    """Return each metric without the attribute's name, inconclusive where it would be noise.

    Args:
        groups: The groups.
        counts: What ``count`` returns of them.
        minimum_rows: The test rows that every group needs.
        resampling: How intervals are made.
    """
    why = {
        name: _too_little(groups, counts, minimum_rows, _OF_CLASSES.get(name, ()))
        for name in RESAMPLED
    }
    if all(why.values()):
        return {name: Measurement(None, inconclusive=reason) for name, reason in why.items()}
    random = resampling.random(f"fairness.{gates.attribute_key(*groups.attributes)}")
    drawn = Counts(cells(counts.cells.astype(np.int64), resampling, random))
    return {
        name: Measurement(None, inconclusive=reason)
        if reason
        else resampling.measurement(_estimate(name, counts), _defined(RESAMPLED[name](drawn)))
        for name, reason in why.items()
    }


def _defined(resampled: Floats) -> Floats:
    """Return the resamples without those in which no row was selected at all."""
    return resampled[np.isfinite(resampled)]


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
            min(MIN_GROUP_CLASS_ROWS, minimum_rows),
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
    resampling: Resampling,
) -> AttributeFairness:
    """Return what the report says of an attribute and its groups.

    Args:
        groups: The groups.
        predictions: Of the test rows.
        counts: What ``count`` returns of them.
        measured: What ``measure`` returns.
        resampling: How intervals are made.
    """
    why = [
        measurement.inconclusive for measurement in measured.values() if measurement.inconclusive
    ]
    listed = min(len(groups.labels), MAX_GROUPS)
    rates = _rate_intervals(groups, counts, resampling)
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


def _rate_intervals(
    groups: Groups, counts: Counts, resampling: Resampling
) -> list[tuple[float, float]]:
    random = resampling.random(f"groups.{gates.attribute_key(*groups.attributes)}")
    drawn = Counts(cells(counts.cells.astype(np.int64), resampling, random)).selected
    return [
        resampling.interval(float(rate), _defined(drawn[:, number])) if rate == rate else (0.0, 1.0)
        for number, rate in enumerate(counts.selected)
    ]


def _group(
    groups: Groups,
    number: int,
    predictions: Predictions,
    counts: Counts,
    rates: Sequence[tuple[float, float]],
) -> GroupMetrics:
    inside = predictions.take(groups.codes == number)
    measured = performance(inside)
    fair = predictions.positive is not None and len(inside.truth) > 0
    low, high = rates[number]
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
        selection_rate=_rate(counts.selected[number]) if fair else None,
        selection_rate_lower=round(low, 6) if fair else None,
        selection_rate_upper=round(high, 6) if fair else None,
        true_positive_rate=_rate(counts.decided(1)[number]) if fair else None,
        false_positive_rate=_rate(counts.decided(0)[number]) if fair else None,
        accuracy=round(measured["accuracy"] or 0.0, 6),
        metrics=further,
    )


def _rate(value: npt.ArrayLike) -> float | None:
    number = float(np.asarray(value))
    return None if np.isnan(number) else round(number, 6)
