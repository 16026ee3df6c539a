"""Does the API server vouch for the names in our objects? Reads the admission policies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hallmark.api import names
from hallmark.api.admission import in_force_since
from hallmark.api.model_version import Requester
from hallmark.api.texts import parse_timestamp
from hallmark.cluster.cluster import ApiError, Cluster
from hallmark.cluster.guards import Guards
from hallmark.cluster.kinds import ADMISSION_BINDING, ADMISSION_POLICY, Obj
from hallmark.policies.model_version.approvals import SETTLING


@dataclass(frozen=True)
class Identity:
    """Asks the API server whether its admission policies vouch for names, live.

    Args:
        cluster: the API.
        guards: since when the operator itself saw the policies as they are. An answer that differs
            from it is a change that no watch has brought yet, and counts from now.
        clock: the time, or the API server's where that is later: what it stamps is held against
            when the operator saw the policies.
    """

    cluster: Cluster
    guards: Guards
    clock: Callable[[], datetime]

    async def approvals_vouched_since(self) -> str | None:
        """Return since when the identity policy for approvals has been in force, or None.

        In force means that policy and binding are there, exactly as this version ships them. The
        moment is the last at which the operator saw one of them change, or at which the API server
        says so, so an approval that is older is not vouched for.
        """
        return await self.in_force_since(names.APPROVAL_IDENTITY_POLICY)

    async def requester_of(self, run: Obj) -> Requester:
        """Return who asked for a run, and what the API server vouches for.

        Where the requester policy was in force a while before the run was created, it vouches for
        the name in ``requestedBy``, or for the relay's that it demands on a run that names another.
        Else nobody does.
        """
        name = str(run["spec"]["requestedBy"])
        if not await self._in_force_before(run):
            return Requester(name=name, authenticated=False)
        annotations: dict[str, Any] = run["metadata"].get("annotations") or {}
        relay = annotations.get(names.ANNOTATION_RELAY)
        return Requester(name=name, authenticated=relay is None, relay=relay)

    async def _in_force_before(self, run: Obj) -> bool:
        try:
            since = await self.in_force_since(names.REQUESTER_IDENTITY_POLICY)
        except ApiError as error:
            if error.status == 403:
                return False  # Who may not look cannot know.
            raise
        created = parse_timestamp(str(run["metadata"]["creationTimestamp"]))
        return since is not None and parse_timestamp(since) + SETTLING <= created

    async def in_force_since(self, name: str) -> str | None:
        """Return since when an admission policy of ours has been in force, or None."""
        policy = await self.cluster.get(ADMISSION_POLICY, None, name)
        binding = await self.cluster.get(ADMISSION_BINDING, None, name)
        now = self.clock()
        found = ((ADMISSION_POLICY, policy), (ADMISSION_BINDING, binding))
        seen = [self.guards.saw(kind, obj, now).since for kind, obj in found if obj is not None]
        since = in_force_since(name, policy, binding)
        # RFC 3339 in UTC with whole seconds: the order of the texts is the order of the moments.
        return None if since is None else max([since, *seen])
