"""CSV, Parquet and JSON Lines: bytes in, a polars frame or a finding out.

The frame's columns are text (CSV) or what the file says (Parquet, JSON Lines); nothing is
interpreted yet. Names of columns that the schema may not know never stand in a finding, for a
file without a header line has a person's data there; a column is named by its position.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from hallmark.api.artifacts import Finding
from hallmark.api.training_run import DataFormat

_BOM = b"\xef\xbb\xbf"
_INT64 = 2**63


@dataclass(frozen=True)
class Limits:
    """What a dataset may be at most."""

    file_bytes: int = 1 << 30
    rows: int = 10_000_000
    columns: int = 1024
    cell_bytes: int = 1 << 16


def read(data: bytes, data_format: DataFormat, limits: Limits = Limits()) -> pl.DataFrame | Finding:
    """Return the file's rows, or why they cannot be read.

    Args:
        data: The file's bytes.
        data_format: How to read them.
        limits: What is accepted at most.
    """
    if len(data) > limits.file_bytes:
        return Finding(
            check="FileSize",
            expected=f"at most {limits.file_bytes} bytes",
            found=f"{len(data)} bytes",
        )
    if data_format is DataFormat.PARQUET:
        frame = _read_parquet(data, limits)
    else:
        text = _decode(data)
        if isinstance(text, Finding):
            return text
        reader = _read_csv if data_format is DataFormat.CSV else _read_json_lines
        frame = reader(text, limits)
    return frame if isinstance(frame, Finding) else _check_frame(frame, limits)


def _check_frame(frame: pl.DataFrame, limits: Limits) -> pl.DataFrame | Finding:
    if frame.height == 0 or frame.width == 0:
        return Finding(check="Rows", expected="at least one row", found="none")
    if frame.height > limits.rows:
        return Finding(
            check="Rows", expected=f"at most {limits.rows} rows", found=f"{frame.height} rows"
        )
    return _too_many_columns(frame.width, limits) or _too_long_cell(frame, limits) or frame


def _too_many_columns(width: int, limits: Limits) -> Finding | None:
    if width <= limits.columns:
        return None
    return Finding(
        check="Columns", expected=f"at most {limits.columns} columns", found=f"{width} columns"
    )


def _too_long_cell(frame: pl.DataFrame, limits: Limits) -> Finding | None:
    for position, series in enumerate(frame.iter_columns(), start=1):
        if series.dtype == pl.String:
            lengths = series.str.len_bytes()
            longest = lengths.max()
            if isinstance(longest, int) and longest > limits.cell_bytes:
                return Finding(
                    check="CellSize",
                    row=_first_row(lengths > limits.cell_bytes),
                    expected=f"cells of at most {limits.cell_bytes} bytes",
                    found=f"a cell of {longest} bytes in column number {position}",
                )
    return None


def _first_row(mask: pl.Series) -> int:
    position = mask.fill_null(value=False).arg_max()
    return (position or 0) + 1


def _decode(data: bytes) -> str | Finding:
    """Return the text of a UTF-8 file without its byte-order mark."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Finding(check="Encoding", expected="UTF-8", found="the byte-order mark of UTF-16")
    if data[:2] == b"\x1f\x8b" or data[:4] == b"\x28\xb5\x2f\xfd":
        return Finding(check="Encoding", expected="UTF-8 text", found="a compressed file")
    if data[:4] == b"PAR1":
        return Finding(check="Encoding", expected="UTF-8 text", found="a Parquet file")
    data = data.removeprefix(_BOM)
    nul = data.find(b"\0")
    if nul >= 0:
        return Finding(
            check="Encoding",
            expected="text without NUL bytes",
            found=f"a NUL byte in line {data.count(10, 0, nul) + 1}",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        return Finding(
            check="Encoding",
            expected="UTF-8",
            found=f"another byte in line {data.count(10, 0, error.start) + 1}",
        )


def _read_csv(text: str, limits: Limits) -> pl.DataFrame | Finding:
    text = text.rstrip("\r\n")
    header = _csv_header(text, limits)
    if isinstance(header, Finding):
        return header
    try:
        frame = pl.read_csv(
            io.BytesIO(text.encode()), infer_schema=False, truncate_ragged_lines=False, glob=False
        )
    except pl.exceptions.PolarsError:
        return _csv_defect(text, len(header), limits) or Finding(
            check="CSV", expected="comma-separated text", found="text that cannot be read as such"
        )
    if frame.width != len(header):
        return Finding(
            check="Header", expected=f"{len(header)} columns", found=f"{frame.width} columns"
        )
    frame.columns = header
    # polars fills a row that is too short with nulls, so its last cell is null.
    if frame.to_series(-1).null_count() or frame.height == 0:
        defect = _csv_defect(text, len(header), limits)
        if defect:
            return defect
    # A quoted empty cell is an empty text, an unquoted one null: for us both are null.
    return frame.with_columns(pl.all().replace("", None))


def _csv_header(text: str, limits: Limits) -> list[str] | Finding:
    try:
        header = next(_csv_rows(text, limits), [])
    except csv.Error:
        return Finding(
            check="Header", expected="a line of column names", found="a broken quotation"
        )
    return _too_many_columns(len(header), limits) or _check_header(header)


def _check_header(header: list[str]) -> list[str] | Finding:
    if not header:
        return Finding(check="Header", expected="a line of column names", found="none")
    seen: dict[str, int] = {}
    for position, name in enumerate(header, start=1):
        if not name.strip():
            return Finding(
                check="Header",
                expected="a name for every column",
                found=f"none for column number {position}",
            )
        if name in seen:
            return Finding(
                check="Header",
                expected="each column name once",
                found=f"the same name for columns number {seen[name]} and {position}",
            )
        seen[name] = position
    return header


def _csv_rows(text: str, limits: Limits) -> Iterator[list[str]]:
    csv.field_size_limit(limits.cell_bytes)
    return csv.reader(io.StringIO(text, newline=""), strict=True)


def _csv_defect(text: str, width: int, limits: Limits) -> Finding | None:
    """Return the first row that is not ``width`` cells, or None. Slow: only on suspicion."""
    rows = _csv_rows(text, limits)
    number = 0
    try:
        for number, row in enumerate(rows):
            if len(row) != width:
                found = f"{len(row)} cells" if row else "an empty line"
                return Finding(
                    check="RaggedRow", row=number, expected=f"{width} cells", found=found
                )
    except csv.Error as error:
        if "field larger" in str(error):
            found = f"a cell of more than {limits.cell_bytes} bytes"
        else:
            found = "a quotation that is not closed or goes on after its end"
        return Finding(check="CSV", row=number + 1, expected="well-formed cells", found=found)
    return None


def _read_parquet(data: bytes, limits: Limits) -> pl.DataFrame | Finding:
    if data[:4] != b"PAR1" or data[-4:] != b"PAR1":
        return Finding(
            check="Parquet", expected="a Parquet file", found=f"{len(data)} bytes without its marks"
        )
    try:
        source = pl.scan_parquet(io.BytesIO(data))
        schema = source.collect_schema()
        finding = _too_many_columns(len(schema), limits) or _nested_column(schema)
        if finding:
            return finding
        rows = source.select(pl.len()).collect().item()
        if rows > limits.rows:
            return Finding(
                check="Rows", expected=f"at most {limits.rows} rows", found=f"{rows} rows"
            )
        frame = source.collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        return Finding(check="Parquet", expected="a Parquet file", found="a damaged one")
    return _plain_types(frame)


def _nested_column(schema: pl.Schema) -> Finding | None:
    for position, dtype in enumerate(schema.dtypes(), start=1):
        if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
            return Finding(
                check="Parquet",
                expected="columns of plain values",
                found=f"{dtype.base_type().__name__} in column number {position}",
            )
    return None


def _plain_types(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with dictionary-encoded text as text and empty text as null."""
    texts = [
        pl.col(name).cast(pl.String).replace("", None)
        for name, dtype in frame.schema.items()
        if dtype in (pl.Categorical, pl.Enum, pl.String)
    ]
    return frame.with_columns(texts)


class _BadLineError(Exception):
    """Why a line of JSON is refused; the text holds no value of it."""


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise _BadLineError("a name twice")
    return row


def _no_constant(name: str) -> object:
    raise _BadLineError(f"{name}, which JSON does not know")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_pairs, parse_constant=_no_constant)


def _read_json_lines(text: str, limits: Limits) -> pl.DataFrame | Finding:
    columns: dict[str, list[object]] = {}
    row = 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        row += 1
        if row > limits.rows:
            return Finding(
                check="Rows", expected=f"at most {limits.rows} rows", found="more of them"
            )
        record = _json_record(line)
        if isinstance(record, str):
            return Finding(check="JSONLines", row=row, expected="a JSON object", found=record)
        for name, value in record.items():
            cells = columns.get(name)
            if cells is None:
                if len(columns) >= limits.columns:
                    return _too_many_columns(limits.columns + 1, limits) or pl.DataFrame()
                cells = columns[name] = []
            cells.extend([None] * (row - 1 - len(cells)))
            cells.append(value)
    for cells in columns.values():
        cells.extend([None] * (row - len(cells)))
    return _json_frame(columns)


def _json_record(line: str) -> dict[str, object] | str:
    """Return the line's object, or what was found instead."""
    try:
        record = _DECODER.decode(line.strip())
    except _BadLineError as error:
        return str(error)
    except (json.JSONDecodeError, RecursionError):
        return f"text of {len(line)} characters that is no JSON"
    except ValueError:
        return "a number with too many digits"
    if not isinstance(record, dict):
        return f"a JSON {_json_type(record)}"
    return record


def _json_frame(columns: dict[str, list[object]]) -> pl.DataFrame | Finding:
    header = _check_header(list(columns))
    if isinstance(header, Finding):
        return header
    series = []
    for position, (name, cells) in enumerate(columns.items(), start=1):
        column = _json_column(name, cells, position)
        if isinstance(column, Finding):
            return column
        series.append(column)
    return pl.DataFrame(series)


def _json_column(name: str, cells: list[object], position: int) -> pl.Series | Finding:
    """Return the cells as one column, or the first cell that does not fit those before it."""
    kind: str | None = None
    for row, cell in enumerate(cells, start=1):
        if cell is None:
            continue
        found = _json_type(cell)
        kind = kind or found
        if found != kind or found in ("object", "array", "number out of range"):
            return Finding(
                check="JSONLines",
                row=row,
                expected="plain values of one type in a column",
                found=f"a JSON {found} in column number {position}",
            )
    if kind == "text":
        return pl.Series(name, cells, dtype=pl.String).replace("", None)
    if kind == "number":
        whole = not any(isinstance(cell, float) for cell in cells)
        return pl.Series(name, cells, dtype=pl.Int64 if whole else pl.Float64, strict=False)
    return pl.Series(name, cells, dtype=pl.Boolean if kind else pl.String)


def _json_type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "number" if -_INT64 <= value < _INT64 else "number out of range"
    if isinstance(value, float):
        return "number" if math.isfinite(value) else "number out of range"
    if isinstance(value, dict):
        return "object"
    return "text" if isinstance(value, str) else "array"
