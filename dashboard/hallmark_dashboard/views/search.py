"""Objects by a part of their name or digest. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun
from hallmark_dashboard.views.overview import Item
from hallmark_dashboard.views.standing import (
    deployment_standing,
    run_standing,
    version_standing,
)

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
    found = [
        item
        for item, sealed in _all(versions, deployments, runs)
        if wanted in f"{item.namespace}/{item.name} {item.title}".lower()
        or (digest and sealed.removeprefix("sha256:").startswith(digest))
    ]
    return found[:MOST], max(0, len(found) - MOST)


def _all(
    versions: Sequence[ModelVersion],
    deployments: Sequence[ModelDeployment],
    runs: Sequence[TrainingRun],
) -> Iterator[tuple[Item, str]]:
    """Yield every object, with a digest that it is known by."""
    for version in versions:
        title = f"{version.spec.model} version {version.spec.version}"
        place = (version.metadata.namespace, version.metadata.name)
        item = Item("ModelVersion", *place, title, version_standing(version))
        yield item, version.spec.artifact.manifest_digest
    for deployment in deployments:
        place = (deployment.metadata.namespace, deployment.metadata.name)
        title = deployment.spec.model or deployment.spec.model_version or ""
        item = Item("Deployment", *place, title, deployment_standing(deployment))
        yield item, deployment.status.active_digest or ""
    for run in runs:
        place = (run.metadata.namespace, run.metadata.name)
        item = Item("TrainingRun", *place, run.spec.model, run_standing(run))
        yield item, run.status.dataset_fingerprint or ""
