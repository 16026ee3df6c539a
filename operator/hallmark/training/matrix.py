"""The declared features as the one float32 matrix that is learned from and served."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from hallmark.api.artifacts import ServedFeature
from hallmark.api.training_run import FeatureType, Schema
from hallmark.data.table import Column, ColumnType, Table

Matrix = npt.NDArray[np.float32]
"""Shape (rows, features): numbers and booleans (0, 1) as they are, a category as its index in the
declared ones, null as NaN."""

Labels = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Split:
    """Rows to learn from and rows to judge by.

    Attributes:
        train: Row numbers (from 0), ascending.
        test: Row numbers (from 0), ascending.
    """

    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]


def served_features(schema: Schema) -> list[ServedFeature]:
    """Return the features as the served form takes them, in the schema's order."""
    return [
        ServedFeature(
            name=feature.name,
            type=feature.type,
            nullable=feature.nullable,
            minimum=None if feature.minimum is None else float(feature.minimum),
            maximum=None if feature.maximum is None else float(feature.maximum),
            categories=list(feature.categories) if feature.categories else None,
        )
        for feature in schema.features
    ]


def encode(table: Table, schema: Schema) -> Matrix:
    """Return the features' matrix, in the schema's order."""
    columns = [_encode_column(table.column(feature.name)) for feature in schema.features]
    return np.column_stack(columns).astype(np.float32)


def _encode_column(column: Column) -> npt.NDArray[np.float32]:
    values = column.values
    if column.spec.type is ColumnType.CATEGORY:
        categories = list(column.spec.categories or ())
        values = values.replace_strict(
            categories, list(range(len(categories))), default=None, return_dtype=pl.Float32
        )
    return values.cast(pl.Float32).to_numpy()


def labels(table: Table, schema: Schema) -> Labels:
    """Return the rows' classes."""
    return np.asarray(table.column(schema.target.name).values.to_list(), dtype=np.str_)


def is_number(feature: ServedFeature) -> bool:
    """Tell whether a feature is measured, so that a small change of it makes sense."""
    return feature.type in (FeatureType.NUMBER, FeatureType.INTEGER)
