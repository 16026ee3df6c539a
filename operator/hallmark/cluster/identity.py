"""Does the API server vouch for the names in our objects? Reads the admission policies."""

from __future__ import annotations

from typing import Any

from hallmark.api import names
from hallmark.api.admission import in_force_since
from hallmark.cluster.cluster import ApiError, Cluster
from hallmark.cluster.kinds import ADMISSION_BINDING, ADMISSION_POLICY, Obj

REQUESTER_IDENTITY_POLICY = "hallmark-requester-identity"


async def approvals_vouched_since(cluster: Cluster) -> str | None:
    """Return since when the identity policy for approvals has been in force, or None.

    In force means that policy and binding are there, exactly as this version ships them. The
    moment is their last change, so an approval that is older is not vouched for.
    """
    return await _vouched_since(cluster, names.APPROVAL_IDENTITY_POLICY)


async def is_authenticated(cluster: Cluster, run: Obj) -> bool:
    """Tell whether the API server vouches for a run's ``requestedBy``.

    It does where the requester policy has been in force for longer than the run exists, and the
    run does not carry the mark that admission demands of a relay's.
    """
    annotations: dict[str, Any] = run["metadata"].get("annotations") or {}
    if names.ANNOTATION_REQUESTER in annotations:
        return False
    try:
        since = await _vouched_since(cluster, REQUESTER_IDENTITY_POLICY)
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
