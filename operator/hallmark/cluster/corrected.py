"""Applies a child so that nothing of strangers stays in it."""

from __future__ import annotations

from hallmark.cluster.cluster import ApiError, Cluster, ForeignObject
from hallmark.cluster.kinds import POD_DISRUPTION_BUDGET, Obj, kind_of
from hallmark.policies.decision import Apply
from hallmark.resources.difference import correction

INVALID = 422
REPLACEABLE = (POD_DISRUPTION_BUDGET,)
"""What is made anew where a stranger's field excludes ours; nothing ends with it."""


async def apply_corrected(cluster: Cluster, child: Apply) -> Obj | ForeignObject:
    """Apply a child server-side; what strangers added to its lists and maps goes.

    Raises:
        ApiError: the API server refused, or the object is not the one that was decided on.
    """
    wanted = dict(child.obj)
    current = None if child.current is None else dict(child.current)
    try:
        applied = await cluster.apply(wanted, current, absent=child.absent)
    except ApiError as error:
        if error.status != INVALID or current is None or kind_of(wanted) not in REPLACEABLE:
            raise
        metadata = current["metadata"]
        place = (kind_of(wanted), metadata.get("namespace"), metadata["name"])
        await cluster.delete(*place, metadata["uid"])
        return await cluster.apply(wanted)
    if current is None or isinstance(applied, ForeignObject):
        return applied
    patch = correction(wanted, applied)
    if not patch:
        return applied
    metadata = applied["metadata"]
    held = {"metadata": {"resourceVersion": metadata["resourceVersion"]}}
    return await cluster.merge(
        kind_of(wanted), metadata.get("namespace"), metadata["name"], patch | held
    )
