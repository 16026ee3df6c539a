"""``hallmark prune``: delete what is over: old runs, and versions that nothing needs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from hallmark.api.common import NamespacedResource
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import parse_duration, parse_timestamp
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.objects import Objects, objects_of
from hallmark.cli.output import print_table, say
from hallmark.cluster.cluster import Cluster
from hallmark.cluster.kinds import MODEL_VERSION, TRAINING_RUN
from hallmark.errors import ConfigurationError

Over = tuple[NamespacedResource, str]
"""What can go, and why."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(placed(prune))


def prune(
    place: Place,
    older_than: Annotated[
        str, typer.Option(help="Only what ended, or was sealed, so long ago.")
    ] = "720h",
    keep: Annotated[
        int, typer.Option(min=1, help="How many versions of each model stay in any case.")
    ] = 3,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it; without, it is listed.")] = False,
) -> None:
    """Delete runs that ended long ago and versions that nothing serves or could go back to.

    Denied and revoked versions stay, for their decision is about bytes. Sealed bundles stay in the
    store, and the audit log stays whole.
    """
    try:
        age = parse_duration(older_than)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"--older-than: {error}") from error
    asyncio.run(_prune(place, age, keep, delete=yes))


async def _prune(place: Place, age: timedelta, keep: int, *, delete: bool) -> None:
    async with cluster_of(place.user) as cluster:
        found = await objects_of(cluster, place.namespace)
        over = list(over_by(found, datetime.now(UTC) - age, keep))
        rows = [(one.kind, one.metadata.name, why) for one, why in over]
        if rows:
            print_table(("KIND", "NAME", "WHY"), rows)
        if delete:
            await _delete(cluster, place.namespace, over)
    if not over:
        say("Nothing is over.")
    elif not delete:
        say(f"{len(over)} objects would be deleted; add --yes to do it.")


async def _delete(cluster: Cluster, namespace: str, over: Sequence[Over]) -> None:
    """Delete exactly these objects; the API server still refuses versions that are used."""
    for one, _ in over:
        kind = MODEL_VERSION if isinstance(one, ModelVersion) else TRAINING_RUN
        await cluster.delete(kind, namespace, one.metadata.name, one.metadata.uid)
    say(f"{len(over)} objects deleted.")


def over_by(found: Objects, before: datetime, keep: int) -> Iterator[Over]:
    """Yield what can go: ended runs, then versions that nothing needs; oldest first.

    Args:
        found: All objects of a namespace.
        before: What ended, or was sealed, later stays.
        keep: How many of each model's newest versions stay.
    """
    for run in found.runs:
        ended = run.status.completion_time
        if ended is not None and parse_timestamp(ended) < before:
            yield run, f"ended at {ended}"
    newest: dict[str, list[ModelVersion]] = defaultdict(list)
    for version in sorted(found.versions, key=lambda one: -one.spec.version):
        newest[version.spec.model].append(version)
    pinned = {one.spec.model_version for one in found.deployments}
    for versions in newest.values():
        for version in versions[keep:]:
            made = version.metadata.creation_timestamp
            rejected = version.status.is_true("Denied") or version.status.is_true("Revoked")
            used = version.status.used_by or version.metadata.name in pinned
            if made and parse_timestamp(made) < before and not used and not rejected:
                yield version, f"sealed at {made}, used by nothing"
