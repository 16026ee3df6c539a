"""Reading a table from each format, checked on the way, beside polars' own readers.

Ours refuses what polars guesses (ragged rows, repeated names, sizes, ratios), so that its time is
the price of that. Both must return the same numbers. The memory is that of a process which reads a
file and goes through all checks of the rows: the table must not be there three times.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from hallmark.api.dataset import DataFormat
from hallmark.api.pii import PII
from hallmark.api.schema import Schema
from hallmark.data import conversion, pii, readers
from hallmark.data.fingerprint import fingerprint
from hallmark.data.table import declared_columns
from tests.bench.assay.validation import check_rows
from tests.bench.figures import Figure, figure
from tests.bench.measuring import clear_peak, resident, seconds

ROWS = int(os.environ.get("HALLMARK_BENCH_ROWS", "1000000"))
MANY = 10 * ROWS
"""Rows for the memory: with fewer, the libraries' own part would count."""
NUMBERS = 8
ROUNDS = 3
COLOURS = ["blue", "green", "grey", "red"]
DECLARED = Schema.model_validate(
    {
        "features": [
            *({"name": f"x{number}", "type": "Number"} for number in range(NUMBERS)),
            {"name": "count", "type": "Integer"},
            {"name": "colour", "type": "Category", "categories": COLOURS},
        ],
        "target": {"name": "label", "positive": "yes"},
    }
)


def _gzip_csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(gzip.decompress(path.read_bytes()))


FORMATS: dict[str, tuple[DataFormat, Callable[[Path], pl.DataFrame]]] = {
    "csv": (DataFormat.CSV, pl.read_csv),
    "csv.gz": (DataFormat.CSV, _gzip_csv),
    "parquet": (DataFormat.PARQUET, pl.read_parquet),
    "jsonl": (DataFormat.JSON_LINES, pl.read_ndjson),
}
"""Each file's format, and the reader of polars."""


def run() -> list[Figure]:
    """Return the speed of each format, and the memory of reading and checking it."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for ending, (data_format, peer) in FORMATS.items():
            path = Path(folder) / f"table.{ending}"
            _write(path, ROWS)
            figures += _compare(path, ending, data_format, peer)
            _write(path, MANY)
            figures.append(_memory(path, ending))
            path.unlink()
    return figures


def _compare(
    path: Path, ending: str, data_format: DataFormat, peer: Callable[[Path], pl.DataFrame]
) -> list[Figure]:
    specs = declared_columns(DECLARED)
    mine = conversion.convert(_read(path, data_format), specs).table
    theirs = conversion.convert(peer(path), specs).table
    assert mine is not None
    assert theirs is not None
    assert fingerprint(mine) == fingerprint(theirs), f"{ending}: not the same table"
    del mine, theirs
    ours, ratios = [], []
    for _ in range(ROUNDS):
        ours.append(seconds(partial(_read, path, data_format)))
        ratios.append(ours[-1] / seconds(partial(peer, path)))
    return [
        figure(f"reading {ending}", [ROWS / duration / 1e6 for duration in ours], "million rows/s"),
        figure(f"reading {ending}: our time by polars'", ratios, "times"),
    ]


def _memory(path: Path, ending: str) -> Figure:
    command = [sys.executable, "-m", __name__, str(path), ending]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    name = f"peak memory of reading and checking {ending} by the table's"
    return figure(name, [float(done.stdout)], "times", at_most=3)


def _peak(path: Path, ending: str) -> float:
    """Return the peak of everything from the file to the last check, by the table's size."""
    before = resident("VmRSS")
    clear_peak()
    guarded = pii.guard(_read(path, FORMATS[ending][0]), DECLARED, PII())
    assert not guarded.refusals, guarded.refusals
    table = conversion.convert(guarded.frame, declared_columns(DECLARED)).table
    assert table is not None
    del guarded
    check_rows(table, DECLARED)
    return (resident("VmHWM") - before) / table.frame().estimated_size()


def _read(path: Path, data_format: DataFormat) -> pl.DataFrame:
    with path.open("rb") as file:
        read = readers.read(
            file,
            data_format,
            declared={column.name: column.type for column in declared_columns(DECLARED)},
        )
    assert isinstance(read, pl.DataFrame), read
    return read


def _write(path: Path, rows: int) -> None:
    random = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            **{f"x{number}": random.normal(size=rows).round(6) for number in range(NUMBERS)},
            "count": random.integers(0, 1000, rows),
            "colour": np.array(COLOURS)[random.integers(0, len(COLOURS), rows)],
            "label": np.where(random.random(rows) < 0.5, "yes", "no"),
        }
    )
    if path.name.endswith(".csv"):
        table.write_csv(path)
    elif path.name.endswith(".csv.gz"):
        with gzip.open(path, "wb", compresslevel=1) as file:
            table.write_csv(file)
    elif path.name.endswith(".parquet"):
        table.write_parquet(path)
    else:
        table.write_ndjson(path)


if __name__ == "__main__":
    print(_peak(Path(sys.argv[1]), sys.argv[2]))
