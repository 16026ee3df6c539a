"""Names, labels and owners that every child carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hallmark.api import names
from hallmark.api.common import Resource


def standard_labels(instance: str, component: str) -> dict[str, str]:
    """Return the ``app.kubernetes.io`` labels of a child.

    Args:
        instance: the name of the object it belongs to (cut to a label value's 63 characters).
        component: what the child is, such as ``predictor``.
    """
    return {
        "app.kubernetes.io/name": "hallmark",
        "app.kubernetes.io/instance": instance[:63].rstrip("-_."),
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "hallmark",
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
    }


def owner_reference(owner: Resource) -> dict[str, Any]:
    """Return the controller reference to ``owner``; for children in its namespace only.

    ``blockOwnerDeletion`` stays false: it would need a right on the owner's finalizers.
    """
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def child_metadata(
    owner: Resource, name: str, component: str, labels: Mapping[str, str]
) -> dict[str, Any]:
    """Return the metadata of an owned child in its owner's namespace."""
    return {
        "name": name,
        "namespace": owner.metadata.namespace,
        "labels": {**standard_labels(owner.metadata.name, component), **labels},
        "ownerReferences": [owner_reference(owner)],
    }
