"""Tasks and datasets for the tests of the training side."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl

from hallmark.api.metrics import Gate
from hallmark.api.tasks import TrainTask
from hallmark.api.training_run import TrainingRunSpec, spec_digest
from hallmark.training.assay import assay
from hallmark.training.outcome import Artifacts, RefusedRun

GATE = {"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.5"}


def task(spec: dict[str, Any], **changes: object) -> TrainTask:
    parsed = TrainingRunSpec.model_validate(spec)
    whole = TrainTask(
        namespace="team-a",
        run_name="run-1",
        run_uid="0d9a1e0c-0000-4000-8000-000000000001",
        spec=parsed,
        spec_digest=spec_digest(parsed),
        floors=[],
        allowed_pii_actions=["Refuse", "Drop", "Mask"],
        allowed_sources=[],
        allow_private_addresses=False,
        image=f"registry.example/hallmark-trainer@sha256:{'5' * 64}",
    )
    return whole.model_copy(update=changes)


def run(spec: dict[str, Any], data: bytes, **changes: object) -> RefusedRun | Artifacts:
    return assay(task(spec, **changes), data, lambda *_: None)


def gate(metric: str, comparison: str, threshold: str) -> Gate:
    return Gate.model_validate({"metric": metric, "comparison": comparison, "threshold": threshold})


def mixed_rows(rows: int = 400, seed: int = 3) -> pl.DataFrame:
    """Return rows of every feature type, with nulls; ``label`` follows from them."""
    random = np.random.default_rng(seed)
    amount = random.normal(50, 20, rows)
    count = random.integers(0, 9, rows)
    flag = random.random(rows) < 0.4
    colour = random.choice(["red", "green", "blue"], rows)
    score = (amount - 50) / 20 + 0.3 * (count - 4) + flag - (colour == "blue")
    label = np.where(score + random.normal(0, 1, rows) > 0, "yes", "no")
    absent = random.random((rows, 4)) < 0.05
    return pl.DataFrame(
        {
            "amount": [
                None if missing else round(float(value), 3)
                for value, missing in zip(amount, absent[:, 0], strict=True)
            ],
            "count": [
                None if missing else int(value)
                for value, missing in zip(count, absent[:, 1], strict=True)
            ],
            "flag": [
                None if missing else bool(value)
                for value, missing in zip(flag, absent[:, 2], strict=True)
            ],
            "colour": [
                None if missing else str(value)
                for value, missing in zip(colour, absent[:, 3], strict=True)
            ],
            "group": random.choice(["a", "b"], rows).tolist(),
            "label": label.tolist(),
        }
    )


def mixed_parquet(**settings: int) -> bytes:
    buffer = io.BytesIO()
    mixed_rows(**settings).write_parquet(buffer)
    return buffer.getvalue()


def mixed_spec(**changes: object) -> dict[str, Any]:
    return {
        "model": "mixed",
        "dataset": {"configMap": {"name": "d", "key": "d"}, "format": "Parquet"},
        "schema": {
            "features": [
                {"name": "amount", "type": "Number", "nullable": True},
                {
                    "name": "count",
                    "type": "Integer",
                    "nullable": True,
                    "minimum": "0",
                    "maximum": "8",
                },
                {"name": "flag", "type": "Boolean", "nullable": True},
                {
                    "name": "colour",
                    "type": "Category",
                    "nullable": True,
                    "categories": ["red", "green", "blue", "grey"],
                },
            ],
            "target": {"name": "label", "positive": "yes"},
            "sensitive": [{"name": "group"}],
        },
        "gates": [GATE],
        "requestedBy": "alice",
        **changes,
    }
