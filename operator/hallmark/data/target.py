"""The classes: how many there are, how they are spelled, and which of them were not declared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from hallmark.api.findings import Finding
from hallmark.api.schema import Schema, Target
from hallmark.data.leakage import MAX_CLASSES
from hallmark.data.table import Column, first_rows
from hallmark.data.twins import EXPECTED, near_twins, said, spelling

MIN_CLASS_ROWS = 10
"""Fewer rows of a class leave too little to learn from and to test on."""
_MAX_NAMED = 5
"""So many values are named; they are told by their first rows."""


@dataclass(frozen=True)
class TargetCheck:
    """What is wrong with the classes.

    Attributes:
        findings: Each a refusal.
        invalid_cells: How many cells hold a class that was not declared.
    """

    findings: tuple[Finding, ...]
    invalid_cells: int


def class_counts(values: pl.Series) -> dict[str, int]:
    """Return how many rows each class has, the most frequent first, and of equals the earlier."""
    # The column may itself be called "count".
    counts = values.drop_nulls().alias("value").value_counts(sort=False)
    pairs = zip(counts.to_series(0), counts.get_column("count"), strict=True)
    first = {value: row for row, value in enumerate(values.unique(maintain_order=True))}
    return dict(sorted(pairs, key=lambda pair: (-pair[1], first[pair[0]])))


def check_target(target: Column, schema: Schema) -> TargetCheck:
    """Return what is wrong with the classes: from two on, none rare, each spelled in one way.

    Args:
        target: Each row's class.
        schema: Names the target, its classes, and the positive one if there is one.
    """
    counts = class_counts(target.values)
    found = list(_undeclared(target, schema.target, counts))
    invalid = sum(finding.count for finding in found)
    if not 2 <= len(counts) <= MAX_CLASSES:
        found.append(_finding(target, f"from 2 to {MAX_CLASSES} classes", f"{len(counts)}"))
    elif schema.target.categories is None:
        found += _spelled_twice(target, schema.target, counts)
        found += _beside_two(target, schema.target, counts)
    if not found:  # a class that is refused for itself is not called rare, too
        rows = min(counts.get(value, 0) for value in schema.target.categories or counts)
        if rows < MIN_CLASS_ROWS:
            expected = f"at least {MIN_CLASS_ROWS} rows of each class"
            found.append(_finding(target, expected, f"{rows} of one"))
    found += _without_positive(target, schema.target, counts)
    return TargetCheck(tuple(found), invalid)


def _without_positive(
    target: Column, declared: Target, counts: dict[str, int]
) -> Iterator[Finding]:
    positive = declared.positive
    if positive is None or positive in counts:
        return
    twin = any(spelling(value) == spelling(positive) for value in counts)
    found = "none" + (", but of one that differs in case, spaces or a full stop" if twin else "")
    yield _finding(target, f"rows of the positive class '{positive}'"[:256], found)


def _undeclared(target: Column, declared: Target, counts: dict[str, int]) -> Iterator[Finding]:
    if declared.categories is None:
        return
    expected = f"one of the {len(declared.categories)} classes in 'target.categories'"
    known = set(declared.categories)
    twins = {spelling(value) for value in known}
    others = [value for value in counts if value not in known]
    for value in others[:_MAX_NAMED]:
        twin = (
            ", which differs from one of them in case, spaces or a full stop alone"
            if spelling(value) in twins
            else ""
        )
        yield _value_finding(
            target, [value], expected, _told(target, declared, [value], "another") + twin
        )
    rest = others[_MAX_NAMED:]
    if rest:
        yield _value_finding(target, rest, expected, f"{len(rest)} further ones")


def _spelled_twice(target: Column, declared: Target, counts: dict[str, int]) -> Iterator[Finding]:
    for group in near_twins(counts)[:_MAX_NAMED]:
        yield _value_finding(
            target,
            group[1:],
            f"{EXPECTED}; if these are different classes, list them in 'target.categories'",
            _told(target, declared, group, f"{len(group)} classes that do not"),
        )


def _beside_two(target: Column, declared: Target, counts: dict[str, int]) -> Iterator[Finding]:
    """Yield the values beside the positive class and the most frequent other one."""
    if declared.positive is None or declared.positive not in counts:
        return
    taken = {spelling(declared.positive)}
    for value in counts:
        if len(taken) < 2 or spelling(value) in taken:
            taken.add(spelling(value))
            continue
        taken.add(spelling(value))
        yield _value_finding(
            target,
            [value],
            "two classes, the positive one and another; if there are more, list all of them in "
            "'target.categories'",
            _told(target, declared, [value], "a further one"),
        )
        if len(taken) >= _MAX_NAMED + 2:
            return


def _told(target: Column, declared: Target, values: list[str], otherwise: str) -> str:
    """Return the values for a sentence; of a private column those alone that the schema says."""
    known = {declared.positive, *(declared.categories or ())}
    sayable = [value for value in values if value in known or not target.spec.private]
    if not sayable:
        return otherwise
    return said(sayable)[:180] + (" and another" if len(sayable) < len(values) else "")


def _value_finding(target: Column, values: list[str], expected: str, found: str) -> Finding:
    mask = target.values.is_in(values).fill_null(value=False)
    rows = first_rows(mask)
    return Finding(
        check="Target",
        column=target.name,
        row=rows[0],
        rows=rows,
        count=int(mask.sum()),
        expected=expected,
        found=found,
    )


def _finding(target: Column, expected: str, found: str) -> Finding:
    return Finding(check="Target", column=target.name, expected=expected, found=found)
