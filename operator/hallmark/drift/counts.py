"""Counts rows into the bins of a signed baseline; the edges are frozen, the end bins open.

Bins are never recomputed from traffic: one hostile outlier would stretch them until a real shift
falls into a single bin. Here an outlier is one row in an end bin, whatever its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hallmark.api.texts import LABEL, SCORE

if TYPE_CHECKING:
    from hallmark.api.drift import Drift
    from hallmark.api.served import Baseline, BaselineFeature, ServedSchema

Rows = NDArray[np.float32]
"""Encoded rows, shape (rows, features of the served schema); null is NaN."""
CountedRows = NDArray[np.float32]
"""The same with two more columns, the model's score and its label as the index of the class; they
may be missing where neither is watched."""
Totals = NDArray[np.int64]
"""Rows per bin of all watched features, one feature's bins behind the other's."""


def watched(baseline: Baseline, drift: Drift) -> tuple[BaselineFeature, ...]:
    """Return the baseline's features that are watched, in the baseline's order.

    A rollback may lead to a version that has none of the named features; all of its own are
    watched then, for drift must not be off without a word.
    """
    names = set(drift.features)
    named = tuple(feature for feature in baseline.counted if feature.name in names)
    return named or tuple(baseline.counted)


def unwatchable(baseline: Baseline, drift: Drift) -> str | None:
    """Return why drift cannot be watched as asked (a sentence), or None.

    Every named feature must be in the baseline and have two bins for the values that rows may
    have: in one bin nothing ever moves. Without names at least one feature must be so.
    """
    known = {feature.name: feature for feature in baseline.counted}
    missing = [name for name in drift.features if name not in known]
    if missing:
        return (
            f"Expected 'drift.features' to name features of the version, found {_listed(missing)} "
            f"not among them; it has {_listed(list(known))}."
        )
    asked = drift.features or list(known)
    still = [name for name in asked if not _can_move(known[name])]
    if still and (drift.features or len(still) == len(asked)):
        return (
            f"Expected watched features whose training rows fall into at least two bins, found "
            f"{_listed(still)} with one, where no drift could ever show; leave it out of "
            f"'drift.features', or train on rows in which it varies."
        )
    return None


def _can_move(feature: BaselineFeature) -> bool:
    """Tell whether rows can fall into different bins: of values, or of values and nulls."""
    return bool(feature.edges or feature.categories) or feature.counts[-1] > 0


_LISTED = 5


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_LISTED])
    more = len(names) - _LISTED
    return f"{shown} and {more} more" if more > 0 else shown


@dataclass(frozen=True)
class _NumberBins:
    """The bins of a column of numbers: bin i holds ``edges[i-1] < value <= edges[i]``.

    Attributes:
        bounds: Shape (bins - 1,): each bin of values ends before one, the last before null.
    """

    name: str
    column: int
    bins: int
    bounds: NDArray[np.float32]

    def count(self, values: Rows, into: NDArray[np.int64]) -> None:
        """Write how many values each bin gets.

        Args:
            values: Shape (rows,), in ascending order, null last.
            into: Shape (bins,).
        """
        into[:-1] = values.searchsorted(self.bounds)
        into[-1] = len(values)
        into[1:] -= into[:-1].copy()


@dataclass(frozen=True)
class _CategoryBins:
    """The bins of a column of category indices: the known ones, any other, null.

    Attributes:
        bounds: Each index and the least number beyond it, at last null.
    """

    name: str
    column: int
    bins: int
    bin_of_category: NDArray[np.intp]
    bounds: NDArray[np.float32]

    def count(self, values: Rows, into: NDArray[np.int64]) -> None:
        """Write how many values each bin gets; see ``_NumberBins``."""
        *ends, known = values.searchsorted(self.bounds)
        of_category = np.subtract(ends[1::2], ends[::2])
        into[:] = np.bincount(self.bin_of_category, of_category, self.bins)
        into[-2] += known - of_category.sum()
        into[-1] = len(values) - known


def _beyond(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.nextafter(numbers, np.float32(np.inf))


def _number_bounds(edges: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the least float32 beyond each edge, then null.

    Each edge is rounded down: no float32 lies between it and that, so that a row's value is
    compared as exactly as training compared it.
    """
    with np.errstate(over="ignore"):  # an edge may be beyond all float32
        singles = edges.astype(np.float32)
        below = np.where(singles > edges, np.nextafter(singles, np.float32(-np.inf)), singles)
        return np.append(_beyond(below), np.float32(np.nan))


