"""The served form: an ONNX model in ONNX Runtime, with its schema and baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import ValidationError

from hallmark.api.artifacts import (
    BASELINE,
    MODEL_ONNX,
    SCHEMA,
    Baseline,
    Manifest,
    ServedSchema,
    Trust,
)
from hallmark.api.model_deployment import DriftWindow
from hallmark.drift.counts import BinCounter, Rows, watched
from hallmark.drift.evidence import kept_windows
from hallmark.drift.psi import Reference, moved
from hallmark.drift.windows import WindowCounter
from hallmark_predictor.verification import Refused

onnxruntime.disable_telemetry_events()

CELLS_AT_ONCE = 1 << 21
"""Encoded cells that the graph works on at a time: 16 MiB."""


@dataclass(frozen=True)
class Model:
    """A verified model, ready to answer."""

    trust: Trust
    manifest: Manifest
    schema: ServedSchema
    session: onnxruntime.InferenceSession
    windows: WindowCounter
    """Counts the rows that it answers."""
    reference: Reference
    """What closed windows are measured against."""

    def probabilities(self, rows: Rows) -> NDArray[np.float32]:
        """Return the probabilities, shape (rows, classes), of encoded rows."""
        at_once = self.rows_at_once
        parts = [
            self.session.run(
                [self.schema.probabilities_name],
                {self.schema.input_name: rows[start : start + at_once]},
            )[0]
            for start in range(0, len(rows), at_once)
        ]
        return np.asarray(parts[0] if len(parts) == 1 else np.concatenate(parts), dtype=np.float32)

    @cached_property
    def rows_at_once(self) -> int:
        """Rows that the graph takes at a time: each category is a column of doubles there."""
        columns = sum(len(feature.categories or "1") for feature in self.schema.features)
        return max(1, CELLS_AT_ONCE // columns)

    def drifts(self, windows: Sequence[DriftWindow]) -> bool:
        """Tell whether the last of closed windows drifts; the operator asks for evidence, too."""
        counts = [window.counts for window in windows]
        return bool(moved(counts, self.reference, float(self.trust.drift.threshold)).any())


def open_model(trust: Trust, manifest: Manifest, files: Mapping[str, bytes]) -> Model | Refused:
    """Load the verified bytes, and see that they fit each other by answering one row."""
    try:
        schema = ServedSchema.model_validate_json(files[SCHEMA])
        baseline = Baseline.model_validate_json(files[BASELINE])
    except ValidationError as error:
        return Refused(f"The sealed {error.title} cannot be read: {error.error_count()} errors.")
    if schema.model != manifest.model:
        return Refused(
            f"The schema is of the model '{schema.model}', the manifest of '{manifest.model}'."
        )
    if schema.positive is not None and schema.positive not in schema.classes:
        return Refused(
            f"The sealed schema's positive class is none of its {len(schema.classes)} classes."
        )
    try:
        features = watched(baseline, trust.drift)
        counter, reference = BinCounter(features, schema), Reference(features)
        reference.stability({feature.name: feature.counts for feature in features})
        session = _session(files[MODEL_ONNX])
        windows = WindowCounter(counter, trust.drift.window, kept_windows(trust.drift))
        model = Model(trust, manifest, schema, session, windows, reference)
        answer = model.probabilities(np.zeros((1, len(schema.features)), dtype=np.float32))
    except Exception as error:
        return Refused(f"The sealed model cannot be loaded: {str(error)[:300]}")
    expected = (1, len(schema.classes))
    if answer.shape != expected:
        return Refused(
            f"The sealed model answers with shape {answer.shape} where the schema's classes "
            f"need {expected}."
        )
    return model


def _session(data: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One row is microseconds of work: more threads only fight for the Pod's CPU.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
