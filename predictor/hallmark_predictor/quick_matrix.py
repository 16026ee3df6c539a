"""Reads requests whose rows are encoded already, quickly; see ``quick``.

One tensor named ``input`` has a number for each cell, as JSON or, with the binary extension, as
bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from operator import le
from typing import Literal

import msgspec
import numpy as np
from msgspec import UNSET, Struct, UnsetType

from hallmark.api.document import UNREADABLE
from hallmark_predictor.encoding import MAX_ROWS, Column
from hallmark_predictor.limits import Limits
from hallmark_predictor.protocol import BOTH, DTYPES, Identity, Output
from hallmark_predictor.quick import Quick
from hallmark_predictor.quick_binary import BinaryRequest, Size
from hallmark_predictor.tensors import MATRIX

_Name = Literal["label", "probabilities"]


class _Tensor(Struct, forbid_unknown_fields=True):
    name: Literal["input"]
    shape: tuple[int, int]
    datatype: Literal["FP32", "FP64"]
    data: list[float]


class _Wanted(Struct, forbid_unknown_fields=True):
    name: _Name


class _Request(Struct, forbid_unknown_fields=True):
    inputs: tuple[_Tensor]
    id: Identity | UnsetType = UNSET
    outputs: list[_Wanted] | UnsetType = UNSET


class _BinaryTensor(Struct, forbid_unknown_fields=True):
    name: Literal["input"]
    shape: tuple[int, int]
    datatype: Literal["FP32", "FP64"]
    parameters: Size


class _BinaryRequest(BinaryRequest, forbid_unknown_fields=True):
    inputs: tuple[_BinaryTensor]


_BINARY_TENSOR = 5
"""Members of such a tensor."""


class MatrixReader:
    """Reads matrices for one schema."""

    def __init__(self, columns: Sequence[Column], outputs: Sequence[Output] = BOTH) -> None:
        """Make the limits of each column.

        Args:
            columns: Of the schema.
            outputs: What is answered where nothing is asked for.
        """
        self._outputs = outputs
        # A matrix has no other name, so where the only feature has it there is none.
        is_feature = [column.feature.name for column in columns] == [MATRIX]
        self._width = None if is_feature else len(columns)
        self._limits = Limits(columns)
        self._pack = struct.Struct(f"={len(columns)}f")
        self._json = msgspec.json.Decoder(_Request)
        self._binary = msgspec.json.Decoder(_BinaryRequest)

    def infer(self, body: bytes) -> Quick | None:
        """Read an inference request, or return None."""
        try:
            asked = self._json.decode(body)
        except UNREADABLE:
            return None
        tensor = asked.inputs[0]
        wanted = () if asked.outputs is UNSET else tuple(Output(one.name) for one in asked.outputs)
        members = 5 + (asked.id is not UNSET) + (asked.outputs is not UNSET) + len(wanted)
        rows, width = tensor.shape
        cells = tensor.data
        fits = width == self._width and 0 < rows <= MAX_ROWS and len(cells) == rows * width
        if not fits or body.count(b":") != members or len(set(wanted)) != len(wanted):
            return None
        identity = None if asked.id is UNSET else asked.id
        if rows == 1:
            return self._one(cells, identity, wanted)
        numbers = np.array(cells).reshape(rows, width)
        if not self._limits.allow(numbers.T):
            return None
        return Quick(numbers.astype(np.float32), (), b"", identity, wanted)

    def infer_binary(self, body: bytes, json_length: int) -> Quick | None:
        """Read an inference request with bytes after its JSON, or return None."""
        text = body[:json_length]
        try:
            asked = self._binary.decode(text)
        except UNREADABLE:
            return None
        tensor = asked.inputs[0]
        rows, width = tensor.shape
        dtype = np.dtype(DTYPES[tensor.datatype])
        size = len(body) - json_length
        if width != self._width or not 0 < rows <= MAX_ROWS:
            return None
        if size != tensor.parameters.binary_data_size or size != rows * width * dtype.itemsize:
            return None
        if text.count(b":") != asked.members + _BINARY_TENSOR:
            return None
        wanted = asked.wanted(self._outputs)
        if wanted is None:
            return None
        numbers = np.frombuffer(body, dtype, offset=json_length).reshape(rows, width)
        if not self._limits.allow(numbers.T):
            return None
        return Quick(np.asarray(numbers, dtype=np.float32), (), b"", asked.identity, wanted)

    def _one(
        self, cells: list[float], identity: str | None, wanted: tuple[Output, ...]
    ) -> Quick | None:
        limits = self._limits
        if not (all(map(le, limits.lows, cells)) and all(map(le, cells, limits.highs))):
            return None
        for position in limits.whole:
            if not cells[position].is_integer():
                return None
        packed = self._pack.pack(*cells)
        return Quick(None, self._pack.unpack(packed), packed, identity, wanted)
