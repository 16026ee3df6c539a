"""From the tensors of the Open Inference Protocol to encoded rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from hallmark.drift.counts import Rows
from hallmark.drift.refusals import NO_FEATURE, Fault, Reason, Refusals
from hallmark_predictor.datatypes import DATATYPES, FLOATS, check_numbers, told
from hallmark_predictor.encoding import MAX_ROWS, Column, rows_of_columns, rows_of_matrix
from hallmark_predictor.json_body import Object
from hallmark_predictor.problems import BadRequest, describe, refuse

MATRIX = "input"
"""The tensor of rows that are encoded already."""


def rows_of_tensors(inputs: object, columns: Sequence[Column]) -> Rows | BadRequest:
    """Return the encoded rows of tensors: one for each feature, or one matrix of all."""
    tensors = _tensors(inputs)
    if isinstance(tensors, BadRequest):
        return tensors
    names = [column.feature.name for column in columns]
    if tensors.keys() == {MATRIX} and names != [MATRIX]:
        rows = _rows_of_matrix(tensors[MATRIX], columns)
        return _at_fault(rows, tensors, NO_FEATURE) if isinstance(rows, BadRequest) else rows
    if tensors.keys() != set(names):
        return _other_tensors(tensors, names)
    values: list[list[object]] = []
    for column in columns:
        cells = _cells_of_feature(tensors[column.feature.name], column)
        if isinstance(cells, BadRequest):
            return _at_fault(cells, tensors, column.feature.name)
        if values and len(cells) != len(values[0]):
            expected = f"{len(values[0])} rows like '{names[0]}'"
            found = refuse(column.feature.name, expected, f"{len(cells)}")
            return _at_fault(found, tensors, column.feature.name)
        values.append(cells)
    return rows_of_columns(values, columns)


def _rows_of_matrix(tensor: Object, columns: Sequence[Column]) -> Rows | BadRequest:
    width = len(columns)
    datatype = tensor.get("datatype")
    if datatype not in FLOATS:
        return refuse(MATRIX, "datatype FP32", told(datatype))
    shape = _shape(tensor, MATRIX)
    if isinstance(shape, BadRequest):
        return shape
    if len(shape) != 2 or shape[1] != width:
        return refuse(MATRIX, f"shape [rows, {width}]", "another shape")
    cells = _flat(tensor.get("data"), shape, MATRIX)
    if isinstance(cells, BadRequest):
        return cells

    def place(cell: int) -> tuple[str, int]:
        return columns[cell % width].feature.name, cell // width

    return check_numbers(cells, datatype, place) or rows_of_matrix(cells, columns)


def _other_tensors(tensors: dict[str, Object], names: Sequence[str]) -> BadRequest:
    """Return the refusal of tensors that are not one for each feature."""
    missing, extra = set(names) - tensors.keys(), tensors.keys() - set(names)
    rows = _rows_claimed(tensors)
    faults: dict[Fault, int] = {(name, Reason.MISSING): rows for name in missing}
    if extra:
        faults[NO_FEATURE, Reason.UNKNOWN_FEATURE] = rows
    return refuse(
        "inputs",
        f"a tensor for each of the {len(names)} features, or one named '{MATRIX}'",
        f"{len(extra)} others and none for {', '.join(sorted(missing)[:8]) or '-'}",
        rows=rows,
        faults=faults,
    )


def _at_fault(found: BadRequest, tensors: dict[str, Object], feature: str) -> BadRequest:
    """Return the refusal of a feature's tensor with its rows counted."""
    if found.refusals.rows:
        return found
    rows = _rows_claimed(tensors)
    return replace(found, refusals=Refusals(rows, {(feature, Reason.WRONG_TYPE): rows}))


def _rows_claimed(tensors: dict[str, Object]) -> int:
    """Return how many rows a request has by the first shape that says so and is borne out."""
    for tensor in tensors.values():
        (rows, *_) = [*list_of(tensor.get("shape")), None]
        if type(rows) is int and rows > 0:
            return max(1, min(rows, MAX_ROWS, len(list_of(tensor.get("data")))))
    return 1


def list_of(value: object) -> list[Any]:
    """Return a list, or an empty one for what is none."""
    return value if isinstance(value, list) else []


def _tensors(inputs: object) -> dict[str, Object] | BadRequest:
    if not isinstance(inputs, list) or not inputs:
        return refuse("inputs", "a list of tensors", describe(inputs))
    tensors: dict[str, Object] = {}
    for tensor in inputs:
        if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
            return refuse("inputs", "tensors with name, datatype, shape and data", describe(tensor))
        if tensor["name"] in tensors:
            return refuse("inputs", "each tensor once", "a name twice")
        tensors[tensor["name"]] = tensor
    return tensors


def _cells_of_feature(tensor: Object, column: Column) -> list[object] | BadRequest:
    name = column.feature.name
    named, accepted = DATATYPES[column.feature.type]
    datatype = tensor.get("datatype")
    if datatype not in accepted:
        return refuse(name, f"datatype {named}", told(datatype))
    shape = _shape(tensor, name)
    if isinstance(shape, BadRequest):
        return shape
    if len(shape) > 2 or shape[1:] not in ([], [1]):
        return refuse(name, "shape [rows] or [rows, 1]", "another shape")
    cells = _flat(tensor.get("data"), shape, name)
    if isinstance(cells, BadRequest):
        return cells
    return check_numbers(cells, datatype, lambda row: (name, row)) or cells


def _shape(tensor: Object, name: str) -> list[int] | BadRequest:
    shape = list_of(tensor.get("shape"))
    if (
        not shape
        or len(shape) > 2
        or any(type(length) is not int or length < 1 for length in shape)
    ):
        return refuse(
            name, "a shape of one or two whole numbers above 0", describe(tensor.get("shape"))
        )
    if shape[0] > MAX_ROWS:
        return refuse(name, f"at most {MAX_ROWS} rows", "more")
    return shape


def _flat(data: object, shape: Sequence[int], name: str) -> list[object] | BadRequest:
    """Return the cells in row-major order; the data may be flat or nested as the shape says."""
    cells = list_of(data)
    if (
        len(shape) == 2
        and cells
        and all(type(row) is list and len(row) == shape[1] for row in cells)
    ):
        cells = [cell for row in cells for cell in row]
    size = math.prod(shape)
    if len(cells) != size:
        return refuse(name, f"{size} values for its shape", describe(data))
    return cells
