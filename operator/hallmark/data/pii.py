"""The personal-data guard: which columns hold personal data, and what the rule does about it.

It runs on the raw columns before anything else sees a value: declared columns or not, text or
whole numbers, and on the columns' names. What it says names column, detector, count and first row,
never a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from hallmark.api.findings import Finding
from hallmark.api.pii import PII, PIIAction, PIIDetector
from hallmark.api.report import ColumnDecision
from hallmark.api.schema import Schema
from hallmark.data.cells import Cells, readable
from hallmark.data.detectors import DETECTORS, Detector
from hallmark.data.pseudonyms import Pseudonyms

_NAMEABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,62}")


@dataclass(frozen=True)
class Guarded:
    """A frame that went through the guard, and what was done to it.

    Attributes:
        frame: The columns, without those dropped and with pseudonyms in those masked.
        private: Names of the columns in which something was found.
        masked: Names of the columns with pseudonyms. They differ from run to run, so nothing that
            must be equal between equal runs may depend on them.
        decisions: What was done, for the report.
        refusals: Why the dataset is refused, if it is.
        remarks: What a person should know: an allowance that nothing needs.
        undeclared: What the columns of the frame that the schema does not have may be called.
    """

    frame: pl.DataFrame
    private: frozenset[str]
    masked: frozenset[str]
    decisions: tuple[ColumnDecision, ...]
    refusals: tuple[Finding, ...]
    remarks: tuple[Finding, ...]
    undeclared: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Hit:
    """A column in which, or in whose name, a detector found something."""

    column: str
    label: str
    """The column's name where it may be said, else its position."""
    detector: PIIDetector
    count: int
    first_row: int | None
    """None: it is in the name."""


@dataclass(frozen=True)
class _Columns:
    """The columns' names, and what may be done to them.

    Attributes:
        needed: They can be neither dropped nor masked.
        declared: They cannot be dropped.
        labels: What each may be called.
    """

    needed: set[str]
    declared: set[str]
    labels: dict[str, str]

    def undeclared(self, gone: set[str], unnamed: set[str]) -> tuple[str, ...]:
        """Return what the undeclared columns may be called, without those that are gone.

        Args:
            gone: Names of columns that are there no more.
            unnamed: Names that hold a datum.
        """
        return tuple(
            f"'{name}'" if label == name and name not in unnamed else f"column number {position}"
            for position, (name, label) in enumerate(self.labels.items(), start=1)
            if name not in self.declared | gone
        )


def check_rule(
    pii: PII, allowed: Iterable[PIIAction], allowable: Iterable[PIIDetector] = tuple(PIIDetector)
) -> list[Finding]:
    """Return where the run's rule is weaker than the policy allows.

    Args:
        pii: The run's rule.
        allowed: The actions that the policy permits.
        allowable: The kinds of data that the policy lets a run allow in a column.
    """
    permitted, may_stay = set(allowed), set(allowable)
    chosen = {pii.default_action: "the default action"}
    for rule in pii.rules:
        chosen.setdefault(rule.action, f"the action for {rule.detector}")
    actions = [
        Finding(
            check="PIIRule",
            expected=f"one of the policy's actions: {', '.join(sorted(permitted))}",
            found=f"{action} as {where}",
        )
        for action, where in chosen.items()
        if action not in permitted
    ]
    allowances = [
        Finding(
            check="PIIRule",
            column=allowance.column,
            expected="an allowance for a kind of data that the policy lets a run allow: "
            f"{', '.join(sorted(may_stay)) or 'none'}",
            found=f"one for {allowance.detector}",
        )
        for allowance in pii.allow
        if allowance.detector not in may_stay
    ]
    return actions + allowances


def guard(
    raw: pl.DataFrame,
    schema: Schema,
    pii: PII,
    detectors: Sequence[Detector] = DETECTORS,
    pseudonyms: Pseudonyms | None = None,
) -> Guarded:
    """Return what the rule leaves of the columns, each and each name of which was scanned.

    Args:
        raw: What a reader returned.
        schema: The declared columns: a feature, the target or a sensitive attribute can be neither
            dropped nor masked; an identifier can be masked.
        pii: The rule.
        detectors: What to look for.
        pseudonyms: What masks; absent: one with a key of its own.
    """
    needed = {feature.name for feature in schema.features} | {schema.target.name}
    needed |= {attribute.name for attribute in schema.sensitive}
    declared = needed | set(schema.identifiers)
    # A file without a header line has data where names should be: then no name is repeated.
    has_header = declared <= set(raw.columns)
    labels = {
        name: name
        if (has_header or name in declared) and _NAMEABLE.fullmatch(name)
        else f"column number {position}"
        for position, name in enumerate(raw.columns, start=1)
    }
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        hits_by_column = threads.map(
            lambda series: _scan(series, labels[series.name], detectors), raw.get_columns()
        )
        hits = [hit for column_hits in hits_by_column for hit in column_hits]
    hits += _scan_names(raw.columns, detectors)
    columns = _Columns(needed, declared, labels)
    return _apply(raw, hits, columns, pii, pseudonyms or Pseudonyms())


