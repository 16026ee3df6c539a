"""The immutable ConfigMap in which a small bundle's served files travel beside the trust."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from hallmark.api import names
from hallmark.api.model_deployment import ModelDeployment
from hallmark.resources.predictor import Obj, metadata

MOUNT = "/etc/hallmark/bundle"
"""Where a predictor finds them; empty where they are too large to travel."""


def bundle_name(name: str, manifest: str) -> str:
    """Return the name of the ConfigMap that holds the served files of a manifest label."""
    return f"{name}-bundle-{manifest}"


def bundle_config_map(owner: ModelDeployment, manifest: str, files: Mapping[str, bytes]) -> Obj:
    """Return the ConfigMap of a version's manifest and served files.

    Args:
        owner: the ModelDeployment.
        manifest: the manifest label.
        files: by name.
    """
    name = bundle_name(owner.metadata.name, manifest)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(owner, name, **{names.LABEL_MANIFEST: manifest}),
        "immutable": True,
        "binaryData": {name: b64encode(data).decode() for name, data in sorted(files.items())},
    }


def carried_files(config_map: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files in such a ConfigMap; what is no base64 is left out."""
    found: dict[str, bytes] = {}
    for name, text in (config_map.get("binaryData") or {}).items():
        try:
            found[str(name)] = b64decode(str(text), validate=True)
        except (binascii.Error, ValueError):
            continue
    return found


def bundle_volume(name: str, manifest: str) -> Obj:
    """Return the volume of such a ConfigMap; a Pod starts without it, too."""
    return {
        "name": "bundle",
        "configMap": {"name": bundle_name(name, manifest), "optional": True},
    }
