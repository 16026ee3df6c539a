"""What a model says is counted like its features, whichever way a request is answered."""

import json
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport
from hallmark.api.drift_state import DriftState, Verdict
from hallmark.api.files import BASELINE, MODEL_ONNX, SCHEMA
from hallmark.api.served import Baseline
from hallmark.api.texts import LABEL, SCORE
from hallmark.api.trainer import Algorithm
from hallmark.classification import predicted_classes, scores
from hallmark.drift.counts import BinCounter, Rows
from hallmark.drift.decision import DriftInputs, DriftVerdict, judge
from hallmark.training.baseline import bin_predictions
from hallmark.training.graph import build
from hallmark.training.pipeline import Fitted
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.drift_reporter import BUFFER_ROWS, DriftRecorder
from hallmark_predictor.metrics import Metrics
from hallmark_predictor.serving import Serving
from tests.unit.drift.factories import received
from tests.unit.predictor import factories
from tests.unit.predictor.factories import NOW, POD, SCHEMA_DOCUMENT, instances, traffic
from tests.unit.training.fits import fitted, small

DRIFT = Drift(window=100, consecutive=2)
THREE = ["high", "low", "middle"]


@cache
def trees() -> Fitted:
    rows = traffic(900, seed=0)
    truth = np.digitize(rows[:, 0], [45_000, 55_000]).astype(np.int64)
    return fitted(rows, truth, SCHEMA_DOCUMENT.features, small(Algorithm.RANDOM_FOREST))


def sealed_with(found: Fitted, classes: list[str], positive: str | None) -> dict[str, bytes]:
    """The files of a model whose baseline knows what it says of rows it has not seen."""
    said = found.probabilities(traffic(1000, seed=5))
    at = None if positive is None else classes.index(positive)
    baseline = factories.baseline().replace(predictions=bin_predictions(said, classes, at))
    schema = SCHEMA_DOCUMENT.model_copy(update={"classes": classes, "positive": positive})
    return {
        MODEL_ONNX: build(found.plain, "credit"),
        SCHEMA: schema.to_bytes(),
        BASELINE: baseline.to_bytes(),
    }


def serving(files: dict[str, bytes], drift: Drift = DRIFT) -> Serving:
    model = factories.model(files=files, drift=drift)
    what = Serving(Metrics())
    recorder = DriftRecorder(
        model.windows, model.columns, model.trust.manifest_digest, clock=lambda: NOW
    )
    what.start(DataPlane(model), recorder)
    return what


def one_by_one(what: Serving, rows: Rows) -> None:
    for row in instances(rows):
        say(what, {"instances": [row]})


def together(what: Serving, rows: Rows) -> None:
    say(what, {"instances": instances(rows)})


def as_tensors(what: Serving, rows: Rows) -> None:
    plane = what.plane
    assert plane is not None
    tensor = {"name": "input", "shape": list(rows.shape), "datatype": "FP32"}
    body = {"inputs": [tensor | {"data": rows.ravel().tolist()}]}
    answer = plane.infer(json.dumps(body).encode())
    assert isinstance(answer, Answer), answer
    what.answered(answer, "client")


def as_tensors_of_one(what: Serving, rows: Rows) -> None:
    for row in rows:
        as_tensors(what, row.reshape(1, -1))


def say(what: Serving, body: object) -> None:
    assert what.plane is not None
    answer = what.plane.predict(json.dumps(body).encode())
    assert isinstance(answer, Answer), answer
    what.answered(answer, "client")


