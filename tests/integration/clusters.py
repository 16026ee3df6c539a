"""Which API server a process of the tests uses."""

from __future__ import annotations

import os

from tests.cluster import Cluster


def own_cluster(name: str) -> Cluster:
    """Return this process's cluster of that name: processes that test at once do not share one."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return Cluster(f"{name}-{worker}" if worker else name)
