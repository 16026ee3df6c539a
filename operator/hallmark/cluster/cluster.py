"""What the operator needs of a Kubernetes API, whoever answers: the cluster, its errors.

``client.py`` is the one behind a real API server; the tests have one in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hallmark.cluster.kinds import Kind, Obj
from hallmark.errors import ClusterError

CONFLICT = 409
_RETRYABLE = frozenset({0, 401, 408, 409, 410, 429})


class ApiError(ClusterError):
    """The API server refused a call, failed or did not answer (status 0)."""

    def __init__(self, message: str, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def retryable(self) -> bool:
        """Tell whether the same call may succeed later without anybody changing anything."""
        return self.status in _RETRYABLE or self.status >= 500

    @property
    def gone(self) -> bool:
        """Tell whether the object (or the kind) is not there."""
        return self.status == 404


@dataclass(frozen=True)
class ForeignObject:
    """An object of a needed name that belongs to somebody else; it was not touched."""

    kind: str
    namespace: str | None
    name: str

    def sentence(self) -> str:
        """Say what is in the way and what to do."""
        where = f" in namespace '{self.namespace}'" if self.namespace else ""
        return (
            f"Expected to create {self.kind} '{self.name}'{where}, found one that somebody else "
            f"made; delete or rename it."
        )


class Cluster(Protocol):
    """What the operator needs of a Kubernetes API."""

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Obj | None:
        """Return the object as it is now, or None where there is none."""
        ...

    async def labels(self, kind: Kind, namespace: str, name: str) -> Mapping[str, str] | None:
        """Return an object's labels, or None where there is none; its content is not sent."""
        ...

    async def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Obj]:
        """Return the objects of a kind, in a namespace or in all, that carry the labels."""
        ...

    async def apply(
        self, obj: Obj, current: Obj | None = None, *, absent: bool = False
    ) -> Obj | ForeignObject:
        """Create or change an object server-side, unless it belongs to somebody else.

        An existing object is ours when its controller is the controller of ``obj``; where
        ``obj`` has none (its owner is in another namespace), when it carries the same
        ``hallmark.dev/*`` and managed-by labels; and what a ModelDeployment of the same name left
        behind (see ``ownership.is_abandoned``).

        Args:
            obj: the object as it is wanted.
            current: the object as it was decided on; ``ApiError`` 409 where it is another one by
                now. Without it the API server is asked who has the name.
            absent: a moment ago nobody had the name, so the API server is not asked again.
        """
        ...

    async def create(self, obj: Obj) -> Obj:
        """Create an object; ``ApiError`` 409 where it exists."""
        ...

    async def merge(
        self, kind: Kind, namespace: str | None, name: str, patch: Mapping[str, Any]
    ) -> Obj:
        """Merge into an object, nulls removing.

        A ``resourceVersion`` in the patch's metadata is a precondition: ``ApiError`` 409 where
        the object was changed since.
        """
        ...

    async def delete(self, kind: Kind, namespace: str | None, name: str, uid: str) -> None:
        """Delete exactly that object in the background; one that is gone is fine."""
        ...

    async def write_status(self, current: Obj, status: Mapping[str, Any]) -> Obj:
        """Make ``status`` the operator's part of an object's status, in one write.

        Fields that the operator wrote before and that are not in ``status`` go away; fields of
        other writers (``status.drift``) stay. Nothing is sent where nothing would change.

        Args:
            current: the object as it was decided on. ``ApiError`` 409 where anything that a
                decision reads is different by now; a report of a predictor is no difference.
            status: all status fields of the operator, in wire form.
        """
        ...

    async def merge_status(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        version: str | None = None,
    ) -> Obj:
        """Merge into a status, nulls removing: for drift entries that go.

        With a resource version it is a precondition: ``ApiError`` 409 where the object changed.
        """
        ...
