"""The table between the readers and everything that judges or learns from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from hallmark.api.training_run import Feature, Schema


class ColumnType(StrEnum):
    """What a declared column's values are; the polars type is in brackets."""

    NUMBER = "Number"
    """Finite, no negative zero (Float64)."""
    INTEGER = "Integer"
    """At most 64 bits (Int64)."""
    BOOLEAN = "Boolean"
    """True or false (Boolean)."""
    CATEGORY = "Category"
    """One of the declared categories of a feature (String)."""
    TEXT = "Text"
    """A class or group: a target or sensitive attribute that is no feature (String)."""


@dataclass(frozen=True)
class ColumnSpec:
    """What the schema declares of a column.

    Attributes:
        private: Its values never stand in a message.
        nullable: Whether nulls are allowed.
    """

    name: str
    type: ColumnType
    private: bool = False
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Column:
    """A declared column, typed. Nulls stand for absent cells and for cells of a wrong type."""

    spec: ColumnSpec
    values: pl.Series

    @property
    def name(self) -> str:
        """The column's name."""
        return self.spec.name


@dataclass(frozen=True)
class Table:
    """The declared columns in the schema's order: features, target, other sensitive attributes."""

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


def declared_columns(schema: Schema, private: frozenset[str] = frozenset()) -> list[ColumnSpec]:
    """Return what a schema declares: features, then target, then sensitive attributes.

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
