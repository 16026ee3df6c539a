"""The declared schema against the rows: what refuses a dataset, and what is worth a remark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from hallmark.api.findings import Finding
from hallmark.api.schema import Schema
from hallmark.data import leakage
from hallmark.data.duplicates import RepeatedRows, duplicate_findings, repeated_rows
from hallmark.data.leakage import Leakage
from hallmark.data.table import Column, ColumnSpec, ColumnType, Table, first_rows
from hallmark.data.target import check_target
from hallmark.data.twins import EXPECTED, near_twins, said, spelling

MIN_ROWS = 50
FLOAT32_MAX = 3.4028234663852886e38
MAX_LENGTH = 256
"""Characters of a class, group or identifier, as of one that the schema declares: more is prose."""
_MAX_TOLD = 180
_MAX_COMPARED = 1000
MIN_GROUP_ROWS = 30
"""Of fewer rows in a group of a sensitive attribute, a rate says little."""


@dataclass(frozen=True)
class Validation:
    """The findings against the schema, the remarks, and the counts made on the way.

    Attributes:
        refusals: What cannot be right.
        remarks: What a person should know; matters of degree, for gates.
        invalid_cells: Cells of a wrong range or category, and identifiers that stand again.
        repeated: Rows that are there more than once.
        leaks: How much each feature tells of the target.
        class_rows: How many rows each class has, ascending.
        smallest_group: Rows of the smallest sensitive group; None without sensitive attributes.
    """

    refusals: tuple[Finding, ...]
    remarks: tuple[Finding, ...]
    invalid_cells: int
    repeated: RepeatedRows
    leaks: tuple[Leakage, ...]
    class_rows: tuple[int, ...]
    smallest_group: int | None


def validate(table: Table, schema: Schema, undeclared: Sequence[str] = ()) -> Validation:
    """Return what breaks the schema, what is worth a remark, and the counts.

    Args:
        table: The declared columns.
        schema: What they must look like.
        undeclared: What the further columns of the file may be called.
    """
    cells = [finding for column in table.columns for finding in check_cells(column)]
    target = check_target(table.column(schema.target.name), schema)
    repeated = repeated_rows(table, schema)
    leaks = leakage.measure_leakage(table, schema)
    groups = [_group_rows(table, attribute.name) for attribute in schema.sensitive]
    refusals = [*cells, *target.findings, *leakage.refusals(leaks)]
    if table.rows < MIN_ROWS:
        refusals.append(
            Finding(check="Rows", expected=f"at least {MIN_ROWS} rows", found=f"{table.rows}")
        )
    remarks = [
        *_constants(table),
        *duplicate_findings(repeated),
        *leakage.remarks(table, leaks),
        *_small_groups(schema, groups),
        *(remark for column in table.columns for remark in _twins(column, schema)),
        *_undeclared(undeclared),
    ]
    return Validation(
        tuple(refusals),
        tuple(remarks),
        sum(finding.count for finding in cells) + target.invalid_cells,
        repeated,
        leaks,
        tuple(sorted(_counts(table.column(schema.target.name).values))),
        min(groups) if groups else None,
    )


def _undeclared(columns: Sequence[str]) -> Iterator[Finding]:
    if not columns:
        return
    told = ", ".join(columns)
    if len(told) > _MAX_TOLD:
        told = f"{told[:_MAX_TOLD]}..."
    yield Finding(
        check="Columns",
        count=len(columns),
        expected="declared columns only",
        found=f"{len(columns)} more, which are not used: {told}",
    )


def _twins(column: Column, schema: Schema) -> Iterator[Finding]:
    """Yield a remark on categories or groups that are most likely the same."""
    groups = {attribute.name for attribute in schema.sensitive}
    declared = list(column.spec.categories or ())
    values = declared
    if not declared and column.name in groups and column.spec.type is ColumnType.TEXT:
        values = column.values.drop_nulls().unique(maintain_order=True).to_list()
    if len(values) > _MAX_COMPARED:
        return
    for group in near_twins(values):
        yield Finding(
            check="Twins",
            column=column.name,
            expected=EXPECTED,
            found=said(group)[:256] if declared else f"{len(group)} that do not",
        )


def _counts(values: pl.Series) -> list[int]:
    # The column may itself be called "count".
    counted = values.drop_nulls().alias("value").value_counts()
    rows: list[int] = counted.get_column("count").to_list()
    return rows


def _group_rows(table: Table, attribute: str) -> int:
    """Return how many rows the smallest group has; a declared one that does not occur has none."""
    column = table.column(attribute)
    counts = _counts(column.values)
    declared = len(column.spec.categories or ())
    return 0 if len(counts) < max(1, declared) else min(counts)


def _small_groups(schema: Schema, groups: list[int]) -> Iterator[Finding]:
    for attribute, rows in zip(schema.sensitive, groups, strict=True):
        if rows < MIN_GROUP_ROWS:
            yield Finding(
                check="GroupRows",
                column=attribute.name,
                expected=f"at least {MIN_GROUP_ROWS} rows of each group",
                found=f"{rows} of one",
            )


def check_cells(column: Column) -> Iterator[Finding]:
    """Yield what is wrong with a column's values: range, length, categories, identifiers."""
    spec, values = column.spec, column.values
    if spec.type in (ColumnType.NUMBER, ColumnType.INTEGER):
        yield from _check_range(column)
    if spec.type is ColumnType.TEXT:
        yield from _check_length(column)
    if spec.categories is not None:
        # is_in answers null for null, which is no undeclared category.
        yield from _check_categories(column, spec.categories)
    if spec.identifier:
        again = ~values.is_first_distinct() & values.is_not_null()
        yield from _cells(again, spec, "Identifier", "each identifier once", "one again")


