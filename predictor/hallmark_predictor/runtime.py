"""ONNX Runtime: imported where a graph is opened, for it is a fifth of the process's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from hallmark.drift.counts import Rows
from hallmark_predictor.scoring import Probabilities, Score

if TYPE_CHECKING:
    import onnxruntime


class GraphNames(Protocol):
    """What a graph's ends are called, as the served schema says."""

    @property
    def input_name(self) -> str:
        """Of the rows."""

    @property
    def probabilities_name(self) -> str:
        """Of the answer."""


def open_graph(data: bytes, schema: GraphNames) -> Score:
    """Return what answers with the sealed graph.

    Raises:
        Exception: whatever the runtime raises where it cannot load the graph.
    """
    session = _session(data)

    def answer(rows: Rows) -> Probabilities:
        (found,) = session.run([schema.probabilities_name], {schema.input_name: rows})
        return np.asarray(found, dtype=np.float32)

    return answer


def _session(data: bytes) -> onnxruntime.InferenceSession:
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    # One row is microseconds of work: more threads only fight for the Pod's CPU.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
