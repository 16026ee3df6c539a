"""Whatever the rows are, the assay ends in a refusal or in artifacts, and never raises."""

from __future__ import annotations

import io
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, strategies as st

from hallmark.training.assay import validate_dataset
from hallmark.training.dataset import ValidatedDataset
from hallmark.training.outcome import Artifacts, RefusedRun
from tests.examples import examples
from tests.unit.training.factories import mixed_rows, mixed_spec, run, task

CELLS = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.text(max_size=8),
    st.dates(),
    st.sampled_from(["red", "green", "yes", "no", "a", "NaN", "1e400", "=1+1", "'; --"]),
)
COLUMNS = ("amount", "count", "flag", "colour", "group", "label", "note")


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


@examples(80, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_cells(data: st.DataObject) -> None:
    frame = mixed_rows(rows=60)
    for name in data.draw(st.sets(st.sampled_from(COLUMNS), max_size=4)):
        kind = data.draw(CELLS)
        cells = [kind, *data.draw(st.lists(CELLS, max_size=3))]
        same = [cell for cell in cells if cell is None or type(cell) is type(kind)]
        values = (same * 60)[:60]
        frame = frame.with_columns(pl.Series(name, values, strict=False))
    assert isinstance(
        validate_dataset(task(mixed_spec()), parquet(frame), lambda *_: None),
        RefusedRun | ValidatedDataset,
    )


EXTREMES: dict[str, dict[str, Any]] = {
    "every optional cell is null": {
        name: pl.lit(None) for name in ("amount", "count", "flag", "colour")
    },
    "every column is constant": {
        "amount": pl.lit(1.5),
        "count": pl.lit(3),
        "flag": pl.lit(value=True),
        "colour": pl.lit("red"),
    },
    "the largest doubles": {"amount": pl.lit(1.7e308)},
    "the smallest doubles": {"amount": pl.lit(5e-324)},
    "doubles of both ends": {"amount": pl.when(pl.col("flag")).then(-1.7e308).otherwise(1.7e308)},
    "a feature that is the target": {
        "amount": pl.when(pl.col("label") == "yes").then(1.0).otherwise(0.0)
    },
    "labels that are whole numbers": {
        "label": pl.when(pl.col("label") == "yes").then(1).otherwise(0)
    },
    "one group only": {"group": pl.lit("a")},
    "a group for every row": {"group": pl.int_range(pl.len()).cast(pl.String)},
}


@pytest.mark.parametrize("changes", EXTREMES.values(), ids=EXTREMES)
def test_extremes(changes: dict[str, Any]) -> None:
    spec = mixed_spec(gates=[])
    if "label" in changes:
        spec["schema"]["target"]["positive"] = "1"
    found = run(spec, parquet(mixed_rows().with_columns(**changes)))
    assert isinstance(found, Artifacts | RefusedRun)
    if isinstance(found, RefusedRun):
        assert found.outcome.message


def test_the_fewest_rows_that_are_accepted() -> None:
    frame = mixed_rows()
    few = pl.concat([frame.filter(label="yes").head(10), frame.filter(label="no").head(40)])
    assert isinstance(run(mixed_spec(), parquet(few)), Artifacts)
