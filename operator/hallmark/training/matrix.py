"""The declared features as the one float32 matrix that is learned from and served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from hallmark.api.artifacts import Finding, ServedFeature
from hallmark.api.training_run import FeatureType, Schema
from hallmark.data.leakage import MAX_CLASSES
from hallmark.data.table import Column, ColumnType, Table

Matrix = npt.NDArray[np.float32]
"""Shape (rows, features): numbers and booleans (0, 1) as they are, a category as its index in the
declared ones, null as NaN."""

Truth = npt.NDArray[np.int64]
"""Shape (rows,): each row's class, as its index in the classes' names."""

_MAX_ROUNDING = 0.01
"""The part of a column's standard deviation that rounding to float32 may blur."""


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


def check_precision(table: Table, schema: Schema, rows: Matrix) -> list[Finding]:
    """Return the numbers that float32 cannot hold or tell apart.

    Args:
        table: The columns as they are.
        schema: Names the features.
        rows: Shape (rows, features): what they became.
    """
    findings: list[Finding] = []
    for position, feature in enumerate(schema.features):
        if feature.type in (FeatureType.NUMBER, FeatureType.INTEGER):
            exact = table.column(feature.name).values.cast(pl.Float64).to_numpy()
            findings += _check_column(feature.name, exact, rows[:, position])
    return findings


def _check_column(name: str, exact: npt.NDArray[np.float64], rounded: Matrix) -> Iterator[Finding]:
    present = ~np.isnan(exact)
    exact, rounded = exact[present], rounded[present]
    if not len(exact) or exact.min() == exact.max():
        return
    huge = int(np.isinf(rounded).sum())
    if huge:
        expected = f"numbers of at most {np.finfo(np.float32).max:.3g}: a model takes float32"
        yield Finding(
            check="Precision", column=name, expected=expected, found="a larger one", count=huge
        )
        return
    spread = float(exact.std())
    blur = float(np.sqrt(np.mean((exact - rounded) ** 2)))
    if blur > _MAX_ROUNDING * spread:
        yield Finding(
            check="Precision",
            column=name,
            expected="numbers whose differences survive in float32, as a model takes them; a "
            "number that is large against its spread loses them: subtract a constant",
            found=f"rounding that is {blur / spread:.0%} of their spread",
        )


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
