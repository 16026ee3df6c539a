"""One model: which versions are there, which one serves where? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun
from hallmark_dashboard.views.chain import Link, chain
from hallmark_dashboard.views.rows import (
    DeploymentRow,
    RunRow,
    VersionRow,
    deployment_row,
    run_row,
    version_row,
)
from hallmark_dashboard.views.standing import State
from hallmark_dashboard.views.version import concerns
from hallmark_dashboard.views.words import plural


@dataclass(frozen=True)
class ModelDetail:
    """What is said of one model.

    Attributes:
        headline: The first line.
        namespace: Where the model is.
        name: Its name.
        chain: Of the version that serves, else of the newest.
        of: That version's name.
        versions: The newest first.
        deployments: Those that ask for it or serve it.
        runs: The newest first; those that were sealed are among the versions.
    """

    headline: str
    namespace: str
    name: str
    chain: tuple[Link, ...]
    of: str
    versions: tuple[VersionRow, ...]
    deployments: tuple[DeploymentRow, ...]
    runs: tuple[RunRow, ...]


def model_detail(
    namespace: str,
    name: str,
    versions: Sequence[ModelVersion],
    deployments: Sequence[ModelDeployment],
    runs: Sequence[TrainingRun],
) -> ModelDetail | None:
    """Return what is said of one model; None where nothing is known of it.

    Args:
        namespace: where the model is.
        name: its name.
        versions: all of the namespace, as are the next ones.
        deployments: the namespace's ModelDeployments.
        runs: the namespace's TrainingRuns.
    """
    own = sorted(
        (version for version in versions if version.spec.model == name),
        key=lambda version: -version.spec.version,
    )
    own_runs = [run for run in runs if run.spec.model == name]
    names = {version.metadata.name for version in own}
    concerned = [
        found
        for found in deployments
        if found.spec.model == name
        or found.spec.model_version in names
        or any(concerns(found, version) for version in own)
    ]
    if not (own or own_runs or concerned):
        return None
    shown = _shown(own, concerned)
    links: list[Link] = []
    if shown is not None:
        run = next(
            (run for run in own_runs if run.metadata.uid == shown.spec.training_run.uid), None
        )
        links = chain(shown, run, [found for found in concerned if concerns(found, shown)])
    own_runs.sort(key=lambda run: run.metadata.creation_timestamp or "", reverse=True)
    return ModelDetail(
        _headline(name, own, concerned),
        namespace,
        name,
        tuple(links),
        shown.metadata.name if shown else "",
        tuple(map(version_row, own)),
        tuple(map(deployment_row, concerned)),
        tuple(run_row(run) for run in own_runs if run.metadata.name not in names),
    )


def _shown(
    versions: Sequence[ModelVersion], deployments: Sequence[ModelDeployment]
) -> ModelVersion | None:
    """Return the newest version that serves, else the newest."""
    active = {found.status.active_digest for found in deployments}
    serving = [found for found in versions if found.spec.artifact.manifest_digest in active]
    return next(iter([*serving, *versions]), None)


def _headline(
    name: str, versions: Sequence[ModelVersion], deployments: Sequence[ModelDeployment]
) -> str:
    if not versions:
        return f"{name} has no sealed version yet."
    serving = [found for found in deployments if found.status.active_model_version]
    where = "; ".join(
        f"{found.metadata.name} serves {found.status.active_model_version}" for found in serving[:3]
    )
    return f"{name} has {plural(len(versions), 'version')}; {where or 'none of them serves'}."


@dataclass(frozen=True)
class ModelRow:
    """A model in the list of all."""

    namespace: str
    name: str
    versions: int
    newest: str
    state: State
    serving: tuple[str, ...]


def model_rows(
    versions: Sequence[ModelVersion], deployments: Sequence[ModelDeployment]
) -> list[ModelRow]:
    """Return all models, by namespace and name."""
    by_model: dict[tuple[str, str], list[ModelVersion]] = {}
    for version in versions:
        place = (version.metadata.namespace, version.spec.model)
        by_model.setdefault(place, []).append(version)
    serving: dict[tuple[str, str], list[str]] = {}
    for found in deployments:
        if found.status.active_model_version:
            place = (found.metadata.namespace, found.status.active_model_version)
            serving.setdefault(place, []).append(found.metadata.name)
    rows = []
    for (namespace, model), own in sorted(by_model.items()):
        newest = max(own, key=lambda version: version.spec.version)
        names = sorted(
            name for version in own for name in serving.get((namespace, version.metadata.name), ())
        )
        state = version_row(newest).standing.state
        rows.append(ModelRow(namespace, model, len(own), newest.metadata.name, state, tuple(names)))
    return rows
