"""A plain model as an ONNX graph: float32 rows in, float32 probabilities out, float64 between.

scikit-learn computes in float64, so a graph in float32 would answer otherwise for numbers that are
large against their spread, and for rows that lie between a tree's threshold and its float32. In
float64 every comparison is the same, and sums differ by the order of their terms alone.

Operators: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from hallmark.training.plain import LinearScores, Link, PlainModel, Tree, TreeScores
from hallmark.training.preprocessing import Encoding

INPUT = "features"
PROBABILITIES = "probabilities"
_OPSETS = {"": 18, "ai.onnx.ml": 5}
_IR_VERSION = 10
_SUM, _NO_TRANSFORM, _AT_MOST = 1, 0, 0
"""Of TreeEnsemble: leaves are added up, no link is applied, a row goes left if it is at most..."""


@dataclass
class _Graph:
    """Nodes and constants so far; values are named by their order."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def constant(self, values: npt.ArrayLike) -> str:
        """Add a constant and return its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, *inputs: str, output: str = "", **settings: Any) -> str:  # noqa: ANN401 - as ONNX takes them
        """Add an operator and return its output's name."""
        name = output or f"v{len(self.nodes)}"
        domain = "ai.onnx.ml" if operator == "TreeEnsemble" else ""
        self.nodes.append(
            helper.make_node(operator, list(inputs), [name], domain=domain, **settings)
        )
        return name


def build(model: PlainModel, name: str) -> bytes:
    """Return the graph: ``features`` (rows, features) in, ``probabilities`` out.

    Args:
        model: What is computed.
        name: The graph's name.
    """
    graph = _Graph()
    encoded = _encode(graph, model.encoding)
    if isinstance(model.scores, LinearScores):
        scores = _linear(graph, model.scores, encoded)
    else:
        scores = _trees(graph, model.scores, encoded)
    probabilities = _link(graph, model, scores)
    graph.node("Cast", probabilities, output=PROBABILITIES, to=TensorProto.FLOAT)
    return _serialise(graph, name, _features(model.encoding), model.classes)


def _features(encoding: Encoding) -> int:
    return len(encoding.numbers) + len(encoding.booleans) + len(encoding.categories)


def _serialise(graph: _Graph, name: str, width: int, classes: int) -> bytes:
    takes = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, width])
    gives = helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, [None, classes])
    model: ModelProto = helper.make_model(
        helper.make_graph(graph.nodes, name, [takes], [gives], graph.constants),
        opset_imports=[helper.make_opsetid(domain, at) for domain, at in _OPSETS.items()],
        ir_version=_IR_VERSION,
        producer_name="hallmark",
    )
    return bytes(model.SerializeToString(deterministic=True))


def _encode(graph: _Graph, encoding: Encoding) -> str:
    """Add what ``Encoding.apply`` does."""
    parts = []
    known = np.concatenate([encoding.numbers, encoding.booleans])
    if len(known):
        parts.append(_values(graph, encoding, known))
    for position, size in encoding.categories:
        index = graph.node("Gather", INPUT, graph.constant(np.array([position])), axis=1)
        one_hot = graph.node("Equal", index, graph.constant(np.arange(size, dtype=np.float32)))
        parts.append(graph.node("Cast", one_hot, to=TensorProto.DOUBLE))
    return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)


def _values(graph: _Graph, encoding: Encoding, known: npt.NDArray[np.intp]) -> str:
    """Add the numbers and booleans: filled, and scaled where the encoding scales."""
    taken = graph.node("Gather", INPUT, graph.constant(known.astype(np.int64)), axis=1)
    values = graph.node("Cast", taken, to=TensorProto.DOUBLE)
    if not np.isnan(encoding.fill).all():
        null = graph.node("IsNaN", values)
        values = graph.node("Where", null, graph.constant(encoding.fill), values)
    if (encoding.mean == 0).all() and (encoding.scale == 1).all():
        return values
    unchanged = len(encoding.booleans)
    mean = np.append(encoding.mean, np.zeros(unchanged))
    scale = np.append(encoding.scale, np.ones(unchanged))
    centred = graph.node("Sub", values, graph.constant(mean))
    return graph.node("Div", centred, graph.constant(scale))


def _linear(graph: _Graph, scores: LinearScores, encoded: str) -> str:
    weighed = graph.node("MatMul", encoded, graph.constant(scores.weights.T))
    return graph.node("Add", weighed, graph.constant(scores.biases))


def _trees(graph: _Graph, scores: TreeScores, encoded: str) -> str:
    total = graph.node("TreeEnsemble", encoded, **_ensemble(scores))
    if scores.divisor != 1:
        total = graph.node("Div", total, graph.constant(np.float64(scores.divisor)))
    return graph.node("Add", total, graph.constant(scores.base))


