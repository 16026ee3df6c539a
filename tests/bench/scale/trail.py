"""What the operator asked of the API server, from the API server's own audit log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hallmark.api.names import HEARTBEAT_CONFIG_MAP

WRITES = frozenset({"create", "update", "patch", "delete"})


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the operator.

    Attributes:
        verb: Such as ``patch``; ``watch`` where one began.
        api: Its group and version, such as ``apps/v1``; ``v1`` for the core.
        resource: Its plural with the subresource, such as ``pods/status``; empty for a path
            that is no object's.
        namespace: Of the object; empty for all.
        name: Of the object, or of the only one that a list selects; empty for other lists.
        page: Whether it only asks for the next page of a list.
    """

    verb: str
    api: str
    resource: str
    namespace: str
    name: str
    page: bool

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.verb in WRITES

    @property
    def routine(self) -> bool:
        """Whether an operator at rest makes it too: heartbeat, lease or a watch begun anew."""
        return (
            self.verb == "watch" or self.resource == "leases" or self.name == HEARTBEAT_CONFIG_MAP
        )


class Trail:
    """The operator's requests so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.requests: list[Request] = []

    def read(self) -> list[Request]:
        """Return the requests since the last reading, and keep them."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole, _, _ = data.rpartition(b"\n")
        self._offset += len(whole) + bool(whole)
        found = [
            _request(event)
            for event in map(json.loads, whole.splitlines())
            # A watch has a line when it begins and another when it ends.
            if event["verb"] != "watch" or event["stage"] == "ResponseStarted"
        ]
        self.requests += found
        return found

    def mark(self) -> int:
        """Return a place to count from."""
        self.read()
        return len(self.requests)

    def since(self, mark: int) -> list[Request]:
        """Return the requests since a place, but for what is routine."""
        self.read()
        return [request for request in self.requests[mark:] if not request.routine]


def writes_by_resource(requests: Iterable[Request]) -> Counter[tuple[str, str]]:
    """Return how often each verb and resource was written."""
    return Counter((asked.verb, asked.resource) for asked in requests if asked.writes)


def lists_by_resource(requests: Iterable[Request]) -> Counter[str]:
    """Return how many lists of each resource began; further pages are part of their list.

    A list that selects one object by its name counts as that object's own.
    """
    return Counter(
        " ".join(filter(None, (asked.resource, asked.name)))
        for asked in requests
        if asked.verb == "list" and not asked.page
    )


def _request(event: dict[str, Any]) -> Request:
    about = event.get("objectRef") or {}
    return Request(
        verb=event["verb"],
        api=_joined(about.get("apiGroup"), about.get("apiVersion")),
        # The five kinds' Deployment has a plural of its own, so the group adds nothing.
        resource=_joined(about.get("resource"), about.get("subresource")),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        page="continue=" in event["requestURI"],
    )


def _joined(*parts: str | None) -> str:
    return "/".join(part for part in parts if part)