def _scan(series: pl.Series, label: str, detectors: Sequence[Detector]) -> list[_Hit]:
    cells = readable(series)
    if cells is None:
        return []
    return [
        _Hit(series.name, label, detector.kind, int(rows.sum()), (rows.arg_max() or 0) + 1)
        for detector, rows in cells.find(cells.candidates(detectors))
    ]


def _scan_names(names: list[str], detectors: Sequence[Detector]) -> list[_Hit]:
    """Return hits where a column's name should be, as in a file without a header line."""
    cells = Cells(pl.Series("", names, dtype=pl.String), numbers=False)
    return [
        _Hit(names[place], f"the name of column number {place + 1}", detector.kind, 1, None)
        for detector, found in cells.find(detectors)
        for place in found.arg_true()
    ]


def _apply(
    raw: pl.DataFrame,
    hits: list[_Hit],
    columns: _Columns,
    pii: PII,
    pseudonyms: Pseudonyms,
) -> Guarded:
    decisions, refusals = [], []
    drop: set[str] = set()
    mask: set[str] = set()
    rename: set[str] = set()
    for hit in hits:
        reason = _allowance(pii, hit)
        action = None if reason is not None else _action(pii, hit)
        decisions.append(
            ColumnDecision(
                column=hit.label,
                detector=hit.detector.value,
                action=action,
                reason=reason,
                count=hit.count,
            )
        )
        masking = action is PIIAction.MASK and hit.first_row
        must_stay = columns.needed if masking else columns.declared
        if action is PIIAction.REFUSE or (action and hit.column in must_stay):
            maskable = bool(hit.first_row) and hit.column not in columns.needed
            refusals.append(_refusal(hit, action, maskable=maskable))
        elif action is PIIAction.DROP:
            drop.add(hit.column)
        elif action is PIIAction.MASK:
            (mask if hit.first_row else rename).add(hit.column)
    masked = [pseudonyms.of_column(raw[name]).alias(name) for name in sorted(mask - drop)]
    frame = raw.with_columns(masked).drop(drop)
    return Guarded(
        frame=frame.rename({name: pseudonyms.of(name) for name in rename - drop}),
        private=frozenset(hit.column for hit in hits),
        masked=frozenset(mask - drop),
        decisions=tuple(decisions),
        refusals=tuple(refusals),
        remarks=tuple(_unused(pii, hits, raw.columns)),
        undeclared=columns.undeclared(drop, {hit.column for hit in hits if not hit.first_row}),
    )


def _unused(pii: PII, hits: list[_Hit], columns: list[str]) -> Iterator[Finding]:
    """Yield a remark on each allowance that nothing needs: an exception that may be withdrawn."""
    used = {(hit.detector, hit.column) for hit in hits}
    for allowance in pii.allow:
        if (allowance.detector, allowance.column) not in used:
            yield Finding(
                check="UnusedAllowance",
                column=allowance.column,
                expected=f"what {allowance.detector} looks for, which the run allows here",
                found="none; remove the allowance"
                if allowance.column in columns
                else "no such column; remove the allowance",
            )


def _allowance(pii: PII, hit: _Hit) -> str | None:
    """Return why it may stay, if it may."""
    for allowance in pii.allow:
        if allowance.detector is hit.detector and allowance.column == hit.column:
            return allowance.reason
    return None


def _action(pii: PII, hit: _Hit) -> PIIAction:
    """Return the action of the most specific rule."""
    rules = [rule for rule in pii.rules if rule.detector is hit.detector]
    for rule in rules:
        if rule.column == hit.column:
            return rule.action
    return next((rule.action for rule in rules if rule.column is None), pii.default_action)


def _refusal(hit: _Hit, action: PIIAction, *, maskable: bool) -> Finding:
    if action is PIIAction.REFUSE:
        expected = "no personal data"
    elif action is PIIAction.DROP and maskable:
        expected = (
            "a column that can be dropped, which an identifier cannot: mask it, or leave it out of "
            "the schema"
        )
    else:
        verb = "dropped" if action is PIIAction.DROP else "masked"
        expected = f"a column that can be {verb}, which a declared column cannot"
    named = hit.label == hit.column
    return Finding(
        check="PII",
        column=hit.column if named else None,
        row=hit.first_row,
        count=hit.count,
        expected=expected,
        found=f"what {hit.detector} looks for{'' if named else f' in {hit.label}'}",
    )