WAYS = [one_by_one, together, as_tensors, as_tensors_of_one]
MODELS = {
    "a linear model": (factories.estimator, ["no", "yes"], "yes"),
    "the first class is positive": (factories.estimator, ["no", "yes"], "no"),
    "the classes are peers": (factories.estimator, ["no", "yes"], None),
    "trees of three classes": (trees, THREE, None),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", MODELS.values(), ids=MODELS)
def test_scores_and_labels_are_counted_whichever_way_rows_come(
    case: tuple[Callable[[], Fitted], list[str], str | None],
    way: Callable[[Serving, Rows], None],
) -> None:
    made, classes, positive = case
    files, rows = sealed_with(made(), classes, positive), traffic(130, seed=7)
    what = serving(files)
    way(what, rows)
    assert what.recorder is not None
    report = what.recorder.report(1)
    at = None if positive is None else classes.index(positive)
    probabilities = made().probabilities(rows).astype(np.float32)
    decided = predicted_classes(probabilities, at)
    counted = np.column_stack([rows, scores(probabilities, decided, at), decided])
    baseline = Baseline.model_validate_json(files[BASELINE])
    counter = BinCounter(baseline.counted, factories.model(files=files).schema)
    totals = counter.zeros()
    counter.add(counted.astype(np.float32), totals)
    assert report.counts == counter.named(totals)
    assert sum(report.counts[SCORE]) == sum(report.counts[LABEL]) == 130


@pytest.mark.parametrize("extra", [-1, 0, 1, BUFFER_ROWS])
def test_many_rows_at_once_keep_their_scores(extra: int) -> None:
    what = serving(sealed_with(factories.estimator(), ["no", "yes"], "yes"))
    rows = traffic(BUFFER_ROWS + extra, seed=2)
    one_by_one(what, rows[:3])
    as_tensors(what, rows[3:])
    assert what.recorder is not None
    found = what.recorder.report(1)
    whole = serving(sealed_with(factories.estimator(), ["no", "yes"], "yes"))
    for start in range(0, len(rows), 1000):
        as_tensors(whole, rows[start : start + 1000])
    assert whole.recorder is not None
    assert found.counts == whole.recorder.report(1).counts
    assert found.rows == len(rows)


def judged(files: dict[str, bytes], drift: Drift, rows: Rows) -> DriftVerdict:
    what = serving(files, drift)
    as_tensors(what, rows)
    assert what.recorder is not None
    report = received(DriftReport, what.recorder.report(1))
    return judge(
        DriftInputs(
            reports={POD: report},
            baseline=Baseline.model_validate_json(files[BASELINE]),
            active_digest=report.manifest_digest,
            drift=drift,
            live_pods=frozenset({POD}),
            active_pods=frozenset({POD}),
            serving_pods=frozenset({POD}),
            now=NOW,
            former=DriftState(),
            since=NOW,
        )
    )


@pytest.mark.parametrize("name", [SCORE, LABEL])
def test_scores_and_labels_that_moved_are_drift(name: str) -> None:
    files = sealed_with(factories.estimator(), ["no", "yes"], "yes")
    drift = DRIFT.replace(features=[name])
    calm = judged(files, drift, traffic(600, seed=8))
    assert (calm.state.verdict, calm.refused) == (Verdict.NO_DRIFT, ())
    moved = judged(files, drift, traffic(600, seed=8, shift=1.5))
    assert moved.state.verdict is Verdict.DRIFT
    assert [top.feature for top in moved.state.top] == [name]
    assert f"'{name}' moved most" in moved.message


def test_all_is_watched_where_nothing_is_named() -> None:
    files = sealed_with(factories.estimator(), ["no", "yes"], "yes")
    what = serving(files)
    assert what.recorder is not None
    named = [feature.name for feature in SCHEMA_DOCUMENT.features]
    assert list(what.recorder.report(1).counts) == [*named, SCORE, LABEL]


def test_a_bundle_of_before_is_watched_by_its_features() -> None:
    files = factories.served_files()
    old = json.loads(files[BASELINE])
    del old["predictions"]
    files |= {BASELINE: json.dumps(old).encode()}
    verdict = judged(files, DRIFT, traffic(600, seed=8))
    assert (verdict.state.verdict, verdict.refused) == (Verdict.NO_DRIFT, ())
    named = judged(files, DRIFT.replace(features=["age", SCORE]), traffic(600, seed=8))
    assert f"not watched: {SCORE}." in named.message
    assert [top.feature for top in named.state.top] == ["age"]
