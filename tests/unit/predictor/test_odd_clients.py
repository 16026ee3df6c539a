"""A predictor tells of clients that probe it, and of no honest one."""

import json
from datetime import timedelta
from functools import cache

import numpy as np
import pytest

from hallmark.api.columns import FeatureType
from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport
from hallmark.api.drift_state import DriftState
from hallmark.api.files import BASELINE, MODEL_ONNX, SCHEMA
from hallmark.api.served import Baseline, ServedFeature
from hallmark.api.trainer import Trainer
from hallmark.drift.counts import Rows
from hallmark.drift.decision import DriftInputs, judge
from hallmark.training.baseline import bin_predictions, build_baseline
from hallmark.training.graph import build
from hallmark.training.pipeline import Fitted, fit
from hallmark.training.region import build_region
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.metrics import Metrics
from hallmark_predictor.serving import Serving
from tests.unit.drift.factories import received
from tests.unit.predictor import factories
from tests.unit.predictor.factories import NOW, POD

NAMES = [f"x{at}" for at in range(6)]


def people(count: int, seed: int) -> Rows:
    return np.random.default_rng(seed).normal(50, 10, (count, 6)).astype(np.float32)


@cache
def files() -> dict[str, bytes]:
    train, test = people(2000, 1), people(800, 2)
    truth = (train.sum(axis=1) + np.random.default_rng(3).normal(0, 10, 2000) > 300).astype(int)
    features = [ServedFeature(name=one, type=FeatureType.NUMBER, nullable=False) for one in NAMES]
    schema = factories.SCHEMA_DOCUMENT.model_copy(update={"features": features})
    found = fit(train, truth, schema.classes, features, Trainer())
    assert isinstance(found, Fitted)
    said = found.probabilities(test)
    baseline = build_baseline(train, features, bin_predictions(said, schema.classes, 1))
    region = build_region(train, test, features, said, 1)
    return {
        MODEL_ONNX: build(found.plain, "credit"),
        SCHEMA: schema.to_bytes(),
        BASELINE: baseline.replace(region=region).to_bytes(),
    }


def serving() -> Serving:
    model = factories.model(files=files(), drift=Drift(window=100))
    what = Serving(Metrics())
    recorder = DriftRecorder(
        model.windows,
        model.columns,
        model.trust.manifest_digest,
        clock=lambda: NOW,
        watch=model.watch,
    )
    what.start(DataPlane(model), recorder)
    return what


def ask(what: Serving, rows: Rows, client: str) -> list[str]:
    """Ask row by row, as a client does, and return the labels: all that an attacker is told."""
    assert what.plane is not None
    labels = []
    for row in rows:
        body = {"instances": [dict(zip(NAMES, row.tolist(), strict=True))]}
        answer = what.plane.predict(json.dumps(body).encode())
        assert isinstance(answer, Answer), answer
        what.answered(answer, client)
        labels.append(json.loads(answer.body)["predictions"][0]["label"])
    return labels


def attack(what: Serving, client: str) -> None:
    """Go along the boundary by labels alone: bisection, then noise for the gradient, and again."""
    random, at = np.random.default_rng(5), people(1, 11).astype(np.float64)
    other = 100.0 - at
    for _ in range(6):
        low, high = at, other
        (start,) = ask(what, low.astype(np.float32), client)
        for _ in range(10):
            middle = (low + high) / 2
            (label,) = ask(what, middle.astype(np.float32), client)
            low, high = (middle, high) if label == start else (low, middle)
        noise = random.normal(0, 0.2, (40, 6))
        labels = ask(what, (low + noise).astype(np.float32), client)
        towards = noise[np.array(labels) == start].sum(axis=0)
        at = low + 0.5 * towards / np.linalg.norm(towards)


def borderline(count: int) -> Rows:
    """Honest rows, each another person's, that are near the boundary."""
    rows = people(40_000, 21)
    scores = factories.model(files=files()).score(rows)[:, 1]
    region = Baseline.model_validate_json(files()[BASELINE]).region
    assert region is not None
    return rows[np.abs(2 * scores - 1) <= region.margin][:count]


def judged(report: DriftReport) -> DriftState:
    return judge(
        DriftInputs(
            reports={POD: report},
            baseline=Baseline.model_validate_json(files()[BASELINE]),
            active_digest=report.manifest_digest,
            drift=Drift(window=100),
            live_pods=frozenset({POD}),
            active_pods=frozenset({POD}),
            serving_pods=frozenset({POD}),
            now=NOW,
            former=DriftState(),
            since=NOW - timedelta(seconds=1),
        )
    ).state


def test_an_attack_by_labels_alone_is_probing_and_the_others_rows_hide_nothing() -> None:
    what = serving()
    ask(what, people(300, 30), "honest")
    attack(what, "hostile")
    ask(what, people(300, 31), "honest")
    assert what.recorder is not None
    report = received(DriftReport, what.recorder.report(1))
    assert report.odd is not None
    assert report.odd.rows == report.rows
    assert (judged(report).odd[-1], judged(report).probing_clients) == ("Probing", 1)
    lines = what.metrics.exposition().decode().splitlines()
    counted = f'hallmark_predictor_odd_blocks_total{{kind="Probing"}} {report.odd.probing}.0'
    assert counted in lines


def test_a_burst_of_honest_borderline_applicants_is_told_and_is_no_probing() -> None:
    what = serving()
    ask(what, borderline(256), "branch office")
    assert what.recorder is not None
    report = received(DriftReport, what.recorder.report(1))
    assert report.odd is not None
    assert (report.odd.borderline, report.odd.probing) == (4, 0)
    state = judged(report)
    assert (state.odd, state.probing_clients) == (["Borderline"], 0)


@pytest.mark.parametrize("clients", [1, 7])
def test_honest_rows_are_not_odd_whoever_sends_them(clients: int) -> None:
    what = serving()
    for client in range(clients):
        ask(what, people(640, client), f"client {client}")
    assert what.recorder is not None
    report = received(DriftReport, what.recorder.report(1))
    assert report.odd is not None
    assert (report.odd.newest, report.odd.blocks) == ([], 10 * clients)
    assert judged(report).odd == []


def test_a_version_without_a_region_is_watched_for_drift_alone() -> None:
    old = json.loads(files()[BASELINE])
    del old["region"]
    model = factories.model(files=files() | {BASELINE: json.dumps(old).encode()})
    assert model.watch is None


def test_what_a_further_process_answered_is_watched_alike() -> None:
    rows = borderline(128)
    scores = factories.model(files=files()).score(rows)[:, 1]
    what = serving()
    for part in np.array_split(np.column_stack([rows, scores, scores >= 0.5]), 32):
        what.count(part.astype(np.float32), "client")
    assert what.recorder is not None
    report = received(DriftReport, what.recorder.report(1))
    assert (report.odd.rows, report.odd.borderline) == (128, 2)
