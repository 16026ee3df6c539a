"""The predictor's log: a JSON object a line, and never a value."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from hallmark_predictor import logs

VALUE = "4111 1111 1111 1111"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_record_of_any_library_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logging.getLogger("uvicorn.error").warning("It took %d s.", 3)
    structlog.get_logger("hallmark").info("Serving.", version="loan-v1")
    first, second = logged(capsys)
    assert (first["level"], first["event"]) == ("warning", "It took 3 s.")
    assert (second["event"], second["version"]) == ("Serving.", "loan-v1")
    assert second["timestamp"].endswith("Z")


def test_an_errors_text_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    try:
        raise ValueError(VALUE)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("An application failed.")
        structlog.get_logger("hallmark").exception("Ours failed.")
    told = logged(capsys)
    assert [record["event"] for record in told] == ["An application failed.", "Ours failed."]
    for record in told:
        assert record["exception"].startswith("ValueError at ")
        assert VALUE not in json.dumps(record)


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"00-{TRACE}-00f067aa0ba902b7", None),
        (f"00-{TRACE[:-1]}\n-00f067aa0ba902b7-01", None),
        (VALUE, None),
        ("", None),
    ],
)
def test_a_requests_record_names_its_trace(
    capsys: pytest.CaptureFixture[str], header: str, trace: str | None
) -> None:
    logs.configure()
    extra = logs.trace_of({b"traceparent": header.encode()})
    logging.getLogger("hallmark_predictor").error("It failed.", extra=extra)
    (record,) = logged(capsys)
    assert record.get("trace_id") == trace
    assert VALUE not in json.dumps(record)
