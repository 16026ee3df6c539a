"""Watches which version has the traffic: the ConfigMap ``<deployment>-active``.

A demoted predictor must know: its clients' open connections go on reaching it although the
Service selects another version, until it ends them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from hallmark.api.document import UNREADABLE
from hallmark.errors import ClusterError
from hallmark_predictor.cluster_api import ClusterApi
from hallmark_predictor.logs import place_of

LOG = logging.getLogger(__name__)

SERVER_TIMEOUT = 300
"""Seconds after which the API server ends a watch, so that it is opened anew."""
SILENCE = 90.0
"""Bookmarks come each minute: without any the connection is dead."""
FIRST_PAUSE, MAX_PAUSE = 1.0, 30.0
"""Seconds until a watch that broke, or ended at once, is opened again; doubled each time."""

SHARED = "shared"
"""No version's digest: in a canary every Pod ends connections, so that clients are shared out."""


class Copies(Struct, frozen=True):
    """Which requests are copied, and to whom."""

    candidate: str
    """A manifest digest."""
    since: str
    """When that began."""
    percent: int


class Traffic(Struct, frozen=True):
    """What the ConfigMap says."""

    digest: str | None = None
    """The version that has the traffic; ``SHARED`` while two have it; None: none is named."""
    copies: Copies | None = None


OnTraffic = Callable[[Traffic], None]


def active_digest(config_map: dict[str, Any]) -> str | None:
    """Return the digest that the ConfigMap names, or None; ``SHARED`` while two versions answer."""
    data = config_map.get("data") or {}
    if data.get("shared") == "true":
        return SHARED
    found = data.get("manifestDigest")
    return found if isinstance(found, str) else None


def copies_of(config_map: dict[str, Any]) -> Copies | None:
    """Return what is to be copied, or None; what cannot be read says nothing."""
    text = (config_map.get("data") or {}).get("mirror")
    if not isinstance(text, str):
        return None
    try:
        found = msgspec.json.decode(text, type=Copies)
    except UNREADABLE:
        return None
    return found if 0 < found.percent <= 100 else None


def traffic_of(config_map: dict[str, Any]) -> Traffic:
    """Return what the ConfigMap says."""
    return Traffic(active_digest(config_map), copies_of(config_map))


class ActiveWatch:
    """Follows one ConfigMap."""

    def __init__(
        self,
        api: ClusterApi,
        namespace: str,
        deployment: str,
        tell: OnTraffic,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare to watch.

        Args:
            api: The API server.
            namespace: The predictor's namespace.
            deployment: The ModelDeployment's name.
            tell: Called with who has the traffic, and who gets copies of it.
            clock: Tells seconds.
            sleep: Waits for so many.
        """
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._name = f"{deployment}-active"
        self._tell = tell
        self._clock = clock
        self._sleep = sleep

    def run(self) -> None:
        """Watch for ever; blocking, for a thread that ends with the process."""
        pause = FIRST_PAUSE
        while True:
            began, broke = self._clock(), False
            try:
                self.once()
            except Exception as error:  # Nothing may end the watch but the process.
                broke = True
                why = error if isinstance(error, ClusterError) else place_of(error)
                LOG.warning("The watch of the active version broke: %s", why)
            lasted = self._clock() - began
            # An API server in trouble may end each watch at once, and is not to list all the time.
            failed = broke or lasted < FIRST_PAUSE
            if not failed or lasted >= MAX_PAUSE:
                pause = FIRST_PAUSE
            if failed:
                self._sleep(pause)
                pause = min(2 * pause, MAX_PAUSE)

    def once(self) -> None:
        """List, then watch from there until the watch ends.

        Raises:
            ClusterError: the API server refused or went silent.
        """
        selector = {"fieldSelector": f"metadata.name={self._name}"}
        listed = self._api.get(self._path, selector)
        items = listed.get("items") or []
        self._tell(traffic_of(items[0]) if items else Traffic())
        version = str(listed.get("metadata", {}).get("resourceVersion", ""))
        query = selector | {"resourceVersion": version, "timeoutSeconds": str(SERVER_TIMEOUT)}
        for event in self._api.watch(self._path, query, SILENCE):
            match event.get("type"):
                case "ADDED" | "MODIFIED":
                    self._tell(traffic_of(event.get("object") or {}))
                case "DELETED":
                    self._tell(Traffic())
                case "ERROR":
                    return  # Too old a version, mostly: list again.
