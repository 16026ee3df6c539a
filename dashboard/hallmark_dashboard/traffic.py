"""What predictors counted: the windows of each ModelDeployment, kept for the pages' charts.

The operator's cache does not keep the reports (``hallmark.cluster.trim``), and statuses hold only
the newest windows; here stands the course of them since the dashboard began to watch. All of it is
bounded, and hostile reports cost no more than honest ones.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from hallmark.api.model_deployment import DriftReport, DriftWindow

MOST_WINDOWS = 96
"""Windows that are kept of one ModelDeployment, the newest."""
MOST_BYTES = 1 << 20
"""Counts (8 bytes each) that are kept of one ModelDeployment."""
MOST_DEPLOYMENTS = 1024


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


class Traffic:
    """The windows of all ModelDeployments."""

    def __init__(self) -> None:
        """Start with nothing heard."""
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
        taken = [_take(counted, pod, report) for pod, report in reports.items()]
        return any(taken)

    def of(self, namespace: str, name: str) -> tuple[Mapping[str, int], Sequence[SeenWindow]]:
        """Return the rows by Pod, and the windows, oldest first."""
        counted = self._counted.get((namespace, name))
        if counted is None:
            return {}, ()
        ordered = sorted(counted.windows, key=lambda seen: (seen.window.end, seen.pod))
        return dict(counted.rows), tuple(ordered)

    def forget(self, namespace: str, name: str) -> None:
        """Forget a ModelDeployment that is gone."""
        self._counted.pop((namespace, name), None)


def _take(counted: Counted, pod: str, raw: object) -> bool:
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
    new = False
    for window in report.windows:
        found = SeenWindow(pod, report.manifest_digest, window)
        if found.key not in counted.known:
            counted.known.add(found.key)
            counted.windows.append(found)
            new = True
    _bound(counted)
    return new


def _bound(counted: Counted) -> None:
    size = sum(map(_size, counted.windows))
    while counted.windows and (len(counted.windows) > MOST_WINDOWS or size > MOST_BYTES):
        oldest = counted.windows.popleft()
        counted.known.discard(oldest.key)
        size -= _size(oldest)


def _size(seen: SeenWindow) -> int:
    return 8 * sum(map(len, seen.window.counts.values()))