def _bins(feature: BaselineFeature, schema: ServedSchema) -> _NumberBins | _CategoryBins:
    names = [*(served.name for served in schema.features), SCORE, LABEL]
    if feature.name not in names:
        raise ValueError(f"The baseline's feature '{feature.name}' is not in the served schema.")
    column = names.index(feature.name)
    inner = feature.edges if feature.edges is not None else feature.categories or []
    if len(feature.counts) != len(inner) + 2:
        raise ValueError(
            f"The baseline's feature '{feature.name}' must have {len(inner) + 2} counts "
            f"(its bins, one open or other bin, one for nulls); it has {len(feature.counts)}."
        )
    if feature.edges is None:
        said = schema.classes if feature.name == LABEL else schema.features[column].categories
        served = said or feature.categories or []
        return _category_bins(feature, column, served)
    edges = np.asarray(feature.edges, dtype=np.float64)
    if not (np.isfinite(edges).all() and np.all(edges[:-1] <= edges[1:])):
        raise ValueError(
            f"The edges of the baseline's feature '{feature.name}' must be finite and ascend."
        )
    return _NumberBins(feature.name, column, len(feature.counts), _number_bounds(edges))


def _category_bins(feature: BaselineFeature, column: int, served: Sequence[str]) -> _CategoryBins:
    order = {name: index for index, name in enumerate(feature.categories or [])}
    bin_of_category = np.asarray([order.get(name, len(order)) for name in served], dtype=np.intp)
    indices = np.arange(len(served), dtype=np.float32)
    bounds = np.append(np.column_stack([indices, _beyond(indices)]), np.float32(np.nan))
    return _CategoryBins(feature.name, column, len(feature.counts), bin_of_category, bounds)


class BinCounter:
    """Adds up rows per bin for the watched features."""

    def __init__(self, features: Sequence[BaselineFeature], schema: ServedSchema) -> None:
        """Prepare the bins.

        Args:
            features: The watched features.
            schema: The columns of the rows that will be counted.

        Raises:
            ValueError: a feature is not in the schema, or its bins and counts do not fit.
        """
        self._columns = tuple(_bins(feature, schema) for feature in features)
        self._watched = [column.column for column in self._columns]
        self._ends = [0, *accumulate(column.bins for column in self._columns)]

    def zeros(self) -> Totals:
        """Return empty counts."""
        return np.zeros(self._ends[-1], dtype=np.int64)

    def add(self, rows: CountedRows, totals: Totals) -> None:
        """Count rows of shape (rows, columns) into ``totals``, in place."""
        # Sorted columns are counted by looking up their edges, which are few.
        values = rows.T.take(self._watched, axis=0)
        values.sort(axis=1)
        counts = np.empty_like(totals)
        for column, found, part in zip(self._columns, values, self._parts(counts), strict=True):
            column.count(found, part)
        totals += counts

    def named(self, totals: Totals) -> dict[str, list[int]]:
        """Return the counts of each feature, in the order of its bins."""
        parts = zip(self._columns, self._parts(totals), strict=True)
        return {column.name: part.tolist() for column, part in parts}

    def _parts(self, totals: Totals) -> list[Totals]:
        """Return a view of each feature's counts."""
        return [totals[start:end] for start, end in pairwise(self._ends)]
