"""The fast way through uniform JSON Lines: polars parses where it is proven to be exact.

polars takes the last of two equal names, turns numbers among text into text and does not know
what a line looked like. So before its answer counts, numpy proves on the bytes that every line
holds the same distinct names in the same order and nothing nested, and that the cells read as
text are all that stood in quotes. Anything else goes to the careful reader.
"""

from __future__ import annotations

import io

import numpy as np
import polars as pl

_QUOTE, _COLON, _LF = b'":\n'
_EXACT_TYPES = (pl.Int64, pl.Float64, pl.String, pl.Boolean, pl.Null)
_EXACT = 2.0**53
"""Up to here a double holds every whole number."""


def read_uniform(block: bytes, max_columns: int) -> pl.DataFrame | None:
    """Return the rows of whole lines, or None where polars may not be exact.

    Args:
        block: UTF-8 text without NUL.
        max_columns: More names to a line are left to the careful reader.
    """
    block = block.rstrip(b"\r\n")
    rows = block.count(b"\n") + 1
    # An escape may hide a quote, a second brace to a line may nest a million deep, and control
    # characters belong to no string.
    if b"\\" in block or b"\t" in block or block.count(b"{") != rows:
        return None
    data = np.frombuffer(block, np.uint8)
    if np.count_nonzero(data < 32) != block.count(b"\n") + block.count(b"\r\n"):
        return None
    names = _uniform_names(block, data, rows, max_columns)
    if names is None:
        return None
    try:
        frame = pl.read_ndjson(io.BytesIO(block), infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    if frame.height != rows or set(frame.columns) != set(names):
        return None
    return frame.select(frame.get_column(name) for name in names) if _exact(frame, block) else None


def _uniform_names(block: bytes, data: np.ndarray, rows: int, max_columns: int) -> list[str] | None:
    """Return the names that every line holds in this order, or None if lines differ."""
    quotes = np.flatnonzero(data == _QUOTE)
    if len(quotes) % 2:
        return None
    colons = np.flatnonzero(data == _COLON)
    before = np.searchsorted(quotes, colons)
    outside = before % 2 == 0
    colons, closing = colons[outside], before[outside] - 1
    width, rest = divmod(len(colons), rows)
    if (
        rest
        or not 0 < width <= max_columns
        or closing[0] < 0
        or not (quotes[closing] == colons - 1).all()
    ):
        return None
    lines = np.searchsorted(np.flatnonzero(data == _LF), colons)
    if not (lines == np.repeat(np.arange(rows), width)).all():
        return None
    starts = (quotes[closing - 1] + 1).reshape(rows, width)
    lengths = (quotes[closing] - quotes[closing - 1] - 1).reshape(rows, width)
    if not (lengths == lengths[0]).all():
        return None
    names = []
    for start, length, places in zip(starts[0], lengths[0], starts.T, strict=True):
        name = block[start : start + length]
        spelled = data[places[:, None] + np.arange(length)]
        if not (spelled == np.frombuffer(name, np.uint8)).all():
            return None
        names.append(name.decode())
    return names if len(set(names)) == width else None


def _exact(frame: pl.DataFrame, block: bytes) -> bool:
    """Whether every cell has its column's type in the text too."""
    texts = 0
    for series in frame.iter_columns():
        if series.dtype not in _EXACT_TYPES:
            return False
        if series.dtype == pl.String:
            texts += len(series) - series.null_count()
        elif series.dtype == pl.Float64 and len(series) > series.null_count():
            # A whole number beside fractions went through a double, which may not hold it.
            largest = series.abs().max()
            if not isinstance(largest, float) or not largest < _EXACT:
                return False
    return block.count(b'"') == 2 * (frame.height * frame.width + texts)
