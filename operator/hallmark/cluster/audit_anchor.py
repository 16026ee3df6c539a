"""The ConfigMap in which the operator keeps the audit log's anchor: read live, written alone."""

from __future__ import annotations

from collections.abc import Mapping

from hallmark.api import names
from hallmark.cluster.cluster import CONFLICT, ApiError, Cluster
from hallmark.cluster.kinds import CONFIG_MAP, Obj


class AnchorStore:
    """Reads and writes the anchor's ConfigMap; every write carries the version that was read.

    It carries no label of the operator's children, so that no watch brings it and the cache does
    not hold it: what counts is what the API server says now.

    Args:
        cluster: the API.
        namespace: the operator's own.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._known: Obj | None = None

    @property
    def data(self) -> Mapping[str, str]:
        """What stands in it, as last read or written."""
        return (self._known or {}).get("data") or {}

    @property
    def exists(self) -> bool:
        """Whether it was there when it was last read or written."""
        return self._known is not None

    async def load(self) -> Mapping[str, str]:
        """Read it; return its data.

        Raises:
            ApiError: the API server failed.
        """
        self._known = await self._cluster.get(CONFIG_MAP, self._namespace, names.AUDIT_ANCHOR)
        return self.data

    def acknowledgement(self) -> str:
        """Return the annotation in which a person acknowledges a break, as last read."""
        metadata = (self._known or {}).get("metadata") or {}
        annotations: Mapping[str, str] = metadata.get("annotations") or {}
        return annotations.get(names.ANNOTATION_ACKNOWLEDGE, "")

    async def save(self, data: Mapping[str, str | None]) -> str | None:
        """Write these keys of the data; None removes one. Nothing is sent that stands there.

        Returns:
            A sentence where somebody else had changed or removed it; what is written then counts.

        Raises:
            ApiError: the API server failed.
        """
        wanted = {key: text for key, text in data.items() if self.data.get(key) != text}
        if not wanted and self._known is not None:
            return None
        try:
            await self._write(wanted)
        except ApiError as error:
            if error.status != CONFLICT and not error.gone:
                raise
            return await self._write_over(data)
        return None

    async def _write_over(self, data: Mapping[str, str | None]) -> str | None:
        """Write after somebody else did; a person's annotation is no change of the data."""
        before, existed = dict(self.data), self.exists
        found = dict(await self.load())
        gone = existed and not self.exists
        ours = {**before, **data}
        await self._write({key: ours.get(key) for key in found.keys() | ours.keys()})
        if gone:
            return f"ConfigMap {names.AUDIT_ANCHOR} was deleted; the operator made it again."
        if found != before:
            return (
                f"The data of ConfigMap {names.AUDIT_ANCHOR} were changed by somebody else; the "
                "operator wrote its own again."
            )
        return None

    async def _write(self, data: Mapping[str, str | None]) -> None:
        if self._known is None:
            self._known = await self._cluster.create(self._new(data))
            return
        patch = {
            "metadata": {"resourceVersion": self._known["metadata"]["resourceVersion"]},
            "data": dict(data),
        }
        name = names.AUDIT_ANCHOR
        self._known = await self._cluster.merge(CONFIG_MAP, self._namespace, name, patch)

    def _new(self, data: Mapping[str, str | None]) -> Obj:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": names.AUDIT_ANCHOR,
                "namespace": self._namespace,
                "labels": {"app.kubernetes.io/part-of": "hallmark"},
            },
            "data": {key: text for key, text in data.items() if text is not None},
        }
