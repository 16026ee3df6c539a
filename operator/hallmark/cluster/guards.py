"""The operator's own memory of what it rests on: since when it saw each of them as it is.

A guard is an admission policy of ours, its binding, or a ModelPolicy. What the API server stores
about its last change can be emptied by who changes it; uid and generation cannot.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from hallmark.api.admission import as_shipped
from hallmark.api.texts import canonical_json, sha256_digest, sorted_json
from hallmark.cluster.kinds import MODEL_POLICY, Kind, Obj
from hallmark.policies.guards import Guard

MAX_GUARDS = 512
"""Guards that are kept outside the audit volume; of more ModelPolicies the rest is not."""
_DIGITS = 16
_FIELDS = tuple(found.name for found in fields(Guard))
"""What another version kept besides is not read."""


@dataclass(frozen=True)
class GuardChange:
    """A guard that became another one, appeared or went."""

    before: Guard | None
    after: Guard | None
    obj: Obj
    """As it was last seen: what an Event is about."""


class Guards:
    """What was seen, and what is still to be recorded."""

    def __init__(self) -> None:
        """Start with nothing; ``restore`` brings what an earlier process saw."""
        self._seen: dict[tuple[str, str], Guard] = {}
        self._unconfirmed: set[tuple[str, str]] = set()
        self._first_start = False
        self.is_news = False
        """Something is to be kept that the next process does not know yet."""
        self.changes: deque[GuardChange] = deque()
        """What is to be recorded, in the order in which it was seen."""

    def restore(self, kept: Any, *, first_start: bool) -> None:  # noqa: ANN401 - what JSON says
        """Take what an earlier process saw.

        Args:
            kept: what ``kept`` returned then, or None.
            first_start: there was no earlier process, so what is there was not changed since.
        """
        self._first_start = first_start
        for wire in kept or []:
            guard = replace(Guard(**{name: wire.get(name) for name in _FIELDS}), version=0)
            place = (guard.kind, guard.name)
            now = self._seen.get(place)
            if now is None:
                self._seen[place] = guard
                self._unconfirmed.add(place)
            elif (now.uid, now.generation) == (guard.uid, guard.generation):
                self._seen[place] = replace(now, since=guard.since)
                self.changes = deque(change for change in self.changes if change.after != now)

    def kept(self) -> list[dict[str, Any]]:
        """Return what the next process is to know; it is no news then."""
        self.is_news = False
        policies_last = sorted(self._seen, key=lambda place: (place[0] == MODEL_POLICY.kind, place))
        places = policies_last[:MAX_GUARDS]
        return [asdict(self._seen[place]) for place in places]

    def saw(self, kind: Kind, obj: Obj, now: datetime) -> Guard:
        """Take a guard as the API server sent it; return what is known of it."""
        metadata = obj["metadata"]
        place = (kind.kind, str(metadata["name"]))
        former = self._seen.get(place)
        version = int(metadata["resourceVersion"])
        if former is not None and version <= former.version:
            return former
        self._unconfirmed.discard(place)
        uid, generation = str(metadata["uid"]), int(metadata.get("generation") or 0)
        same = former is not None and (former.uid, former.generation) == (uid, generation)
        spec: Mapping[str, Any] = obj.get("spec") or {}
        guard = Guard(
            kind=kind.kind,
            name=place[1],
            uid=uid,
            generation=generation,
            digest=_digest(spec),
            fields={name: _short(value) for name, value in spec.items()},
            since=former.since if former is not None and same else self._since(now),
            version=version,
        )
        self._seen[place] = guard
        if not same:
            self.is_news = True
            if not (self._first_start and as_shipped(obj)):
                self.changes.append(GuardChange(former, guard, obj))
        return guard

    def went(self, kind: Kind, obj: Obj) -> None:
        """Take that a guard was deleted."""
        place = (kind.kind, str(obj["metadata"]["name"]))
        former = self._seen.get(place)
        # Of one that was made anew, the watch may tell later that the former one went.
        if former is not None and former.uid == str(obj["metadata"]["uid"]):
            del self._seen[place]
            self._unconfirmed.discard(place)
            self.is_news = True
            self.changes.append(GuardChange(former, None, obj))

    def confirm(self, is_listed: Callable[[str, str], bool]) -> None:
        """Take that these were listed: what an earlier process saw and is not there is gone.

        Args:
            is_listed: whether the API server was asked for that kind and name.
        """
        for place in sorted(self._unconfirmed):
            if is_listed(*place):
                former = self._seen.pop(place)
                self.is_news = True
                self.changes.append(GuardChange(former, None, {}))
        self._unconfirmed.clear()
        self._first_start = False

    def _since(self, now: datetime) -> str:
        # Where there was no earlier process, what the API server stores must do.
        return "" if self._first_start else whole_seconds(now)


def whole_seconds(now: datetime) -> str:
    """Return the first whole second that is not before a moment, as the API server writes times."""
    moment = datetime.fromtimestamp(math.ceil(now.timestamp()), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest(spec: Mapping[str, Any]) -> str:
    try:
        return sha256_digest(canonical_json(spec))
    except ValueError:  # A number that canonical JSON has no form for.
        return sha256_digest(sorted_json(spec))


def _short(value: object) -> str:
    return sha256_digest(sorted_json(value)).removeprefix("sha256:")[:_DIGITS]
