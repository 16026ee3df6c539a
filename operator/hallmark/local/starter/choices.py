"""Which column is the target, and which tell of people: guesses by name and by values. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from hallmark.api.metrics import Comparison, Gate
from hallmark.api.schema import SensitiveAttribute, Target
from hallmark.data.detectors.column import TextColumn, vocabulary
from hallmark.data.schema import MIN_GROUP_ROWS
from hallmark.data.target import MIN_CLASS_ROWS
from hallmark.errors import ConfigurationError
from hallmark.local.starter.columns import MAX_CATEGORIES, ColumnGuess

_TARGET_NAMES = vocabulary(
    "target label class outcome result y response default defaulted deny denied approved accepted "
    "churn churned survived survival fraud diagnosis quality grade species type status decision "
    "income event spam admit affairs participation sold bought purchased subscribed yesno"
)
_SENSITIVE_NAMES = vocabulary(
    "sex gender race ethnicity ethnic religion nationality citizenship foreign foreigner marital "
    "maritalstatus married single disability disabled handicap afam black white hispanic latino "
    "minority orientation pregnant veteran caste tribe migrant agegroup ageband"
)
_FAVOURABLE = vocabulary(
    "yes y true 1 good approved accepted positive pos survived pass passed benign success"
)
_UNFAVOURABLE = vocabulary("no n false 0 bad denied rejected negative neg died fail failed spam")
_ADVERSE_NAMES = vocabulary(
    "default defaulted deny denied churn churned fraud spam died death failure affairs disease"
)
"""Targets of which it is good that they are not so."""
_MAX_CLASSES = 10
"""With more, a column is rather a number or a code than a target."""
_MAX_GROUPS = 16
_MOST_HINDERED = 3
_FAIR = "0.2"
_ENOUGH = 2
"""So many times the rows that a verdict needs must the rarest group have, for a gate to be set."""


@dataclass(frozen=True)
class TargetGuess:
    """The column to predict, and why it was chosen."""

    target: Target
    classes: tuple[tuple[str, int], ...]
    why: str
    positive_why: str


def choose_target(columns: Sequence[ColumnGuess], asked: str | None) -> TargetGuess:
    """Return what is to be predicted.

    Args:
        columns: All that may be it, in the file's order.
        asked: The name that a person gave, or None.

    Raises:
        ConfigurationError: No column can be a target, or the one that was asked for cannot.
    """
    usable = [column for column in columns if _can_be_target(column)]
    if asked is not None:
        chosen = next((column for column in usable if column.name == asked), None)
        if chosen is None:
            raise ConfigurationError(_no_such_target(asked, columns, usable))
        why = "you named it"
    elif usable:
        last = columns[-1].name
        chosen = max(usable, key=lambda column: _likelihood(column, is_last=column.name == last))
        why = _why_target(chosen, is_last=chosen.name == last)
        if _is_likelier_by_another_name(columns, chosen):
            why += "; a column whose name cannot be declared looks likelier (below): rename it"
        if not _named(chosen, _TARGET_NAMES):
            few = [column for column in columns if column.distinct <= MAX_CATEGORIES]
            why += "".join(f"; {hindered}" for hindered in _hindered(few))
    else:
        hindered = "; ".join(_hindered(columns))
        raise ConfigurationError(
            "Expected a column with a few classes to predict, each in "
            f"{MIN_CLASS_ROWS} rows or more and in no row empty, and with a name of letters, "
            f"digits, '_', '-', '.' and spaces; found none{f' ({hindered})' if hindered else ''}. "
            "Hallmark classifies: make classes of a number first."
        )
    positive, positive_why = _positive(chosen)
    return TargetGuess(
        Target(name=chosen.name, positive=positive), chosen.classes, why, positive_why
    )


def _can_be_target(column: ColumnGuess) -> bool:
    return column.nameable and _has_classes(column)


def _hindered(columns: Sequence[ColumnGuess]) -> list[str]:
    """Say of columns that are named like targets why they can be none."""
    named = [column for column in columns if column.nameable and _named(column, _TARGET_NAMES)]
    return [
        f"'{column.name}' is named like one, but {_hindrance(column)}"
        for column in named
        if not _has_classes(column)
    ][:_MOST_HINDERED]


def _hindrance(column: ColumnGuess) -> str:
    if column.distinct < 2:
        return "it is the same in every row"
    if column.nulls:
        return f"empty in {column.nulls} rows: delete those, or fill them"
    if not column.classes:
        return f"it has {column.distinct} values: make a few classes of them"
    rarest = column.classes[0][1]
    if rarest < MIN_CLASS_ROWS:
        return f"its rarest class has {rarest} rows: {MIN_CLASS_ROWS} are needed"
    return "one of its classes has no name, or one of more than 256 letters"


def _is_likelier_by_another_name(columns: Sequence[ColumnGuess], chosen: ColumnGuess) -> bool:
    """Tell whether a column that only its name rules out would have been chosen."""
    last = columns[-1].name
    likeliest = max(
        filter(_has_classes, columns),
        key=lambda column: _likelihood(column, is_last=column.name == last),
    )
    return not likeliest.nameable and likeliest != chosen


def _has_classes(column: ColumnGuess) -> bool:
    rows = [count for _, count in column.classes]
    return (
        not column.nulls
        and len(rows) >= 2
        and min(rows) >= MIN_CLASS_ROWS
        and all(0 < len(label) <= 256 for label, _ in column.classes)
    )


def _no_such_target(
    asked: str, columns: Sequence[ColumnGuess], usable: Sequence[ColumnGuess]
) -> str:
    found = next((column for column in columns if column.name == asked), None)
    names = ", ".join(column.name for column in usable) or "none"
    if found is None:
        return f"--target: expected a column's name, found '{asked}'; these could be it: {names}."
    return (
        f"--target: expected a column with 2 to 64 classes, each in {MIN_CLASS_ROWS} rows or more "
        f"and in no row empty; '{asked}' has {found.distinct} values and {found.nulls} empty "
        f"cells. These could be it: {names}."
    )


def _likelihood(column: ColumnGuess, *, is_last: bool) -> tuple[int, int]:
    few = len(column.classes) <= _MAX_CLASSES
    points = (
        4 * _named(column, _TARGET_NAMES)
        + 2 * is_last
        + 2 * (len(column.classes) == 2)
        + 2 * few
        - 3 * _named(column, _SENSITIVE_NAMES)
    )
    return points, -len(column.classes)


def _why_target(column: ColumnGuess, *, is_last: bool) -> str:
    parts = [
        f"{len(column.classes)} classes",
        "its name is usual for a target" if _named(column, _TARGET_NAMES) else "",
        "it is the last column" if is_last else "",
    ]
    return ", ".join(part for part in parts if part) + "; --target names another"


def _positive(column: ColumnGuess) -> tuple[str | None, str]:
    """Return the favourable outcome of two classes; more are peers."""
    if len(column.classes) != 2:
        return None, "with three classes or more they are peers; name one if it is the good outcome"
    labels = [label for label, _ in column.classes]
    words = _UNFAVOURABLE if _named(column, _ADVERSE_NAMES) else _FAVOURABLE
    good = [label for label in labels if label.strip().casefold() in words]
    if len(good) == 1:
        return good[0], "the favourable outcome, by the names; is it?"
    return labels[0], "the rarer class; put the favourable outcome here"


def choose_sensitive(
    columns: Sequence[ColumnGuess], target: str
) -> list[tuple[SensitiveAttribute, ColumnGuess]]:
    """Return the protected attributes, by their names."""
    found = [
        (
            SensitiveAttribute(
                name=column.name, categories=sorted(label for label, _ in column.classes)
            ),
            column,
        )
        for column in columns
        if column.name != target
        and column.feature is not None
        and not column.nulls
        and 2 <= len(column.classes) <= _MAX_GROUPS
        and all(label for label, _ in column.classes)
        and _named(column, _SENSITIVE_NAMES)
    ]
    return found[:8]


def choose_gates(
    target: TargetGuess,
    sensitive: Sequence[tuple[SensitiveAttribute, ColumnGuess]],
    test_fraction: float,
) -> list[tuple[Gate, str, bool]]:
    """Return gates to begin with, each with its reason, and whether it can be decided."""
    rows = sum(count for _, count in target.classes)
    most = max(count for _, count in target.classes) / rows
    binary = target.target.positive is not None
    at_least, at_most = Comparison.AT_LEAST, Comparison.AT_MOST
    first = (
        Gate(metric="rocAuc", comparison=at_least, threshold="0.6")
        if binary
        else Gate(metric="balancedAccuracy", comparison=at_least, threshold=_above_chance(target))
    )
    chance = "0.5 is chance" if binary else f"chance is 1 in {len(target.classes)}"
    gates = [
        (
            first,
            f"{chance}; set what you need (always the commonest class: {most:.2f} right)",
            True,
        ),
        (Gate(metric="dataQuality", comparison=at_least, threshold="50"), "0 to 100", True),
    ]
    for attribute, column in sensitive if binary else ():
        rarest = column.classes[0][1]
        enough = rarest * test_fraction >= _ENOUGH * MIN_GROUP_ROWS
        name = f"demographicParityDifference.{attribute.name.replace(' ', '_')}"
        why = "how far apart the groups' rates of the positive class may be"
        if not enough:
            why += f"; the rarest group has {rarest} rows, too few to be sure"
        gates.append((Gate(metric=name, comparison=at_most, threshold=_FAIR), why, enough))
    return gates


def _above_chance(target: TargetGuess) -> str:
    """Return a fifth of the way from chance to perfect, as 0.6 is for a ROC AUC."""
    return f"{1 / len(target.classes) + 0.2 * (1 - 1 / len(target.classes)):.2f}"


def _named(column: ColumnGuess, names: frozenset[str]) -> bool:
    return TextColumn(column.name, pl.Series([], dtype=pl.String)).is_named(names)
