"""What cannot be counted is lost alone: no answer, no report and no other count goes with it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hallmark.api.drift import Drift, Rejections, RequestLimits
from hallmark.drift.answer_counter import answer_counter
from hallmark.drift.rejection_counter import rejection_counter
from hallmark_predictor import apart as module
from hallmark_predictor.apart import apart
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.metrics import Metrics
from hallmark_predictor.serving import Serving
from tests.examples import examples
from tests.unit.predictor import factories
from tests.unit.predictor.factories import ROW
from tests.unit.predictor.test_app import DIGEST, MODEL

PLANE = DataPlane(MODEL)
DRIFT = Drift(
    rejections=Rejections(limit="0.1", minimum=100),
    requests=RequestLimits(max_errors="0.1", minimum=100),
)


def answer_of(rows: int) -> Answer:
    found = PLANE.predict(json.dumps({"instances": [ROW] * rows}).encode())
    assert isinstance(found, Answer)
    return found


ANSWERS = {rows: answer_of(rows) for rows in (1, 2, 60, 250)}


class Broken(Exception):
    """Stands for a fault of ours."""


def breaks(*_: object, **__: object) -> None:
    raise Broken


class Pod:
    """What is served, with everything that counts."""

    def __init__(self) -> None:
        metrics = Metrics()
        metrics.counter.blocks = answer_counter(DRIFT)
        self.recorder = DriftRecorder(
            factories.model().windows,
            MODEL.columns,
            DIGEST,
            rejections=rejection_counter(DRIFT),
            requests=metrics.counter,
        )
        self.serving = Serving(metrics)
        self.serving.start(PLANE, self.recorder)

    def ended(self, rows: list[int]) -> None:
        """Answer requests of so many rows in one turn of the loop."""
        due: list[Callable[[], None]] = []
        for count in rows:
            self.serving.ended(ANSWERS[count], ("/predict", 0.001, "a", 0.001), due.append)
        for each in due:
            each()

    def counted(self) -> dict[str, int]:
        """What every counter says."""
        report = self.recorder.report(1)
        assert report.requests is not None
        return {
            "rows of the report": report.rows,
            "rows of the metrics": self.serving.metrics.rows,
            "requests of the report": report.requests.count,
            "requests of the metrics": sum(self.serving.metrics._requests.values()),
            "blocks of rows": len(report.rejections),
            "blocks of requests": len(report.answers),
        }


FAULTS: dict[str, tuple[Callable[[Pod], tuple[Any, str]], set[str]]] = {
    "rows of the metrics": (lambda pod: (pod.serving.metrics, "answered"), {"rows of the metrics"}),
    "blocks of rows": (lambda pod: (pod.recorder._rejections, "add"), {"blocks of rows"}),
    "blocks of requests": (
        lambda pod: (pod.serving.metrics.counter.blocks, "add"),
        {"blocks of requests"},
    ),
    "what looks at closed windows": (lambda pod: (pod.recorder, "_on_close"), set()),
    "requests": (
        lambda pod: (pod.serving.metrics, "requests"),
        {"requests of the report", "requests of the metrics", "blocks of requests"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@examples(20)
@given(turns=st.lists(st.lists(st.sampled_from([*ANSWERS]), max_size=6), max_size=4))
def test_what_cannot_be_counted_is_lost_alone(fault: str, turns: list[list[int]]) -> None:
    whole, broken = Pod(), Pod()
    (part, name), lost = FAULTS[fault][0](broken), FAULTS[fault][1]
    setattr(part, name, breaks)
    for turn in turns:
        whole.ended(turn)
        broken.ended(turn)
    expected, found = whole.counted(), broken.counted()
    assert {key: found[key] for key in found if key not in lost} == {
        key: expected[key] for key in expected if key not in lost
    }
    assert all(found[key] == 0 for key in lost)


def test_one_part_of_a_turn_that_cannot_be_counted_leaves_the_others() -> None:
    pod = Pod()
    count, calls = pod.recorder._windows.add, [0]

    def breaks_once(*given: Any) -> None:  # noqa: ANN401
        calls[0] += 1
        if calls[0] == 2:
            raise Broken
        count(*given)

    pod.recorder._windows.add = breaks_once  # type: ignore[assignment, method-assign]
    pod.ended([1] * 450)
    assert calls[0] > 2
    assert pod.recorder.report(1).rows == 450 - 100


def test_the_log_has_each_place_once_and_no_value(caplog: pytest.LogCaptureFixture) -> None:
    module._tell.cache_clear()

    def fails(value: str) -> None:
        raise ValueError(value)

    with caplog.at_level(logging.ERROR):
        for number in range(100):
            apart(fails, f"Ms. {number}")
    (record,) = caplog.records
    assert "ValueError at " in record.getMessage()
    assert "Ms." not in record.getMessage()
