"""The declared schema against the rows: what refuses a dataset, and what is worth a remark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from hallmark.api.artifacts import Finding
from hallmark.api.training_run import Feature, FeatureType, Schema
from hallmark.data.table import Column, ColumnSpec, ColumnType, Table

MIN_ROWS = 50
FLOAT32_MAX = 3.4028234663852886e38
MIN_CLASS_ROWS = 10
"""Fewer rows of a class leave too little to learn from and to test on."""


@dataclass(frozen=True)
class Validation:
    """What breaks the schema, what is worth a remark, and how many cells are at fault."""

    refusals: tuple[Finding, ...]
    remarks: tuple[Finding, ...]
    invalid_cells: int


def check_declaration(schema: Schema) -> list[Finding]:
    """Return what the schema asks that cannot be: checked before any data is read."""
    findings = [
        finding for feature in schema.features for finding in _check_feature_declaration(feature)
    ]
    names = [feature.name for feature in schema.features]
    sensitive = [attribute.name for attribute in schema.sensitive]
    for group in (names, sensitive):
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
    """Judge the typed rows.

    Args:
        table: The declared columns.
        schema: What they must look like.
        undeclared: How many further columns the file has.
    """
    cells = [finding for column in table.columns for finding in check_cells(column)]
    refusals = cells + check_target(table.column(schema.target.name).values, schema)
    if table.rows < MIN_ROWS:
        refusals.append(
            Finding(check="Rows", expected=f"at least {MIN_ROWS} rows", found=f"{table.rows}")
        )
    remarks = [*_constants(table), *_duplicates(table)]
    if undeclared:
        remarks.append(
            Finding(
                check="Columns",
                count=undeclared,
                expected="declared columns only",
                found=f"{undeclared} more, which are not used",
            )
        )
    invalid = sum(finding.count for finding in cells)
    return Validation(tuple(refusals), tuple(remarks), invalid)


def check_cells(column: Column) -> Iterator[Finding]:
    """Yield what is wrong with a column's values: range, categories."""
    spec, values = column.spec, column.values
    if spec.type is ColumnType.NUMBER:
        expected = f"a number up to {FLOAT32_MAX:g}, the largest that the model can take"
        yield from _cells(values.abs() > FLOAT32_MAX, spec, "Range", expected, "a larger one")
    if spec.minimum is not None:
        yield from _out_of_range(values < spec.minimum, column, f"at least {spec.minimum:g}")
    if spec.maximum is not None:
        yield from _out_of_range(values > spec.maximum, column, f"at most {spec.maximum:g}")
    if spec.categories is not None:
        # is_in answers null for null, which is no undeclared category.
        yield from _cells(
            ~values.is_in(list(spec.categories)),
            spec,
            "Category",
            f"one of the {len(spec.categories)} declared categories",
            "another text",
        )


def _out_of_range(mask: pl.Series, column: Column, expected: str) -> Iterator[Finding]:
    first = mask.fill_null(value=False).arg_max() or 0
    found = "a number beyond it" if column.spec.private else f"{column.values[first]}"
    yield from _cells(mask, column.spec, "Range", expected, found)


def _cells(
    mask: pl.Series, spec: ColumnSpec, check: str, expected: str, found: str
) -> Iterator[Finding]:
    count = int(mask.sum())
    if count:
        first = mask.fill_null(value=False).arg_max() or 0
        yield Finding(
            check=check,
            column=spec.name,
            row=first + 1,
            count=count,
            expected=expected,
            found=found,
        )


def check_target(target: pl.Series, schema: Schema) -> list[Finding]:
    """Return what is wrong with the classes: two are needed, one of them the positive."""
    name, positive = schema.target.name, schema.target.positive
    counts = target.drop_nulls().value_counts().get_column("count").to_list()
    findings = []
    if len(counts) != 2:
        findings.append(
            Finding(
                check="Target", column=name, expected="two classes", found=f"{len(counts)} of them"
            )
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
    if not (target == positive).any():
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
        if column.spec.type is not ColumnType.TEXT and column.values.n_unique() == 1:
            yield Finding(
                check="Constant",
                column=column.name,
                expected="values that differ",
                found="the same in every row",
            )


def _duplicates(table: Table) -> Iterator[Finding]:
    repeated = ~table.frame().to_struct().is_first_distinct()
    count = int(repeated.sum())
    if count:
        yield Finding(
            check="Duplicate",
            row=(repeated.arg_max() or 0) + 1,
            count=count,
            expected="rows that differ in the declared columns",
            found="a row equal to an earlier one",
        )
