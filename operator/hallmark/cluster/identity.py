"""Does the API server vouch for the names in our objects? Reads the admission policies."""

from __future__ import annotations

from typing import Any

from hallmark.api import names
from hallmark.api.admission import identity_is_in_force
from hallmark.cluster.client import ApiError, Cluster
from hallmark.cluster.kinds import ADMISSION_BINDING, ADMISSION_POLICY, Obj

REQUESTER_IDENTITY_POLICY = "hallmark-requester-identity"


async def approvals_vouched_since(cluster: Cluster) -> str | None:
    """Return since when the identity policy for approvals has been in force, or None.

    In force means that policy and binding are there, exactly as this version ships them. The
    moment is the younger one's creation, so an approval that is older is not vouched for.
    """
    policy, binding = await _both(cluster, names.APPROVAL_IDENTITY_POLICY)
    if policy is None or binding is None or not identity_is_in_force(policy, binding):
        return None
    return max(_created(policy), _created(binding))


async def is_authenticated(cluster: Cluster, run: Obj) -> bool:
    """Tell whether the API server vouches for a run's ``requestedBy``.

    It does where the requester policy denies another person's name, has been there for longer
    than the run, and the run does not carry the mark that admission puts on a relay's.
    """
    annotations: dict[str, Any] = run["metadata"].get("annotations") or {}
    if names.ANNOTATION_REQUESTER in annotations:
        return False
    try:
        policy, binding = await _both(cluster, REQUESTER_IDENTITY_POLICY)
    except ApiError as error:
        if error.status == 403:
            return False  # Who may not look cannot know.
        raise
    if policy is None or binding is None:
        return False
    denies = "Deny" in (binding["spec"].get("validationActions") or [])
    strict = policy["spec"].get("failurePolicy", "Fail") == "Fail"
    return denies and strict and max(_created(policy), _created(binding)) <= _created(run)


async def _both(cluster: Cluster, name: str) -> tuple[Obj | None, Obj | None]:
    return (
        await cluster.get(ADMISSION_POLICY, None, name),
        await cluster.get(ADMISSION_BINDING, None, name),
    )


def _created(obj: Obj) -> str:
    # RFC 3339 in UTC with whole seconds: the order of the texts is the order of the moments.
    return str(obj["metadata"]["creationTimestamp"])
