"""Raw columns into the types that the schema declares; what does not convert is a finding."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from hallmark.api.findings import Finding
from hallmark.data.physical import plain, whole_digits
from hallmark.data.table import Column, ColumnSpec, ColumnType, Table, first_rows
from hallmark.data.twins import spelling

NUMBER_PATTERN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_INTEGER_PATTERN = r"^[+-]?[0-9]+$"
_TRUE = ("true", "True", "TRUE", "1")
_FALSE = ("false", "False", "FALSE", "0")
_WHOLE_PATTERN = r"^[+-]?0*([0-9]+)$"
_EXACT = 2**53
"""Up to here a double holds every whole number."""
_EXACT_DIGITS = 15
"""A double holds every whole number of so many digits."""

_EXPECTED = {
    ColumnType.NUMBER: "a finite decimal number; a whole one must be one that a double holds",
    ColumnType.INTEGER: "a whole number of at most 64 bits",
    ColumnType.BOOLEAN: "true or false",
    ColumnType.CATEGORY: "text, a whole number or a boolean",
    ColumnType.TEXT: "text, a whole number or a boolean",
}


@dataclass(frozen=True)
class Conversion:
    """A typed table (None where a declared column is missing), and what did not fit."""

    table: Table | None
    findings: tuple[Finding, ...]

    @property
    def wrong_types(self) -> int:
        """How many cells did not convert; they are null in the table."""
        return sum(finding.count for finding in self.findings if finding.check == "Type")


def convert(raw: pl.DataFrame, specs: list[ColumnSpec]) -> Conversion:
    """Return the declared columns with their declared types.

    Cells that do not convert become null; a finding counts them, and one counts the empty cells
    of a column that is not nullable.

    Args:
        raw: What a reader returned.
        specs: The declared columns.
    """
    missing = [spec for spec in specs if spec.name not in raw.columns]
    if missing:
        return Conversion(None, tuple(_missing(missing, raw.columns, len(missing) == len(specs))))
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        converted = list(threads.map(lambda spec: _convert(raw.get_column(spec.name), spec), specs))
    findings = tuple(finding for _, column_findings in converted for finding in column_findings)
    return Conversion(Table(tuple(column for column, _ in converted)), findings)


def _missing(specs: list[ColumnSpec], names: list[str], all_of_them: bool) -> Iterator[Finding]:
    spelled = {spelling(name): place for place, name in enumerate(names, start=1)}
    for spec in specs:
        found = "no such column"
        twin = spelled.get(spelling(spec.name))
        if twin is not None:
            found += (
                f", but column number {twin}, whose name differs in case, spaces or a full stop "
                "alone"
            )
        elif all_of_them:
            found += ", nor any other that is declared; the file may have no header line"
        yield Finding(check="Columns", column=spec.name, expected="this column", found=found)


def _convert(values: pl.Series, spec: ColumnSpec) -> tuple[Column, list[Finding]]:
    column = Column(spec, values)
    if not _fits(column):
        column = Column(spec, _convert_column(values, spec.type).alias(spec.name))
    findings = []
    if column.values.null_count() > values.null_count():
        findings.append(_type_finding(values, values.is_not_null() & column.values.is_null(), spec))
    if not spec.nullable and values.null_count():
        findings.append(_null_finding(values.is_null(), spec))
    return column, findings


def _fits(column: Column) -> bool:
    """Whether the column is as declared already, so that nothing needs to be copied."""
    if column.spec.type is ColumnType.NUMBER and column.values.dtype == pl.Float64:
        return column.extent is None or column.extent.plain
    return column.spec.type is ColumnType.INTEGER and column.values.dtype == pl.Int64


def _convert_column(values: pl.Series, wanted: ColumnType) -> pl.Series:
    """Return the column as wanted; cells that cannot be are null."""
    values = plain(values)
    if wanted is ColumnType.NUMBER:
        return _to_number(values)
    if wanted is ColumnType.INTEGER:
        return _to_integer(values)
    if wanted is ColumnType.BOOLEAN:
        return _to_boolean(values)
    return _to_text(values)


def _to_number(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        values = _where(values.str.contains(NUMBER_PATTERN), values)
        number = _nearest(values, values.str.extract(_WHOLE_PATTERN, 1))
    elif values.dtype.is_decimal():
        number = _nearest(values.cast(pl.String), whole_digits(values))
    elif values.dtype.is_integer():
        number = values.cast(pl.Float64)
        number = _where((number.cast(values.dtype, strict=False) == values), number)
    elif values.dtype.is_float():
        number = values
    else:
        return _none(values, pl.Float64)
    # Minus zero becomes zero; polars would drop an addition of 0.0 as idle.
    return _where(number.is_finite(), number).replace(-0.0, 0.0)


def _nearest(texts: pl.Series, whole: pl.Series) -> pl.Series:
    """Return the doubles nearest to decimal texts; whole numbers that none holds are null.

    Args:
        texts: Decimal numbers.
        whole: The digits of those that are whole numbers, null for all others.
    """
    number = texts.str.strip_prefix("+").cast(pl.Float64, strict=False)
    number = _where(number.is_finite(), number)
    long = (whole.str.len_bytes() > _EXACT_DIGITS).fill_null(value=False)
    if not long.any():
        return number
    pairs = zip(whole.filter(long), number.filter(long), strict=True)
    exact = [
        double is not None and abs(int(double)) == abs(int(digits)) for digits, double in pairs
    ]
    inexact = long.arg_true().filter(~pl.Series(exact, dtype=pl.Boolean))
    return number.scatter(inexact, None)


def _to_integer(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        values = _where(values.str.contains(_INTEGER_PATTERN), values).str.strip_prefix("+")
    elif values.dtype.is_decimal():
        values = whole_digits(values)
    elif values.dtype.is_float():
        whole = values.is_finite() & (values == values.floor()) & (values.abs() <= _EXACT)
        values = _where(whole, values)
    elif not values.dtype.is_integer():
        return _none(values, pl.Int64)
    return values.cast(pl.Int64, strict=False)


def _to_boolean(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Boolean:
        return values
    if values.dtype.is_decimal():
        values = whole_digits(values)
    if values.dtype == pl.String:
        true, false = values.is_in(_TRUE), values.is_in(_FALSE)
    elif values.dtype.is_numeric():
        true, false = values == 1, values == 0
    else:
        return _none(values, pl.Boolean)
    return _where(true | false, true)


def _to_text(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        return values
    if values.dtype.is_decimal():
        return whole_digits(values)
    if values.dtype.is_float():
        values = _to_integer(values)
    if values.dtype.is_integer() or values.dtype == pl.Boolean:
        return values.cast(pl.String)
    return _none(values, pl.String)


def _where(condition: pl.Series, values: pl.Series) -> pl.Series:
    """Return the values where the condition holds, null elsewhere."""
    frame = pl.DataFrame([values.alias("values"), condition.alias("condition")])
    return frame.select(pl.when("condition").then("values")).to_series()


def _none(values: pl.Series, dtype: type[pl.DataType]) -> pl.Series:
    return pl.Series(values.name, [None], dtype=dtype).new_from_index(0, len(values))


def _type_finding(values: pl.Series, bad: pl.Series, spec: ColumnSpec) -> Finding:
    first = bad.arg_max() or 0
    return Finding(
        check="Type",
        column=spec.name,
        row=first + 1,
        rows=first_rows(bad),
        count=int(bad.sum()),
        expected=_EXPECTED[spec.type],
        found=describe_cell(values, first),
    )


def _null_finding(null: pl.Series, spec: ColumnSpec) -> Finding:
    return Finding(
        check="Null",
        column=spec.name,
        row=(null.arg_max() or 0) + 1,
        rows=first_rows(null),
        count=int(null.sum()),
        expected="a value",
        found="an empty cell",
    )


_TEMPORAL = {
    pl.Date: "a date",
    pl.Datetime: "a timestamp",
    pl.Time: "a time of day",
    pl.Duration: "a duration",
}


def describe_cell(values: pl.Series, position: int) -> str:
    """Return what a cell is, by type and length: never its value."""
    # Not every date of polars is one of Python.
    temporal = _TEMPORAL.get(values.dtype.base_type())
    return temporal or describe(values[position])


def describe(value: object) -> str:
    """Return what a value is, by type and length: never the value."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return f"a whole number of {len(str(abs(value)))} digits"
    if isinstance(value, float):
        return "a fraction" if value - value == 0 else "NaN or infinity"
    if isinstance(value, str):
        return f"text of {len(value)} character{'s' if len(value) != 1 else ''}"
    if isinstance(value, Decimal):
        return f"a decimal number of {len(value.as_tuple().digits)} digits"
    return f"a {type(value).__name__}"
