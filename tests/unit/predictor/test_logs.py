"""The predictor's log: a JSON object a line, and never a value."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest
import structlog

from hallmark import logs as operator_logs
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
    logging.getLogger("uvicorn.error").warning("It took %d s.\n%s", 3, "\ud800")
    (record,) = logged(capsys)
    assert (record["level"], record["event"]) == ("warning", "It took 3 s.\n\ud800")
    assert record["timestamp"].endswith("Z")


def test_an_errors_text_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    try:
        raise ValueError(VALUE)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("An application failed.")
    (record,) = logged(capsys)
    assert record["event"] == "An application failed."
    assert record["exception"].startswith("ValueError at ")
    assert VALUE not in json.dumps(record)


def test_the_members_are_those_of_the_other_components(capsys: pytest.CaptureFixture[str]) -> None:
    members = []
    for configure in (logs.configure, operator_logs.configure):
        configure()
        try:
            raise ValueError
        except ValueError:
            logging.getLogger("any").exception("It failed.")
        (record,) = logged(capsys)
        assert datetime.fromisoformat(record["timestamp"]).tzinfo is not None
        members.append((record.keys(), record["event"], record["level"]))
    assert members[0] == members[1]
