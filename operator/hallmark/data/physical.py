"""The few types of columns that everything behind the readers knows, and how others become one.

Whole numbers are Int64, or Int128 where they need more; fractions are Float64 or Decimal. No value
changes: every type goes into a wider one.
"""

from __future__ import annotations

import polars as pl

READABLE = (
    pl.String,
    pl.Categorical,
    pl.Enum,
    pl.Boolean,
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.Int128,
    pl.UInt8,
    pl.UInt16,
    pl.UInt32,
    pl.UInt64,
    pl.Float16,
    pl.Float32,
    pl.Float64,
    pl.Decimal,
    pl.Date,
    pl.Datetime,
    pl.Time,
    pl.Duration,
    pl.Null,
)
"""The types of plain values."""


def storage_type(dtype: pl.DataType) -> pl.DataType:
    """Return the type in which an extension type, such as Arrow's JSON, keeps its values."""
    if not isinstance(dtype, pl.BaseExtension):
        return dtype
    storage = dtype.ext_storage()
    return storage if isinstance(storage, pl.DataType) else storage()


def stored(values: pl.Series) -> pl.Series:
    """Return an extension's values in the type in which it keeps them."""
    return values.ext.storage() if isinstance(values.dtype, pl.BaseExtension) else values


def plain(values: pl.Series) -> pl.Series:
    """Return a column of plain values in the type that all of its kind have."""
    dtype = values.dtype
    if dtype in (pl.Categorical, pl.Enum):
        return values.cast(pl.String)
    if dtype.is_float():
        return values if dtype == pl.Float64 else values.cast(pl.Float64)
    if dtype.is_integer() and dtype != pl.Int64:
        narrow = values.cast(pl.Int64, strict=False)
        return narrow if narrow.null_count() == values.null_count() else values.cast(pl.Int128)
    return values


def whole_digits(decimals: pl.Series) -> pl.Series:
    """Return the digits of the decimals that are whole numbers, null for all others."""
    whole = decimals.cast(pl.String).str.extract(r"^(-?[0-9]+)(?:\.0*)?$", 1)
    return whole.replace("-0", "0")


def written_dates(dates: pl.Series) -> pl.Series:
    """Return dates and timestamps as text, null for those before year 1 or after year 9999.

    polars ends the process where it is asked to write a date that its calendar does not have.
    """
    known = dates.dt.year().is_between(1, 9999)
    frame = pl.DataFrame([dates.alias("date"), known.alias("known")])
    return frame.select(pl.when("known").then("date")).to_series().cast(pl.String).alias(dates.name)
