"""Reads requests with a tensor for each feature and bytes behind the JSON, quickly; see ``quick``.

That is the form which KServe's and Triton's clients send: some tensors as bytes, the others as
JSON, in any order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, Raw, Struct, UnsetType
from numpy.typing import NDArray

from hallmark.api.columns import FeatureType
from hallmark.api.document import UNREADABLE
from hallmark_predictor.datatypes import DATATYPES
from hallmark_predictor.encoding import MAX_ROWS, Column
from hallmark_predictor.limits import Limits
from hallmark_predictor.protocol import BOTH, DTYPES, Output
from hallmark_predictor.quick import DATATYPES as JSON_DATATYPES, WHOLE, Quick, cell_of, indices_of
from hallmark_predictor.quick_binary import BinaryRequest, Size

_SINGLES = frozenset(("BOOL", "BYTES", "INT8", "UINT8", "INT16", "UINT16", "FP16", "FP32"))
"""Datatypes whose values float32 holds as they are."""
_LONG = frozenset(("INT64", "UINT64"))

Cells = Sequence[float] | NDArray[Any]


class _Tensor(Struct, forbid_unknown_fields=True):
    name: str
    shape: list[int]
    datatype: str
    data: Raw | UnsetType = UNSET
    parameters: Size | UnsetType = UNSET


class _Request(BinaryRequest, forbid_unknown_fields=True):
    inputs: list[_Tensor]


class ColumnReader:
    """Reads tensors by feature for one schema."""

    def __init__(self, columns: Sequence[Column], outputs: Sequence[Output] = BOTH) -> None:
        """Make what reads each column.

        Args:
            columns: Of the schema.
            outputs: What is answered where nothing is asked for.
        """
        self._outputs = outputs
        self._columns = {
            column.feature.name: (position, _ColumnCells(column))
            for position, column in enumerate(columns)
        }
        self._limits = Limits(columns)
        self._decoder = msgspec.json.Decoder(_Request)

    def infer(self, body: bytes, json_length: int) -> Quick | None:
        """Read an inference request with bytes after its JSON, or return None."""
        text = body[:json_length]
        try:
            asked = self._decoder.decode(text)
        except UNREADABLE:
            return None
        wanted = asked.wanted(self._outputs)
        if wanted is None or not self._is_each_once(text, asked):
            return None
        columns = self._cells(body, json_length, asked.inputs)
        if columns is None or not self._limits.allow(columns):
            return None
        rows = columns.T.astype(np.float32, order="C")
        return Quick(rows, (), b"", asked.identity, wanted)

    def _is_each_once(self, text: bytes, asked: _Request) -> bool:
        """Tell whether there is a tensor for each column, and no member that was not found."""
        names = {tensor.name for tensor in asked.inputs}
        if names != self._columns.keys() or len(names) != len(asked.inputs):
            return False
        of_tensors = sum(
            3 + (tensor.data is not UNSET) + 2 * (tensor.parameters is not UNSET)
            for tensor in asked.inputs
        )
        return text.count(b":") == asked.members + of_tensors

    def _cells(self, body: bytes, at: int, tensors: Sequence[_Tensor]) -> NDArray[Any] | None:
        """Return the cells as they were sent, shape (features, rows), or None.

        Args:
            body: As it came.
            at: Where the tensors' bytes begin.
            tensors: One for each column.
        """
        count = tensors[0].shape[0] if tensors[0].shape else 0
        if not 0 < count <= MAX_ROWS:
            return None
        singles = all(tensor.data is UNSET and tensor.datatype in _SINGLES for tensor in tensors)
        columns = np.empty((len(tensors), count), np.float32 if singles else np.float64)
        for tensor in tensors:
            if tensor.shape != [count] and tensor.shape != [count, 1]:
                return None
            position, column = self._columns[tensor.name]
            if tensor.parameters is UNSET:
                cells = column.of_json(tensor)
            elif tensor.data is UNSET and 0 < tensor.parameters.binary_data_size <= len(body) - at:
                start, at = at, at + tensor.parameters.binary_data_size
                cells = column.of_bytes(tensor.datatype, body, start, at, count)
            else:
                return None
            if cells is None or len(cells) != count:
                return None
            columns[position] = cells
        return columns if at == len(body) else None


class _ColumnCells:
    """Reads the cells of one column, as far as they are of its datatype."""

    def __init__(self, column: Column) -> None:
        kind = column.feature.type
        self._json_datatypes = JSON_DATATYPES[kind]
        self._dtypes = {
            name: np.dtype(DTYPES[name]) for name in DATATYPES[kind][1] if name in DTYPES
        }
        is_category = kind is FeatureType.CATEGORY
        self._indices = indices_of(column) if is_category else None
        self._texts = _text_reader(column.feature.categories or []) if is_category else None
        self._json = msgspec.json.Decoder[list[Any]](list.__class_getitem__(cell_of(column)))

    def of_json(self, tensor: _Tensor) -> Cells | None:
        """Return what stands in the JSON."""
        if tensor.data is UNSET or tensor.datatype not in self._json_datatypes:
            return None
        try:
            cells = self._json.decode(tensor.data)
        except UNREADABLE:
            return None
        if self._indices is not None:
            return list(map(self._indices.__getitem__, cells))
        return [math.nan if cell is None else cell for cell in cells] if None in cells else cells

    def of_bytes(
        self, datatype: str, body: bytes, start: int, end: int, count: int
    ) -> Cells | None:
        """Return what stands behind the JSON from ``start`` to ``end``, some ``count`` values."""
        if self._texts is not None:
            return self._texts(body[start:end], count) if datatype == "BYTES" else None
        dtype = self._dtypes.get(datatype)
        if dtype is None or (end - start) % dtype.itemsize:
            return None
        cells = np.frombuffer(body, dtype, (end - start) // dtype.itemsize, start)
        # Beyond these a float64 is no longer the number that was sent.
        if datatype in _LONG and not (cells.min() >= -WHOLE and cells.max() <= WHOLE):
            return None
        return cells


def _text_reader(categories: Sequence[str]) -> Callable[[bytes, int], list[float] | None]:
    """Return what reads categories with four bytes of length before each as their indices.

    All texts are found in one pass: an alternative for each length that a category has, and one
    for all the rest, which no category is.
    """
    packed = [_packed(name.encode()) for name in categories]
    index = {text: float(position) for position, text in enumerate(packed)}
    longest = max(map(len, packed), default=0)
    lengths = {text[:4]: len(text) - 4 for text in packed}
    parts = [b"%b.{%d}" % (re.escape(head), length) for head, length in lengths.items()]
    split = re.compile(b"|".join([*parts, b".+"]), re.DOTALL).findall

    def indices(data: bytes, count: int) -> list[float] | None:
        if len(data) > count * longest:
            return None
        try:
            return list(map(index.__getitem__, split(data)))
        except KeyError:
            return None

    return indices


def _packed(text: bytes) -> bytes:
    return len(text).to_bytes(4, "little") + text
