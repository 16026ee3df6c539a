"""A real Kubernetes for demos and tests, and the images that run on it."""

from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError
from tests.cluster.images import build_images

__all__ = ["Cluster", "ClusterError", "build_images"]
