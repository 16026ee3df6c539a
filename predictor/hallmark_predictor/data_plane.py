"""From a request's bytes to its answer, without a framework.

Two protocols: ``/predict`` with named features, and the Open Inference Protocol v2
(https://github.com/kserve/open-inference-protocol) with one tensor for each feature, or one
float32 matrix of rows that are already encoded.

A request that is right is read quickly (``quick``); any other is judged by the strict reading,
which has the sentences.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct
from msgspec.json import encode
from numpy.typing import NDArray

from hallmark.classification import (
    DECISION_THRESHOLD,
    predicted_classes,
    scored_class,
    scores,
)
from hallmark.drift.counts import Rows
from hallmark.drift.refusals import NO_FEATURE, Reason, Refusals
from hallmark_predictor.answers import Answers
from hallmark_predictor.datatypes import DATATYPES
from hallmark_predictor.encoding import (
    MAX_ROWS,
    Column,
    columns_of,
    rows_of_instances,
)
from hallmark_predictor.headers import AnswerHeaders
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
from hallmark_predictor.protocol import (
    BINARY_HEADER,
    BOTH,
    LABEL,
    MAX_ID,
    PROBABILITIES,
    RECEIPT,
    WITH_RECEIPT,
    Output,
    identity_of,
    wanted_outputs,
    with_data,
)
from hallmark_predictor.quick import Quick, QuickReader
from hallmark_predictor.quick_columns import ColumnReader
from hallmark_predictor.quick_matrix import MatrixReader
from hallmark_predictor.receipts import CHARACTERS, Receipts
from hallmark_predictor.tensors import rows_of_tensors

_SMALLEST_ROW = 2
"""Bytes that a row of a request has at least: a digit and a comma."""
_ESCAPED = 6
"""Bytes that a character of a text takes at most."""
_FRAME = 1024
"""Bytes of an answer, and values of a request, without their rows."""
_SAID = struct.Struct("=2f")


class Answer(Struct, frozen=True, gc=False):
    """What a request gets, and the rows that were answered.

    Attributes:
        body: As it is sent.
        many: Shape (rows, features); None where there is but one.
        packed: The only row as float32 in the machine's order; empty where there are more.
        said: Its score and label in the same way.
        said_of_many: Shape (rows, 2): the score and the label of each; None where there is one.
        json_length: How much of the body is JSON, where tensors' bytes follow it.
    """

    body: bytes
    many: Rows | None
    packed: bytes = b""
    said: bytes = b""
    said_of_many: Rows | None = None
    json_length: int | None = None

    @property
    def count(self) -> int:
        """How many rows there are."""
        return 1 if self.many is None else len(self.many)

    @property
    def rows(self) -> Rows:
        """The rows, shape (rows, features)."""
        return _one_row(self.packed) if self.many is None else self.many


Method = Callable[[bytes, int | None], Answer | BadRequest]
"""From a body, and how long its JSON is where tensors' bytes follow it, to its answer."""