def _link(graph: _Graph, model: PlainModel, scores: str) -> str:
    if model.link is Link.SOFTMAX:
        return graph.node("Softmax", scores, axis=1)
    if model.link is not Link.SHARE:
        scores = graph.node("Sigmoid", scores)
    if model.classes == 2:
        other = graph.node("Sub", graph.constant(np.float64(1)), scores)
        return graph.node("Concat", other, scores, axis=1)
    return _shares(graph, scores, model.classes) if model.link is Link.ONE_VS_REST else scores


def _shares(graph: _Graph, parts: str, classes: int) -> str:
    """Divide by the sum; where that is 0 every class has the same share."""
    total = graph.node("ReduceSum", parts, graph.constant(np.array([1])), keepdims=1)
    nothing = graph.node("Equal", total, graph.constant(np.float64(0)))
    even = graph.constant(np.float64(1 / classes))
    return graph.node("Where", nothing, even, graph.node("Div", parts, total))


def _ensemble(scores: TreeScores) -> dict[str, Any]:
    """Return the attributes of a TreeEnsemble.

    A leaf there adds to one score, so a tree whose leaves add to several stands once for each.
    """
    parts = [
        _flatten(tree, score)
        for tree in scores.trees
        for score in range(len(scores.base))
        if tree.value[:, score].any()
    ]
    parts = parts or [_flatten(scores.trees[0], 0)]
    nodes = np.cumsum([0, *(len(part.feature) for part in parts[:-1])])
    leaves = np.cumsum([0, *(len(part.weight) for part in parts[:-1])])

    def joined(name: str, starts: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.generic]:
        arrays = [getattr(part, name) for part in parts]
        if starts is not None:
            arrays = [array + start for array, start in zip(arrays, starts, strict=True)]
        return np.concatenate(arrays)

    def child(side: str) -> list[int]:
        ids = [
            np.where(leaf, target + first_leaf, target + first_node)
            for part, first_node, first_leaf in zip(parts, nodes, leaves, strict=True)
            for leaf, target in [(getattr(part, f"{side}_leaf"), getattr(part, side))]
        ]
        children: list[int] = np.concatenate(ids).tolist()
        return children

    modes = np.full(int(nodes[-1]) + len(parts[-1].feature), _AT_MOST, dtype=np.uint8)
    return {
        "n_targets": len(scores.base),
        "aggregate_function": _SUM,
        "post_transform": _NO_TRANSFORM,
        "tree_roots": nodes.tolist(),
        "nodes_featureids": joined("feature").tolist(),
        "nodes_modes": numpy_helper.from_array(modes),
        "nodes_splits": numpy_helper.from_array(joined("threshold")),
        "nodes_missing_value_tracks_true": joined("missing_left").astype(np.int64).tolist(),
        "nodes_truenodeids": child("left"),
        "nodes_trueleafs": joined("left_leaf").astype(np.int64).tolist(),
        "nodes_falsenodeids": child("right"),
        "nodes_falseleafs": joined("right_leaf").astype(np.int64).tolist(),
        "leaf_targetids": joined("target").tolist(),
        "leaf_weights": numpy_helper.from_array(joined("weight")),
    }


@dataclass(frozen=True)
class _Flat:
    """A tree's inner nodes and leaves apart, each numbered from 0; for one score."""

    feature: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float64]
    missing_left: npt.NDArray[np.bool_]
    left: npt.NDArray[np.int64]
    left_leaf: npt.NDArray[np.bool_]
    right: npt.NDArray[np.int64]
    right_leaf: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]
    target: npt.NDArray[np.int64]


def _flatten(tree: Tree, score: int) -> _Flat:
    leaf = tree.left < 0
    weight = tree.value[leaf, score]
    target = np.full(len(weight), score, dtype=np.int64)
    if leaf[0]:  # a tree that is one leaf: a node whose both sides end there
        both, nothing = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.bool_)
        return _Flat(both, np.zeros(1), nothing, both, ~nothing, both, ~nothing, weight, target)
    number = np.where(leaf, np.cumsum(leaf), np.cumsum(~leaf)) - 1
    inner = ~leaf
    left, right = tree.left[inner], tree.right[inner]
    return _Flat(
        feature=tree.feature[inner].astype(np.int64),
        threshold=tree.threshold[inner].astype(np.float64),
        missing_left=tree.missing_left[inner],
        left=number[left],
        left_leaf=leaf[left],
        right=number[right],
        right_leaf=leaf[right],
        weight=weight,
        target=target,
    )
