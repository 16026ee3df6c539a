"""Kubernetes Events: one for each transition, bounded, from one source, never twice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hallmark.api import names
from hallmark.cluster.cluster import ApiError, Cluster
from hallmark.cluster.kinds import Obj
from hallmark.policies.decision import Event
from hallmark.policies.status import shorten

TEXT_LIMIT = 1024
"""Characters in an Event's message (the API server's own limit)."""


def build_event(regarding: Obj, note: Event, now: datetime) -> Obj:
    """Return the Event; its name follows from object, reason and message, so it is made once."""
    metadata = regarding["metadata"]
    message = shorten(note.message, TEXT_LIMIT)
    suffix = names.short_hash(metadata["uid"], note.reason, message, digits=16)
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            # A name that is cut between two of its parts would be none.
            "name": f"{metadata['name'][:200].rstrip('.-')}.{suffix}",
            # Events of cluster-scoped objects live in the namespace default.
            "namespace": metadata.get("namespace", "default"),
        },
        "involvedObject": _reference(regarding),
        "reason": note.reason,
        "message": message,
        "type": "Warning" if note.warning else "Normal",
        "source": {"component": names.OPERATOR_NAME},
        "reportingComponent": names.OPERATOR_NAME,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


async def emit(cluster: Cluster, event: Obj) -> None:
    """Create an Event unless the same one stands already.

    Raises:
        ApiError: the API server failed; the caller goes on, an Event is never worth a retry.
    """
    try:
        await cluster.create(event)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise


def _reference(obj: Obj) -> dict[str, Any]:
    metadata = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        **({"namespace": metadata["namespace"]} if metadata.get("namespace") else {}),
    }
