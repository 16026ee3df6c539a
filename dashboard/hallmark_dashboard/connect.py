"""Two ways to the API server: one with the dashboard's own rights, one with each caller's."""

from __future__ import annotations

from kubernetes.aio import client as kubernetes_client

from hallmark.cluster.client import ApiCluster, load_configuration
from hallmark_dashboard.access.door import Door


async def connect(kubeconfig: str | None = None) -> tuple[ApiCluster, Door]:
    """Return the API server as the dashboard, and as whoever calls.

    Raises:
        ConfigurationError: There are no usable credentials.
    """
    configuration = await load_configuration(kubeconfig)
    client = kubernetes_client.ApiClient(configuration)
    client.user_agent = "hallmark-dashboard"
    return ApiCluster(client), Door(configuration)
