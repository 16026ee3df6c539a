"""The security settings of every Pod that the operator makes: Pod Security ``restricted``."""

from __future__ import annotations

from typing import Any

USER = 65532
"""The uid and gid of every container."""


def pod_security_context() -> dict[str, Any]:
    """Return a Pod's ``securityContext``."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security_context() -> dict[str, Any]:
    """Return a container's ``securityContext``."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def scratch_volume(size: str = "1Gi") -> dict[str, Any]:
    """Return the volume for ``/tmp``, the one writable place."""
    return {"name": "tmp", "emptyDir": {"sizeLimit": size}}


def scratch_mount() -> dict[str, Any]:
    """Return the mount of ``/tmp``."""
    return {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - the container's own emptyDir