class DataPlane:
    """Answers requests with one model."""

    def __init__(self, model: Model, receipts: Receipts | None = None) -> None:
        """Prepare the model's columns.

        Args:
            model: What answers.
            receipts: Makes the receipts of answers, where feedback is declared.
        """
        self.model = model
        self.receipts = self._receipts = receipts
        self._outputs = BOTH if receipts is None else WITH_RECEIPT
        self.name = model.manifest.model
        self.version = str(model.trust.version)
        self._columns = columns_of(model.schema)
        self._classes = model.schema.classes
        trust = model.trust
        self._answers = Answers(
            self.name,
            self.version,
            self._classes,
            trust.model_version,
            trust.manifest_digest,
            receipts=receipts is not None,
        )
        self.headers = AnswerHeaders(trust.model_version, trust.manifest_digest)
        self.routes = self._routes()
        """By path: the route's name and what answers it."""
        self._quick = QuickReader(self._columns)
        self._matrix = MatrixReader(self._columns, self._outputs)
        self._by_feature = ColumnReader(self._columns, self._outputs)
        self._readers = self._quick.infer, self._matrix.infer
        self._score_row = model.score.row
        self._singles = struct.Struct(f"={len(self._classes)}f")
        positive = model.schema.positive
        self._positive = None if positive is None else self._classes.index(positive)
        self._scored = scored_class(len(self._classes), self._positive)
        # A row, each of its values, a list around it, and what such signs its text has.
        in_row = 1 + sum(2 + _most_signs(column) for column in self._columns)
        self._values = _FRAME + MAX_ROWS * in_row
        # A label twice, and for each class a name, quotes and 17 digits.
        self._answer_row = 64 + sum(2 * len(encode(name)) + 32 for name in self._classes)
        self._answer_row += 0 if receipts is None else CHARACTERS + len(RECEIPT) + 16

    def _routes(self) -> Mapping[str, tuple[str, Method]]:
        model, version = "/v2/models/{name}", "/versions/{version}"
        templates: list[tuple[str, Method]] = [
            ("/predict", self.predict),
            ("/v1/models/{name}:predict", self.predict),
            (f"{model}/infer", self.infer),
            (f"{model}{version}/infer", self.infer),
        ]
        return {
            template.format(name=self.name, version=self.version): (template, method)
            for template, method in templates
        }

    def answer_bytes(self, body: int) -> int:
        """Return how many bytes the answer to a body of so many has at most."""
        return _FRAME + _ESCAPED * MAX_ID + min(MAX_ROWS, body // _SMALLEST_ROW) * self._answer_row

    def predict(self, body: bytes, json_length: int | None = None) -> Answer | BadRequest:
        """Answer ``POST /predict``: ``{"instances": [{feature: value, ...}, ...]}``.

        A single row may come as ``{"features": {feature: value, ...}}``.
        """
        if json_length is not None:
            return refuse(BINARY_HEADER, "no such header: it is the v2 protocol's", "one")
        quick = self._quick.predict(body)
        if quick is not None and quick.row:
            one = self._row(quick.row)
            if one is not None:
                label, probabilities = one
                receipt = self._receipt(label, probabilities)
                text = self._answers.predictions(
                    (label,), (probabilities,), None if receipt is None else (receipt,)
                )
                return Answer(text, None, quick.packed, self._said(label, probabilities))
        rows = self._rows_of_instances(body) if quick is None else _rows(quick)
        if isinstance(rows, BadRequest):
            return rows
        found = self._score(rows)
        if isinstance(found, BadRequest):
            return found
        labels = self._labels(found)
        said = self._said_of_many(labels, found)
        receipts = self._receipts.many(labels, said[:, 0]) if self._receipts else None
        text = self._answers.predictions(labels.tolist(), found.tolist(), receipts)
        return Answer(text, rows, said_of_many=said)

    def infer(self, body: bytes, json_length: int | None = None) -> Answer | BadRequest:
        """Answer an inference request of the Open Inference Protocol.

        Args:
            body: As it came.
            json_length: How much of it is JSON, where tensors' bytes follow it.
        """
        quick = self._read_quickly(body, json_length)
        if quick is not None:
            return self._infer_quick(quick)
        return self._infer_strictly(body, json_length)

    def _read_quickly(self, body: bytes, json_length: int | None) -> Quick | None:
        if json_length is not None:
            found = self._matrix.infer_binary(body, json_length)
            return found or self._by_feature.infer(body, json_length)
        # What came last comes mostly next.
        first, second = self._readers
        found = first(body)
        if found is None:
            found = second(body)
            if found is not None:
                self._readers = second, first
        return found

    def _infer_quick(self, quick: Quick) -> Answer | BadRequest:
        if quick.row and not quick.outputs:
            one = self._row(quick.row)
            if one is not None:
                text = self._answers.tensors_of_one(*one, quick.identity, self._receipt(*one))
                return Answer(text, None, quick.packed, self._said(*one))
        return self._infer_rows(_rows(quick), quick.outputs or self._outputs, quick.identity)

    def _infer_strictly(self, body: bytes, json_length: int | None) -> Answer | BadRequest:
        if json_length is not None and not 0 < json_length <= len(body):
            return refuse(BINARY_HEADER, f"a length from 1 to {len(body)}", "another")
        request = parse_object(body[:json_length], self._values)
        if isinstance(request, BadRequest):
            return request
        tail = b"" if json_length is None else body[json_length:]
        features = [column.feature.name for column in self._columns]
        wrong = with_data(request, tail, self._values, features)
        outputs = wrong or wanted_outputs(request, self._outputs)
        if isinstance(outputs, BadRequest):
            return outputs
        rows = rows_of_tensors(request.get("inputs"), self._columns)
        if isinstance(rows, BadRequest):
            return rows
        identity = identity_of(request)
        if isinstance(identity, BadRequest):
            return identity
        return self._infer_rows(rows, outputs, identity)

    def _infer_rows(
        self, rows: Rows, outputs: tuple[Output, ...], identity: str | None
    ) -> Answer | BadRequest:
        found = self._score(rows)
        if isinstance(found, BadRequest):
            return found
        labels = self._labels(found)
        said = self._said_of_many(labels, found)
        receipts = self._receipts.many(labels, said[:, 0]) if self._receipts else None
        body, length = self._answers.tensors(labels, found, outputs, identity, receipts)
        return Answer(body, rows, said_of_many=said, json_length=length)

    def _rows_of_instances(self, body: bytes) -> Rows | BadRequest:
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
        return rows_of_instances(instances, self._columns)

    def metadata(self) -> Object:
        """Return the protocol's model metadata."""
        receipt = {"name": RECEIPT, "datatype": "BYTES", "shape": [-1]}
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
                *([receipt] if self._receipts else []),
            ],
        }

    def _score(self, rows: Rows) -> NDArray[np.float32] | BadRequest:
        found = self.model.score(rows)
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

    def _row(self, row: tuple[float, ...]) -> tuple[int, tuple[float, ...]] | None:
        """Return the decided class of one row and its probabilities; None where it needs a look."""
        if self._score_row is None:
            return None
        singles = self._singles
        found = singles.unpack(singles.pack(*self._score_row(row)))
        positive = self._positive
        if found[0] != found[0]:
            return None
        if positive is None or len(found) != 2:
            return found.index(max(found)), found
        return (positive if found[positive] >= DECISION_THRESHOLD else 1 - positive), found

    def _receipt(self, label: int, probabilities: tuple[float, ...]) -> bytes | None:
        if self._receipts is None:
            return None
        scored = self._scored
        return self._receipts.one(label, probabilities[label if scored is None else scored])

    def _said(self, label: int, probabilities: tuple[float, ...]) -> bytes:
        """Return the score and the label of one row, as they are counted."""
        scored = self._scored
        return _SAID.pack(probabilities[label if scored is None else scored], label)

    def _said_of_many(self, labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Rows:
        """Return the same of many rows, shape (rows, 2)."""
        said = np.empty((len(labels), 2), dtype=np.float32)
        said[:, 0], said[:, 1] = scores(probabilities, labels, self._positive), labels
        return said

    def _labels(self, probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
        return predicted_classes(probabilities, self._positive)


def _rows(quick: Quick) -> Rows:
    return _one_row(quick.packed) if quick.rows is None else quick.rows


def _one_row(packed: bytes) -> Rows:
    return np.frombuffer(packed, dtype=np.float32).reshape(1, -1)


def _most_signs(column: Column) -> int:
    names = [name.encode() for name in column.feature.categories or []]
    return max((sum(map(name.count, SIGNS)) for name in names), default=0)