def _check_categories(column: Column, categories: Sequence[str]) -> Iterator[Finding]:
    others = ~column.values.is_in(list(categories))
    if not others.any():
        return
    known = set(map(spelling, categories))
    texts = column.values.filter(others.fill_null(value=False)).unique().to_list()
    twin = any(spelling(text) in known for text in texts[:_MAX_COMPARED])
    found = "another text" + (
        ", some of which differ from one of them in case, spaces or a full stop alone"
        if twin
        else ""
    )
    expected = f"one of the {len(categories)} declared categories"
    yield from _cells(others, column.spec, "Category", expected, found)


def _check_range(column: Column) -> Iterator[Finding]:
    """Yield what is beyond the declared range. The column's extent tells if anything is."""
    spec, values, extent = column.spec, column.values, column.extent
    if extent is None:
        return
    if spec.type is ColumnType.NUMBER and max(-extent.minimum, extent.maximum) > FLOAT32_MAX:
        expected = f"a number up to {FLOAT32_MAX:g}, the largest that the model can take"
        yield from _cells(values.abs() > FLOAT32_MAX, spec, "Range", expected, "a larger one")
    if spec.minimum is not None and extent.minimum < spec.minimum:
        yield from _out_of_range(values < spec.minimum, column, f"at least {spec.minimum:g}")
    if spec.maximum is not None and extent.maximum > spec.maximum:
        yield from _out_of_range(values > spec.maximum, column, f"at most {spec.maximum:g}")


def _out_of_range(mask: pl.Series, column: Column, expected: str) -> Iterator[Finding]:
    first = mask.fill_null(value=False).arg_max() or 0
    found = "a number beyond it" if column.spec.private else f"{column.values[first]}"
    yield from _cells(mask, column.spec, "Range", expected, found)


def _check_length(column: Column) -> Iterator[Finding]:
    lengths = column.values.str.len_chars()
    longest = lengths.fill_null(0).to_numpy().max(initial=0)
    expected = f"text of at most {MAX_LENGTH} characters"
    found = f"the longest of {longest} characters"
    yield from _cells(lengths > MAX_LENGTH, column.spec, "Length", expected, found)


def _cells(
    mask: pl.Series, spec: ColumnSpec, check: str, expected: str, found: str
) -> Iterator[Finding]:
    count = int(mask.sum())
    if count:
        rows = first_rows(mask)
        yield Finding(
            check=check,
            column=spec.name,
            row=rows[0],
            rows=rows,
            count=count,
            expected=expected,
            found=found,
        )


def _constants(table: Table) -> Iterator[Finding]:
    for column in table.columns:
        if column.spec.type is not ColumnType.TEXT and _is_constant(column):
            yield Finding(
                check="Constant",
                column=column.name,
                expected="values that differ",
                found="the same in every row",
            )


def _is_constant(column: Column) -> bool:
    nulls = column.values.null_count()
    if nulls or column.spec.type not in (ColumnType.NUMBER, ColumnType.INTEGER):
        return nulls in (0, len(column.values)) and column.values.n_unique() == 1
    return column.extent is not None and column.extent.minimum == column.extent.maximum
