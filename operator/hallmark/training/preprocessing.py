"""From the float matrix to the columns that a classifier sees: filled, scaled, encoded.

The encoding is learned here in one pass of columns and one of rows, with bounded memory; the
scikit-learn transformers of the pipeline are then given what was learned. They do the same to the
last bit (a test compares), and whoever loads the joblib file needs nothing of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from hallmark.api.columns import FeatureType
from hallmark.api.served import ServedFeature
from hallmark.training.matrix import Matrix, is_number

Encoded = npt.NDArray[np.floating[Any]]
"""Shape (rows, encoded columns), without nulls where the encoding fills them."""

NO_CATEGORY = -1.0
"""What a null category becomes: no declared index, so no category's column is set."""
BLOCK_ROWS = 16384
"""Rows that are worked on at a time: they stay in the processor's cache."""


@dataclass(frozen=True)
class Encoding:
    """The encoding of the float matrix into the columns that the classifier sees.

    The encoded columns are the numbers, then the booleans, then one column (1 or 0) for each
    category of each category feature. A null or undeclared category sets none of its columns.

    Attributes:
        numbers: Shape (numbers,): positions in the matrix.
        booleans: Shape (booleans,): positions in the matrix.
        categories: Position in the matrix and number of categories of each category feature.
        fill: Shape (numbers + booleans,): what a null becomes; NaN where it stays (trees).
        mean: Shape (numbers,): subtracted.
        scale: Shape (numbers,): then divided by.
        dtype: float64 for linear models; float32 for trees, whose columns are the matrix's own.
    """

    numbers: npt.NDArray[np.intp]
    booleans: npt.NDArray[np.intp]
    categories: tuple[tuple[int, int], ...]
    fill: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    dtype: npt.DTypeLike = np.float64

    @property
    def width(self) -> int:
        """How many columns the classifier sees."""
        return len(self.sources)

    @property
    def sources(self) -> npt.NDArray[np.intp]:
        """Shape (encoded columns,): the position in the matrix that each comes from."""
        ones = [position for position, size in self.categories for _ in range(size)]
        return np.concatenate([self.numbers, self.booleans, np.array(ones, dtype=np.intp)])

    @property
    def movable(self) -> npt.NDArray[np.bool_]:
        """Shape (encoded columns,): those of measured features (Number, Integer)."""
        return np.arange(self.width) < len(self.numbers)

    def apply(self, rows: Matrix, block_rows: int = BLOCK_ROWS) -> Encoded:
        """Return the encoded rows.

        Args:
            rows: Shape (rows, features).
            block_rows: How many are encoded at once.
        """
        encoded = np.empty((len(rows), self.width), dtype=self.dtype)
        for start in range(0, len(rows), block_rows):
            block = slice(start, start + block_rows)
            self._apply(rows[block], encoded[block])
        return encoded

    def _apply(self, rows: Matrix, into: Encoded) -> None:
        numbers, known = len(self.numbers), len(self.numbers) + len(self.booleans)
        into[:, :known] = self._filled(rows)
        into[:, :numbers] -= self.mean.astype(self.dtype)
        into[:, :numbers] /= self.scale.astype(self.dtype)
        at = known
        for position, size in self.categories:
            into[:, at : at + size] = rows[:, [position]] == np.arange(size, dtype=np.float32)
            at += size

    def _filled(self, rows: Matrix) -> Encoded:
        """Return numbers and booleans without nulls."""
        known = np.concatenate([self.numbers, self.booleans])
        if not np.array_equal(known, np.arange(rows.shape[1])):
            rows = rows[:, known]
        values = rows.astype(self.dtype)
        null = np.isnan(values)
        if null.any():
            np.copyto(values, self.fill.astype(self.dtype), where=null)
        return values


