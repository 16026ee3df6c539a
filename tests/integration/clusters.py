"""Which API server a process of the tests uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster import Cluster


def own_name(name: str) -> str:
    """Return a cluster's name for this process: processes that test at once do not share one."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return f"{name}-{worker}" if worker else name


def own_cluster(name: str) -> Cluster:
    """Return this process's cluster of that name."""
    return Cluster(own_name(name))


@contextmanager
def api_server(name: str) -> Iterator[Cluster]:
    """Yield this process's API server of that name; one that did not run before ends after."""
    made = own_cluster(name)
    was_running = made.running
    made.up(control_plane_only=True)
    try:
        yield made
    finally:
        if not was_running:
            made.down()
