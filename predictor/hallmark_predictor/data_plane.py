"""From a request's bytes to its answer, without a framework.

Two protocols: ``/predict`` with named features, and the Open Inference Protocol v2
(https://github.com/kserve/open-inference-protocol) with one tensor for each feature, or one
float32 matrix of rows that are already encoded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

from hallmark.classification import predicted_classes
from hallmark.drift.counts import Rows
from hallmark.drift.refusals import NO_FEATURE, Reason, Refusals
from hallmark_predictor.datatypes import DATATYPES
from hallmark_predictor.encoding import (
    MAX_ROWS,
    Column,
    columns_of,
    rows_of_instances,
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
from hallmark_predictor.tensors import list_of, rows_of_tensors

LABEL = "label"
PROBABILITIES = "probabilities"
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
        rows = rows_of_tensors(request.get("inputs"), self._columns)
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


def _most_signs(column: Column) -> int:
    names = [name.encode() for name in column.feature.categories or []]
    return max((sum(map(name.count, SIGNS)) for name in names), default=0)


def _wanted_outputs(request: Object) -> list[str] | BadRequest:
    outputs = request.get("outputs")
    if outputs is None or outputs == []:
        return [LABEL, PROBABILITIES]
    names = [output.get("name") for output in list_of(outputs) if isinstance(output, dict)]
    wanted = [name for name in (LABEL, PROBABILITIES) if name in names]
    if not wanted or len(wanted) != len(list_of(outputs)):
        return refuse("outputs", f"'{LABEL}', '{PROBABILITIES}' or both", describe(outputs))
    return wanted
