"""Stores in a folder and an audit log in memory, in place of those on a network and a disk."""

# ruff: noqa: D102 - names say what the world does
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hallmark.api.artifacts import DownloadURLs
from hallmark.api.model_policy import (
    ModelPolicySpec,
)
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import timestamp
from hallmark.audit.memory import LogMemory
from hallmark.audit.record import Record
from hallmark.bundles.bundles import Bundles
from hallmark.bundles.stores import Stores
from hallmark.errors import ArtifactError

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class FolderBundles(Bundles):
    """Bundles in a folder, which cannot be presigned."""

    def urls(
        self, version: ModelVersion, policy: ModelPolicySpec, lifetime: timedelta
    ) -> DownloadURLs:
        return DownloadURLs(urls={"model.onnx": f"http://store/{version.metadata.name}"})


class FolderStores(Stores):
    """Opens a folder, whatever the policy names, unless the store is away."""

    def __init__(self, folder: Path, is_away: Callable[[], bool] = lambda: False) -> None:
        super().__init__(folder)
        self._folder = folder
        self._is_away = is_away

    def open(self, spec: object) -> Any:  # noqa: ANN401 - a store
        from hallmark.store import open_store

        if self._is_away():
            raise ArtifactError("The store could not be reached.")
        return open_store(f"file://{self._folder}")


class Ledger:
    """The audit log in memory, with the real one's idempotence."""

    trouble = ""
    """Why it takes no record: it takes all."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.memory = LogMemory()

    def append(self, record: Record) -> None:
        self.append_all((record,))

    def append_all(self, records: Sequence[Record]) -> list[Record]:
        named = [
            replace(record, decision_id=name)
            for record in records
            if (name := self.memory.id_of(record)) is not None
        ]
        new = [record for record in named if record.decision_id not in self.records]
        for record in new:
            self.records.setdefault(record.decision_id, record)
        for record in named:
            self.memory.hear(self.records[record.decision_id], timestamp(NEVER))
        return new
