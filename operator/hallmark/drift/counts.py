"""Counts rows into the bins of a signed baseline; the edges are frozen, the end bins open.

Bins are never recomputed from traffic: one hostile outlier would stretch them until a real shift
falls into a single bin. Here an outlier is one row in an end bin, whatever its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hallmark.api.artifacts import Baseline, BaselineFeature, ServedSchema
from hallmark.api.common import LABEL, SCORE
from hallmark.api.model_deployment import Drift

Rows = NDArray[np.float32]
"""Encoded rows, shape (rows, features of the served schema); null is NaN."""
CountedRows = NDArray[np.float32]
"""The same with two more columns, the model's score and its label as the index of the class; they
may be missing where neither is watched."""


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
        edges: Shape (edges,), each rounded down to float32: no float32 lies between an edge and
            that, so that a row's value is compared as exactly as training compared it.
    """

    name: str
    column: int
    bins: int
    edges: NDArray[np.float32]

    def count(self, values: Rows) -> NDArray[np.int64]:
        """Return how many values each bin gets, shape (bins,).

        The values above each edge are counted, which takes a third of the time of looking up each
        value's bin; null is above none.
        """
        nulls = int(np.count_nonzero(np.isnan(values)))
        above = [np.count_nonzero(is_above) for is_above in values > self.edges[:, None]]
        at_least = np.array([len(values) - nulls, *above, 0], dtype=np.int64)
        return np.append(at_least[:-1] - at_least[1:], nulls)


@dataclass(frozen=True)
class _CategoryBins:
    """The bins of a column of category indices: the known ones, any other, null."""

    name: str
    column: int
    bins: int
    bin_of_category: NDArray[np.intp]

    def count(self, values: Rows) -> NDArray[np.int64]:
        """Return how many values each bin gets, shape (bins,)."""
        known = (values >= 0) & (values < len(self.bin_of_category)) & (values == np.floor(values))
        bins = np.full(len(values), self.bins - 2, dtype=np.intp)
        bins[known] = self.bin_of_category[values[known].astype(np.intp)]
        bins[np.isnan(values)] = self.bins - 1
        return np.bincount(bins, minlength=self.bins)


def _rounded_down(edges: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the greatest float32 that is at most each edge."""
    with np.errstate(over="ignore"):
        singles = edges.astype(np.float32)
    return np.where(singles > edges, np.nextafter(singles, np.float32(-np.inf)), singles)


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
    if not np.all(edges[:-1] <= edges[1:]):
        raise ValueError(f"The edges of the baseline's feature '{feature.name}' must ascend.")
    return _NumberBins(feature.name, column, len(feature.counts), _rounded_down(edges))


def _category_bins(feature: BaselineFeature, column: int, served: Sequence[str]) -> _CategoryBins:
    order = {name: index for index, name in enumerate(feature.categories or [])}
    bin_of_category = np.asarray([order.get(name, len(order)) for name in served], dtype=np.intp)
    return _CategoryBins(feature.name, column, len(feature.counts), bin_of_category)


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

    def zeros(self) -> dict[str, NDArray[np.int64]]:
        """Return empty counts by feature."""
        return {column.name: np.zeros(column.bins, dtype=np.int64) for column in self._columns}

    def add(self, rows: CountedRows, totals: dict[str, NDArray[np.int64]]) -> None:
        """Count rows of shape (rows, columns) into ``totals``, in place."""
        values = np.ascontiguousarray(rows.T)
        for column in self._columns:
            totals[column.name] += column.count(values[column.column])
