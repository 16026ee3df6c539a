"""``hallmark status``: what serves, what waits and what was refused, at a glance."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer

from hallmark.api.conditions import ConditionStatus
from hallmark.api.model_deployment import DeploymentCondition, ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.api.training_run import TrainingRun
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.objects import (
    Objects,
    Standing,
    as_documents,
    objects_of,
    standing_of,
    standing_of_object,
)
from hallmark.cli.output import Format, Output, console, plain, print_as, print_table, say, state

AllNamespaces = Annotated[
    bool, typer.Option("--all-namespaces", "-A", help="Look in every namespace.")
]
_NOTHING = "Nothing is here yet. 'hallmark init data.csv' writes a TrainingRun to begin with."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(placed(status))


def status(place: Place, everywhere: AllNamespaces = False, output: Output = Format.TABLE) -> None:
    """Show what serves, what waits for somebody, and what was refused."""
    found = asyncio.run(_read(place, everywhere))
    if output is not Format.TABLE:
        lists = {
            "runs": as_documents(found.runs),
            "versions": as_documents(found.versions),
            "approvals": as_documents(found.approvals),
            "deployments": as_documents(found.deployments),
        }
        print_as({"apiVersion": "v1", "kind": "List", **lists}, output)
        return
    _show(found, everywhere=everywhere)


async def _read(place: Place, everywhere: bool) -> Objects:
    async with cluster_of(place.user) as cluster:
        return await objects_of(cluster, None if everywhere else place.namespace)


def _show(found: Objects, *, everywhere: bool) -> None:
    if found.deployments:
        print_table(
            ("DEPLOYMENT", "STATE", "SERVES", "CANDIDATE", "DRIFT", "PODS", "SINCE", "WHY"),
            [(*_name(one, everywhere), *_deployment(one)) for one in found.deployments],
        )
    versions = [version for version in found.versions if not _in_use(version, found)]
    if versions:
        print_table(
            ("VERSION", "STATE", "MODEL", "NUMBER", "ASKED BY", "SINCE", "WHY"),
            [(*_name(one, everywhere), *_version(one)) for one in versions],
        )
    runs = [run for run in found.runs if standing_of(run.status).kind != "good"]
    if runs:
        print_table(
            ("RUN", "STATE", "MODEL", "PROGRESS", "SINCE", "WHY"),
            [(*_name(one, everywhere), *_run(one)) for one in runs],
        )
    if not (found.deployments or found.versions or found.runs):
        say(_NOTHING)
    for sentence in found.hidden:
        console(stderr=True).print(plain(sentence))


def _name(one: TrainingRun | ModelVersion | ModelDeployment, everywhere: bool) -> Iterator[str]:
    yield f"{one.metadata.namespace}/{one.metadata.name}" if everywhere else one.metadata.name


def _in_use(version: ModelVersion, found: Objects) -> bool:
    digest, namespace = version.spec.artifact.manifest_digest, version.metadata.namespace
    return any(
        one.status.active_digest == digest and one.metadata.namespace == namespace
        for one in found.deployments
    )


def _deployment(one: ModelDeployment) -> tuple[object, ...]:
    now, status = standing_of(one.status), one.status
    drift = status.drift_state
    pods = f"{status.ready_replicas or 0}/{one.spec.replicas}"
    return (
        _word(now),
        status.active_model_version or "nothing",
        status.candidate_model_version or "",
        drift.verdict if drift else "Unknown",
        pods,
        now.since,
        _why(now) or _held(one),
    )


def _held(one: ModelDeployment) -> str:
    found = one.status.condition(DeploymentCondition.ON_HOLD)
    return found.message if found is not None and found.status == ConditionStatus.TRUE else ""


def _version(one: ModelVersion) -> tuple[object, ...]:
    now = standing_of_object(one)
    return (
        _word(now),
        one.spec.model,
        one.spec.version,
        one.spec.requested_by.name,
        now.since,
        _why(now),
    )


def _run(one: TrainingRun) -> tuple[object, ...]:
    now, progress = standing_of(one.status), one.status.progress
    far = f"{progress.stage} {progress.percent}%" if progress else ""
    return _word(now), one.spec.model, far, now.since, _why(now)


def _word(now: Standing) -> object:
    return state(now.reason, now.kind)


def _why(now: Standing) -> str:
    return "" if now.kind == "good" else now.message
