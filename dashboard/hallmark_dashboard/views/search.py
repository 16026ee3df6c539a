"""Objects by a part of their name or digest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun
from hallmark_dashboard.views.overview import Item
from hallmark_dashboard.views.remembered import remembered
from hallmark_dashboard.views.standing import (
    deployment_standing,
    run_standing,
    version_standing,
)

Searched = ModelVersion | ModelDeployment | TrainingRun
MOST = 100
SHORTEST_DIGEST = 6
"""Characters of a digest that must be given."""


def search(
    text: str,
    versions: Sequence[ModelVersion],
    deployments: Sequence[ModelDeployment],
    runs: Sequence[TrainingRun],
) -> tuple[list[Item], int]:
    """Return the objects that fit, and how many more there are.

    Args:
        text: a part of a name or model, or the beginning of a digest.
        versions: the ModelVersions that the person may see.
        deployments: the ModelDeployments that the person may see.
        runs: the TrainingRuns that the person may see.
    """
    wanted = text.lower()
    if not wanted:
        return [], 0
    digest = wanted.removeprefix("sha256:") if len(wanted) >= SHORTEST_DIGEST else ""
    fits: list[Searched] = [
        obj
        for obj in chain[Searched](versions, deployments, runs)
        if wanted in (known := _known(obj)).text or (digest and known.digest.startswith(digest))
    ]
    return [_item(obj) for obj in fits[:MOST]], max(0, len(fits) - MOST)


class _Known(NamedTuple):
    """What an object is known by: its names in lower case, and a digest without its prefix."""

    text: str
    digest: str


@remembered
def _known(obj: Searched) -> _Known:
    match obj:
        case ModelVersion():
            sealed = obj.spec.artifact.manifest_digest
        case ModelDeployment():
            sealed = obj.status.active_digest or ""
        case TrainingRun():
            sealed = obj.status.dataset_fingerprint or ""
    place = f"{obj.metadata.namespace}/{obj.metadata.name}"
    return _Known(f"{place} {_title(obj)}".lower(), sealed.removeprefix("sha256:"))


def _title(obj: Searched) -> str:
    match obj:
        case ModelVersion():
            return f"{obj.spec.model} version {obj.spec.version}"
        case ModelDeployment():
            return obj.spec.model or obj.spec.model_version or ""
    return obj.spec.model


@remembered
def _item(obj: Searched) -> Item:
    place = (obj.metadata.namespace, obj.metadata.name)
    match obj:
        case ModelVersion():
            return Item("ModelVersion", *place, _title(obj), version_standing(obj))
        case ModelDeployment():
            return Item("Deployment", *place, _title(obj), deployment_standing(obj))
    return Item("TrainingRun", *place, _title(obj), run_standing(obj))
