"""A dataset's identity: SHA-256 over a canonical, typed encoding of its declared columns.

The same table has the same fingerprint in CSV, Parquet and JSON Lines, compressed or not.
``docs/fingerprint.md`` specifies every byte and gives test vectors.
"""

from __future__ import annotations

import hashlib
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from hallmark.data.table import Column, ColumnType, Table

_STRIDE = 16_384
"""Texts that are joined at a time: their cells' limit keeps them below what polars joins."""
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
    # hashlib lets go of the interpreter's lock: columns are digested side by side.
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        for digest in threads.map(column_digest, table.columns):
            whole.update(digest)
    return f"sha256:{whole.hexdigest()}"


def column_digest(column: Column) -> bytes:
    """Return the 32-byte digest of a column's name, type, nulls and values."""
    name = column.name.encode()
    digest = hashlib.sha256(struct.pack("<BI", _TYPE_CODES[column.spec.type], len(name)))
    digest.update(name)
    digest.update(_presence(column.values).data)
    if column.spec.type in (ColumnType.CATEGORY, ColumnType.TEXT):
        texts = column.values.fill_null("")
        digest.update(texts.str.len_bytes().to_numpy().astype("<u4").data)
        for start in range(0, len(texts), _STRIDE):
            digest.update(texts.slice(start, _STRIDE).str.join("").item().encode())
    else:
        digest.update(_fixed_width(column.values, column.spec.type).data)
    return digest.digest()


def _presence(values: pl.Series) -> np.ndarray:
    if not values.null_count():
        return np.ones(len(values), dtype=np.uint8)
    return values.is_not_null().to_numpy().view(np.uint8)


def _fixed_width(values: pl.Series, kind: ColumnType) -> np.ndarray:
    if kind is ColumnType.BOOLEAN:
        return values.fill_null(value=False).to_numpy().view(np.uint8)
    width = "<f8" if kind is ColumnType.NUMBER else "<i8"
    filled = values.fill_null(0) if values.null_count() else values
    return np.ascontiguousarray(filled.to_numpy().astype(width, copy=False))
