"""The ConfigMap that remembers what was decided about bytes, in the operator's own namespace."""

from __future__ import annotations

from typing import Any

from hallmark.api import names
from hallmark.api.latch import LATCH_KEY, Latch
from hallmark.resources.labels import standard_labels


def latch_object(latch: Latch, system: str) -> dict[str, Any]:
    """Return the ConfigMap of a latch. It has no owner, so that it outlives everything.

    Args:
        latch: what is remembered.
        system: the operator's namespace.
    """
    label = names.latch_label(latch.manifest_digest)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.latch_name(latch.manifest_digest),
            "namespace": system,
            "labels": {**standard_labels(label, "latch"), names.LABEL_LATCH: label},
        },
        "data": {LATCH_KEY: latch.to_bytes().decode()},
    }
