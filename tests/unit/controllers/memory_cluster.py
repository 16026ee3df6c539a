"""A cluster in memory behind the operator's own Protocol; it can die at any write.

``tests/integration/test_cluster_contract.py`` holds it and a real API server to the same contract.
"""

# ruff: noqa: D102 - the methods are those of the Protocol
from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from hallmark.cluster.cluster import ApiError, ForeignObject
from hallmark.cluster.kinds import Kind, Obj, kind_of
from hallmark.cluster.ownership import decided_on, may_change
from hallmark.errors import ClusterError

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
        self.observe: Callable[[Kind, Obj], object] = lambda kind, obj: None
        self.refuse: Callable[[str, Obj], ApiError | None] | None = None
        """What it answers instead of an ``apply``, ``merge``, ``delete`` or ``status``."""
        self._watch = watch
        self._uids = itertools.count(1)
        self._versions = itertools.count(1)

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj | None:
        return copy.deepcopy(self.objects.get(_key(kind, namespace, name)))

    async def labels(self, kind: Kind, namespace: str, name: str) -> Mapping[str, str] | None:
        found = self.objects.get(_key(kind, namespace, name))
        return None if found is None else dict(found["metadata"].get("labels") or {})

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

    async def apply(
        self, obj: Obj, current: Obj | None = None, *, absent: bool = False
    ) -> Obj | ForeignObject:
        self._ask("apply", obj)
        key = self.key_of(obj)
        existing = self.objects.get(key)
        if current is not None and not may_change(current, obj):
            return ForeignObject(obj["kind"], key[1] or None, key[2])
        if current is not None and not _same(current, existing):
            raise _conflict(key)
        if existing is None:
            return self._answer(self.put(obj))
        if not may_change(existing, obj):
            if absent:
                raise _conflict(key)
            return ForeignObject(obj["kind"], key[1] or None, key[2])
        if existing.get("immutable") and existing["data"] != obj["data"]:
            raise ApiError(f"{key[2]} is immutable.", 422, "Invalid")
        changed = {**existing, **{k: v for k, v in obj.items() if k != "metadata"}}
        changed["metadata"] = {**existing["metadata"], **obj["metadata"]}
        return self._answer(self._write(key, changed))

    async def create(self, obj: Obj) -> Obj:
        if self.key_of(obj) in self.objects:
            raise ApiError("It exists.", 409, "AlreadyExists")
        return self._answer(self.put(obj))

    async def merge(
        self, kind: Kind, namespace: str | None, name: str, patch: Mapping[str, Any]
    ) -> Obj:
        key = _key(kind, namespace, name)
        live = self._live(key)
        self._ask("merge", live)
        version = (patch.get("metadata") or {}).get("resourceVersion")
        if version not in (None, live["metadata"]["resourceVersion"]):
            raise _conflict(key)
        return self._answer(self._write(key, _merged(live, patch)))

    async def delete(self, kind: Kind, namespace: str | None, name: str, uid: str) -> None:
        key = _key(kind, namespace, name)
        if key in self.objects and self.objects[key]["metadata"]["uid"] == uid:
            self._ask("delete", self.objects[key])
            del self.objects[key]
            self._count(key)

    async def write_status(self, current: Obj, status: Mapping[str, Any]) -> Obj:
        key = self.key_of(current)
        if "drift" in status:
            raise ClusterError("status.drift belongs to the predictors; the operator left it in.")
        before = {k: v for k, v in (current.get("status") or {}).items() if k != "drift"}
        if before == dict(status):
            return current
        live = self._live(key)
        self._ask("status", live)
        if not decided_on(current, live):
            raise _conflict(key)
        if path := _emptied(before, dict(status), "status"):
            # What server-side apply makes of a map or a set whose last entry goes.
            raise ApiError(f"{path}: Invalid value: null", 422, "Invalid")
        drift = live.get("status", {}).get("drift")
        wanted = {**status, **({"drift": drift} if drift else {})}
        return self._answer(self._write(key, {**live, "status": wanted}))

    async def merge_status(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        version: str | None = None,
    ) -> Obj:
        key = _key(kind, namespace, name)
        live = self._live(key)
        self._ask("status", live)
        if version not in (None, live["metadata"]["resourceVersion"]):
            raise _conflict(key)
        merged = _merged(live, {"status": status})
        return self._answer(self._write(key, merged))

    def _ask(self, verb: str, obj: Obj) -> None:
        refusal = self.refuse(verb, obj) if self.refuse else None
        if refusal is not None:
            raise refusal

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

    def touch(self, key: Key) -> None:
        """Give an object that a test changed in its place the next resource version."""
        self.objects[key]["metadata"]["resourceVersion"] = str(self.now())

    def now(self) -> int:
        """Return a version that is newer than every object's, as a list has one."""
        return next(self._versions)

    def _live(self, key: Key) -> Obj:
        if key not in self.objects:
            raise ApiError(f"{key[2]} is not there.", 404, "NotFound")
        return copy.deepcopy(self.objects[key])

    def _write(self, key: Key, obj: Obj) -> Obj:
        """Store an object; what changes nothing has no new version."""
        before = self.objects.get(key)
        if obj != before:
            self.objects[key] = copy.deepcopy(obj)
            if before is not None and before.get("spec") != obj.get("spec"):
                self.objects[key]["metadata"]["generation"] += 1
            self.touch(key)
        self._count(key)
        return copy.deepcopy(self.objects[key])

    def _answer(self, obj: Obj) -> Obj:
        self.observe(kind_of(obj), obj)
        return obj

    def _count(self, key: Key) -> None:
        self._watch(key)
        self.writes += 1
        if self.die_at is not None and self.writes >= self.die_at:
            raise Killed


def _key(kind: Kind, namespace: str | None, name: str) -> Key:
    return (kind.kind + kind.api_version, namespace or "", name)


def _same(current: Obj, existing: Obj | None) -> bool:
    fields = ("uid", "resourceVersion")
    return existing is not None and all(
        current["metadata"][field] == existing["metadata"][field] for field in fields
    )


def _emptied(before: Any, after: Any, path: str) -> str:  # noqa: ANN401 - any JSON
    """Return where a map or a list that held something is applied as an empty one, or nothing."""
    if before and after in ({}, []) and isinstance(before, dict | list):
        return path
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ""
    found = (_emptied(before.get(key), after[key], f"{path}.{key}") for key in after)
    return next((place for place in found if place), "")


def _merged(into: Any, patch: Any) -> Any:  # noqa: ANN401 - RFC 7386 is about any JSON
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(into) if isinstance(into, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _conflict(key: Key) -> ApiError:
    return ApiError(f"{key[2]} was changed meanwhile.", 409, "Conflict")
