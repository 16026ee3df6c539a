"""The arithmetic of a linear model, read out of the sealed graph and done without a runtime.

A runtime takes longer to be called than such a model to be computed. Sums are of another order than
the runtime's, and weights divided by the scale once, not each value: float64 shows it in the
sixteenth digit and float32, the answer's type, almost never. So it serves only where it gave the
same bits as the sealed graph (``scoring``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp
from operator import itemgetter, mul, sub

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from hallmark.drift.counts import Rows
from hallmark_predictor.onnx_graph import Graph, UnknownFormError, read_graph

Floats = npt.NDArray[np.float64]
ScoreRow = Callable[[Sequence[float]], Sequence[float]]
"""From an encoded row, as float32 holds it, to the classes' probabilities in float64."""


class LinearForm(Struct, frozen=True):
    """probabilities = link((rows - mean) @ factors + tables + bias).

    Attributes:
        columns: Shape (known,): the matrix's columns of numbers and booleans.
        fill: Shape (known,): what a null becomes; NaN where it stays.
        mean: Shape (known,).
        factors: Shape (known, scores): the weights by the scale.
        tables: By the matrix's column of a category: shape (categories + 1, scores), what each
            adds; the last row, 0, is for null and what is no category.
        bias: Shape (scores,).
        binary: Whether the one score is the second class's, through the logistic function; else
            there is one for each class, through softmax.
    """

    columns: npt.NDArray[np.intp]
    fill: Floats
    mean: Floats
    factors: Floats
    tables: Mapping[int, Floats]
    bias: Floats
    binary: bool

    def probabilities(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Return the probabilities, shape (rows, classes), of encoded rows."""
        values = rows[:, _as_slice(self.columns)].astype(np.float64)
        values -= self.mean
        scores = values @ self.factors
        if np.isnan(scores).any():
            np.copyto(values, self.fill - self.mean, where=np.isnan(values))
            scores = values @ self.factors
        for position, table in self.tables.items():
            scores += table[_places(rows[:, position], len(table) - 1)]
        scores += self.bias
        return _linked(scores, self.binary).astype(np.float32)

    def row_scorer(self) -> ScoreRow:
        """Return what scores one row: a batch's arithmetic takes long to begin."""
        columns = self.columns.tolist()
        if self.binary and not self.tables and columns == list(range(len(columns))):
            return self._binary_scorer()
        numbers = (
            itemgetter(*columns) if len(columns) > 1 else lambda row: [row[c] for c in columns]
        )
        means, fill = self.mean.tolist(), self.fill.tolist()
        factors = self.factors.T.tolist()
        tables = [
            (
                position,
                [
                    dict(zip(map(float, range(len(column))), column, strict=True))
                    for column in table[:-1].T.tolist()
                ],
            )
            for position, table in self.tables.items()
        ]
        biases = self.bias.tolist()

        def weighed(values: Sequence[float]) -> list[float]:
            centred = list(map(sub, values, means))
            return [
                sum(map(mul, centred, column), bias)
                for column, bias in zip(factors, biases, strict=True)
            ]

        def score(row: Sequence[float]) -> Sequence[float]:
            values = numbers(row)
            scores = weighed(values)
            if scores[0] != scores[0]:
                scores = weighed([f if v != v else v for v, f in zip(values, fill, strict=True)])
            for position, table in tables:
                for at, column in enumerate(table):
                    scores[at] += column.get(row[position], 0.0)
            return link(scores)

        link = _two if self.binary else _shares
        return score

    def _binary_scorer(self) -> ScoreRow:
        """Return the same for two classes and a row's first columns, which are numbers alone."""
        means, fill = self.mean.tolist(), self.fill.tolist()
        [factors], [bias] = self.factors.T.tolist(), self.bias.tolist()

        def score(row: Sequence[float]) -> Sequence[float]:
            score = sum(map(mul, map(sub, row, means), factors), bias)
            if score != score:
                filled = [f if v != v else v for v, f in zip(row, fill, strict=False)]
                score = sum(map(mul, map(sub, filled, means), factors), bias)
            second = sigmoid(score)
            return 1.0 - second, second

        return score


def sigmoid(score: float) -> float:
    """Return 1 / (1 + exp(-score)), with the digits that ONNX Runtime has of it."""
    if score >= 0:
        return 1.0 / (1.0 + exp(-score))
    return 1.0 - 1.0 / (1.0 + exp(score))


def _two(scores: Sequence[float]) -> tuple[float, float]:
    second = sigmoid(scores[0])
    return 1.0 - second, second


def _shares(scores: Sequence[float]) -> list[float]:
    most = max(scores)
    powers = [exp(score - most) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def read_linear(data: bytes, input_name: str, output_name: str) -> LinearForm | None:
    """Return the linear model that an ONNX file is, or None if it is another model."""
    try:
        return _Reading(read_graph(data), input_name).form(output_name)
    except (ValueError, LookupError):
        return None


class _Reading:
    """Takes a graph apart from its end to its beginning."""

    def __init__(self, graph: Graph, input_name: str) -> None:
        self._graph = graph
        self._input = input_name

    def form(self, output_name: str) -> LinearForm:
        graph = self._graph
        (linked,) = graph.taken(output_name, "Cast", 1)
        scores, binary = self._link(linked)
        weighed, bias = graph.taken(scores, "Add", 2)
        encoded, weights = graph.taken(weighed, "MatMul", 2)
        return self._encoding(encoded, graph.floats(weights), graph.floats(bias), binary)

    def _link(self, linked: str) -> tuple[str, bool]:
        graph = self._graph
        if graph.made_by(linked) == "Softmax":
            return graph.taken(linked, "Softmax", 1)[0], False
        other, second = graph.taken(linked, "Concat", 2)
        one, subtracted = graph.taken(other, "Sub", 2)
        if subtracted != second or graph.constant(one) != 1:
            raise UnknownFormError("two classes")
        return graph.taken(second, "Sigmoid", 1)[0], True

    def _encoding(self, encoded: str, weights: Floats, bias: Floats, binary: bool) -> LinearForm:
        graph = self._graph
        is_joined = graph.made_by(encoded) == "Concat"
        parts = graph.nodes[encoded].inputs if is_joined else (encoded,)
        known: _Known | None = None
        tables: dict[int, Floats] = {}
        at = 0
        for part in parts:
            if graph.made_by(graph.nodes[part].inputs[0]) == "Equal":
                position, size = self._category(part)
                nothing = np.zeros((1, weights.shape[1]))
                tables[position] = np.vstack([weights[at : at + size], nothing])
                at += size
            elif known is None and at == 0:
                known = self._known(part)
                at = len(known.columns)
            else:
                raise UnknownFormError("numbers after categories")
        known = known or _Known.nothing()
        if weights.ndim != 2 or at != len(weights) or len(bias) != weights.shape[1]:
            raise UnknownFormError("weights for each column")
        if binary != (len(bias) == 1):
            raise UnknownFormError("a score")
        factors = weights[: len(known.columns)] / known.scale[:, None]
        return LinearForm(known.columns, known.fill, known.mean, factors, tables, bias, binary)

    def _category(self, part: str) -> tuple[int, int]:
        graph = self._graph
        (one_hot,) = graph.taken(part, "Cast", 1)
        index, indices = graph.taken(one_hot, "Equal", 2)
        source, position = graph.taken(index, "Gather", 2)
        sizes, positions = graph.constant(indices), graph.constant(position)
        in_order = np.array_equal(sizes, np.arange(len(sizes), dtype=np.float32))
        if source != self._input or len(positions) != 1 or not in_order:
            raise UnknownFormError("a category")
        return int(positions[0]), len(sizes)

    def _known(self, part: str) -> _Known:
        graph, value = self._graph, part
        mean: Floats | float = 0.0
        scale: Floats | float = 1.0
        fill: Floats | float = np.nan
        if graph.made_by(value) == "Div":
            centred, by = graph.taken(value, "Div", 2)
            value, less = graph.taken(centred, "Sub", 2)
            mean, scale = graph.floats(less), graph.floats(by)
        if graph.made_by(value) == "Where":
            null, filled, value = graph.taken(value, "Where", 3)
            if graph.taken(null, "IsNaN", 1) != (value,):
                raise UnknownFormError("nulls")
            fill = graph.floats(filled)
        (taken,) = graph.taken(value, "Cast", 1)
        source, positions = graph.taken(taken, "Gather", 2)
        if source != self._input:
            raise UnknownFormError("another input")
        columns = graph.constant(positions).astype(np.intp)
        widths = [np.broadcast_to(number, columns.shape) for number in (fill, mean, scale)]
        return _Known(columns, *widths)


class _Known(Struct, frozen=True):
    """The columns of numbers and booleans; see ``LinearForm``."""

    columns: npt.NDArray[np.intp]
    fill: Floats
    mean: Floats
    scale: Floats

    @classmethod
    def nothing(cls) -> _Known:
        """Return no columns."""
        return cls(np.zeros(0, dtype=np.intp), np.zeros(0), np.zeros(0), np.ones(0))


def _as_slice(columns: npt.NDArray[np.intp]) -> npt.NDArray[np.intp] | slice:
    """Return columns that follow each other as a slice, which takes them without a copy."""
    if not len(columns) or columns[-1] - columns[0] != len(columns) - 1:
        return columns
    if (np.diff(columns) != 1).any():
        return columns
    return slice(int(columns[0]), int(columns[-1]) + 1)


def _places(values: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.intp]:
    """Return each category's row in its table, shape (rows,)."""
    is_category = (values >= 0) & (values < size) & (values == np.floor(values))
    return np.where(is_category, values, size).astype(np.intp)


def _linked(scores: Floats, binary: bool) -> Floats:
    if not binary:
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: Floats = powers / powers.sum(axis=1, keepdims=True)
        return shares
    likelier = 1.0 / (1.0 + np.exp(-np.abs(scores)))
    second = np.where(scores < 0, 1.0 - likelier, likelier)
    return np.hstack([1.0 - second, second])
