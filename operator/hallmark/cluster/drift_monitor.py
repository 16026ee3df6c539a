"""The predictors' reports and what was judged of them, in memory, apart from the cache.

A report that changes neither the verdict nor what is shown costs no request and no reconcile: it is
judged as it comes. The reports themselves are kept as compressed JSON, for the one case in which
they are judged anew: another version serves, or a person acknowledged.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic_core import from_json, to_json

from hallmark.cluster.kinds import Obj
from hallmark.drift.decision import DriftVerdict, Memory
from hallmark.drift.reports import Report

Place = tuple[str, str]
"""Namespace and name of a ModelDeployment."""
Judge = Callable[[str, str, Mapping[str, Report], Memory | None], DriftVerdict | None]
"""Judges a ModelDeployment's reports with what is in memory; None where something is missing."""


@dataclass(slots=True)
class _Heard:
    """What is known of one ModelDeployment's Pods."""

    reports: bytes = b""
    memory: Memory | None = field(default=None)


class DriftMonitor:
    """Keeps the newest reports of each ModelDeployment, and what they said."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self._heard: dict[Place, _Heard] = {}

    def known(self, namespace: str, name: str) -> tuple[Mapping[str, Report], Memory | None]:
        """Return the newest reports by Pod, as they stand in the object, and what was judged."""
        heard = self._heard.get((namespace, name))
        if heard is None:
            return {}, None
        return from_json(zlib.decompress(heard.reports)), heard.memory

    def remember(self, namespace: str, name: str, memory: Memory) -> None:
        """Keep what was judged for the next report."""
        self._heard.setdefault((namespace, name), _Heard(_packed({}))).memory = memory

    def forget(self, namespace: str, name: str) -> None:
        """Forget a ModelDeployment that is gone."""
        self._heard.pop((namespace, name), None)

    def hear(self, obj: Obj, judge: Judge) -> DriftVerdict | None:
        """Take a ModelDeployment's reports as they came, and judge what is new in them.

        Args:
            obj: the object as the API server sent it.
            judge: judges the reports.

        Returns:
            None where nothing new was reported, or it cannot be judged yet.
        """
        metadata = obj["metadata"]
        place = (str(metadata["namespace"]), str(metadata["name"]))
        reports = (obj.get("status") or {}).get("drift") or {}
        packed, heard = _packed(reports), self._heard.get(place)
        if packed == (heard.reports if heard else _NONE):
            return None
        if heard is None:
            heard = self._heard[place] = _Heard()
        heard.reports = packed
        verdict = judge(*place, reports, heard.memory)
        if verdict is not None:
            heard.memory = verdict.memory
        return verdict


def _packed(reports: Mapping[str, object]) -> bytes:
    return zlib.compress(to_json(reports), 1)


_NONE = _packed({})
