"""Reads the requests that are right, quickly; what it does not take, the strict reading judges.

Decoders are generated from the signed schema, so that types, ranges, datatypes and categories are
checked while the JSON is read. They take less than the strict reading (``encoding``, ``tensors``)
and never anything else, and have no sentences: a request that they do not take is read again, and
taken or refused there. A test holds the two against each other.

No member stands twice in what is taken: every member has a colon of its own, and there are as many
colons as members were found.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hallmark.api.columns import FeatureType
from hallmark.api.document import UNREADABLE
from hallmark.drift.counts import Rows
from hallmark_predictor.encoding import MAX_ROWS, Column, taken_range
from hallmark_predictor.protocol import Identity, Output

WHOLE = float(2**53)
"""Whole numbers up to here are the same as integers and as floats."""
_NEVER = 1 << 40
DATATYPES = {
    FeatureType.NUMBER: ("FP32", "FP64"),
    FeatureType.INTEGER: ("INT64", "FP64", "FP32"),
    FeatureType.BOOLEAN: ("BOOL",),
    FeatureType.CATEGORY: ("BYTES",),
}
"""Those of a tensor in JSON that need no look of their own."""


class Quick(Struct, frozen=True, gc=False):
    """A request that was taken.

    Attributes:
        rows: Shape (rows, features); None where ``row`` has the only one.
        row: The only row, as float32 holds it; empty where there are more.
        packed: The only row as float32, in the machine's order.
        identity: The protocol's ``id``, if any.
        outputs: The outputs that were asked for; empty for all.
    """

    rows: Rows | None
    row: tuple[float, ...] = ()
    packed: bytes = b""
    identity: str | None = None
    outputs: tuple[Output, ...] = ()


class _Output(Struct, forbid_unknown_fields=True):
    name: Literal["label", "probabilities"]


class _Infer(Struct, forbid_unknown_fields=True, gc=False):
    """What an inference request is besides its tensors; some clients send a null for nothing."""

    inputs: Any
    id: Identity | UnsetType | None = UNSET
    outputs: list[_Output] | UnsetType | None = UNSET
    parameters: Raw | UnsetType = UNSET


class QuickReader:
    """Reads requests for one schema."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Make the decoders.

        Raises:
            ValueError: the schema has a category feature without categories.
        """
        self._width = len(columns)
        self._least = 4 * self._width + 1
        """Members of a request with a tensor for each column and nothing else."""
        self._pack = struct.Struct(f"={self._width}f")
        self._categories = [
            (position, indices_of(column))
            for position, column in enumerate(columns)
            if column.feature.type is FeatureType.CATEGORY
        ]
        self._nullable = [
            position
            for position, column in enumerate(columns)
            if column.feature.nullable and column.feature.type is not FeatureType.CATEGORY
        ]
        self._whole = [
            position
            for position, column in enumerate(columns)
            if column.feature.type is FeatureType.INTEGER
        ]
        self._is_plain = not (self._categories or self._nullable or self._whole)
        cells = [cell_of(column) for column in columns]
        row = _row_type(columns, cells)
        self._one_instance = _decoder("instances", _tuple(row))
        self._instances = _decoder("instances", _list(row))
        self._features = _decoder("features", row)
        self._ordered = msgspec.json.Decoder[Any](_infer(_tensors_of_one_row(columns, cells)))
        self._tensors = msgspec.json.Decoder[Any](_infer(_tensors_of_rows(columns, cells)))

    def predict(self, body: bytes) -> Quick | None:
        """Read a request of ``/predict``, or return None."""
        try:
            asked = self._one_instance.decode(body)
        except UNREADABLE:
            return self._more_instances(body)
        if body.count(b":") != 1 + self._width:
            return None
        return self._one(msgspec.structs.astuple(asked.instances[0]))

    def infer(self, body: bytes) -> Quick | None:
        """Read an inference request of the Open Inference Protocol, or return None."""
        try:
            asked = self._ordered.decode(body)
        except UNREADABLE:
            return self._more_tensors(body)
        if not self._is_each_once(body, asked):
            return None
        return self._one([tensor.data[0] for tensor in asked.inputs], asked)

    def _more_instances(self, body: bytes) -> Quick | None:
        try:
            if body.startswith(b'{"features"'):
                asked = self._features.decode(body)
                rows = [asked.features]
            else:
                rows = self._instances.decode(body).instances
        except UNREADABLE:
            return None
        count = len(rows)
        if not 0 < count <= MAX_ROWS or body.count(b":") != 1 + count * self._width:
            return None
        if count == 1:
            return self._one(msgspec.structs.astuple(rows[0]))
        return self._many(list(zip(*map(msgspec.structs.astuple, rows), strict=True)))

    def _more_tensors(self, body: bytes) -> Quick | None:
        try:
            asked = self._tensors.decode(body)
        except UNREADABLE:
            return None
        tensors = {type(tensor): tensor for tensor in asked.inputs}
        if len(tensors) != self._width or len(asked.inputs) != self._width:
            return None
        if not self._is_each_once(body, asked):
            return None
        ordered = sorted(asked.inputs, key=lambda tensor: type(tensor).position)
        count = len(ordered[0].data)
        for tensor in ordered:
            if tensor.shape not in ([count], [count, 1]) or len(tensor.data) != count:
                return None
        if not 0 < count <= MAX_ROWS:
            return None
        if count == 1:
            return self._one([tensor.data[0] for tensor in ordered], asked)
        return self._many([tensor.data for tensor in ordered], asked)

    def _is_each_once(self, body: bytes, asked: Any) -> bool:  # noqa: ANN401 - msgspec's types are made here
        """Tell whether the members that were found are all that there are."""
        colons = body.count(b":")
        if colons == self._least:
            return True
        more = colons - 4 * self._width - _members(asked)
        return more == 0 or more == _parameters(asked)

    def _one(self, cells: Sequence[Any], asked: Any = None) -> Quick | None:  # noqa: ANN401 - msgspec's types are made here
        values = cells if self._is_plain else self._encoded(cells)
        if values is None:
            return None
        packed = self._pack.pack(*values)
        return _quick(None, self._pack.unpack(packed), packed, asked)

    def _encoded(self, cells: Sequence[Any]) -> Sequence[Any] | None:
        values = list(cells)
        for position, indices in self._categories:
            values[position] = indices[values[position]]
        for position in self._nullable:
            if values[position] is None:
                values[position] = math.nan
        for position in self._whole:
            value = values[position]
            if type(value) is float and not (value.is_integer() or value != value):
                return None
        return values

    def _many(self, cells: Sequence[Sequence[Any]], asked: Any = None) -> Quick | None:  # noqa: ANN401 - msgspec's types are made here
        columns: list[Sequence[Any]] = list(cells)
        for position, indices in self._categories:
            columns[position] = list(map(indices.__getitem__, columns[position]))
        for position in self._nullable:
            if None in columns[position]:
                columns[position] = [
                    math.nan if value is None else value for value in columns[position]
                ]
        numbers = np.array(columns, dtype=np.float64)
        whole = numbers[self._whole]
        if not ((whole == np.floor(whole)) | np.isnan(whole)).all():
            return None
        return _quick(np.ascontiguousarray(numbers.T, dtype=np.float32), (), b"", asked)


def _quick(
    rows: Rows | None,
    row: tuple[float, ...],
    packed: bytes,
    asked: Any,  # noqa: ANN401 - msgspec's types are made here
) -> Quick | None:
    if asked is None or (asked.id is UNSET and asked.outputs is UNSET):
        return Quick(rows, row, packed)
    identity = None if asked.id is UNSET else asked.id
    if not asked.outputs:
        return Quick(rows, row, packed, identity)
    outputs = tuple(Output(output.name) for output in asked.outputs)
    if len(set(outputs)) != len(outputs):
        return None
    return Quick(rows, row, packed, identity, outputs)


def _members(asked: Any) -> int:  # noqa: ANN401 - msgspec's types are made here
    """Return how many members a request has besides the four that each tensor must have."""
    count = 1 + (asked.id is not UNSET)
    if asked.outputs is not UNSET:
        count += 1 + len(asked.outputs or ())
    if asked.parameters is not UNSET:
        count += 1 + _few(asked.parameters)
    return count


def _parameters(asked: Any) -> int:  # noqa: ANN401 - msgspec's types are made here
    """Return how many members the tensors have beyond those."""
    given = [tensor.parameters for tensor in asked.inputs if tensor.parameters is not UNSET]
    return len(given) + sum(map(_few, given))


def _few(raw: Raw) -> int:
    """Return how many members an object has that has at most one, which means nothing here.

    More may be one twice. Anything else gives a number that no count of colons comes to.
    """
    text = bytes(raw)
    if text == b"null":
        return 0
    colons = text.count(b":")
    if not text.startswith(b"{") or colons > 1 or b"binary" in text or b"\\" in text:
        return _NEVER
    return colons


def indices_of(column: Column) -> dict[str | None, float]:
    """Return the number of each category, and NaN for null where it is declared."""
    names = column.feature.categories or []
    indices: dict[str | None, float] = {name: float(at) for at, name in enumerate(names)}
    return indices | {None: math.nan} if column.feature.nullable else indices


def cell_of(column: Column) -> Any:  # noqa: ANN401 - msgspec's types are made here
    """Return the type for msgspec of a cell that is right."""
    feature = column.feature
    found: Any
    match feature.type:
        case FeatureType.NUMBER:
            low, high = taken_range(feature)
            found = Annotated[float, Meta(ge=low, le=high)]
        case FeatureType.INTEGER:
            low, high = taken_range(feature)
            low, high = max(low, -WHOLE), min(high, WHOLE)
            whole = Annotated[int, Meta(ge=math.ceil(low), le=math.floor(high))]
            found = whole | Annotated[float, Meta(ge=low, le=high)]
        case FeatureType.BOOLEAN:
            found = bool
        case FeatureType.CATEGORY:
            found = Literal[tuple(feature.categories or ())]
    return found | None if feature.nullable else found


def _row_type(columns: Sequence[Column], cells: Sequence[Any]) -> Any:  # noqa: ANN401 - msgspec's types are made here
    names = {f"f{at}": column.feature.name for at, column in enumerate(columns)}
    return msgspec.defstruct(
        "Row", list(zip(names, cells, strict=True)), rename=names, forbid_unknown_fields=True
    )


def _decoder(member: str, of: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401 - msgspec's types are made here
    """Return what reads an object of one member."""
    return msgspec.json.Decoder(
        msgspec.defstruct("Request", [(member, of)], forbid_unknown_fields=True)
    )


def _tuple(*types: Any) -> Any:  # noqa: ANN401 - msgspec's types are made here
    return tuple.__class_getitem__(types)


def _list(type_: Any) -> Any:  # noqa: ANN401 - msgspec's types are made here
    return list.__class_getitem__(type_)


def _infer(inputs: Any) -> Any:  # noqa: ANN401 - msgspec's types are made here
    return msgspec.defstruct(
        "Infer", [("inputs", inputs)], bases=(_Infer,), forbid_unknown_fields=True, gc=False
    )


def _tensors_of_one_row(columns: Sequence[Column], cells: Sequence[Any]) -> Any:  # noqa: ANN401 - msgspec's types are made here
    """Return the type of tensors of one row, in the schema's order.

    None can be part of a cycle, so the collector need not know them.
    """
    tensors = [
        msgspec.defstruct(
            f"One{at}",
            [
                ("name", Literal[column.feature.name]),
                ("shape", tuple[Literal[1]]),
                ("datatype", Literal[DATATYPES[column.feature.type]]),
                ("data", _tuple(cell)),
                ("parameters", Raw | UnsetType, UNSET),
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        for at, (column, cell) in enumerate(zip(columns, cells, strict=True))
    ]
    return _tuple(*tensors)


def _tensors_of_rows(columns: Sequence[Column], cells: Sequence[Any]) -> Any:  # noqa: ANN401 - msgspec's types are made here
    """Return the type of tensors of any number of rows, in any order."""
    found: Any = None
    for at, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        tensor = msgspec.defstruct(
            f"Many{at}",
            [
                ("shape", list[int]),
                ("datatype", Literal[DATATYPES[column.feature.type]]),
                ("data", _list(cell)),
                ("parameters", Raw | UnsetType, UNSET),
            ],
            tag_field="name",
            tag=column.feature.name,
            namespace={"position": at},
            forbid_unknown_fields=True,
        )
        found = tensor if found is None else found | tensor
    return _list(found)
