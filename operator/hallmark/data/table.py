"""The table between the readers and everything that checks or learns from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl

from hallmark.api.findings import MAX_ROWS_LISTED
from hallmark.api.schema import Feature, Schema
from hallmark.data.lazy import lazy

_STRIDE = 131_072
"""Rows that are looked at together: 1 MiB of a column stays in a core's cache."""


class ColumnType(StrEnum):
    """The type of a declared column's values; the polars type is in brackets."""

    NUMBER = "Number"
    """Finite, no negative zero (Float64)."""
    INTEGER = "Integer"
    """At most 64 bits (Int64)."""
    BOOLEAN = "Boolean"
    """True or false (Boolean)."""
    CATEGORY = "Category"
    """One of the declared categories of a feature (String)."""
    TEXT = "Text"
    """A class, group or identifier: a declared column that is no feature (String)."""


@dataclass(frozen=True)
class ColumnSpec:
    """The schema's declaration of a column.

    Attributes:
        private: Its values never stand in a message.
        nullable: Whether nulls are allowed.
        identifier: Whether each of its values names one row.
    """

    name: str
    type: ColumnType
    private: bool = False
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] | None = None
    identifier: bool = False


@dataclass(frozen=True)
class Extent:
    """The smallest and the largest of a column's numbers; NaN where one of them is NaN."""

    minimum: float
    maximum: float
    minus_zero: bool

    @property
    def plain(self) -> bool:
        """Whether every number is finite, and none is minus zero."""
        return self.maximum - self.maximum == self.minimum - self.minimum == 0 and (
            not self.minus_zero
        )


def extent(values: pl.Series) -> Extent | None:
    """Return what the numbers that are there extend over, or None if there is none.

    Each stretch of the column comes from memory once: as fast as memory is.
    """
    numbers = (values.drop_nulls() if values.null_count() else values).to_numpy()
    parts = [numbers[start : start + _STRIDE] for start in range(0, len(numbers), _STRIDE)]
    if not parts:
        return None
    extremes = [
        (np.minimum.reduce(part), np.maximum.reduce(part), _has_minus_zero(part)) for part in parts
    ]
    lowest, highest, minus_zero = zip(*extremes, strict=True)
    # numpy's extremes are NaN if one is, and whole numbers stay exact.
    return Extent(np.min(lowest).item(), np.max(highest).item(), any(minus_zero))


def _has_minus_zero(numbers: np.ndarray) -> bool:
    # As a whole number, minus zero's bits are the smallest that there is.
    return numbers.dtype == np.float64 and bool(
        np.minimum.reduce(numbers.view(np.int64)) == np.iinfo(np.int64).min
    )


@dataclass(frozen=True)
class Column:
    """A declared column, typed. Nulls stand for absent cells and for cells of a wrong type."""

    spec: ColumnSpec
    values: pl.Series

    @property
    def name(self) -> str:
        """The column's name."""
        return self.spec.name

    @lazy
    def extent(self) -> Extent | None:
        """The extent of the column's numbers."""
        return extent(self.values)


@dataclass(frozen=True)
class Table:
    """The declared columns in the schema's order.

    Features, target, other sensitive attributes, other identifiers.
    """

    columns: tuple[Column, ...]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.columns[0].values)

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def frame(self, *names: str) -> pl.DataFrame:
        """Return the named columns, or all, as a polars frame."""
        return pl.DataFrame(
            [column.values for column in self.columns if not names or column.name in names]
        )


def first_rows(mask: pl.Series) -> list[int]:
    """Return the 1-based rows where the mask is true, as many as a finding lists."""
    return [int(row) + 1 for row in mask.arg_true().head(MAX_ROWS_LISTED)]


def declared_columns(schema: Schema, private: frozenset[str] = frozenset()) -> list[ColumnSpec]:
    """Return what a schema declares: features, target, sensitive attributes, identifiers.

    Args:
        schema: The declared schema.
        private: Columns whose values must not be named, besides the sensitive ones.
    """
    hidden = private | {attribute.name for attribute in schema.sensitive}
    specs = [_feature(feature, feature.name in hidden) for feature in schema.features]
    named = {spec.name for spec in specs}
    if schema.target.name not in named:
        target = schema.target.name
        specs.append(ColumnSpec(target, ColumnType.TEXT, private=target in hidden))
        named.add(target)
    for attribute in schema.sensitive:
        if attribute.name not in named:
            categories = tuple(attribute.categories) if attribute.categories else None
            specs.append(
                ColumnSpec(attribute.name, ColumnType.TEXT, private=True, categories=categories)
            )
            named.add(attribute.name)
    # An identifier leads to a person: its values are never named.
    specs += [
        ColumnSpec(name, ColumnType.TEXT, private=True, identifier=True)
        for name in schema.identifiers
        if name not in named
    ]
    return specs


def _feature(feature: Feature, private: bool) -> ColumnSpec:
    return ColumnSpec(
        name=feature.name,
        type=ColumnType(feature.type.value),
        private=private,
        nullable=feature.nullable,
        minimum=None if feature.minimum is None else float(feature.minimum),
        maximum=None if feature.maximum is None else float(feature.maximum),
        categories=None if feature.categories is None else tuple(feature.categories),
    )
