"""A dataset's identity: SHA-256 over a canonical, typed encoding of its declared columns.

The same table has the same fingerprint in CSV, Parquet and JSON Lines. ``docs/fingerprint.md``
specifies every byte and gives test vectors.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import polars as pl

from hallmark.data.table import Column, ColumnType, Table

_HEADER = b"hallmark.dev/fingerprint/v1\0"
_TYPE_CODES = {
    ColumnType.NUMBER: 1,
    ColumnType.INTEGER: 2,
    ColumnType.BOOLEAN: 3,
    ColumnType.CATEGORY: 4,
    ColumnType.TEXT: 5,
}


def fingerprint(table: Table) -> str:
    """Return ``sha256:<64 hex digits>`` of the table's columns in their order."""
    whole = hashlib.sha256(_HEADER)
    whole.update(struct.pack("<QI", table.rows, len(table.columns)))
    for column in table.columns:
        whole.update(column_digest(column))
    return f"sha256:{whole.hexdigest()}"


def column_digest(column: Column) -> bytes:
    """Return the 32-byte digest of a column's name, type, nulls and values."""
    name = column.name.encode()
    digest = hashlib.sha256(struct.pack("<BI", _TYPE_CODES[column.spec.type], len(name)))
    digest.update(name)
    digest.update(column.values.is_not_null().to_numpy().astype(np.uint8).tobytes())
    if column.spec.type in (ColumnType.CATEGORY, ColumnType.TEXT):
        texts = column.values.fill_null("")
        digest.update(texts.str.len_bytes().to_numpy().astype("<u4").tobytes())
        digest.update("".join(texts.to_list()).encode())
    else:
        digest.update(_fixed_width(column.values, column.spec.type).tobytes())
    return digest.digest()


def _fixed_width(values: pl.Series, kind: ColumnType) -> np.ndarray:
    if kind is ColumnType.BOOLEAN:
        return values.fill_null(value=False).to_numpy().astype(np.uint8)
    return values.fill_null(0).to_numpy().astype("<f8" if kind is ColumnType.NUMBER else "<i8")
