"""The structure of CSV text: where records end, how many cells they have, what is malformed.

RFC 4180, strictly: a quote stands at a cell's start and end or doubled within; records end with
LF or CRLF. Text that keeps these rules is read alike by every parser; other text is not, so it
is refused. numpy finds the marks of a block at once; nothing loops over bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LF, _CR = 10, 13


@dataclass(frozen=True)
class Structure:
    """The structure of a block of whole records; rows are 0-based within the block.

    Attributes:
        cells: Number of cells by record, 0 for an empty line. Shape (rows,).
        bad_quote: The record of the first quote that is neither around a cell nor doubled.
        open_quote: The record in which the quotation starts that the block does not end.
        lone_returns: Records that hold a CR outside quotes without its LF.
    """

    cells: np.ndarray
    bad_quote: int | None
    open_quote: int | None
    lone_returns: np.ndarray


def whole_records(data: bytes, quote: bytes) -> int:
    """Return how many bytes at the start are whole records with their line ends."""
    if not quote or quote not in data:
        return data.rfind(b"\n") + 1
    block = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(block == quote[0])
    ends = _outside(np.flatnonzero(block == _LF), quotes)
    return int(ends[-1]) + 1 if len(ends) else 0


def structure(data: bytes, delimiter: bytes, quote: bytes) -> Structure:
    """Return the structure of records, the last of which has no line end."""
    block = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(block == quote[0]) if quote else np.empty(0, np.int64)
    ends = _outside(np.flatnonzero(block == _LF), quotes)
    delimiters = _outside(np.flatnonzero(block == delimiter[0]), quotes)
    returns = _outside(np.flatnonzero(block == _CR), quotes)
    all_ends = np.append(ends, len(block))
    cells = np.diff(np.searchsorted(delimiters, all_ends), prepend=0) + 1
    cells[_empty_lines(block, all_ends)] = 0
    bad = _first_bad_quote(block, quotes, delimiter[0])
    lone = returns[_byte(block, returns + 1, at_end=_LF) != _LF]
    return Structure(
        cells=cells,
        bad_quote=None if bad is None else int(np.searchsorted(ends, bad)),
        open_quote=int(np.searchsorted(ends, quotes[-1])) if len(quotes) % 2 else None,
        lone_returns=np.unique(np.searchsorted(ends, lone)),
    )


def _outside(positions: np.ndarray, quotes: np.ndarray) -> np.ndarray:
    """Return the positions before which an even number of quotes stands."""
    if not len(quotes):
        return positions
    outside: np.ndarray = positions[np.searchsorted(quotes, positions) % 2 == 0]
    return outside


def _empty_lines(block: np.ndarray, ends: np.ndarray) -> np.ndarray:
    starts = np.append(0, ends[:-1] + 1)
    only_cr = (ends - starts == 1) & (_byte(block, starts, at_end=0) == _CR)
    empty: np.ndarray = (ends == starts) | only_cr
    return empty


def _first_bad_quote(block: np.ndarray, quotes: np.ndarray, delimiter: int) -> int | None:
    """Return the position of the first quote that breaks the rules.

    The even ones open a quotation and the odd ones close it. A doubled quote closes and opens.
    """
    if not len(quotes):
        return None
    opening, closing = quotes[0::2], quotes[1::2]
    quote = int(block[quotes[0]])
    before = _byte(block, opening - 1, at_end=_LF)
    after = _byte(block, closing + 1, at_end=_LF)
    after_cr = (after == _CR) & (_byte(block, closing + 2, at_end=_LF) == _LF)
    bad_open = opening[~np.isin(before, (delimiter, _LF, quote))]
    bad_close = closing[~(np.isin(after, (delimiter, _LF, quote)) | after_cr)]
    bad = np.concatenate([bad_open, bad_close])
    return int(bad.min()) if len(bad) else None


def _byte(block: np.ndarray, positions: np.ndarray, at_end: int) -> np.ndarray:
    """Return the bytes at positions; beyond the block's ends stands ``at_end``."""
    within = (positions >= 0) & (positions < len(block))
    values = np.full(len(positions), at_end, np.uint8)
    values[within] = block[positions[within]]
    return values
