"""The one error of this package."""


class ClusterError(Exception):
    """Something about the cluster failed; the message says what, and what to do."""
