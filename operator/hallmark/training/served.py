"""The served form: an ONNX graph that answers what the estimator answers, proved before sealing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
from onnxruntime import InferenceSession, SessionOptions
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from hallmark.api.artifacts import Golden, ServedFeature
from hallmark.api.training_run import FeatureType
from hallmark.training.matrix import Matrix
from hallmark.training.pipeline import probabilities

INPUT = "features"
PROBABILITIES = "probabilities"
TOLERANCE = 1e-5
"""The graph computes in float32, the estimator in float64: probabilities may differ by so much."""
MAX_GOLDEN_ROWS = 128
_OPSET = 17
_UNBOUNDED = (-1e3, 1e3)
"""The range of golden numbers where the schema declares none."""


def to_served_form(pipeline: Pipeline, name: str) -> bytes:
    """Return the ONNX graph: ``features`` (rows, features) in, ``probabilities`` out.

    Args:
        pipeline: The fitted estimator.
        name: The model's name; skl2onnx would make a random one.
    """
    width = pipeline.n_features_in_
    graph = to_onnx(
        pipeline,
        initial_types=[(INPUT, FloatTensorType([None, width]))],
        options={LogisticRegression: {"zipmap": False}},
        target_opset=_OPSET,
        name=name,
    )
    # skl2onnx lists the operator sets in the order of a set of texts, which varies by process.
    graph.opset_import.sort(key=lambda each: each.domain)
    return bytes(graph.SerializeToString(deterministic=True))


def answers(graph: bytes, rows: Matrix) -> npt.NDArray[np.float32]:
    """Return the graph's probabilities, shape (rows, classes)."""
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    found: npt.NDArray[np.float32] = session.run([PROBABILITIES], {INPUT: rows})[0]
    return found


def max_difference(graph: bytes, pipeline: Pipeline, rows: Matrix) -> float:
    """Return the largest difference of any probability; infinite if one is not a number."""
    difference = np.abs(answers(graph, rows) - probabilities(pipeline, rows))
    return float(np.nan_to_num(difference, nan=np.inf).max())


def golden_rows(features: Sequence[ServedFeature]) -> Matrix:
    """Return rows made from the schema alone: each feature's edge cases, one at a time.

    The first row has every feature in the middle; the others change one feature of it. With many
    features each gets its first cases before any gets its second.
    """
    middle = np.array([_middle(feature) for feature in features], dtype=np.float32)
    rows = [middle, *islice(_variations(features, middle), MAX_GOLDEN_ROWS - 1)]
    return np.stack(rows)


def _variations(features: Sequence[ServedFeature], middle: Matrix) -> Iterator[Matrix]:
    cases = [_edge_cases(feature) for feature in features]
    for turn in range(max(map(len, cases))):
        for position, values in enumerate(cases):
            if turn < len(values):
                row = middle.copy()
                row[position] = values[turn]
                yield row


def _bounds(feature: ServedFeature) -> tuple[float, float]:
    low = _UNBOUNDED[0] if feature.minimum is None else feature.minimum
    high = _UNBOUNDED[1] if feature.maximum is None else feature.maximum
    return min(low, high), max(low, high)


def _middle(feature: ServedFeature) -> float:
    if feature.type in (FeatureType.CATEGORY, FeatureType.BOOLEAN):
        return 0.0
    low, high = _bounds(feature)
    middle = (low + high) / 2
    return float(round(middle)) if feature.type is FeatureType.INTEGER else middle


def _edge_cases(feature: ServedFeature) -> list[float]:
    if feature.type is FeatureType.BOOLEAN:
        return [1.0, np.nan]
    if feature.type is FeatureType.CATEGORY:
        known = len(feature.categories or ())
        return [np.nan, float(known), -1.0, *map(float, range(known))]
    low, high = _bounds(feature)
    return [low, high, np.nan, low - (high - low), high + (high - low), 0.0]


def build_golden(rows: Matrix, pipeline: Pipeline) -> Golden:
    """Return the golden rows with the estimator's answers."""
    return Golden(
        rows=[[None if np.isnan(x) else float(x) for x in row] for row in rows],
        probabilities=probabilities(pipeline, rows).tolist(),
        tolerance=TOLERANCE,
    )
