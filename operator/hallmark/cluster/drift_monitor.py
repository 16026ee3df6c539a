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

    version: str = ""
    """The resource version of the object in which the reports stood."""
    reports: bytes = b""
    memory: Memory | None = None


@dataclass(frozen=True)
class Known:
    """The newest reports of a ModelDeployment, and what was judged of them."""

    version: str = ""
    """The resource version of the object in which they stood."""
    reports: Mapping[str, Report] = field(default_factory=dict)
    """By Pod, as they stand there."""
    memory: Memory | None = None


class DriftMonitor:
    """Keeps the newest reports of each ModelDeployment, and what they said."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self._heard: dict[Place, _Heard] = {}

    def known(self, namespace: str, name: str) -> Known:
        """Return what is known of a ModelDeployment's Pods."""
        heard = self._heard.get((namespace, name))
        if heard is None:
            return Known()
        return Known(heard.version, from_json(zlib.decompress(heard.reports)), heard.memory)

    def remember(self, namespace: str, name: str, version: str, memory: Memory) -> None:
        """Keep what was judged, unless newer reports were heard meanwhile.

        Args:
            namespace: of the ModelDeployment.
            name: of the ModelDeployment.
            version: the resource version of the object whose reports were judged.
            memory: what they said.
        """
        heard = self._heard.get((namespace, name))
        if heard is not None and heard.version == version:
            heard.memory = memory

    def forget(self, namespace: str, name: str) -> None:
        """Forget a ModelDeployment that is gone."""
        self._heard.pop((namespace, name), None)

    def hear(self, obj: Obj, judge: Judge) -> bool:
        """Take a ModelDeployment's reports as they came, and judge what is new in them.

        Args:
            obj: the object as the API server sent it.
            judge: judges the reports.

        Returns:
            Whether the object must be looked at: the verdict or what is shown changes, an entry
            is to be removed, or the reports cannot be judged with what is in memory.
        """
        metadata, status = obj["metadata"], obj.get("status") or {}
        place = (str(metadata["namespace"]), str(metadata["name"]))
        heard = self._heard.setdefault(place, _Heard(reports=_NONE))
        reports = status.get("drift") or {}
        packed = zlib.compress(to_json(reports), 1)
        heard.version = str(metadata["resourceVersion"])
        if packed == heard.reports:
            return False
        heard.reports = packed
        if not status.get("activeDigest"):
            return False
        verdict = judge(*place, reports, heard.memory)
        if verdict is None:
            return True
        heard.memory = verdict.memory
        return bool(verdict.changed or verdict.gone or verdict.room)


_NONE = zlib.compress(to_json({}), 1)
