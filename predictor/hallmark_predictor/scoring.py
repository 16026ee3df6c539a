"""From encoded rows to probabilities: by own arithmetic where it is proved, else by ONNX Runtime.

The sealed graph says what is right. A linear model is also computed without the runtime, if that
gives the very bits of the graph for the golden rows and for mixtures of their values. Trees are
not: ONNX Runtime is faster at them than anything in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from hallmark.api.documents import ServedSchema
from hallmark.drift.counts import Rows
from hallmark.golden import golden_rows
from hallmark_predictor.linear_form import ScoreRow, read_linear

Probabilities = npt.NDArray[np.float32]
Score = Callable[[Rows], Probabilities]
"""From encoded rows, shape (rows, features), to shape (rows, classes)."""
OpenGraph = Callable[[bytes, ServedSchema], Score]
"""Opens the sealed graph; raises where it cannot be loaded or run."""
Answers = Callable[[bytes, ServedSchema, Rows], Probabilities]
"""What a sealed graph answers to rows; raises where it cannot be loaded or run."""

CELLS_AT_ONCE = 1 << 21
"""Encoded cells that are worked on at a time: 16 MiB."""
_MIXED_ROWS = 256


class Scorer(Struct, frozen=True):
    """What scores.

    Attributes:
        rows: Scores rows that fit into memory at once.
        row: Scores one row, given as the numbers that float32 holds; None where only ``rows`` can.
        rows_at_once: How many rows it takes at a time: each category is a column of doubles there.
    """

    rows: Score
    row: ScoreRow | None
    rows_at_once: int

    def __call__(self, rows: Rows) -> Probabilities:
        """Return the probabilities of any number of rows, at least one."""
        at_once = self.rows_at_once
        if len(rows) <= at_once:
            return self.rows(rows)
        starts = range(0, len(rows), at_once)
        return np.concatenate([self.rows(rows[start : start + at_once]) for start in starts])


def open_scorer(
    data: bytes, schema: ServedSchema, open_graph: OpenGraph, answers: Answers | None = None
) -> Scorer:
    """Return what scores with a sealed graph.

    Args:
        data: The bytes of ``model.onnx``.
        schema: Its columns and classes.
        open_graph: Opens the graph itself.
        answers: Answers with it once, for the proof; None: it is opened here for that, too.

    Raises:
        ValueError: the graph answers in another shape than the schema's.
        Exception: whatever a runtime raises.
    """
    at_once = rows_at_once(schema)
    asked = proving_rows(schema)
    linear = read_linear(data, schema.input_name, schema.probabilities_name)
    if linear is not None and answers is not None:
        said = _shaped(answers(data, schema, asked), schema)
        graph = None
    else:
        graph = open_graph(data, schema)
        said = _shaped(graph(asked), schema)
    if linear is not None and is_same(linear.probabilities(asked), said):
        by_row = linear.row_scorer()
        alone = np.array([by_row(row) for row in asked.tolist()], dtype=np.float32)
        return Scorer(linear.probabilities, by_row if is_same(alone, said) else None, at_once)
    return Scorer(graph or open_graph(data, schema), None, at_once)


def _shaped(said: Probabilities, schema: ServedSchema) -> Probabilities:
    found = np.asarray(said, dtype=np.float32)
    if found.ndim != 2 or found.shape[1] != len(schema.classes):
        raise ValueError(
            f"it answers {len(found)} rows with shape {found.shape} where the schema has "
            f"{len(schema.classes)} classes"
        )
    return found


def rows_at_once(schema: ServedSchema) -> int:
    """Return how many rows are scored at a time."""
    columns = sum(len(feature.categories or "1") for feature in schema.features)
    return max(1, CELLS_AT_ONCE // columns)


def proving_rows(schema: ServedSchema) -> Rows:
    """Return the golden rows, and rows that mix their values at random (of a fixed seed)."""
    golden = golden_rows(schema.features)
    # numpy's own generators would be 2.6 MiB for this alone.
    chosen = Random(0).choices(range(len(golden)), k=_MIXED_ROWS * golden.shape[1])  # noqa: S311 - rows to try, no secret
    picked = np.array(chosen).reshape(_MIXED_ROWS, -1)
    return np.vstack([golden, np.take_along_axis(golden, picked, axis=0)])


def is_same(one: Probabilities, other: Probabilities) -> bool:
    """Tell whether two sets of answers are the same to the last bit, NaN for NaN."""
    return bool(np.array_equal(one, other, equal_nan=True))
