"""The model that all servers answer with: twelve numbers, scaled, and a logistic regression."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from hallmark.api.columns import FeatureType
from hallmark.api.drift import Drift
from hallmark.api.files import BASELINE, MODEL_ONNX, SCHEMA
from hallmark.api.served import ServedFeature
from hallmark.api.trainer import Trainer
from hallmark.training.baseline import bin_predictions, build_baseline
from hallmark.training.graph import build
from hallmark.training.pipeline import Fitted, fit
from hallmark.training.region import build_region
from tests.unit.predictor import factories
from tests.unit.predictor.factories import Sealed

FEATURES = 12
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Bench:
    """What is asked of each server, and what is right.

    Attributes:
        sealed: The bundle and its trust document.
        joblib: The same model for the peers.
        rows: Shape (1000, features).
        expected: The probabilities, shape (1000, 2).
    """

    sealed: Sealed
    joblib: Path
    rows: NDArray[np.float32]
    expected: NDArray[np.float64]

    @property
    def one(self) -> bytes:
        """One row of v2 JSON, as each server takes it."""
        return self.matrix(1)

    def matrix(self, count: int, output: str | None = None) -> bytes:
        """Return some rows as v2 JSON with one tensor, asking for an output where one is named."""
        cells = self.rows[:count].ravel().tolist()
        shape = [count, FEATURES]
        tensor = {"name": "input", "shape": shape, "datatype": "FP32", "data": cells}
        asked = {"inputs": [tensor]} | ({"outputs": [{"name": output}]} if output else {})
        return json.dumps(asked, separators=(",", ":")).encode()

    @property
    def named(self) -> bytes:
        """One row of v2 JSON with a tensor for each feature."""
        inputs = [
            {"name": f"x{at}", "shape": [1], "datatype": "FP32", "data": [cell]}
            for at, cell in enumerate(self.rows[0].tolist())
        ]
        return json.dumps({"inputs": inputs}, separators=(",", ":")).encode()

    @property
    def instances(self) -> bytes:
        """One row for ``/predict``."""
        row = {f"x{at}": cell for at, cell in enumerate(self.rows[0].tolist())}
        return json.dumps({"instances": [row]}, separators=(",", ":")).encode()

    def binary(self, count: int) -> tuple[bytes, int]:
        """Return some rows with the binary extension both ways, and how long the JSON is."""
        tail = self.rows[:count].tobytes()
        tensor = {
            "name": "input",
            "shape": [count, FEATURES],
            "datatype": "FP32",
            "parameters": {"binary_data_size": len(tail)},
        }
        output = {"name": "probabilities", "parameters": {"binary_data": True}}
        text = json.dumps({"inputs": [tensor], "outputs": [output]}).encode()
        return text + tail, len(text)

    def binary_by_feature(self, count: int) -> tuple[bytes, int]:
        """Return the same with a tensor for each feature, as clients send a frame's columns."""
        tails = [column.tobytes() for column in self.rows[:count].T]
        inputs = [
            {
                "name": f"x{at}",
                "shape": [count],
                "datatype": "FP32",
                "parameters": {"binary_data_size": len(tail)},
            }
            for at, tail in enumerate(tails)
        ]
        output = {"name": "probabilities", "parameters": {"binary_data": True}}
        text = json.dumps({"inputs": inputs, "outputs": [output]}).encode()
        return text + b"".join(tails), len(text)

    def is_right(self, body: bytes) -> bool:
        """Tell whether an answer to the first row is the estimator's."""
        found = probabilities_of(json.loads(body))
        return bool(np.allclose(found, self.expected[: len(found)], atol=TOLERANCE))


def probabilities_of(answer: dict[str, Any]) -> NDArray[np.float64]:
    """Return the probabilities of a v2 answer, shape (rows, 2); by the last output of two."""
    output = answer["outputs"][-1]
    return np.array(output["data"], dtype=np.float64).reshape(-1, 2)


def make(folder: Path) -> Bench:
    """Train, seal and dump."""
    random = np.random.default_rng(1)
    rows = random.normal(50, 10, (4000, FEATURES)).astype(np.float32)
    truth = (rows @ random.normal(0, 1, FEATURES) + random.normal(0, 20, 4000) > 0).astype(np.int64)
    features = [
        ServedFeature(
            name=f"x{at}", type=FeatureType.NUMBER, nullable=False, minimum=-1000, maximum=1000
        )
        for at in range(FEATURES)
    ]
    schema = factories.SCHEMA_DOCUMENT.model_copy(update={"features": features})
    found = fit(rows, truth, schema.classes, features, Trainer())
    if not isinstance(found, Fitted):
        raise RuntimeError(found)
    train, test = rows[:3000], rows[3000:]
    answers = found.probabilities(test)
    baseline = build_baseline(train, features, bin_predictions(answers, schema.classes, 1))
    region = build_region(train, test, features, answers, 1)
    files = {
        MODEL_ONNX: build(found.plain, "credit"),
        SCHEMA: schema.to_bytes(),
        BASELINE: baseline.replace(region=region).to_bytes(),
    }
    path = folder / "model.joblib"
    joblib.dump(found.pipeline, path)
    sealed = factories.sealed(files=files, drift=Drift(window=1000, consecutive=2))
    return Bench(sealed, path, rows[:1000].copy(), found.probabilities(rows[:1000]))
