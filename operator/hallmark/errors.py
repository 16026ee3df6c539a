"""The errors of Hallmark: only the unexpected raises; a refusal is a value.

HallmarkError
├── ConfigurationError   the set-up is wrong: a missing key, an unreadable policy
├── IntegrityError       bytes, a signature or a chain are not what they must be
├── ArtifactError        an artifact is missing, unreadable or cannot be stored
└── ClusterError         the Kubernetes API refused or failed

Each message says what happened, to which object, and what to do.
"""


class HallmarkError(Exception):
    """The root of Hallmark's errors."""


class ConfigurationError(HallmarkError):
    """The set-up is wrong."""


class IntegrityError(HallmarkError):
    """Bytes, a signature or a chain are not what they must be."""


class ArtifactError(HallmarkError):
    """An artifact is missing, unreadable or cannot be stored."""


class ClusterError(HallmarkError):
    """The Kubernetes API refused or failed."""
