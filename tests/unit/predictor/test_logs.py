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
