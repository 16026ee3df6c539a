"""A real Kubernetes for demos and tests, and the images that run on it."""

from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError

__all__ = ["Cluster", "ClusterError"]
