"""What the hands see of the cluster, and when they first saw it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple

from hallmark.api import names
from tests.bench.scale.api import Api
from tests.bench.scale.objects import Deployed


class Fact(NamedTuple):
    """Something that becomes true of a ModelDeployment.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        what: ``ready`` or ``stable`` with a version, ``selects`` with a manifest's label.
        which: The version or the label.
    """

    namespace: str
    name: str
    what: str
    which: str


def fact(deployed: Deployed, what: str, which: str) -> Fact:
    """Return a fact about a ModelDeployment of the plan."""
    return Fact(deployed.namespace, deployed.name, what, which)


class Facts:
    """Facts with the moment (``time.monotonic``) at which a watch first told them."""

    def __init__(self) -> None:
        self.seen: dict[Fact, float] = {}
        self._missing: set[Fact] = set()
        self._complete = asyncio.Event()

    def forget(self) -> None:
        """Forget all: what is seen from now on is new."""
        self.seen.clear()

    def note(self, found: Fact) -> None:
        """Remember a fact, unless it was seen before."""
        if found not in self.seen:
            self.seen[found] = time.monotonic()
            self._missing.discard(found)
            if not self._missing:
                self._complete.set()

    async def until(self, wanted: Collection[Fact], seconds: float) -> list[float]:
        """Wait until the facts are seen; return the moments of those that were, in order.

        One call at a time.
        """
        self._missing = set(wanted) - self.seen.keys()
        self._complete.clear()
        if self._missing:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._complete.wait()
        return sorted(self.seen[found] for found in wanted if found in self.seen)

    async def watch_services(self, api: Api) -> None:
        """Note which version each Service selects, until cancelled."""
        path, ours = "/api/v1/services", f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY}"
        async for _, service in api.watch(path, ours):
            metadata, selector = service["metadata"], service["spec"].get("selector") or {}
            label = selector.get(names.LABEL_MANIFEST, "")
            self.note(Fact(metadata["namespace"], metadata["name"], "selects", label))

    async def watch_deployments(self, api: Api) -> None:
        """Note which version each ModelDeployment serves and counts as stable, until cancelled."""
        async for _, deployment in api.watch("/apis/hallmark.dev/v1alpha1/modeldeployments"):
            metadata, status = deployment["metadata"], deployment.get("status") or {}
            place = (metadata["namespace"], metadata["name"])
            if any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in status.get("conditions") or []
            ):
                self.note(Fact(*place, "ready", status.get("activeModelVersion", "")))
            self.note(Fact(*place, "stable", status.get("stableModelVersion", "")))
