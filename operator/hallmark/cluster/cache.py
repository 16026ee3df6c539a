"""The operator's memory of the cluster: trimmed objects with indices, fed by watches and answers.

``gather`` reads it alone, so a reconcile costs no request for what did not change. An object is
replaced only by a newer one (resource versions are numbers that grow), so that the answer to an own
write enters at once, and the watch that brings the same state later changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from pydantic_core import from_json, to_json

from hallmark.api.common import ApiModel
from hallmark.cluster.indices import IndexKey, indices
from hallmark.cluster.kinds import Kind, Obj
from hallmark.cluster.parse import read
from hallmark.cluster.trim import trimmed
from hallmark.refusal import Refusal

PARSED = 512
"""Objects that are kept parsed, the last used ones."""
GONE = 4096
"""Deletions that are remembered, the last ones: an answer that comes late revives nothing."""

Model = TypeVar("Model", bound=ApiModel)
Value = TypeVar("Value")


class Key(NamedTuple):
    """The place of an object."""

    kind: Kind
    namespace: str | None
    name: str


def key_of(kind: Kind, obj: Obj) -> Key:
    """Return where an object is."""
    metadata = obj["metadata"]
    return Key(kind, metadata.get("namespace"), str(metadata["name"]))


@dataclass(frozen=True)
class Change:
    """An object that became another one; what decisions do not read is no change.

    Args:
        key: where it is.
        before: as it was; None where it is new.
        after: as it is; None where it is gone.
    """

    key: Key
    before: Obj | None
    after: Obj | None


@dataclass(slots=True)
class _Entry:
    """An object as compact JSON, which takes a tenth of the memory of its dicts."""

    version: int
    uid: str
    data: bytes
    """Without the resource version."""
    indices: tuple[IndexKey, ...]


class ObjectCache:
    """Objects by place and by index. Used by one event loop alone."""

    def __init__(self, parsed: int = PARSED) -> None:
        """Start empty.

        Args:
            parsed: How many objects are kept parsed.
        """
        self._most_parsed = parsed
        self._entries: dict[Key, _Entry] = {}
        self._kinds: defaultdict[Kind, dict[Key, None]] = defaultdict(dict)
        self._index: defaultdict[IndexKey, set[Key]] = defaultdict(set)
        self._parsed: OrderedDict[Key, tuple[int, ApiModel | Refusal]] = OrderedDict()
        self._gone: OrderedDict[Key, int] = OrderedDict()

    def __len__(self) -> int:
        """Return how many objects there are."""
        return len(self._entries)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Obj | None:
        """Return the trimmed object, or None."""
        entry = self._entries.get(Key(kind, namespace, name))
        return None if entry is None else _decoded(entry)

    def uid(self, key: Key) -> str:
        """Return the uid of the object that is there; empty where none is."""
        entry = self._entries.get(key)
        return entry.uid if entry else ""

    def keys(self, kind: Kind, namespace: str | None = None) -> Iterator[Key]:
        """Yield the places of all objects of a kind, in one namespace or in all."""
        for key in list(self._kinds[kind]):
            if namespace in (None, key.namespace):
                yield key

    def indexed(self, *index: str | None, kind: Kind | None = None) -> list[Key]:
        """Return the places of the objects under an index key, in order."""
        found = self._index.get(index, ())
        return sorted(key for key in found if kind is None or key.kind == kind)

    def under(self, key: Key) -> tuple[IndexKey, ...]:
        """Return the index keys under which an object is; none where there is none."""
        entry = self._entries.get(key)
        return entry.indices if entry else ()

    def objects(self, *index: str | None, kind: Kind | None = None) -> list[Obj]:
        """Return the trimmed objects under an index key, in the order of their places."""
        return [_decoded(self._entries[key]) for key in self.indexed(*index, kind=kind)]

    def read(
        self, model: type[Model], kind: Kind, namespace: str | None, name: str
    ) -> Model | Refusal | None:
        """Return an object parsed, why it cannot be, or None where there is none."""
        key = Key(kind, namespace, name)
        entry = self._entries.get(key)
        if entry is None:
            return None
        parsed = self._parsed.get(key)
        if parsed is not None and parsed[0] == entry.version:
            self._parsed.move_to_end(key)
        else:
            parsed = (entry.version, read(model, _decoded(entry)))
            _remember(self._parsed, key, parsed, self._most_parsed)
        found: Any = parsed[1]
        return found if isinstance(found, Refusal | model) else None

    def observe(self, kind: Kind, obj: Obj, *, quiet: bool = False) -> Change | None:
        """Take an object as it was listed, watched or answered; return what changed, if anything.

        An older state than the known one is ignored.

        Args:
            kind: the object's.
            obj: the object, whole.
            quiet: nobody asks what changed.
        """
        key, version = key_of(kind, obj), int(obj["metadata"]["resourceVersion"])
        former = self._entries.get(key)
        if version <= (former.version if former else self._gone.get(key, 0)):
            return None
        kept = trimmed(kind, obj)
        kept["metadata"].pop("resourceVersion")
        entry = _Entry(
            version, str(obj["metadata"]["uid"]), to_json(kept), tuple(indices(kind, kept))
        )
        self._replace(key, former, entry)
        if quiet or (former is not None and (former.uid, former.data) == (entry.uid, entry.data)):
            return None
        return Change(key, None if former is None else _decoded(former), _decoded(entry))

    def remove(self, kind: Kind, obj: Obj) -> Change | None:
        """Take that an object is gone, unless another one stands in its place by now."""
        key, version = key_of(kind, obj), int(obj["metadata"]["resourceVersion"])
        former = self._entries.get(key)
        if former is not None and former.version > version:
            return None
        if former is not None:
            return self._forget(key, former, version)
        _remember(self._gone, key, version, GONE)
        return None

    def keep_only(self, kind: Kind, present: Iterable[Key], version: int) -> list[Change]:
        """Take a whole list: what was not in it and is no newer than it is gone."""
        present = set(present)
        return [
            self._forget(key, entry, version)
            for key in self.keys(kind)
            if key not in present and (entry := self._entries[key]).version <= version
        ]

    def _forget(self, key: Key, former: _Entry, version: int) -> Change:
        self._replace(key, former, None)
        _remember(self._gone, key, version, GONE)
        return Change(key, _decoded(former), None)

    def _replace(self, key: Key, former: _Entry | None, entry: _Entry | None) -> None:
        before = former.indices if former else ()
        after = entry.indices if entry else ()
        if before != after:
            for index in before:
                self._index[index].discard(key)
                if not self._index[index]:
                    del self._index[index]
            for index in after:
                self._index[index].add(key)
        if entry is None:
            del self._entries[key], self._kinds[key.kind][key]
            self._parsed.pop(key, None)
        else:
            self._entries[key] = entry
            self._kinds[key.kind][key] = None


def _remember(memory: OrderedDict[Key, Value], key: Key, value: Value, limit: int) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > limit:
        memory.popitem(last=False)


def _decoded(entry: _Entry) -> Obj:
    obj: Obj = from_json(entry.data)
    obj["metadata"]["resourceVersion"] = str(entry.version)
    return obj
