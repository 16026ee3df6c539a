"""Types, nulls, ranges and repeated rows of numbers, against pandera on pandas and on polars.

All sides get the same table in their own frame, already in memory, and check the same: each column
is a Float64 without nulls between two bounds, and no two rows are equal. On a table with seeded
faults they must agree on every column, kind and count before anything is timed. Timed is the table
without faults: a peer that finds some is slower.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from hallmark.api.schema import Schema
from hallmark.data import anomalies, conversion, quality, schema
from hallmark.data.duplicates import equal_rows
from hallmark.data.fingerprint import fingerprint
from hallmark.data.table import ColumnSpec, ColumnType, Table, declared_columns
from tests.bench.figures import Figure, figure
from tests.bench.measuring import clear_peak, resident, seconds

os.environ["DISABLE_PANDERA_IMPORT_WARNING"] = "True"

ROWS = int(os.environ.get("HALLMARK_BENCH_ROWS", "1000000"))
COLUMNS = 20
ROUNDS = 5
LOW, HIGH = -100.0, 100.0
NAMES = [f"x{number}" for number in range(COLUMNS)]
SPECS = [ColumnSpec(name, ColumnType.NUMBER, minimum=LOW, maximum=HIGH) for name in NAMES]

Verdicts = Counter[tuple[str, str]]
"""How many cells or rows are at fault, by column ('' for whole rows) and kind."""
Side = Callable[[Any, bool], Verdicts]
"""Validates a frame of its own library, repeated rows too if asked to."""


def run() -> list[Figure]:
    """Return how many times faster than each peer a table is validated, and the memory."""
    sides = _sides()
    faulty = _with_faults(_made())
    expected = _ours(faulty, unique=True)
    assert len(expected) == 4, expected
    for name, validate in sides.items():
        found = validate(_frames(faulty)[name], True)
        assert found == expected, f"{name} found {found}, Hallmark {expected}"
    clean = _made()
    return [
        *_compare(clean, sides, "cells and repeated rows", unique=True),
        *_compare(clean, sides, "cells alone", unique=False),
        _fingerprint(clean),
        _memory(),
    ]


def _compare(
    clean: pl.DataFrame, sides: Mapping[str, Side], what: str, *, unique: bool
) -> list[Figure]:
    """Let the sides take turns. The whole has a goal, repeated rows too; a part only informs."""
    frames = _frames(clean)
    goals = {"pandas": 30, "polars": 8} if unique else {}
    speeds: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, validate in sides.items():
            mine = seconds(lambda: _ours(clean, unique=unique))
            peers = seconds(partial(validate, frames[name], unique))
            ratios[name].append(peers / mine)
            speeds.append(ROWS / mine / 1e6)
    speed = figure(f"validation of {what}", speeds, "million rows/s")
    times = [
        figure(
            f"validation of {what}: pandera on {name}'s time by ours",
            figures,
            "times",
            at_least=goals.get(name),
        )
        for name, figures in ratios.items()
    ]
    return [speed, *times]


def _frames(frame: pl.DataFrame) -> dict[str, Any]:
    """Return the table as each side has it in memory."""
    import pandas as pd

    columns = {name: frame.get_column(name).to_numpy() for name in NAMES}
    return {"pandas": pd.DataFrame(columns), "polars": frame}


def _made() -> pl.DataFrame:
    random = np.random.default_rng(0)
    return pl.DataFrame({name: random.normal(size=ROWS) for name in NAMES})


def _with_faults(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the table with empty cells, numbers beyond both bounds, and repeated rows."""
    some = np.random.default_rng(1).choice(ROWS // 2, size=60, replace=False)
    cells = {name: frame.get_column(name).to_numpy().copy() for name in NAMES}
    cells["x5"][some[:11]] = LOW - 1
    cells["x5"][some[11:20]] = HIGH + 1
    cells["x8"][some[20:33]] = HIGH + 1e-9
    for name in NAMES:
        cells[name][ROWS - 17 :] = cells[name][some[33:50]]
    faulty = pl.DataFrame(cells)
    empty = pl.Series(np.isin(np.arange(ROWS), some[50:57]))
    return faulty.with_columns(pl.when(~empty).then("x3").alias("x3"))


def _ours(frame: pl.DataFrame, *, unique: bool) -> Verdicts:
    converted = conversion.convert(frame, SPECS)
    assert converted.table is not None
    columns = converted.table.columns
    verdicts: Verdicts = Counter()
    for finding in converted.findings:
        verdicts[finding.column or "", finding.check] += finding.count
    for column in columns:
        for finding in schema.check_cells(column):
            verdicts[column.name, finding.check] += finding.count
    if unique:
        twins, _ = equal_rows(columns)
        if len(twins):
            verdicts["", "Duplicate"] = len(twins)
    return verdicts


def _sides() -> dict[str, Side]:
    import pandera.pandas
    import pandera.polars

    return {
        "pandas": _side(pandera.pandas, float),
        "polars": _side(pandera.polars, pl.Float64),
    }


def _side(module: Any, kind: Any) -> Side:  # noqa: ANN401 - pandera's two faces have no common type
    from pandera.errors import SchemaErrors

    check = module.Check.in_range(LOW, HIGH)
    columns = {name: module.Column(kind, check, nullable=False) for name in NAMES}
    declared = {
        unique: module.DataFrameSchema(columns, unique=NAMES if unique else None)
        for unique in (True, False)
    }

    def validate(frame: Any, unique: bool) -> Verdicts:  # noqa: ANN401
        try:
            declared[unique].validate(frame, lazy=True)
        except SchemaErrors as errors:
            return _verdicts(errors.failure_cases)
        return Counter()

    return validate


def _verdicts(cases: Any) -> Verdicts:  # noqa: ANN401
    """Return pandera's failure cases as ours are counted: of a repeated row, each cell is one."""
    verdicts: Verdicts = Counter()
    repeated = set()
    rows = cases.to_dicts() if isinstance(cases, pl.DataFrame) else cases.to_dict("records")
    for row in rows:
        check = str(row["check"])
        if "unique" in check:
            repeated.add(row["index"])
        else:
            verdicts[str(row["column"]), "Null" if "null" in check else "Range"] += 1
    verdicts["", "Duplicate"] = len(repeated)
    return +verdicts


def _fingerprint(clean: pl.DataFrame) -> Figure:
    table = conversion.convert(clean, SPECS).table
    assert table is not None
    times = [seconds(lambda: fingerprint(table)) for _ in range(ROUNDS)]
    return figure("fingerprint", times, "s", at_most=1)


def _memory() -> Figure:
    """Measure a process of its own: what a validation keeps at its peak, the table included."""
    command = [sys.executable, "-m", __name__]
    environment = {**os.environ, "HALLMARK_BENCH_ROWS": str(ROWS)}
    peaks = []
    for _ in range(3):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout))
    return figure("peak memory of validation by the table's", peaks, "times", at_most=2.5)


def _peak() -> float:
    """Return the peak of everything that the assay does with a typed table, by its size."""
    declared = Schema.model_validate(
        {
            "features": [
                {"name": name, "type": "Number", "minimum": "-100", "maximum": "100"}
                for name in NAMES
            ],
            "target": {"name": "label", "positive": "yes"},
        }
    )
    before = resident("VmRSS")
    labels = np.where(np.arange(ROWS) % 2 == 0, "yes", "no")
    frame = _made().with_columns(label=pl.Series(labels, dtype=pl.String))
    del labels
    clear_peak()
    table = conversion.convert(frame, declared_columns(declared)).table
    assert table is not None
    check_rows(table, declared)
    return (resident("VmHWM") - before) / frame.estimated_size()


def check_rows(table: Table, declared: Schema) -> None:
    """Do everything that the assay does with a typed table before it trains."""
    fingerprint(table)
    validation = schema.validate(table, declared)
    quality.quality_parts(table, validation, wrong_types=0)
    anomalies.outliers(table)


if __name__ == "__main__":
    print(_peak())
