"""What a column is, by its name and its values: a guess, with its reason. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import polars as pl

from hallmark.api.columns import FeatureType
from hallmark.api.schema import Feature
from hallmark.data.conversion import convert
from hallmark.data.detectors.column import TextColumn, vocabulary
from hallmark.data.table import ColumnSpec, ColumnType
from hallmark.local.starter.writing import DATES, MISSING, what_it_lacks

MAX_CATEGORIES = 64
"""More values are rather text than categories."""
MAX_TEXT = 256
_NAMEABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,62}")
_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_IDENTIFIER_NAMES = vocabulary(
    "id ids identifier uuid guid key index idx row rowid rownames rownumber number no nr "
    "serial code account accountnumber loanid customerid case caseid case_id record ref reference"
)
_BOOLEAN = frozenset({"true", "false"})


@dataclass(frozen=True)
class ColumnGuess:
    """What a column is taken for.

    Attributes:
        name: As it stands in the file.
        feature: How it would be declared as a feature; None where it cannot be one.
        why: The reason, as a few words without a value of a personal datum.
        distinct: How many values it has.
        nulls: How many cells are empty.
        classes: Its values as text with their rows, ascending, where they are few.
        identifier: Whether it names a row.
    """

    name: str
    feature: Feature | None
    why: str
    distinct: int
    nulls: int
    classes: tuple[tuple[str, int], ...] = ()
    identifier: bool = False

    @property
    def nameable(self) -> bool:
        """Whether a schema can name it."""
        return is_nameable(self.name)


def is_nameable(name: str) -> bool:
    """Tell whether a schema can name a column."""
    return _NAMEABLE.fullmatch(name) is not None


def guess_column(values: pl.Series, position: int) -> ColumnGuess:
    """Return what a column is taken for.

    Args:
        values: The raw column.
        position: From 1.
    """
    name, rows = values.name, len(values)
    present = values.drop_nulls()
    distinct, nulls = present.n_unique(), rows - len(present)
    classes = _classes(present) if distinct <= MAX_CATEGORIES else ()
    if not is_nameable(name):
        return ColumnGuess(
            name,
            None,
            "its name cannot be declared (letters, digits, '_', '-', '.', spaces; at most 63): "
            "rename it to use it",
            distinct,
            nulls,
            classes,
        )
    if distinct < 2:
        return ColumnGuess(name, None, "it is the same in every row", distinct, nulls)
    if _is_identifier(values, position, distinct, nulls):
        why = f"each of its {rows} values stands once"
        return ColumnGuess(name, None, why, distinct, nulls, identifier=True)
    feature, why = _feature(values, distinct, nulls, classes)
    return ColumnGuess(name, feature, why, distinct, nulls, classes)


def _is_identifier(values: pl.Series, position: int, distinct: int, nulls: int) -> bool:
    if nulls or distinct != len(values) or values.dtype.is_float():
        return False
    column = TextColumn(values.name, pl.Series([], dtype=pl.String))
    if column.is_named(_IDENTIFIER_NAMES) and _fits(values, ColumnType.TEXT):
        longest = _text(values).str.len_chars().max()
        return isinstance(longest, int) and longest <= MAX_TEXT
    if position > 1 or not _fits(values, ColumnType.INTEGER):
        return False
    steps = _converted(values, ColumnType.INTEGER).diff().drop_nulls()
    return bool((steps == 1).all())


def _feature(
    values: pl.Series, distinct: int, nulls: int, classes: tuple[tuple[str, int], ...]
) -> tuple[Feature | None, str]:
    name, nullable = values.name, nulls > 0
    if _is_boolean(values, classes):
        said = " and ".join(label for label, _ in classes)
        return Feature(name=name, type=FeatureType.BOOLEAN, nullable=nullable), f"only {said}"
    for kind in (ColumnType.INTEGER, ColumnType.NUMBER):
        if _fits(values, kind):
            return _number(_converted(values, kind), FeatureType(kind.value), nullable, distinct)
    if values.dtype.is_temporal():
        return None, DATES
    lacks = what_it_lacks(values) if values.dtype == pl.String else None
    if lacks is not None:
        return None, lacks
    labels = [label for label, _ in classes]
    if labels and all(0 < len(label) <= MAX_TEXT for label in labels):
        category = Feature(
            name=name, type=FeatureType.CATEGORY, nullable=nullable, categories=sorted(labels)
        )
        return category, f"{distinct} different texts{_doubtful_words(labels)}"
    if not _fits(values, ColumnType.TEXT):
        return None, "it is no number, text or boolean"
    return None, f"{distinct} different texts: prose or a name rather than categories"


def _is_boolean(values: pl.Series, classes: tuple[tuple[str, int], ...]) -> bool:
    if values.dtype == pl.Boolean:
        return True
    words = {label.casefold() for label, _ in classes}
    return words == _BOOLEAN and _fits(values, ColumnType.BOOLEAN)


def _number(
    values: pl.Series, kind: FeatureType, nullable: bool, distinct: int
) -> tuple[Feature, str]:
    low, high = (Decimal(str(end)) for end in (values.min(), values.max()))
    minimum, maximum = _outwards(low, high, whole=kind is FeatureType.INTEGER)
    feature = Feature(
        name=values.name, type=kind, nullable=nullable, minimum=minimum, maximum=maximum
    )
    whole = "whole numbers" if kind is FeatureType.INTEGER else "numbers"
    return feature, f"{whole} from {float(low):g} to {float(high):g}, {distinct} different"


def _outwards(low: Decimal, high: Decimal, *, whole: bool) -> tuple[str | None, str | None]:
    """Return bounds with room around what was seen: round numbers, 0 where nothing is below."""
    step = Decimal(1).scaleb((high - low).adjusted() - 1) if high > low else Decimal(1)
    step = max(step, Decimal(1)) if whole else step
    room = (high - low) / 4
    below = Decimal(0) if low >= 0 else (low - room)
    above = Decimal(0) if high <= 0 else (high + room)
    ends = (
        (below / step).to_integral_value(ROUND_FLOOR) * step,
        (above / step).to_integral_value(ROUND_CEILING) * step,
    )
    texts = [f"{end:f}" if end else "0" for end in ends]
    minimum, maximum = (text if _DECIMAL.fullmatch(text) else None for text in texts)
    return minimum, maximum


def _doubtful_words(labels: list[str]) -> str:
    """Say that some of the texts may stand for nothing, or be one."""
    said = ""
    missing = [label for label in labels if label.strip().casefold() in MISSING]
    if missing:
        words = ", ".join(missing[:3])
        said += f"; '{words}' may stand for an empty cell: only an empty one is null"
    if len({label.strip().casefold() for label in labels}) < len(labels):
        said += "; some differ in capital letters or spaces alone, and count as different"
    return said


def _classes(present: pl.Series) -> tuple[tuple[str, int], ...]:
    """Return the values as text with their rows, rarest first; nothing where some are no text."""
    if not _fits(present, ColumnType.TEXT):
        return ()
    counts = _text(present).alias("label").value_counts()
    pairs = zip(counts.to_series(0).to_list(), counts.to_series(1).to_list(), strict=True)
    return tuple(sorted(pairs, key=lambda pair: (pair[1], pair[0])))


def _fits(values: pl.Series, kind: ColumnType) -> bool:
    return _converted(values, kind).null_count() == values.null_count()


def _text(values: pl.Series) -> pl.Series:
    return _converted(values, ColumnType.TEXT)


def _converted(values: pl.Series, kind: ColumnType) -> pl.Series:
    """Return the column as the assay converts it."""
    spec = ColumnSpec(values.name, kind, nullable=True)
    table = convert(values.to_frame(), [spec]).table
    return values if table is None else table.columns[0].values
