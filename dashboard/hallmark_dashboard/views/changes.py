"""What differs between two versions, by their reports and bills: only what changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hallmark.api.gates import bar, gate_of, is_looser
from hallmark.api.metrics import Gate, GateResult, MetricValue
from hallmark.api.report import Report
from hallmark.api.served import Baseline
from hallmark.reporting.parts import count, finite, number
from hallmark_dashboard.bills import Bill, BillChange, changes as bill_changes
from hallmark_dashboard.views.inputs import input_types


@dataclass(frozen=True)
class Change:
    """A fact that differs.

    Attributes:
        what: The fact.
        before: As it was; empty where there was none.
        after: As it is; empty where there is none.
        weight: How much it moved, to put the biggest first.
        beyond: Whether it moved by more than the intervals explain.
    """

    what: str
    before: str
    after: str
    weight: float = 0.0
    beyond: bool = False


@dataclass(frozen=True)
class Changes:
    """What differs, by what it is about."""

    gates: tuple[Change, ...]
    inputs: tuple[Change, ...]
    data: tuple[Change, ...]
    parameters: tuple[Change, ...]
    metrics: tuple[Change, ...]
    groups: tuple[Change, ...]
    packages: tuple[BillChange, ...]
    positive: str | None = None
    """The class by which groups are compared now."""

    @property
    def total(self) -> int:
        """How many facts differ."""
        parts: Sequence[Sequence[object]] = (
            self.gates,
            self.inputs,
            self.data,
            self.parameters,
            self.metrics,
            self.groups,
            self.packages,
        )
        return sum(map(len, parts))


def compare(
    before: Report,
    after: Report,
    bills: tuple[Bill, Bill] | None = None,
    baselines: tuple[Baseline, Baseline] | None = None,
) -> Changes:
    """Return what differs between two reports, and between bills and baselines where known."""
    return Changes(
        tuple(_gates(before.gates, after.gates)),
        tuple(_named(*map(input_types, baselines))) if baselines else (),
        tuple(_data(before, after)),
        tuple(_named(_parameters(before), _parameters(after))),
        tuple(sorted(_metrics(before.metrics, after.metrics), key=_biggest)),
        tuple(sorted(_groups(before, after), key=_biggest)),
        bill_changes(*bills) if bills else (),
        after.positive,
    )


def _biggest(change: Change) -> tuple[bool, float, str]:
    return not change.beyond, -change.weight, change.what


def _data(before: Report, after: Report) -> Iterable[Change]:
    facts = [
        ("dataset fingerprint", before.dataset_fingerprint or "", after.dataset_fingerprint or ""),
        ("rows", count(before.rows), count(after.rows)),
        ("rows to learn from", count(before.train_rows), count(after.train_rows)),
        ("rows to measure on", count(before.test_rows), count(after.test_rows)),
        ("data quality", number(before.quality, 1), number(after.quality, 1)),
        ("target", before.target or "", after.target or ""),
        ("classes", ", ".join(before.classes), ", ".join(after.classes)),
        ("positive class", _positive(before), _positive(after)),
        ("columns with personal data", _personal(before), _personal(after)),
    ]
    return [Change(what, old, new) for what, old, new in facts if old != new]


def _positive(report: Report) -> str:
    return "none" if report.positive is None else report.positive


def _gates(before: Sequence[GateResult], after: Sequence[GateResult]) -> Iterable[Change]:
    """Yield the gates that were not asked for so before, those that are gone or looser first."""
    old, new = _asked(before), _asked(after)
    found = []
    for key in old.keys() | new.keys():
        first, second = old.get(key), new.get(key)
        if first == second:
            continue
        looser = first is not None and (second is None or is_looser(first, second))
        named = f"{key[0]}, asked by the {key[2].lower()}"
        found.append(
            Change(
                named,
                bar(first) if first else "",
                bar(second) + (", looser" if looser else "") if second else "gone",
                beyond=looser,
            )
        )
    yield from sorted(found, key=_biggest)


def _asked(gates: Sequence[GateResult]) -> dict[tuple[str, str, str], Gate]:
    return {(gate.metric, gate.comparison, gate.source): gate_of(gate) for gate in gates}


def _personal(report: Report) -> str:
    found = {f"{column.column} ({column.detector})" for column in report.pii}
    return ", ".join(sorted(found)) or "none"


def _parameters(report: Report) -> dict[str, str]:
    return {"algorithm": report.algorithm, "seed": str(report.seed), **report.parameters}


def _named(before: dict[str, str], after: dict[str, str]) -> Iterable[Change]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            yield Change(name, old, new)


def _metrics(before: Sequence[MetricValue], after: Sequence[MetricValue]) -> Iterable[Change]:
    old = {metric.name: metric for metric in before}
    new = {metric.name: metric for metric in after}
    for name in old.keys() | new.keys():
        first, second = old.get(name), new.get(name)
        if first and second and first.value == second.value:
            continue
        yield Change(
            name,
            _with_interval(first),
            _with_interval(second),
            _distance(first, second),
            _apart(first, second),
        )


def _with_interval(metric: MetricValue | None) -> str:
    if metric is None:
        return ""
    value = number(finite(metric.value))
    low, high = finite(metric.lower), finite(metric.upper)
    return value if low is None or high is None else f"{value} ({number(low)} to {number(high)})"


def _distance(first: MetricValue | None, second: MetricValue | None) -> float:
    old = finite(first.value) if first else None
    new = finite(second.value) if second else None
    return abs(new - old) if old is not None and new is not None else 0.0


def _apart(first: MetricValue | None, second: MetricValue | None) -> bool:
    """Whether the intervals do not touch; a metric that comes or goes is so too."""
    if first is None or second is None:
        return True
    ends = [finite(text) for text in (first.lower, first.upper, second.lower, second.upper)]
    if any(end is None for end in ends):
        return False
    low, high, other_low, other_high = (end or 0.0 for end in ends)
    return high < other_low or other_high < low


def _groups(before: Report, after: Report) -> Iterable[Change]:
    """Yield the groups of sensitive attributes whose share of positive decisions moved."""
    old, new = _rates(before), _rates(after)
    for key in old.keys() | new.keys():
        first, second = old.get(key), new.get(key)
        if first == second:
            continue
        distance = abs(second - first) if first is not None and second is not None else 0.0
        yield Change(
            f"{key[0]}: {key[1]}",
            "" if first is None else number(first),
            "" if second is None else number(second),
            distance,
        )


def _rates(report: Report) -> dict[tuple[str, str], float]:
    return {
        (found.attribute, group.group): group.selection_rate
        for found in report.fairness
        for group in found.groups
        if group.selection_rate is not None
    }
