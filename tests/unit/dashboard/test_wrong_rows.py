"""Rows that are wrong: told of once, however many there are, so that none takes the memory."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hallmark_dashboard.api.schemas import PredictRequest, TrainRequest

WRONG: dict[str, list[Any]] = {
    "a cell": [{"a": []}] * 5000,
    "no object": [0] * 5000,
    "cells of one row": [{f"a{number}": [] for number in range(5000)}],
    "cells of each row": [{f"a{number}": {} for number in range(50)}] * 500,
    "too many cells": [{f"a{number}": 1 for number in range(5000)}],
}


@pytest.mark.parametrize("rows", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(
    ("kind", "field", "more"),
    [
        (TrainRequest, "records", {"model": "loan"}),
        (PredictRequest, "instances", {"deployment": "loan"}),
    ],
)
def test_wrong_rows_without_an_end_are_the_errors_of_one(
    kind: type[TrainRequest | PredictRequest], field: str, more: dict[str, str], rows: list[Any]
) -> None:
    """An error of each cell took 500 times the room of the cell."""
    with pytest.raises(ValidationError) as refused:
        kind.model_validate({"namespace": "bank", field: rows, **more})
    errors = [error for error in refused.value.errors() if error["loc"][0] == field]
    assert errors
    assert refused.value.error_count() < 1000
    assert {error["loc"][1] for error in errors} == {0}


def test_rows_that_are_right_are_taken() -> None:
    rows = [{"income": 1.5, "region": "north", "old": True, "note": None}] * 3
    asked = PredictRequest.model_validate(
        {"namespace": "bank", "deployment": "loan", "instances": rows}
    )
    assert asked.instances == rows
