"""From a request's bytes to its answer, without a framework.

Two protocols: ``/predict`` with named features, and the Open Inference Protocol v2
(https://github.com/kserve/open-inference-protocol) with one tensor for each feature, or one
float32 matrix of rows that are already encoded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from hallmark.classification import predicted_classes
from hallmark.drift.counts import Rows
from hallmark.drift.refusals import NO_FEATURE, Fault, Reason, Refusals
from hallmark_predictor.datatypes import DATATYPES, FLOATS, check_numbers
from hallmark_predictor.encoding import (
    MAX_ROWS,
    Column,
    columns_of,
    rows_of_columns,
    rows_of_instances,
    rows_of_matrix,
)
from hallmark_predictor.json_body import SIGNS, Object, parse_object
from hallmark_predictor.model import Model
from hallmark_predictor.problems import (
    MAX_PROBLEMS,
    BadRequest,
    Problem,
    bad_request,
    describe,
    refuse,
)

LABEL = "label"
PROBABILITIES = "probabilities"
MATRIX = "input"
_SMALLEST_ROW = 2
"""Bytes that a row of a request has at least: a digit and a comma."""
_FRAME = 1024
"""Bytes of an answer, and values of a request, without their rows."""


@dataclass(frozen=True)
class Answer:
    """What a request gets, and the rows that were answered."""

    body: bytes
    rows: Rows


class DataPlane:
    """Answers requests with one model."""

    def __init__(self, model: Model) -> None:
        """Prepare the model's columns."""
        self.model = model
        self.name = model.manifest.model
        self.version = str(model.trust.version)
        self._columns = columns_of(model.schema)
        self._classes = model.schema.classes
        positive = model.schema.positive
        self._positive = None if positive is None else self._classes.index(positive)
        # A row, each of its values, a list around it, and what such signs its text has.
        in_row = 1 + sum(2 + _most_signs(column) for column in self._columns)
        self._values = _FRAME + MAX_ROWS * in_row
        # A label twice, and for each class a name, quotes and 17 digits.
        self._answer_row = 64 + sum(2 * len(to_json(name)) + 32 for name in self._classes)

    def answer_bytes(self, body: int) -> int:
        """Return how many bytes the answer to a body of so many has at most."""
        return _FRAME + min(MAX_ROWS, body // _SMALLEST_ROW) * self._answer_row

    def predict(self, body: bytes) -> Answer | BadRequest:
        """Answer ``POST /predict``: ``{"instances": [{feature: value, ...}, ...]}``.

        A single row may come as ``{"features": {feature: value, ...}}``.
        """
        request = parse_object(body, self._values)
        if isinstance(request, BadRequest):
            return request
        members = request.keys()
        if members == {"features"}:
            instances: object = [request["features"]]
        elif members == {"instances"}:
            instances = request["instances"]
        else:
            return refuse(
                "the body",
                "an object with 'instances' alone, or 'features' alone",
                describe(request),
            )
        rows = rows_of_instances(instances, self._columns)
        if isinstance(rows, BadRequest):
            return rows
        found = self._score(rows)
        if isinstance(found, BadRequest):
            return found
        labels = self._labels(found)
        predictions = [
            {"label": label, "probabilities": dict(zip(self._classes, row, strict=True))}
            for label, row in zip(labels, found.tolist(), strict=True)
        ]
        answer = {
            "predictions": predictions,
            "modelVersion": self.model.trust.model_version,
            "manifestDigest": self.model.trust.manifest_digest,
        }
        return Answer(to_json(answer), rows)

    def infer(self, body: bytes) -> Answer | BadRequest:
        """Answer an inference request of the Open Inference Protocol."""
        request = parse_object(body, self._values)
        if isinstance(request, BadRequest):
            return request
        wanted = _wanted_outputs(request)
        if isinstance(wanted, BadRequest):
            return wanted
        rows = self._rows_of_tensors(request.get("inputs"))
        if isinstance(rows, BadRequest):
            return rows
        found = self._score(rows)
        if isinstance(found, BadRequest):
            return found
        outputs: dict[str, Object] = {
            LABEL: {"datatype": "BYTES", "shape": [len(rows)], "data": self._labels(found)},
            PROBABILITIES: {
                "datatype": "FP32",
                "shape": list(found.shape),
                "data": found.ravel().tolist(),
            },
        }
        answer: Object = {
            "model_name": self.name,
            "model_version": self.version,
            "outputs": [{"name": name} | outputs[name] for name in wanted],
        }
        if isinstance(request.get("id"), str):
            answer["id"] = request["id"]
        return Answer(to_json(answer), rows)

    def metadata(self) -> Object:
        """Return the protocol's model metadata."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": "onnx_onnxv1",
            "inputs": [
                {
                    "name": column.feature.name,
                    "datatype": DATATYPES[column.feature.type][0],
                    "shape": [-1],
                }
                for column in self._columns
            ],
            "outputs": [
                {"name": LABEL, "datatype": "BYTES", "shape": [-1]},
                {"name": PROBABILITIES, "datatype": "FP32", "shape": [-1, len(self._classes)]},
            ],
        }

    def _score(self, rows: Rows) -> NDArray[np.float32] | BadRequest:
        found = self.model.probabilities(rows)
        finite = np.isfinite(found)
        if finite.all():
            return found
        senseless = np.flatnonzero(~finite.all(axis=1))
        return bad_request(
            [
                Problem("row", int(row), "values that the model can score", "too large a number")
                for row in senseless[:MAX_PROBLEMS]
            ],
            Refusals(len(senseless), {(NO_FEATURE, Reason.OUT_OF_RANGE): len(senseless)}),
        )

    def _labels(self, probabilities: NDArray[np.float32]) -> list[str]:
        return [
            self._classes[index]
            for index in predicted_classes(probabilities, self._positive).tolist()
        ]

    def _rows_of_tensors(self, inputs: object) -> Rows | BadRequest:
        tensors = _tensors(inputs)
        if isinstance(tensors, BadRequest):
            return tensors
        names = [column.feature.name for column in self._columns]
        if tensors.keys() == {MATRIX} and names != [MATRIX]:
            return self._rows_of_matrix(tensors[MATRIX])
        if tensors.keys() != set(names):
            return _other_tensors(tensors, names)
        values: list[list[object]] = []
        for column in self._columns:
            cells = _cells_of_feature(tensors[column.feature.name], column)
            if isinstance(cells, BadRequest):
                return _at_fault(cells, tensors, column.feature.name)
            if values and len(cells) != len(values[0]):
                return refuse(
                    column.feature.name, f"{len(values[0])} rows like '{names[0]}'", f"{len(cells)}"
                )
            values.append(cells)
        return rows_of_columns(values, self._columns)

    def _rows_of_matrix(self, tensor: Object) -> Rows | BadRequest:
        width = len(self._columns)
        datatype = tensor.get("datatype")
        if datatype not in FLOATS:
            return refuse(MATRIX, "datatype FP32", describe(datatype))
        shape = _shape(tensor, MATRIX)
        if isinstance(shape, BadRequest):
            return shape
        if len(shape) != 2 or shape[1] != width:
            return refuse(MATRIX, f"shape [rows, {width}]", "another shape")
        cells = _flat(tensor.get("data"), shape, MATRIX)
        if isinstance(cells, BadRequest):
            return cells

        def place(cell: int) -> tuple[str, int]:
            return self._columns[cell % width].feature.name, cell // width

        return check_numbers(cells, datatype, place) or rows_of_matrix(cells, self._columns)


def _most_signs(column: Column) -> int:
    names = [name.encode() for name in column.feature.categories or []]
    return max((sum(map(name.count, SIGNS)) for name in names), default=0)


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
    """Return how many rows a request has by the first shape that says so; else one."""
    firsts = (_list(tensor.get("shape"))[:1] for tensor in tensors.values())
    return next((n for [n] in filter(None, firsts) if type(n) is int and 1 <= n <= MAX_ROWS), 1)


def _wanted_outputs(request: Object) -> list[str] | BadRequest:
    outputs = request.get("outputs")
    if outputs is None or outputs == []:
        return [LABEL, PROBABILITIES]
    names = [output.get("name") for output in _list(outputs) if isinstance(output, dict)]
    wanted = [name for name in (LABEL, PROBABILITIES) if name in names]
    if not wanted or len(wanted) != len(_list(outputs)):
        return refuse("outputs", f"'{LABEL}', '{PROBABILITIES}' or both", describe(outputs))
    return wanted


def _list(value: object) -> list[Any]:
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
        return refuse(name, f"datatype {named}", describe(datatype))
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
    shape = _list(tensor.get("shape"))
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
    cells = _list(data)
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
