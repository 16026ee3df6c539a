"""The published form of report.json."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from hallmark.api.report_schema import FILE, report_schema, text
from tests.unit.supply_chain import factories

ROOT = Path(__file__).parents[3]
VALIDATOR = jsonschema.Draft202012Validator(report_schema())


def test_the_committed_file_is_what_the_models_say() -> None:
    assert (ROOT / FILE).read_text(encoding="utf-8") == text()


def test_it_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(report_schema())


def test_a_report_has_that_form() -> None:
    VALIDATOR.validate(json.loads(factories.report().to_bytes()))


@pytest.mark.parametrize(
    ("name", "value"),
    [("rows", "many"), ("metrics", [{"name": "accuracy"}]), ("surprise", 1), ("runId", 7)],
)
def test_another_form_is_told(name: str, value: object) -> None:
    document = {**json.loads(factories.report().to_bytes()), name: value}
    assert not VALIDATOR.is_valid(document)
