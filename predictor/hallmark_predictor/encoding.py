"""From JSON values to the rows that the served form takes, strictly by the signed schema.

A value of another type, an unknown category, a null where none is declared, a missing or an
undeclared feature is refused, and so is a number outside of the declared minimum and maximum,
unless the schema lets it pass: what is certified of the model holds within them alone. What is
refused is counted, by feature and reason: traffic that leaves the range is drift, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hallmark.api.bounds import FLOAT32_MAX
from hallmark.api.columns import FeatureType, OutOfRange
from hallmark.api.documents import ServedFeature, ServedSchema
from hallmark.drift.counts import Rows
from hallmark.drift.refusals import NO_FEATURE, Reason
from hallmark_predictor.problems import (
    MAX_PROBLEMS,
    BadRequest,
    Problem,
    Tally,
    describe,
    refuse,
    shown,
)

MAX_ROWS = 10_000
"""Rows that one request may have."""

Encode = Callable[[object], float | None]
"""Returns the encoded value, or None if it is not acceptable."""


class _Absent:
    """Stands for a feature that a row lacks."""


_ABSENT = _Absent()


class Column(Struct, frozen=True):
    """A feature, and how its values become numbers."""

    feature: ServedFeature
    encode: Encode
    expected: str

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return self.feature.type in (FeatureType.NUMBER, FeatureType.INTEGER)

    def problem(self, value: object, row: int | None) -> Problem:
        """Return what is wrong with a value that ``encode`` did not accept."""
        found = describe(value, numbers=self.numeric)
        return Problem(self.feature.name, row, self.expected, found)

    def reason(self, value: object) -> Reason:
        """Return why ``encode`` did not accept a value."""
        if value is None or isinstance(value, _Absent):
            return Reason.MISSING
        if self.feature.type is FeatureType.CATEGORY and type(value) is str:
            return Reason.UNSEEN_CATEGORY
        if self.numeric and (type(value) is int or type(value) is float):
            fraction = self.feature.type is FeatureType.INTEGER and not _is_whole(value)
            return Reason.WRONG_TYPE if fraction else Reason.OUT_OF_RANGE
        return Reason.WRONG_TYPE


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
        case FeatureType.NUMBER | FeatureType.INTEGER:
            whole = feature.type is FeatureType.INTEGER
            return _number(*taken_range(feature), whole=whole), _expected_number(feature)
        case FeatureType.BOOLEAN:
            return _boolean, "true or false"
        case FeatureType.CATEGORY:
            names = feature.categories or []
            shown = ", ".join(f"'{name}'" for name in names[:8])
            more = f" or {len(names) - 8} others" if len(names) > 8 else ""
            return _category(names), f"one of {shown}{more}"


def taken_range(feature: ServedFeature) -> tuple[float, float]:
    """Return the least and the greatest double that float32 rounds into the feature's range."""
    low, high = feature.range
    return -_last_rounded_to(-low), _last_rounded_to(high)


def _last_rounded_to(end: float) -> float:
    """Return the greatest double whose float32 is at most ``end``, which is a float32."""
    if end == FLOAT32_MAX:
        return end
    above = float(np.nextafter(np.float32(end), np.float32(np.inf)))
    middle = (end + above) / 2
    return middle if float(np.float32(middle)) <= end else math.nextafter(middle, -math.inf)


def _expected_number(feature: ServedFeature) -> str:
    kind = "a whole number" if feature.type is FeatureType.INTEGER else "a finite number"
    low, high = feature.minimum, feature.maximum
    if feature.out_of_range is OutOfRange.ALLOW or (low is None and high is None):
        return kind
    if low is None:
        return f"{kind} of at most {high:.15g}"
    return (
        f"{kind} of at least {low:.15g}"
        if high is None
        else f"{kind} from {low:.15g} to {high:.15g}"
    )


def _number(low: float, high: float, *, whole: bool) -> Encode:
    def number(value: object) -> float | None:
        # ``type`` and not ``isinstance``: a boolean is an int to Python, but no number in JSON.
        if type(value) is float or type(value) is int:
            return float(value) if low <= value <= high else None
        return None

    def whole_number(value: object) -> float | None:
        found = number(value)
        return found if found is not None and found.is_integer() else None

    return whole_number if whole else number


def _is_whole(value: float) -> bool:
    return type(value) is int or value.is_integer()


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
    tally = Tally()
    for index, instance in enumerate(instances):
        if isinstance(instance, dict) and len(instance) == len(columns):
            found = [encode(instance.get(name, _ABSENT)) for name, encode in encoders]
            if None not in found:
                cells += found
                continue
        _note(instance, index, columns, tally)
    if tally.rows:
        return tally.bad_request()
    return np.array(cells, dtype=np.float32).reshape(len(instances), len(columns))


