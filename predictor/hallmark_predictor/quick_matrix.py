"""Reads requests whose rows are encoded already, quickly; see ``quick``.

One tensor named ``input`` has a number for each cell, as JSON or, with the binary extension, as
bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from operator import le
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Struct, UnsetType
from numpy.typing import NDArray

from hallmark.api.training_run import FeatureType
from hallmark_predictor.encoding import MAX_ROWS, Column, taken_range
from hallmark_predictor.protocol import BOTH, Output
from hallmark_predictor.quick import Quick

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
    id: str | UnsetType = UNSET
    outputs: list[_Wanted] | UnsetType = UNSET


class _Size(Struct, forbid_unknown_fields=True):
    binary_data_size: int


class _BinaryTensor(Struct, forbid_unknown_fields=True):
    name: Literal["input"]
    shape: tuple[int, int]
    datatype: Literal["FP32", "FP64"]
    parameters: _Size


class _Form(Struct, forbid_unknown_fields=True):
    binary_data: bool


class _BinaryWanted(Struct, forbid_unknown_fields=True):
    name: _Name
    parameters: _Form


class _Default(Struct, forbid_unknown_fields=True):
    binary_data_output: bool


class _BinaryRequest(Struct, forbid_unknown_fields=True):
    inputs: tuple[_BinaryTensor]
    id: str | UnsetType = UNSET
    outputs: list[_BinaryWanted] | UnsetType = UNSET
    parameters: _Default | UnsetType = UNSET


_DTYPES = {"FP32": "<f4", "FP64": "<f8"}


class MatrixReader:
    """Reads matrices for one schema."""

    def __init__(self, columns: Sequence[Column], outputs: Sequence[Output] = BOTH) -> None:
        """Make the limits of each column.

        Args:
            columns: Of the schema.
            outputs: What is answered where nothing is asked for.
        """
        self._outputs = outputs
        limits = [_limits(column) for column in columns]
        self._width = len(columns)
        self._lows, self._highs = ([pair[end] for pair in limits] for end in (0, 1))
        self._whole = [
            position
            for position, column in enumerate(columns)
            if column.feature.type is not FeatureType.NUMBER
        ]
        self._nullable = np.array([column.feature.nullable for column in columns])
        self._pack = struct.Struct(f"={self._width}f")
        self._json = msgspec.json.Decoder(_Request)
        self._binary = msgspec.json.Decoder(_BinaryRequest)
        self._low_row, self._high_row = np.array(self._lows), np.array(self._highs)
        # A float32 is within the limits where it is within their float32: they are made so.
        singles = [self._low_row.astype(np.float32), self._high_row.astype(np.float32)]
        self._low_singles, self._high_singles = singles

    def infer(self, body: bytes) -> Quick | None:
        """Read an inference request, or return None."""
        try:
            asked = self._json.decode(body)
        except (msgspec.MsgspecError, ValueError):
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
        if not self._all_allowed(numbers, self._low_row, self._high_row):
            return None
        return Quick(numbers.astype(np.float32), (), b"", identity, wanted)

    def infer_binary(self, body: bytes, json_length: int) -> Quick | None:
        """Read an inference request with bytes after its JSON, or return None."""
        text = body[:json_length]
        try:
            asked = self._binary.decode(text)
        except (msgspec.MsgspecError, ValueError):
            return None
        tensor = asked.inputs[0]
        rows, width = tensor.shape
        dtype = np.dtype(_DTYPES[tensor.datatype])
        size = len(body) - json_length
        if width != self._width or not 0 < rows <= MAX_ROWS:
            return None
        if size != tensor.parameters.binary_data_size or size != rows * width * dtype.itemsize:
            return None
        if text.count(b":") != _binary_members(asked):
            return None
        wanted = _binary_outputs(asked, self._outputs)
        if wanted is None:
            return None
        numbers = np.frombuffer(body, dtype, offset=json_length).reshape(rows, width)
        singles = dtype.itemsize == 4
        low, high = (
            (self._low_singles, self._high_singles) if singles else (self._low_row, self._high_row)
        )
        if not self._all_allowed(numbers, low, high):
            return None
        identity = None if asked.id is UNSET else asked.id
        return Quick(np.asarray(numbers, dtype=np.float32), (), b"", identity, wanted)

    def _one(
        self, cells: list[float], identity: str | None, wanted: tuple[Output, ...]
    ) -> Quick | None:
        if not (all(map(le, self._lows, cells)) and all(map(le, cells, self._highs))):
            return None
        for position in self._whole:
            if not cells[position].is_integer():
                return None
        packed = self._pack.pack(*cells)
        return Quick(None, self._pack.unpack(packed), packed, identity, wanted)

    def _all_allowed(self, numbers: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> bool:
        allowed = (numbers >= low) & (numbers <= high)
        if not allowed.all():
            allowed |= np.isnan(numbers) & self._nullable
            if not allowed.all():
                return False
        whole = numbers[:, self._whole]
        return bool(((whole == np.floor(whole)) | np.isnan(whole)).all())


def _limits(column: Column) -> tuple[float, float]:
    """Return the least and the greatest number that a column's cell may be, null apart."""
    match column.feature.type:
        case FeatureType.BOOLEAN:
            return 0.0, 1.0
        case FeatureType.CATEGORY:
            return 0.0, len(column.feature.categories or ()) - 1.0
        case _:
            return taken_range(column.feature)


def _binary_members(asked: _BinaryRequest) -> int:
    """Return how many members a request has."""
    given = (asked.id, asked.outputs)
    count = 6 + sum(one is not UNSET for one in given)
    if asked.parameters is not UNSET:
        count += 2
    return count + (0 if asked.outputs is UNSET else 3 * len(asked.outputs))


def _binary_outputs(asked: _BinaryRequest, known: Sequence[Output]) -> tuple[Output, ...] | None:
    by_default = asked.parameters is not UNSET and asked.parameters.binary_data_output
    if asked.outputs is UNSET or not asked.outputs:
        return tuple(Output(one.name, by_default) for one in known)
    forms = {one.name: one.parameters.binary_data for one in asked.outputs}
    if len(forms) != len(asked.outputs):
        return None
    return tuple(Output(one.name, forms[one.name]) for one in BOTH if one.name in forms)
