"""Keyed pseudonyms: equal values get equal ones within a run, and nobody can undo them after it."""

from __future__ import annotations

import hashlib
import hmac
import secrets

import polars as pl

from hallmark.data.physical import written_dates

_KEY_BYTES = 32
_PSEUDONYM_BYTES = 16


def _written(values: pl.Series) -> pl.Series:
    if not values.dtype.is_temporal():
        return values.cast(pl.String)
    numbers = values.to_physical().cast(pl.String)
    if values.dtype not in (pl.Date, pl.Datetime):
        return numbers
    return written_dates(values).fill_null(numbers)  # a date that no calendar has is its number


class Pseudonyms:
    """HMAC-SHA-256 (RFC 2104) under a key that is drawn anew and never leaves this object.

    Args:
        key: The key; absent: a random one, which is gone with the object.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(_KEY_BYTES)

    def of(self, value: str) -> str:
        """Return the pseudonym: the first 128 bits of the HMAC, as 32 hexadecimal digits."""
        digest = hmac.digest(self._key, value.encode(), hashlib.sha256)
        return digest[:_PSEUDONYM_BYTES].hex()

    def of_column(self, values: pl.Series) -> pl.Series:
        """Return the pseudonyms of a column's values as text; nulls stay."""
        texts = _written(values)
        distinct = texts.drop_nulls().unique(maintain_order=True)
        if not len(distinct):
            return texts
        replacement = pl.Series([self.of(text) for text in distinct], dtype=pl.String)
        return texts.replace_strict(distinct, replacement, default=None, return_dtype=pl.String)
