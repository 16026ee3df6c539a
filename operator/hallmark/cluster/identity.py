"""Does the API server vouch for the names in our objects? Reads the admission policies."""

from __future__ import annotations

from typing import Any

from hallmark.api import names
from hallmark.api.admission import in_force_since
from hallmark.api.model_version import Requester
from hallmark.cluster.client import ApiError, Cluster
from hallmark.cluster.kinds import ADMISSION_BINDING, ADMISSION_POLICY, Obj


async def approvals_vouched_since(cluster: Cluster) -> str | None:
    """Return since when the identity policy for approvals has been in force, or None.

    In force means that policy and binding are there, exactly as this version ships them. The
    moment is their last change, so an approval that is older is not vouched for.
    """
    return await _vouched_since(cluster, names.APPROVAL_IDENTITY_POLICY)


async def requester_of(cluster: Cluster, run: Obj) -> Requester:
    """Return who asked for a run, and what the API server vouches for.

    Where the requester policy has been in force for longer than the run exists, it vouches for the
    name in ``requestedBy``, or for the relay's that it demands on a run that names another.
    Else nobody does.
    """
    name = str(run["spec"]["requestedBy"])
    if not await _in_force_before(cluster, run):
        return Requester(name=name, authenticated=False)
    annotations: dict[str, Any] = run["metadata"].get("annotations") or {}
    relay = annotations.get(names.ANNOTATION_RELAY)
    return Requester(name=name, authenticated=relay is None, relay=relay)


async def _in_force_before(cluster: Cluster, run: Obj) -> bool:
    try:
        since = await _vouched_since(cluster, names.REQUESTER_IDENTITY_POLICY)
    except ApiError as error:
        if error.status == 403:
            return False  # Who may not look cannot know.
        raise
    # RFC 3339 in UTC with whole seconds: the order of the texts is the order of the moments.
    return since is not None and since <= str(run["metadata"]["creationTimestamp"])


async def _vouched_since(cluster: Cluster, name: str) -> str | None:
    policy = await cluster.get(ADMISSION_POLICY, None, name)
    binding = await cluster.get(ADMISSION_BINDING, None, name)
    return in_force_since(name, policy, binding)
