"""From JSON values to the rows that the served form takes, strictly by the signed schema.

A value of another type, an unknown category, a null where none is declared, a missing or an
undeclared feature is refused. A number outside of the declared minimum and maximum is accepted:
traffic that leaves the range of the training data is what drift is, and it could not be seen if
it were turned away.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from hallmark.api.artifacts import ServedFeature, ServedSchema
from hallmark.api.training_run import FeatureType
from hallmark.drift.counts import Rows
from hallmark_predictor.problems import (
    MAX_PROBLEMS,
    BadRequest,
    Problem,
    bad_request,
    describe,
    refuse,
)

MAX_ROWS = 10_000
"""Rows that one request may have."""

FLOAT32_MAX = float(np.finfo(np.float32).max)

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,62}")

Encode = Callable[[object], float | None]
"""Returns the encoded value, or None if it is not acceptable."""


class _Absent:
    """Stands for a feature that a row lacks."""


_ABSENT = _Absent()


@dataclass(frozen=True)
class Column:
    """A feature, and how its values become numbers."""

    feature: ServedFeature
    encode: Encode
    expected: str

    def problem(self, value: object, row: int | None) -> Problem:
        """Return what is wrong with a value that ``encode`` did not accept."""
        numeric = self.feature.type in (FeatureType.NUMBER, FeatureType.INTEGER)
        return Problem(self.feature.name, row, self.expected, describe(value, numbers=numeric))


def columns_of(schema: ServedSchema) -> tuple[Column, ...]:
    """Return the schema's columns in order."""
    return tuple(_column(feature) for feature in schema.features)


def _column(feature: ServedFeature) -> Column:
    encode, expected = _encoder(feature)
    if not feature.nullable:
        return Column(feature, encode, expected)

    def or_null(value: object) -> float | None:
        return math.nan if value is None else encode(value)

    return Column(feature, or_null, f"{expected} or null")


def _encoder(feature: ServedFeature) -> tuple[Encode, str]:
    match feature.type:
        case FeatureType.NUMBER:
            return _number, "a finite number"
        case FeatureType.INTEGER:
            return _integer, "a whole number"
        case FeatureType.BOOLEAN:
            return _boolean, "true or false"
        case FeatureType.CATEGORY:
            names = feature.categories or []
            shown = ", ".join(f"'{name}'" for name in names[:8])
            more = f" or {len(names) - 8} others" if len(names) > 8 else ""
            return _category(names), f"one of {shown}{more}"


def _number(value: object) -> float | None:
    # ``type`` and not ``isinstance``: a boolean is an int to Python, but no number in JSON.
    if type(value) is float or type(value) is int:
        return float(value) if -FLOAT32_MAX <= value <= FLOAT32_MAX else None
    return None


def _integer(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number.is_integer() else None


def _boolean(value: object) -> float | None:
    if value is True:
        return 1.0
    return 0.0 if value is False else None


def _category(names: Sequence[str]) -> Encode:
    index = {name: float(position) for position, name in enumerate(names)}

    def encode(value: object) -> float | None:
        return index.get(value) if type(value) is str else None

    return encode


def rows_of_instances(instances: object, columns: Sequence[Column]) -> Rows | BadRequest:
    """Return the encoded rows of a list of objects, each with every feature by name."""
    if not isinstance(instances, list) or not instances:
        return refuse("instances", "a list of at least one object", describe(instances))
    if len(instances) > MAX_ROWS:
        return refuse("instances", f"at most {MAX_ROWS} rows", f"{len(instances)} rows")
    encoders = [(column.feature.name, column.encode) for column in columns]
    cells: list[float | None] = []
    problems: list[Problem] = []
    for index, instance in enumerate(instances):
        if isinstance(instance, dict) and len(instance) == len(columns):
            found = [encode(instance.get(name, _ABSENT)) for name, encode in encoders]
            if None not in found:
                cells += found
                continue
        problems += _problems_of(instance, index, columns)
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        return bad_request(problems)
    return np.array(cells, dtype=np.float32).reshape(len(instances), len(columns))


def _problems_of(instance: object, row: int, columns: Sequence[Column]) -> list[Problem]:
    if not isinstance(instance, dict):
        return [Problem("instances", row, "an object of feature values", describe(instance))]
    problems = [
        column.problem(value, row)
        for column in columns
        if column.encode(value := instance.get(column.feature.name, _ABSENT)) is None
    ]
    declared = {column.feature.name for column in columns}
    extra = islice((key for key in instance if key not in declared), MAX_PROBLEMS)
    return problems + [Problem(_shown(key), row, "no such feature", "one") for key in extra]


def _shown(key: str) -> str:
    """Return a member's name where it is like a column's; else it may be anybody's text."""
    return key if _FIELD_NAME.fullmatch(key) else f"a name of {len(key)} characters"


def rows_of_columns(
    values: Sequence[Sequence[object]], columns: Sequence[Column]
) -> Rows | BadRequest:
    """Return the encoded rows of one list of values for each column, all of one length."""
    rows = np.empty((len(values[0]), len(columns)), dtype=np.float32)
    problems: list[Problem] = []
    for position, (column, cells) in enumerate(zip(columns, values, strict=True)):
        found = [column.encode(cell) for cell in cells]
        if None in found:
            wrong = (row for row, value in enumerate(found) if value is None)
            problems += [column.problem(cells[row], row) for row in islice(wrong, MAX_PROBLEMS)]
        else:
            rows[:, position] = found
    return bad_request(problems) if problems else rows


def rows_of_matrix(cells: Sequence[object], columns: Sequence[Column]) -> Rows | BadRequest:
    """Return the rows of an already encoded matrix, flat in row-major order.

    It holds a number for each cell: a category's index, 0 or 1 for a boolean, null for null.
    """
    width = len(columns)
    if not set(map(type, cells)) <= {int, float, type(None)}:
        wrong = next(i for i, c in enumerate(cells) if type(c) not in (int, float, type(None)))
        name = columns[wrong % width].feature.name
        found = describe(cells[wrong])
        return bad_request([Problem(name, wrong // width, "a number or null", found)])
    values = np.array([_as_float(cell) for cell in cells]).reshape(-1, width)
    problems: list[Problem] = []
    for position, column in enumerate(columns):
        name = column.feature.name
        allowed, expected = _allowed(values[:, position], column.feature)
        for row in np.flatnonzero(~allowed)[:MAX_PROBLEMS].tolist():
            found = describe(cells[row * width + position], numbers=True)
            problems.append(Problem(name, row, expected, found))
    return bad_request(problems) if problems else values.astype(np.float32)


def _as_float(cell: object) -> float:
    if cell is None:
        return math.nan
    number = _number(cell)
    return math.inf if number is None else number


def _allowed(values: NDArray[np.float64], feature: ServedFeature) -> tuple[NDArray[np.bool_], str]:
    null = np.isnan(values)
    whole = np.isfinite(values) & (np.floor(values) == values)
    match feature.type:
        case FeatureType.NUMBER:
            allowed, expected = np.isfinite(values), "a finite number"
        case FeatureType.INTEGER:
            allowed, expected = whole, "a whole number"
        case FeatureType.BOOLEAN:
            allowed, expected = whole & (values >= 0) & (values <= 1), "0 or 1"
        case FeatureType.CATEGORY:
            count = len(feature.categories or [])
            allowed = whole & (values >= 0) & (values < count)
            expected = f"a category's index, 0 to {count - 1}"
    if feature.nullable:
        return allowed | null, f"{expected}, or null"
    return allowed, expected
