"""A column's cells as detectors read them, and the way back from what they find to the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from hallmark.data.detectors import Detector, TextColumn
from hallmark.data.detectors.normal import views
from hallmark.data.physical import plain, whole_digits, written_dates

_INTEGRAL_FLOATS = 2**53
_SHORTEST_NUMBER = 10**5
"""A smaller whole number is no card, no telephone number, no id and no date."""
_LONG_NUMBER = 10**11
_SAMPLE = 2000
"""Whole numbers are personal data by their column's name or by the share that passes a checksum, so
that many of them, and many of the long ones, tell whether it is worth to look at all."""
_NUMERALS = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$"


@dataclass(frozen=True)
class Cells:
    """The cells of a column that detectors can read.

    Attributes:
        values: All rows: texts, whole numbers or dates as text; null where nothing can be read.
        numbers: Whether they were written from numbers or dates.
        fractions: How many distinct numbers were left out, for they are no whole ones.
    """

    values: pl.Series
    numbers: bool
    fractions: int = 0

    def candidates(self, detectors: Sequence[Detector]) -> list[Detector]:
        """Return the detectors that may find something: of whole numbers, a sample tells."""
        values = self.values.drop_nulls()
        if not values.dtype.is_integer():
            return list(detectors)
        parts = (_some(values), _some(values.filter(values.abs() >= _LONG_NUMBER)))
        samples = [TextColumn(values.name, _distinct(part), numeric=True) for part in parts]
        return [
            detector
            for detector in detectors
            if any(len(detector.find(sample)) for sample in samples)
        ]

    def find(self, detectors: Sequence[Detector]) -> list[tuple[Detector, pl.Series]]:
        """Return the rows that each detector finds something in, as a mask, where it finds any."""
        if not detectors:
            return []
        found = []
        written = self.values.cast(pl.String)
        distinct = _distinct(self.values.drop_nulls())
        readings = [
            (reading, self._column(reading, distinct=reading is distinct))
            for reading in ([distinct] if self.numbers else views(distinct))
        ]
        for detector in detectors:
            hits = [
                distinct.filter(reading.is_in(texts.implode()))
                for reading, column in readings
                if len(texts := detector.find(column))
            ]
            if hits:
                rows = written.is_in(pl.concat(hits).implode()).fill_null(value=False)
                found.append((detector, rows))
        return found

    def _column(self, reading: pl.Series, *, distinct: bool) -> TextColumn:
        texts = reading if distinct else reading.unique(maintain_order=True)
        # Most columns of words show it in their first text.
        parts = (texts.head(1), texts)
        numeric = self.numbers or all(part.str.contains(_NUMERALS).all() for part in parts)
        return TextColumn(self.values.name, texts, numeric=numeric, others=self.fractions)


def readable(series: pl.Series) -> Cells | None:
    """Return what detectors can read of a column, or None for nothing.

    A number is read alike whether it is a whole number, a decimal, a float or a text.
    """
    series = plain(series)
    if series.dtype == pl.String:
        return Cells(series, numbers=False)
    if series.dtype in (pl.Date, pl.Datetime):
        return Cells(written_dates(series), numbers=True)
    if series.dtype.is_decimal():
        whole = whole_digits(series).cast(pl.Int128, strict=False)
    elif series.dtype.is_float():
        whole = _whole(series)
    elif series.dtype.is_integer():
        whole = series
    else:
        return None
    if _largest(whole) < _SHORTEST_NUMBER:
        return None
    left_out = series.filter(whole.is_null() & series.is_not_null())
    return Cells(whole, numbers=True, fractions=left_out.n_unique() if len(left_out) else 0)


def _whole(numbers: pl.Series) -> pl.Series:
    """Return the floats that are whole numbers, null for all others."""
    whole = (numbers == numbers.floor()) & (numbers.abs() <= _INTEGRAL_FLOATS)
    if not whole.any():
        return numbers.clear().cast(pl.Int64)
    frame = pl.DataFrame([numbers.alias("value"), whole.alias("whole")])
    chosen = frame.select(pl.when("whole").then("value").cast(pl.Int64)).to_series()
    return chosen.alias(numbers.name)


def _largest(series: pl.Series) -> int:
    ends = (series.min(), series.max())
    return max((abs(end) for end in ends if isinstance(end, int)), default=0)


def _some(values: pl.Series) -> pl.Series:
    """Return at most a few thousand values at even distances."""
    return values.gather_every(max(1, len(values) // _SAMPLE))


def _distinct(values: pl.Series) -> pl.Series:
    """Return distinct texts: a category of a million rows is a handful of them."""
    return values.unique(maintain_order=True).cast(pl.String)
