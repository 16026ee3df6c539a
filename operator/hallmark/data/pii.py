"""The personal-data guard: which columns hold personal data, and what the rule does about it.

It runs on the raw columns before anything else sees a value: declared columns or not, text or
whole numbers. What it says names column, detector, count and first row, never a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from hallmark.api.artifacts import Finding
from hallmark.api.report import ColumnDecision
from hallmark.api.training_run import PII, PIIAction, PIIDetector, Schema
from hallmark.data.detectors import DETECTORS, Detector, TextColumn

_NAMEABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,62}")
MASK = "***"
_INTEGRAL_FLOATS = 2**53


@dataclass(frozen=True)
class Guarded:
    """What passed the guard.

    Attributes:
        frame: The columns, without those dropped and with the masked ones blanked.
        private: Names of the columns in which something was found.
        decisions: What was done, for the report.
        refusals: Why the dataset is refused, if it is.
    """

    frame: pl.DataFrame
    private: frozenset[str]
    decisions: tuple[ColumnDecision, ...]
    refusals: tuple[Finding, ...]


@dataclass(frozen=True)
class _Hit:
    """A column in which a detector found something."""

    column: str
    label: str
    """The column's name where it may be said, else its position."""
    detector: PIIDetector
    count: int
    first_row: int


def check_rule(pii: PII, allowed: Iterable[PIIAction]) -> list[Finding]:
    """Return where the run's rule is weaker than the policy allows."""
    permitted = set(allowed)
    chosen = {pii.default_action: "the default action"}
    for rule in pii.rules:
        chosen.setdefault(rule.action, f"the action for {rule.detector}")
    return [
        Finding(
            check="PIIRule",
            expected=f"one of the policy's actions: {', '.join(sorted(permitted))}",
            found=f"{action} as {where}",
        )
        for action, where in chosen.items()
        if action not in permitted
    ]


def guard(
    raw: pl.DataFrame, schema: Schema, pii: PII, detectors: Sequence[Detector] = DETECTORS
) -> Guarded:
    """Scan every column and do what the rule says.

    Args:
        raw: What a reader returned.
        schema: The declared columns: one that is needed can be neither dropped nor masked.
        pii: The rule.
        detectors: What to look for.
    """
    needed = {feature.name for feature in schema.features} | {schema.target.name}
    needed |= {attribute.name for attribute in schema.sensitive}
    # A file without a header line has data where names should be: then no name is repeated.
    has_header = needed <= set(raw.columns)
    hits = []
    for position, series in enumerate(raw.iter_columns(), start=1):
        name = series.name
        sayable = (has_header or name in needed) and _NAMEABLE.fullmatch(name)
        label = name if sayable else f"column number {position}"
        hits += _scan(series, label, detectors)
    return _apply(raw, hits, needed, pii)


def _scan(series: pl.Series, label: str, detectors: Sequence[Detector]) -> list[_Hit]:
    texts = _as_text(series)
    if texts is None:
        return []
    column = TextColumn(series.name, texts.drop_nulls().unique(maintain_order=True))
    hits = []
    for detector in detectors:
        found = detector.find(column)
        if len(found):
            mask = texts.is_in(found.implode()).fill_null(value=False)
            first = (mask.arg_max() or 0) + 1
            hits.append(_Hit(series.name, label, detector.kind, int(mask.sum()), first))
    return hits


def _as_text(series: pl.Series) -> pl.Series | None:
    """Return what detectors can read of a column: text, whole numbers, dates."""
    if series.dtype == pl.String:
        return series
    if series.dtype.is_float():
        whole = (series == series.floor()) & (series.abs() <= _INTEGRAL_FLOATS)
        frame = pl.DataFrame([series.alias("value"), whole.alias("whole")])
        series = frame.select(pl.when("whole").then("value").cast(pl.Int64)).to_series()
    if series.dtype.is_integer() or series.dtype in (pl.Date, pl.Datetime):
        return series.cast(pl.String)
    return None


def _apply(raw: pl.DataFrame, hits: list[_Hit], needed: set[str], pii: PII) -> Guarded:
    decisions, refusals = [], []
    drop, mask = set(), set()
    for hit in hits:
        action = _action(pii, hit)
        decisions.append(
            ColumnDecision(
                column=hit.label, detector=hit.detector.value, action=action, count=hit.count
            )
        )
        if action is PIIAction.REFUSE or hit.column in needed:
            refusals.append(_refusal(hit, action))
        elif action is PIIAction.DROP:
            drop.add(hit.column)
        else:
            mask.add(hit.column)
    masked = [pl.lit(MASK).alias(name) for name in mask - drop]
    return Guarded(
        frame=raw.with_columns(masked).drop(drop),
        private=frozenset(hit.column for hit in hits),
        decisions=tuple(decisions),
        refusals=tuple(refusals),
    )


def _action(pii: PII, hit: _Hit) -> PIIAction:
    """Return the action of the most specific rule."""
    rules = [rule for rule in pii.rules if rule.detector is hit.detector]
    for rule in rules:
        if rule.column == hit.column:
            return rule.action
    return next((rule.action for rule in rules if rule.column is None), pii.default_action)


def _refusal(hit: _Hit, action: PIIAction) -> Finding:
    if action is PIIAction.REFUSE:
        expected = "no personal data"
    else:
        verb = "dropped" if action is PIIAction.DROP else "masked"
        expected = f"a column that can be {verb}, which a declared column cannot"
    named = not hit.label.startswith("column number ")
    where = "" if named else f" in {hit.label}"
    return Finding(
        check="PII",
        column=hit.column if named else None,
        row=hit.first_row,
        count=hit.count,
        expected=expected,
        found=f"what {hit.detector} looks for{where}",
    )
