"""A cluster in memory behind the operator's own Protocol; it can die at any write."""

# ruff: noqa: D102 - the methods are those of the Protocol
from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from hallmark.cluster.client import ApiError, ForeignObject, same_owner
from hallmark.cluster.kinds import Kind, Obj, kind_of

Key = tuple[str, str, str]


class Killed(BaseException):
    """The operator's process ended here; nothing of it runs any more."""


class MemoryCluster:
    """Objects by kind, namespace and name.

    Args:
        watch: called after each write with the object's key; where invariants are checked.
    """

    def __init__(self, watch: Callable[[Key], None] = lambda _: None) -> None:
        self.objects: dict[Key, Obj] = {}
        self.writes = 0
        self.die_at: int | None = None
        """The number of the write after which the operator is killed."""
        self._watch = watch
        self._uids = itertools.count(1)

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj | None:
        return copy.deepcopy(self.objects.get(_key(kind, namespace, name)))

    async def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Obj]:
        return [
            copy.deepcopy(obj)
            for key, obj in sorted(self.objects.items())
            if key[0] == kind.kind + kind.api_version
            and namespace in (None, key[1])
            and (labels or {}).items() <= (obj["metadata"].get("labels") or {}).items()
        ]

    async def apply(self, obj: Obj) -> Obj | ForeignObject:
        key = self.key_of(obj)
        existing = self.objects.get(key)
        if existing is None:
            return self.put(obj)
        if not same_owner(existing, obj):
            return ForeignObject(obj["kind"], key[1], key[2])
        if existing.get("immutable") and existing["data"] != obj["data"]:
            raise ApiError(f"{key[2]} is immutable.", 422, "Invalid")
        changed = {**existing, **{k: v for k, v in obj.items() if k != "metadata"}}
        changed["metadata"] = {**existing["metadata"], **obj["metadata"]}
        if existing.get("spec") != changed.get("spec"):
            changed["metadata"]["generation"] = existing["metadata"]["generation"] + 1
        return self._write(key, changed)

    async def create(self, obj: Obj) -> Obj:
        if self.key_of(obj) in self.objects:
            raise ApiError("It exists.", 409, "AlreadyExists")
        return self.put(obj)

    async def merge(
        self, kind: Kind, namespace: str | None, name: str, change: Mapping[str, Any]
    ) -> Obj:
        raise NotImplementedError

    async def delete(self, kind: Kind, namespace: str | None, name: str, uid: str) -> None:
        key = _key(kind, namespace, name)
        if key in self.objects and self.objects[key]["metadata"]["uid"] == uid:
            del self.objects[key]
            self._count(key)

    async def write_status(self, current: Obj, status: Mapping[str, Any]) -> Obj:
        key = self.key_of(current)
        live = self.objects[key]
        drift = live.get("status", {}).get("drift")
        wanted = {**status, **({"drift": drift} if drift else {})}
        if wanted == live.get("status"):
            return copy.deepcopy(live)
        return self._write(key, {**live, "status": wanted})

    async def merge_status(
        self, kind: Kind, namespace: str, name: str, status: Mapping[str, Any]
    ) -> Obj:
        key = _key(kind, namespace, name)
        live = copy.deepcopy(self.objects[key])
        merged = live["status"].setdefault("drift", {})
        for pod, report in status["drift"].items():
            if report is None:
                merged.pop(pod, None)
            else:
                merged[pod] = report
        return self._write(key, live)

    async def patch_metadata(
        self, kind: Kind, namespace: str | None, name: str, metadata: Mapping[str, Any]
    ) -> Obj:
        raise NotImplementedError

    def key_of(self, obj: Obj) -> Key:
        return _key(kind_of(obj), obj["metadata"].get("namespace"), obj["metadata"]["name"])

    def put(self, obj: Obj) -> Obj:
        """Create an object, as any writer."""
        key = self.key_of(obj)
        metadata = {
            "uid": f"uid-{next(self._uids)}",
            "generation": 1,
            **copy.deepcopy(obj["metadata"]),
        }
        return self._write(key, {**copy.deepcopy(obj), "metadata": metadata})

    def _write(self, key: Key, obj: Obj) -> Obj:
        self.objects[key] = copy.deepcopy(obj)
        self._count(key)
        return copy.deepcopy(obj)

    def _count(self, key: Key) -> None:
        self._watch(key)
        self.writes += 1
        if self.die_at is not None and self.writes >= self.die_at:
            raise Killed


def _key(kind: Kind, namespace: str | None, name: str) -> Key:
    return (kind.kind + kind.api_version, namespace or "", name)