def learn(
    rows: Matrix,
    features: Sequence[ServedFeature],
    *,
    scaled: bool,
    block_rows: int = BLOCK_ROWS,
) -> Encoding:
    """Return the encoding for the training rows.

    A column that is null in every training row is kept, so that its place does not shift others.

    Args:
        rows: Shape (training rows, features).
        features: What each column is.
        scaled: Fill nulls (median, more frequent boolean) and standardise numbers, as linear
            models need; trees take nulls and numbers as they are.
        block_rows: How many rows are looked at once.
    """
    numbers = [position for position, feature in enumerate(features) if is_number(feature)]
    booleans = [
        position for position, feature in enumerate(features) if feature.type is FeatureType.BOOLEAN
    ]
    plain = Encoding(
        numbers=np.array(numbers, dtype=np.intp),
        booleans=np.array(booleans, dtype=np.intp),
        categories=tuple(
            (position, len(feature.categories or ()))
            for position, feature in enumerate(features)
            if feature.type is FeatureType.CATEGORY
        ),
        fill=np.full(len(numbers) + len(booleans), np.nan),
        mean=np.zeros(len(numbers)),
        scale=np.ones(len(numbers)),
        dtype=np.float32,
    )
    return _scaled(rows, plain, block_rows) if scaled else plain


def without_empty_columns(encoded: Encoded) -> Encoded:
    """Write zeros into columns that are null throughout, and return the rows.

    Boosting cannot bin such a column. A constant one is in no tree, so what it holds in a row to
    be predicted does not matter.
    """
    for position in range(encoded.shape[1]):
        if np.isnan(encoded[:, position]).all():
            encoded[:, position] = 0
    return encoded


def _scaled(rows: Matrix, plain: Encoding, block_rows: int) -> Encoding:
    fill = [_median(rows[:, position]) for position in plain.numbers] + [
        _mode(rows[:, position]) for position in plain.booleans
    ]
    filled = Encoding(
        plain.numbers, plain.booleans, plain.categories, np.array(fill), plain.mean, plain.scale
    )
    if not len(plain.numbers):
        return filled
    scaler = StandardScaler()
    for start in range(0, len(rows), block_rows):
        block = rows[start : start + block_rows]
        scaler.partial_fit(filled._filled(block)[:, : len(plain.numbers)])
    return Encoding(
        plain.numbers, plain.booleans, plain.categories, filled.fill, scaler.mean_, scaler.scale_
    )


def _median(values: Matrix) -> float:
    """Return the median of what is no null, or 0: in float32, which is exact and fast."""
    present = values[~np.isnan(values)]
    if not len(present):
        return 0.0
    middle = len(present) // 2
    parts = np.partition(present, middle)
    upper = float(parts[middle])
    return upper if len(present) % 2 else (float(parts[:middle].max()) + upper) / 2


def _mode(values: Matrix) -> float:
    return float((values == 1).sum() > (values == 0).sum())


def transformers(encoding: Encoding, width: int) -> list[tuple[str, Any]]:
    """Return the fitted steps of a pipeline that encode in the same way.

    Args:
        encoding: What was learned.
        width: How many features the matrix has.
    """
    encode = _column_transformer(encoding, width)
    if encoding.dtype == np.float32:
        return [("encode", encode)]
    fill = np.full(width, NO_CATEGORY)
    fill[np.concatenate([encoding.numbers, encoding.booleans])] = encoding.fill
    # The median of one row is that row: the imputer learns exactly these values.
    return [("fill", SimpleImputer(strategy="median").fit(fill[None, :])), ("encode", encode)]


def _column_transformer(encoding: Encoding, width: int) -> ColumnTransformer:
    scaled = encoding.dtype == np.float64
    encoder = OneHotEncoder(
        categories=[np.arange(size, dtype=np.float64) for _, size in encoding.categories],
        handle_unknown="ignore",
        sparse_output=False,
        dtype=encoding.dtype,
    )
    parts = [
        ("number", StandardScaler() if scaled else "passthrough", encoding.numbers.tolist()),
        ("boolean", "passthrough", encoding.booleans.tolist()),
        ("category", encoder, [position for position, _ in encoding.categories]),
    ]
    transformer = ColumnTransformer([part for part in parts if part[2]])
    transformer.fit(np.zeros((2, width), dtype=encoding.dtype))
    if scaled and len(encoding.numbers):
        scaler = transformer.named_transformers_["number"]
        scaler.mean_, scaler.scale_ = encoding.mean, encoding.scale
        scaler.var_ = encoding.scale**2
    return transformer