def _note(instance: object, row: int, columns: Sequence[Column], tally: Tally) -> None:
    """Note what is wrong with a row."""
    tally.rows += 1
    if not isinstance(instance, dict):
        tally.note(NO_FEATURE, Reason.WRONG_TYPE)
        tally.tell(Problem("instances", row, "an object of feature values", describe(instance)))
        return
    present = 0
    for column in columns:
        value = instance.get(column.feature.name, _ABSENT)
        present += value is not _ABSENT
        if column.encode(value) is None:
            tally.note(column.feature.name, column.reason(value))
            if tally.listens:
                tally.tell(column.problem(value, row))
    if len(instance) > present:
        tally.note(NO_FEATURE, Reason.UNKNOWN_FEATURE)
        _tell_extra(instance, row, columns, tally)


def _tell_extra(
    instance: dict[str, object], row: int, columns: Sequence[Column], tally: Tally
) -> None:
    if not tally.listens:
        return
    declared = {column.feature.name for column in columns}
    extra = islice((key for key in instance if key not in declared), MAX_PROBLEMS)
    for key in extra:
        tally.tell(Problem(shown(key), row, "no such feature", "one"))


def rows_of_columns(
    values: Sequence[Sequence[object]], columns: Sequence[Column]
) -> Rows | BadRequest:
    """Return the encoded rows of one list of values for each column, all of one length."""
    rows = np.empty((len(values[0]), len(columns)), dtype=np.float32)
    tally, wrong_rows = Tally(), set[int]()
    for position, (column, cells) in enumerate(zip(columns, values, strict=True)):
        found = [column.encode(cell) for cell in cells]
        if None not in found:
            rows[:, position] = found
            continue
        wrong = [row for row, value in enumerate(found) if value is None]
        wrong_rows.update(wrong)
        for row in wrong:
            tally.note(column.feature.name, column.reason(cells[row]))
            if tally.listens:
                tally.tell(column.problem(cells[row], row))
    tally.rows = len(wrong_rows)
    return tally.bad_request() if tally.rows else rows


def rows_of_matrix(cells: Sequence[object], columns: Sequence[Column]) -> Rows | BadRequest:
    """Return the rows of an already encoded matrix, flat in row-major order.

    It holds a number for each cell: a category's index, 0 or 1 for a boolean, null for null.
    """
    width = len(columns)
    tally = Tally()
    numbers = np.array([_as_float(cell) for cell in cells]).reshape(-1, width)
    wrong = np.zeros(len(numbers), dtype=np.bool_)
    for position, column in enumerate(columns):
        allowed, expected = _allowed(numbers[:, position], column.feature)
        texts = _not_numbers(cells[position::width])
        allowed[texts] = False
        wrong |= ~allowed
        for row in np.flatnonzero(~allowed).tolist():
            cell = cells[row * width + position]
            of_type = type(cell) in _NUMERIC
            tally.note(column.feature.name, _matrix_reason(column, cell))
            if tally.listens:
                found = describe(cell, numbers=True)
                what = expected if of_type else "a number or null"
                tally.tell(Problem(column.feature.name, row, what, found))
    tally.rows = int(wrong.sum())
    return tally.bad_request() if tally.rows else numbers.astype(np.float32)


_NUMERIC = (int, float, type(None))


def _not_numbers(cells: Sequence[object]) -> list[int]:
    if set(map(type, cells)) <= set(_NUMERIC):
        return []
    return [row for row, cell in enumerate(cells) if type(cell) not in _NUMERIC]


def _matrix_reason(column: Column, cell: object) -> Reason:
    if cell is None:
        return Reason.MISSING
    if type(cell) is not int and type(cell) is not float:
        return Reason.WRONG_TYPE
    if column.numeric:
        return column.reason(cell)
    index = column.feature.type is FeatureType.CATEGORY and _is_whole(cell)
    return Reason.UNSEEN_CATEGORY if index else Reason.WRONG_TYPE


def _as_float(cell: object) -> float:
    """Return a number, or infinity for one beyond float32 and for what is none."""
    if cell is None:
        return math.nan
    number = type(cell) is float or type(cell) is int
    # mypy narrows by isinstance alone, and a bool is no number here.
    return float(cell) if number and -FLOAT32_MAX <= cell <= FLOAT32_MAX else math.inf  # type: ignore[operator, arg-type]


def _allowed(values: NDArray[np.float64], feature: ServedFeature) -> tuple[NDArray[np.bool_], str]:
    null = np.isnan(values)
    whole = np.isfinite(values) & (np.floor(values) == values)
    match feature.type:
        case FeatureType.NUMBER | FeatureType.INTEGER:
            low, high = taken_range(feature)
            allowed, expected = (values >= low) & (values <= high), _expected_number(feature)
            if feature.type is FeatureType.INTEGER:
                allowed &= whole
        case FeatureType.BOOLEAN:
            allowed, expected = whole & (values >= 0) & (values <= 1), "0 or 1"
        case FeatureType.CATEGORY:
            count = len(feature.categories or [])
            allowed = whole & (values >= 0) & (values < count)
            expected = f"a category's index, 0 to {count - 1}"
    if feature.nullable:
        return allowed | null, f"{expected}, or null"
    return allowed, expected
