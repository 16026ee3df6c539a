"""Baselines, schemas and reports, valid unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np

from hallmark.api.columns import FeatureType
from hallmark.api.common import ApiModel
from hallmark.api.document import Document
from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport, DriftWindow
from hallmark.api.drift_state import DriftState, PodDriftState
from hallmark.api.served import Baseline, BaselineFeature, ServedFeature, ServedSchema
from hallmark.api.texts import timestamp
from hallmark.drift.counts import BinCounter
from hallmark.drift.decision import DriftInputs
from hallmark.drift.reports import Report
from hallmark.drift.windows import WindowCounter

ACTIVE = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
PROMOTED = datetime(2026, 1, 1, 12, tzinfo=UTC)
BASELINE_ROWS = 4000


def schema() -> ServedSchema:
    return ServedSchema(
        model="credit",
        features=[
            ServedFeature(name="income", type=FeatureType.NUMBER, nullable=True),
            ServedFeature(
                name="purpose",
                type=FeatureType.CATEGORY,
                nullable=True,
                categories=["home", "car", "other"],
            ),
        ],
        target="default",
        classes=["no", "yes"],
        positive="yes",
        input_name="input",
        probabilities_name="probabilities",
    )


def traffic(
    rows: int, seed: int, *, shift: float = 0.0, nulls: float = 0.02
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Rows of a normal income and a purpose; ``shift`` in standard deviations of income."""
    random = np.random.default_rng(seed)
    income = random.normal(50_000 + shift * 10_000, 10_000, rows)
    purpose = random.choice(3, rows, p=[0.6, 0.3, 0.1]).astype(float)
    income[random.random(rows) < nulls] = np.nan
    return np.column_stack([income, purpose]).astype(np.float32)


def baseline(rows: int = BASELINE_ROWS) -> Baseline:
    data = traffic(rows, seed=0)
    edges = np.nanquantile(data[:, 0], np.linspace(0.1, 0.9, 9)).tolist()
    empty = [
        BaselineFeature(name="income", type=FeatureType.NUMBER, edges=edges, counts=[0] * 11),
        BaselineFeature(
            name="purpose",
            type=FeatureType.CATEGORY,
            categories=["home", "car", "other"],
            counts=[0] * 5,
        ),
    ]
    counter = BinCounter(empty, schema())
    totals = counter.zeros()
    counter.add(data, totals)
    counts = counter.named(totals)
    counted = [each.model_copy(update={"counts": counts[each.name]}) for each in empty]
    return Baseline(rows=rows, features=counted)


Model = TypeVar("Model", bound=ApiModel)


def received(model: type[Model], told: Document) -> Model:
    """What the operator reads of what a Pod tells."""
    return model.model_validate(told.to_wire(), strict=True)


def report(
    rows: np.ndarray[Any, np.dtype[np.float32]],
    *,
    window: int = 500,
    keep: int = 2,
    start: datetime = PROMOTED + timedelta(seconds=1),
    digest: str = ACTIVE,
    boot: str = "boot-0001",
    sequence: int = 1,
) -> DriftReport:
    """What a predictor reports that saw ``rows``, a row a second."""
    counter = WindowCounter(BinCounter(baseline().features, schema()), window, keep)
    for index in range(0, len(rows), window):
        part = rows[index : index + window]
        first = start + timedelta(seconds=index)
        counter.add(part, first, first + timedelta(seconds=len(part) - 1))
    return received(DriftReport, counter.report(digest, boot, sequence))


def inputs(reports: Mapping[str, Report], **changes: object) -> DriftInputs:
    live = changes.get("live_pods", frozenset(reports))
    values: dict[str, Any] = {
        "reports": reports,
        "baseline": baseline(),
        "active_digest": ACTIVE,
        "drift": Drift(),
        "live_pods": live,
        "active_pods": live,
        "serving_pods": frozenset(),
        "now": PROMOTED,
        "former": DriftState(),
        "since": PROMOTED,
    }
    return DriftInputs(**(values | changes))


def former(**changes: object) -> PodDriftState:
    values: dict[str, Any] = {"boot_id": "boot-0001", "sequence": 1, "manifest_digest": ACTIVE}
    return PodDriftState(**(values | changes))


def window(number: int, **changes: object) -> DriftWindow:
    """A window of 500 unshifted rows."""
    base = report(traffic(500, seed=number)).windows[0]
    start = PROMOTED + timedelta(hours=number)
    values = {"number": number, "start": timestamp(start), "end": timestamp(start)}
    return base.model_copy(update=values | changes)


def with_windows(base: DriftReport, windows: Sequence[DriftWindow]) -> DriftReport:
    return base.model_copy(update={"windows": list(windows)})
