"""What a caller may do, asked with the caller's own token and believed for some seconds."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import (
    MODEL_APPROVAL,
    MODEL_DEPLOYMENT,
    MODEL_POLICY,
    MODEL_VERSION,
    SELF_ACCESS_REVIEW,
    TRAINING_RUN,
    Kind,
)
from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.access.door import Door
from hallmark_dashboard.problems import Right, from_api_error, lacking

BELIEVED_SECONDS = 10.0
MOST_KNOWN = 65536
AT_ONCE = 16
"""How many questions of one caller are under way."""

NAMESPACED_KINDS = (TRAINING_RUN, MODEL_VERSION, MODEL_APPROVAL, MODEL_DEPLOYMENT)


@dataclass(frozen=True)
class Sight:
    """The objects that a caller may see.

    Attributes:
        everywhere: Kinds of which every object may be seen.
        within: By kind, the namespaces in which objects of it may be seen.
    """

    everywhere: frozenset[Kind]
    within: Mapping[Kind, frozenset[str]]

    def sees(self, kind: Kind, namespace: str | None) -> bool:
        """Tell whether objects of a kind in a namespace may be seen."""
        return kind in self.everywhere or namespace in self.within.get(kind, frozenset())


class Rights:
    """Asks the API server what callers may do.

    Args:
        door: reaches the API server as the caller.
        clock: seconds that never go back.
    """

    def __init__(self, door: Door, clock: Callable[[], float] = time.monotonic) -> None:
        self._door = door
        self._clock = clock
        self._known: OrderedDict[tuple[str, Right], tuple[float, bool]] = OrderedDict()

    async def missing(self, caller: Caller, rights: Iterable[Right]) -> tuple[Right, ...]:
        """Return those of the rights that the caller lacks, in order.

        Raises:
            Problem: The API server cannot be asked.
        """
        asked = tuple(rights)
        now, known = self._clock(), self._known
        fresh = {
            right
            for right in asked
            if (kept := known.get((caller.key, right))) is None or now >= kept[0]
        }
        allowed = {right: known[caller.key, right][1] for right in asked if right not in fresh}
        limit = asyncio.Semaphore(AT_ONCE)

        async def ask(right: Right) -> None:
            async with limit:
                allowed[right] = await self.may(caller, right)

        await asyncio.gather(*map(ask, fresh))
        return tuple(right for right in asked if not allowed[right])

    async def require(self, caller: Caller, *rights: Right) -> None:
        """Refuse a caller who lacks any of the rights, and name all of those.

        Raises:
            Problem: So it is, or the API server cannot be asked.
        """
        if missing := await self.missing(caller, rights):
            raise lacking(caller.name, missing)

    async def may(self, caller: Caller, right: Right) -> bool:
        """Tell whether a caller has a right.

        Raises:
            Problem: The API server cannot be asked.
        """
        key = (caller.key, right)
        known = self._known.get(key)
        if known is not None and self._clock() < known[0]:
            return known[1]
        allowed = await self._ask(caller, right)
        self._known[key] = (self._clock() + BELIEVED_SECONDS, allowed)
        self._known.move_to_end(key)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return allowed

    async def _ask(self, caller: Caller, right: Right) -> bool:
        resource, _, subresource = right.resource.partition("/")
        attributes = {
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": right.namespace,
            "name": right.name,
        }
        review = {
            "apiVersion": SELF_ACCESS_REVIEW.api_version,
            "kind": SELF_ACCESS_REVIEW.kind,
            "metadata": {},
            "spec": {"resourceAttributes": {k: v for k, v in attributes.items() if v}},
        }
        try:
            answer = await self._door.create(caller.token, SELF_ACCESS_REVIEW, review)
        except ApiError as error:
            raise from_api_error(error) from error
        return (answer.get("status") or {}).get("allowed") is True

    async def sight(
        self,
        caller: Caller,
        namespaces: Iterable[str],
        kinds: Sequence[Kind] = NAMESPACED_KINDS,
    ) -> Sight:
        """Return what a caller may see in these namespaces, and of the policies.

        Raises:
            Problem: The API server cannot be asked.
        """
        spaces = sorted(set(namespaces))
        whole = {kind: _seeing(kind) for kind in (*kinds, MODEL_POLICY)}
        lacked = set(await self.missing(caller, whole.values()))
        everywhere = frozenset(kind for kind, right in whole.items() if right not in lacked)
        parts = {
            _seeing(kind, space): (kind, space)
            for kind in kinds
            if kind not in everywhere
            for space in spaces
        }
        lacked = set(await self.missing(caller, parts))
        within: dict[Kind, set[str]] = {}
        for right, (kind, space) in parts.items():
            if right not in lacked:
                within.setdefault(kind, set()).add(space)
        return Sight(everywhere, {kind: frozenset(found) for kind, found in within.items()})


def _seeing(kind: Kind, namespace: str = "") -> Right:
    return Right("list", kind.plural, namespace)
