"""No refusal and no remark repeats a cell: who may read a run need not be one who may read data."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from hallmark.training.assay import validate_dataset
from hallmark.training.dataset import ValidatedDataset
from hallmark.training.outcome import RefusedRun
from tests.unit.training.factories import mixed_rows, mixed_spec, run, task

NUMBER, WHOLE, TEXT = 917364.25, 48151623, "canary-Zq7"
"""Stand in the data alone, once each; a message that holds one of them has it from there."""
CANARIES = ("917364", "48151623", "canary", "Zq7", "9.17364e+05", "4.81516e+07")

Fault = tuple[Callable[[pl.DataFrame], pl.DataFrame], dict[str, Any]]


def cell(column: str, value: object, row: int = 7) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Return what puts a value into one cell, changing the column's type where it must."""

    def put(frame: pl.DataFrame) -> pl.DataFrame:
        values = frame.get_column(column).to_list()
        values[row] = value
        if isinstance(value, str):
            values = [None if found is None else str(found) for found in values]
        return frame.with_columns(pl.Series(column, values, strict=False))

    return put


def every(column: str, value: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.with_columns(pl.lit(value).alias(column))


def schema(**changes: object) -> dict[str, Any]:
    """Return the spec with other fields of ``amount`` and ``count``."""
    spec = mixed_spec()
    for feature in spec["schema"]["features"]:
        feature.update(changes.get(feature["name"], {}))  # type: ignore[call-overload]
    return spec


def identified(name: str) -> dict[str, Any]:
    spec = mixed_spec()
    spec["schema"]["identifiers"] = [name]
    return spec


def with_note(value: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Return what adds a column with a value twice, and others once."""
    return lambda frame: frame.with_columns(
        pl.Series("note", [value, value, *(f"n{row}" for row in range(frame.height - 2))])
    )


ABOVE, BELOW = {"maximum": "100"}, {"minimum": "2000000"}
FAULTS: dict[str, Fault] = {
    "a number above the maximum": (cell("amount", NUMBER), schema(amount=ABOVE)),
    "the largest number, for a maximum of 0": (
        cell("amount", NUMBER),
        schema(amount={"maximum": "0"}),
    ),
    "a number below the minimum": (cell("amount", -NUMBER), schema(amount={"minimum": "-9"})),
    "all numbers below the minimum": (every("amount", NUMBER), schema(amount=BELOW)),
    "a whole number above the maximum": (cell("count", WHOLE), schema()),
    "a whole number below the minimum": (cell("count", -WHOLE), schema()),
    "a number too large for the model": (cell("amount", NUMBER * 1e40), schema()),
    "text among numbers": (cell("amount", TEXT), schema()),
    "text among whole numbers": (cell("count", TEXT), schema()),
    "a fraction among whole numbers": (cell("count", NUMBER), schema()),
    "text among booleans": (cell("flag", TEXT), schema()),
    "an undeclared category": (cell("colour", TEXT), schema()),
    "a class of its own": (cell("label", TEXT), schema()),
    "a long class": (cell("label", TEXT * 60), schema()),
    "a group of its own": (cell("group", TEXT), schema()),
    "a long group": (cell("group", TEXT * 60), schema()),
    "an identifier twice": (with_note(TEXT), identified("note")),
    "an identifier of numbers twice": (with_note(str(WHOLE)), identified("note")),
    "an outlier": (cell("amount", NUMBER), schema()),
    "a constant": (every("amount", NUMBER), schema()),
    "a constant target": (every("label", TEXT), schema()),
    "a column that is named like a cell": (
        lambda frame: frame.rename({"amount": TEXT}),
        schema(),
    ),
    "an undeclared column": (
        lambda frame: frame.with_columns(pl.lit(TEXT).alias("extra")),
        schema(),
    ),
    "too few rows": (lambda frame: cell("amount", NUMBER)(frame).head(20), schema()),
    "a feature that is the target": (
        lambda frame: frame.with_columns(
            pl.when(pl.col("label") == "yes").then(NUMBER).otherwise(1.0).alias("amount")
        ),
        schema(),
    ),
}
FORMATS = ("Parquet", "CSV", "JSONLines")


def written(frame: pl.DataFrame, form: str) -> bytes:
    buffer = io.BytesIO()
    if form == "Parquet":
        frame.write_parquet(buffer)
    elif form == "CSV":
        frame.write_csv(buffer)
    else:
        frame.write_ndjson(buffer)
    return buffer.getvalue()


def said(found: RefusedRun | ValidatedDataset) -> str:
    """Return everything that leaves the Job of what was found."""
    if isinstance(found, RefusedRun):
        return found.outcome.model_dump_json()
    return json.dumps([remark.to_wire() for remark in found.remarks])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_no_message_repeats_a_cell(fault: Fault, form: str) -> None:
    change, spec = fault
    spec["dataset"] = {**spec["dataset"], "format": form}
    data = written(change(mixed_rows()), form)
    text = said(validate_dataset(task(spec), data, lambda *_: None))
    assert [canary for canary in CANARIES if canary in text] == []


MALFORMED: dict[str, tuple[str, bytes]] = {
    "a ragged row": ("CSV", f"amount,count\n1,2\n{TEXT},{WHOLE},3\n".encode()),
    "a quote within a cell": ("CSV", f'amount,count\n1,{TEXT}"x\n'.encode()),
    "no header": ("CSV", f"{TEXT},{NUMBER}\n{TEXT},2\n".encode()),
    "a name twice": ("CSV", f"{TEXT},{TEXT}\n1,2\n".encode()),
    "bytes that are no UTF-8": ("CSV", f"amount,count\n{TEXT}".encode() + b"\xff\n"),
    "a line that is no object": ("JSONLines", f'{{"amount":1}}\n["{TEXT}"]\n'.encode()),
    "a line that is no JSON": ("JSONLines", f'{{"amount":1}}\n{{"amount":{TEXT}\n'.encode()),
    "a nested value": ("JSONLines", f'{{"amount":{{"{TEXT}":1}}}}\n'.encode()),
    "a key twice": ("JSONLines", f'{{"amount":1,"amount":{WHOLE}}}\n'.encode()),
    "no Parquet": ("Parquet", f"{TEXT} {NUMBER}".encode()),
}


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
def test_no_parsing_error_repeats_a_cell(malformed: tuple[str, bytes]) -> None:
    form, data = malformed
    spec = mixed_spec()
    spec["dataset"] = {**spec["dataset"], "format": form}
    found = validate_dataset(task(spec), data, lambda *_: None)
    assert isinstance(found, RefusedRun)
    assert [canary for canary in CANARIES if canary in said(found)] == []


def test_a_gate_that_fails_repeats_no_cell() -> None:
    frame = cell("amount", NUMBER)(mixed_rows())
    gates = [{"metric": "accuracy", "comparison": "AtLeast", "threshold": "0.999"}]
    found = run(mixed_spec(gates=gates), written(frame, "Parquet"))
    assert isinstance(found, RefusedRun)
    assert "accuracy" in found.outcome.message
    assert [canary for canary in CANARIES if canary in said(found)] == []


def test_a_policy_may_let_numbers_be_named_that_belong_to_no_person() -> None:
    spec = schema(amount=ABOVE)
    data = written(cell("amount", NUMBER)(mixed_rows()), "Parquet")

    def message(**changes: object) -> str:
        return said(validate_dataset(task(spec, **changes), data, lambda *_: None))

    assert "917364.25" in message(quote_numbers=True)
    assert "a number beyond it" in message()
    sensitive = mixed_spec()
    sensitive["schema"]["sensitive"] = [{"name": "count"}]
    whole = written(cell("count", WHOLE)(mixed_rows()), "Parquet")
    text = said(validate_dataset(task(sensitive, quote_numbers=True), whole, lambda *_: None))
    assert str(WHOLE) not in text, "of a sensitive column never"
