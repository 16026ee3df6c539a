"""The declared features as the one float32 matrix that is learned from and served."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from hallmark.api.columns import FeatureType
from hallmark.api.findings import Finding
from hallmark.api.schema import Schema
from hallmark.api.served import ServedFeature
from hallmark.data.leakage import MAX_CLASSES
from hallmark.data.table import Column, ColumnType, Table

Matrix = npt.NDArray[np.float32]
"""Shape (rows, features): numbers and booleans (0, 1) as they are, a category as its index in the
declared ones, null as NaN."""

Truth = npt.NDArray[np.int64]
"""Shape (rows,): each row's class, as its index in the classes' names."""


def encode(table: Table, schema: Schema) -> Matrix:
    """Return the features' matrix, in the schema's order."""
    rows = np.empty((table.rows, len(schema.features)), dtype=np.float32)
    for position, feature in enumerate(schema.features):
        rows[:, position] = _encode_column(table.column(feature.name))
    return rows


def _encode_column(column: Column) -> npt.NDArray[np.float32]:
    values = column.values
    if column.spec.type is ColumnType.CATEGORY:
        categories = list(column.spec.categories or ())
        values = values.replace_strict(
            categories, list(range(len(categories))), default=None, return_dtype=pl.Float32
        )
    return values.cast(pl.Float32).to_numpy()


def class_names(table: Table, schema: Schema) -> list[str] | Finding:
    """Return the classes that occur, in order of their code points."""
    names = sorted(map(str, table.column(schema.target.name).values.unique().to_list()))
    if 2 <= len(names) <= MAX_CLASSES:
        return names
    return Finding(
        check="Target",
        column=schema.target.name,
        expected=f"from 2 to {MAX_CLASSES} classes",
        found=f"{len(names)}",
    )


def truth(table: Table, schema: Schema, names: Sequence[str]) -> Truth:
    """Return the rows' classes.

    Args:
        table: The rows.
        schema: Names the target.
        names: Every class that occurs.
    """
    indices: Truth = (
        table.column(schema.target.name)
        .values.replace_strict(list(names), list(range(len(names))), return_dtype=pl.Int64)
        .to_numpy()
    )
    return indices


def is_number(feature: ServedFeature) -> bool:
    """Whether a feature is measured, so that a small change of it makes sense."""
    return feature.type in (FeatureType.NUMBER, FeatureType.INTEGER)
