"""What a predictor tells of its requests adds up, whatever they were."""

from __future__ import annotations

from hypothesis import given, strategies as st

from hallmark_predictor.metrics import Metrics
from hallmark_predictor.request_counter import RequestCounter

REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["/predict", "/v2/models/{name}/infer", "/healthz", "/metrics", "none"]),
        st.integers(100, 599),
        st.floats(0, 60),
    ),
    max_size=30,
)


@given(REQUESTS)
def test_all_requests_for_predictions_are_counted_once_and_no_other(
    requests: list[tuple[str, int, float]],
) -> None:
    moments = iter([0.0, 12.3456])
    counter = RequestCounter(lambda: next(moments))
    for route, code, seconds in requests:
        counter.ended(route, code, seconds)
    told = counter.told()
    wanted = [code for route, code, _ in requests if route.endswith(("predict", "infer"))]
    assert (told.uptime, told.count, sum(told.latency)) == (12345, len(wanted), len(wanted))
    assert told.refused == sum(400 <= code < 500 for code in wanted)
    assert told.shed == sum(code == 503 for code in wanted)
    assert told.failed == sum(code >= 500 for code in wanted) - told.shed


ANSWERED = st.lists(
    st.tuples(
        st.sampled_from(["/predict", "/v2/models/{name}/infer"]),
        st.floats(0, 60),
        st.sampled_from(["", "10.0.0.1", "10.0.0.2"]),
        st.floats(0, 60),
    ),
    max_size=30,
)


@given(ANSWERED)
def test_answered_requests_are_counted_together_as_each_alone(
    requests: list[tuple[str, float, str, float]],
) -> None:
    together, alone = Metrics(), Metrics()
    for metrics in (together, alone):
        metrics.counter = RequestCounter(lambda: 0.0)
    together.requests(requests)
    for route, seconds, client, own in requests:
        alone.request(route, 200, seconds, client, own)
    assert together.exposition() == alone.exposition()
    assert together.counter.told() == alone.counter.told()


def test_a_request_stands_in_the_bucket_of_its_time() -> None:
    counter = RequestCounter()
    for seconds in (0.0, 0.001, 0.0011, 0.005, 0.025, 0.1, 0.5, 0.51, 60):
        counter.ended("/predict", 200, seconds)
    assert counter.told().latency == [2, 2, 1, 1, 1, 2]
