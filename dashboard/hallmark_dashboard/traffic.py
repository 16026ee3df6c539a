"""What predictors counted: the windows of each ModelDeployment, kept for the pages' charts.

The operator's cache does not keep the reports (``hallmark.cluster.trim``), and statuses hold only
the newest windows; here stands the course of them since the dashboard began to watch. All of it is
bounded, and hostile reports cost no more than honest ones.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from hallmark.api.drift_report import DriftReport, DriftWindow, RefusedFeature, RequestCounts
from hallmark.api.feedback import OutcomeWindow

MOST_WINDOWS = 96
"""Windows that are kept of one ModelDeployment, the newest."""
MOST_BYTES = 1 << 20
"""Counts (8 bytes each) that are kept of one ModelDeployment."""
MOST_DEPLOYMENTS = 1024
MOST_SAMPLES = 8
"""Reports of one Pod that are kept to see how fast its requests come."""
LONGEST_PROMISE = 360.0
"""Seconds within which a Pod reports again that does not say so."""


@dataclass(frozen=True)
class SeenWindow:
    """A closed window of a Pod, as its predictor reported it: declared, not verified."""

    pod: str
    manifest_digest: str
    window: DriftWindow

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells it from every other one."""
        return self.pod, self.manifest_digest, self.window.number, self.window.start


@dataclass(frozen=True)
class SeenOutcomes:
    """A closed window of outcomes of a Pod, declared as ``SeenWindow`` is."""

    pod: str
    manifest_digest: str
    window: OutcomeWindow

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells it from every other one."""
        return self.pod, self.manifest_digest, self.window.number, self.window.start


@dataclass(frozen=True)
class Sample:
    """What a Pod told of its requests, and when that was heard."""

    heard: float
    """Seconds of a monotonic clock."""
    boot_id: str
    manifest_digest: str
    next_within: float
    """Seconds within which the next one comes."""
    requests: RequestCounts
    refused: tuple[RefusedFeature, ...] = ()


@dataclass
class Counted:
    """What a ModelDeployment's predictors counted.

    Attributes:
        uid: Of the object; another one of the same name begins anew.
        rows: Rows since its start, by Pod.
        windows: Closed windows in the order in which they came.
    """

    uid: str
    rows: dict[str, int] = field(default_factory=dict)
    windows: deque[SeenWindow] = field(default_factory=deque)
    known: set[tuple[str, str, int, str]] = field(default_factory=set)
    sequences: dict[str, tuple[str, int]] = field(default_factory=dict)
    samples: dict[str, deque[Sample]] = field(default_factory=dict)
    """By Pod, the newest last."""
    outcomes: OrderedDict[tuple[str, str, int, str], SeenOutcomes] = field(
        default_factory=OrderedDict
    )
    """Closed windows of outcomes in the order in which they came."""


class Traffic:
    """The windows and requests of all ModelDeployments."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing heard.

        Args:
            clock: Tells seconds.
        """
        self.clock = clock
        self._counted: OrderedDict[tuple[str, str], Counted] = OrderedDict()

    def hear(self, obj: Mapping[str, Any]) -> bool:
        """Take the reports in a ModelDeployment as it came; tell whether a window is new."""
        reports = (obj.get("status") or {}).get("drift")
        if not isinstance(reports, dict) or not reports:
            return False
        metadata = obj["metadata"]
        place = (str(metadata.get("namespace", "")), str(metadata["name"]))
        counted = self._counted.get(place)
        if counted is None or counted.uid != metadata["uid"]:
            counted = self._counted[place] = Counted(metadata["uid"])
        self._counted.move_to_end(place)
        while len(self._counted) > MOST_DEPLOYMENTS:
            self._counted.popitem(last=False)
        counted.rows = {pod: rows for pod, rows in counted.rows.items() if pod in reports}
        counted.sequences = {p: seen for p, seen in counted.sequences.items() if p in reports}
        counted.samples = {p: kept for p, kept in counted.samples.items() if p in reports}
        now = self.clock()
        taken = [_take(counted, pod, report, now) for pod, report in reports.items()]
        return any(taken)

    def requests(self, namespace: str, name: str) -> Mapping[str, Sequence[Sample]]:
        """Return what each Pod told of its requests, the newest last."""
        counted = self._counted.get((namespace, name))
        return {pod: tuple(kept) for pod, kept in counted.samples.items()} if counted else {}

    def of(self, namespace: str, name: str) -> tuple[Mapping[str, int], Sequence[SeenWindow]]:
        """Return the rows by Pod, and the windows, oldest first."""
        counted = self._counted.get((namespace, name))
        if counted is None:
            return {}, ()
        ordered = sorted(counted.windows, key=lambda seen: (seen.window.end, seen.pod))
        return dict(counted.rows), tuple(ordered)

    def outcomes(self, namespace: str, name: str) -> Sequence[SeenOutcomes]:
        """Return the windows of outcomes, oldest first."""
        counted = self._counted.get((namespace, name))
        found = counted.outcomes.values() if counted else ()
        return sorted(found, key=lambda seen: (seen.window.end, seen.pod))

    def forget(self, namespace: str, name: str) -> None:
        """Forget a ModelDeployment that is gone."""
        self._counted.pop((namespace, name), None)


def _take(counted: Counted, pod: str, raw: object, now: float) -> bool:
    """Take one Pod's report; what is not one says nothing."""
    if not isinstance(raw, dict):
        return False
    seen = (str(raw.get("bootID")), raw.get("sequence"))
    if counted.sequences.get(pod) == seen:
        return False
    try:
        report = DriftReport.model_validate(raw)
    except ValidationError:
        return False
    counted.sequences[pod] = (report.boot_id, report.sequence)
    counted.rows[pod] = report.rows
    _take_requests(counted, pod, report, now)
    new = False
    for window in report.windows:
        found = SeenWindow(pod, report.manifest_digest, window)
        if found.key not in counted.known:
            counted.known.add(found.key)
            counted.windows.append(found)
            new = True
    new = _take_outcomes(counted, pod, report) or new
    _bound(counted)
    return new


def _take_outcomes(counted: Counted, pod: str, report: DriftReport) -> bool:
    new = False
    for window in report.outcomes.windows if report.outcomes else ():
        found = SeenOutcomes(pod, report.manifest_digest, window)
        if found.key not in counted.outcomes:
            counted.outcomes[found.key] = found
            new = True
    while len(counted.outcomes) > MOST_WINDOWS:
        counted.outcomes.popitem(last=False)
    return new


def _take_requests(counted: Counted, pod: str, report: DriftReport, now: float) -> None:
    if report.requests is None:
        return
    kept = counted.samples.setdefault(pod, deque(maxlen=MOST_SAMPLES))
    if kept and kept[-1].boot_id != report.boot_id:
        kept.clear()  # It has started anew, and counts anew.
    sample = Sample(
        now,
        report.boot_id,
        report.manifest_digest,
        report.next_within or LONGEST_PROMISE,
        report.requests,
        tuple(report.refused),
    )
    kept.append(sample)


def _bound(counted: Counted) -> None:
    size = sum(map(_size, counted.windows))
    while counted.windows and (len(counted.windows) > MOST_WINDOWS or size > MOST_BYTES):
        oldest = counted.windows.popleft()
        counted.known.discard(oldest.key)
        size -= _size(oldest)


def _size(seen: SeenWindow) -> int:
    return 8 * sum(map(len, seen.window.counts.values()))
