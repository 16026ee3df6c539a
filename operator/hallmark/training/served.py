"""The served form: an ONNX graph that answers what the estimator answers, proved before sealing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnxruntime import InferenceSession, SessionOptions

from hallmark.api.findings import Finding
from hallmark.api.served import Golden, ServedFeature
from hallmark.classification import predicted_classes
from hallmark.golden import golden_rows
from hallmark.supply_chain.onnx_form import MAX_BYTES
from hallmark.training import graph
from hallmark.training.matrix import Matrix
from hallmark.training.pipeline import Fitted

TOLERANCE = 1e-6
"""How far probabilities may differ: they are rounded to float32, here and there."""


@dataclass(frozen=True)
class ServedForm:
    """The ONNX graph, the golden rows, and how far the graph is from the estimator at most."""

    graph: bytes
    golden: Matrix
    difference: float


def prove(
    model: str,
    fitted: Fitted,
    features: Sequence[ServedFeature],
    rows: Matrix,
    positive: int | None,
) -> ServedForm | Finding:
    """Return the served form, or why its answers are not the estimator's.

    They are compared on the golden rows and on all others that are given: each probability within
    the tolerance, and each decision.

    Args:
        model: The model's name.
        fitted: The estimator.
        features: What each column of the rows is.
        rows: Shape (rows, features): the test rows.
        positive: The index of the positive class, if the schema names one.
    """
    form = graph.build(fitted.plain, model)
    if len(form) > MAX_BYTES:
        return Finding(
            check="ServedForm",
            expected=f"at most {MAX_BYTES} bytes; ask for fewer leaves or fewer categories",
            found=f"{len(form)}",
        )
    golden = golden_rows(features)
    asked = np.vstack([rows, golden])
    here, there = fitted.probabilities(asked), answers(form, asked).astype(np.float64)
    difference = float(np.nan_to_num(np.abs(there - here), nan=np.inf).max())
    others = int((predicted_classes(there, positive) != predicted_classes(here, positive)).sum())
    if difference <= TOLERANCE and not others:
        return ServedForm(form, golden, difference)
    return Finding(
        check="ServedForm",
        expected=f"the estimator's decisions, and its probabilities within {TOLERANCE:g}",
        found=f"a difference of {difference:.2g}, and {others} other decisions in {len(asked)} "
        "rows; report it with the trainer's image, or choose another algorithm",
    )


def answers(form: bytes, rows: Matrix) -> npt.NDArray[np.float32]:
    """Return the graph's probabilities, shape (rows, classes)."""
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = InferenceSession(form, options, providers=["CPUExecutionProvider"])
    probabilities: npt.NDArray[np.float32] = session.run(
        [graph.PROBABILITIES], {graph.INPUT: rows}
    )[0]
    return probabilities


def build_golden(rows: Matrix, fitted: Fitted) -> Golden:
    """Return the golden rows with the estimator's answers."""
    return Golden(
        rows=[[None if np.isnan(value) else float(value) for value in row] for row in rows],
        probabilities=fitted.probabilities(rows).tolist(),
        tolerance=TOLERANCE,
    )
