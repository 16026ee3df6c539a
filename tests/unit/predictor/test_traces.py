"""Which trace a request belongs to, and what is told of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from hallmark_predictor import logs
from hallmark_predictor.traces import MOST_LINES, RequestLog, Trace, read_trace, trace_of

TRACE_ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACE = Trace(TRACE_ID, PARENT, sampled=True)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


@pytest.mark.parametrize(
    ("value", "sampled"),
    [
        (f"00-{TRACE_ID}-{PARENT}-01", True),
        (f"00-{TRACE_ID}-{PARENT}-00", False),
        (f"00-{TRACE_ID}-{PARENT}-ff", True),
        (f"cc-{TRACE_ID}-{PARENT}-01-what-will-be", True),
        (f"00-{TRACE_ID}-{PARENT}-01-more", None),
        (f"cc-{TRACE_ID}-{PARENT}-01more", None),
        (f"ff-{TRACE_ID}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE_ID}-{'0' * 16}-01", None),
        (f"00-{TRACE_ID.upper()}-{PARENT}-01", None),
        (f"00-{TRACE_ID}-{PARENT}", None),
        (f"00-{TRACE_ID[:-1]}\n-{PARENT}-01", None),
        (f"00-{TRACE_ID}-{PARENT}-01\n", None),
        ("", None),
    ],
)
def test_a_trace_is_read_as_the_standard_says(value: str, sampled: bool | None) -> None:
    found = read_trace(value.encode())
    assert found == (None if sampled is None else Trace(TRACE_ID, PARENT, sampled))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_trace_or_none(value: bytes) -> None:
    assert read_trace(value) is None


def test_a_trace_that_is_named_twice_is_none() -> None:
    header = (b"traceparent", f"00-{TRACE_ID}-{PARENT}-01".encode())
    assert trace_of([(b"host", b"x"), header]) == TRACE
    assert trace_of([header, header]) is None
    assert trace_of([]) is None


def test_a_sampled_request_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    RequestLog().ended(TRACE, "/predict", 422, 0.0012345)
    RequestLog().ended(Trace(TRACE_ID, PARENT, sampled=False), "/predict", 200, 1)
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told.pop("timestamp")
    assert told == {
        "event": "A request was answered.",
        "level": "info",
        "trace_id": TRACE_ID,
        "parent_id": PARENT,
        "route": "/predict",
        "code": 422,
        "milliseconds": 1.234,
    }


def test_a_flood_of_sampled_requests_is_told_of_in_part(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    seconds = iter([*[7.0] * (MOST_LINES + 20), 8.1, 8.2])
    log = RequestLog(lambda: next(seconds))
    for _ in range(MOST_LINES + 22):
        log.ended(TRACE, "/predict", 200, 0.001)
    untold = [getattr(record, "untold", None) for record in caplog.records]
    assert untold == [*[None] * MOST_LINES, 20, None]
