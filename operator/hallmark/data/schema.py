"""The declared schema against the rows: what refuses a dataset, and what is worth a remark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from hallmark.api.artifacts import Finding
from hallmark.api.training_run import Feature, FeatureType, Schema
from hallmark.data import leakage
from hallmark.data.duplicates import RepeatedRows, duplicate_findings, repeated_rows
from hallmark.data.leakage import MAX_CLASSES, Leakage
from hallmark.data.table import Column, ColumnSpec, ColumnType, Table, first_rows

MIN_ROWS = 50
FLOAT32_MAX = 3.4028234663852886e38
MAX_LENGTH = 256
"""Characters of a class, group or identifier, as of one that the schema declares: more is prose."""
MIN_CLASS_ROWS = 10
"""Fewer rows of a class leave too little to learn from and to test on."""
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


def check_declaration(schema: Schema) -> list[Finding]:
    """Return what the schema asks that cannot be: checked before any data is read."""
    findings = [
        finding for feature in schema.features for finding in _check_feature_declaration(feature)
    ]
    names = [feature.name for feature in schema.features]
    sensitive = [attribute.name for attribute in schema.sensitive]
    for group in (names, sensitive, schema.identifiers):
        findings += [
            Finding(
                check="Schema", column=name, expected="each column once", found=f"{times} of it"
            )
            for name, times in Counter(group).items()
            if times > 1
        ]
    if schema.target.name in (*names, *sensitive):
        findings.append(
            Finding(
                check="Schema",
                column=schema.target.name,
                expected="a target that is neither a feature nor a sensitive attribute",
                found="both",
            )
        )
    taken = {schema.target.name, *names, *sensitive}
    findings += [
        Finding(
            check="Schema",
            column=name,
            expected="an identifier that is no feature, target or sensitive attribute: what is "
            "learned of it holds for one row",
            found="both; leave the column out of one of them",
        )
        for name in schema.identifiers
        if name in taken
    ]
    return findings


def _check_feature_declaration(feature: Feature) -> Iterator[Finding]:
    category = feature.type is FeatureType.CATEGORY
    bounds = feature.minimum is not None or feature.maximum is not None
    if category and not feature.categories:
        yield _declaration(feature, "declared categories", "none")
    if feature.categories:
        if not category:
            yield _declaration(feature, "no categories", f"some for type {feature.type}")
        if len(set(feature.categories)) != len(feature.categories) or "" in feature.categories:
            yield _declaration(feature, "distinct, non-empty categories", "a repeated or empty one")
    if bounds and feature.type in (FeatureType.CATEGORY, FeatureType.BOOLEAN):
        yield _declaration(feature, "no minimum or maximum", f"one for type {feature.type}")
    if (
        feature.minimum is not None
        and feature.maximum is not None
        and float(feature.minimum) > float(feature.maximum)
    ):
        yield _declaration(feature, "a minimum up to the maximum", "a greater one")


def _declaration(feature: Feature, expected: str, found: str) -> Finding:
    return Finding(check="Schema", column=feature.name, expected=expected, found=found)


def validate(table: Table, schema: Schema, undeclared: int = 0) -> Validation:
    """Return what breaks the schema, what is worth a remark, and the counts.

    Args:
        table: The declared columns.
        schema: What they must look like.
        undeclared: How many further columns the file has.
    """
    cells = [finding for column in table.columns for finding in check_cells(column)]
    target = table.column(schema.target.name).values
    repeated = repeated_rows(table, schema)
    leaks = leakage.measure_leakage(table, schema)
    groups = [_group_rows(table, attribute.name) for attribute in schema.sensitive]
    refusals = [*cells, *check_target(target, schema), *leakage.refusals(leaks)]
    if table.rows < MIN_ROWS:
        refusals.append(
            Finding(check="Rows", expected=f"at least {MIN_ROWS} rows", found=f"{table.rows}")
        )
    remarks = [
        *_constants(table),
        *duplicate_findings(repeated),
        *leakage.remarks(table, leaks),
        *_small_groups(schema, groups),
        *_undeclared(undeclared),
    ]
    return Validation(
        tuple(refusals),
        tuple(remarks),
        sum(finding.count for finding in cells),
        repeated,
        leaks,
        tuple(sorted(_counts(target))),
        min(groups) if groups else None,
    )


def _undeclared(count: int) -> Iterator[Finding]:
    if count:
        yield Finding(
            check="Columns",
            count=count,
            expected="declared columns only",
            found=f"{count} more, which are not used",
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
        yield from _cells(
            ~values.is_in(list(spec.categories)),
            spec,
            "Category",
            f"one of the {len(spec.categories)} declared categories",
            "another text",
        )
    if spec.identifier:
        again = ~values.is_first_distinct() & values.is_not_null()
        yield from _cells(again, spec, "Identifier", "each identifier once", "one again")


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


def check_target(target: pl.Series, schema: Schema) -> list[Finding]:
    """Return what is wrong with the classes: from two on, none of them rare.

    Args:
        target: Each row's class.
        schema: Names the target, and the positive class if there is one.
    """
    name, positive = schema.target.name, schema.target.positive
    counts = _counts(target)
    findings = []
    if not 2 <= len(counts) <= MAX_CLASSES:
        expected = f"from 2 to {MAX_CLASSES} classes"
        findings.append(
            Finding(check="Target", column=name, expected=expected, found=f"{len(counts)}")
        )
    elif min(counts) < MIN_CLASS_ROWS:
        findings.append(
            Finding(
                check="Target",
                column=name,
                expected=f"at least {MIN_CLASS_ROWS} rows of each class",
                found=f"{min(counts)} of one",
            )
        )
    if positive is not None and not (target == positive).any():
        findings.append(
            Finding(
                check="Target",
                column=name,
                expected=f"rows of the positive class '{positive}'"[:256],
                found="none",
            )
        )
    return findings


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
