"""The ModelVersion that a sealed run leads to."""

from __future__ import annotations

from typing import Any

from hallmark.api import names
from hallmark.api.model_version import ModelVersionSpec
from hallmark.api.texts import API_VERSION
from hallmark.resources.labels import standard_labels


def model_version(namespace: str, spec: ModelVersionSpec) -> dict[str, Any]:
    """Return the ModelVersion, named like its run. It has no owner: it outlives the run."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelVersion",
        "metadata": {
            "name": spec.training_run.name,
            "namespace": namespace,
            "labels": {
                **standard_labels(spec.training_run.name, "version"),
                names.LABEL_MODEL: spec.model,
                names.LABEL_RUN_UID: spec.training_run.uid,
            },
        },
        "spec": spec.to_wire(),
    }
