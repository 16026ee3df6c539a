"""``hallmark train``: create a TrainingRun and follow it to its end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from hallmark.api.generated import to_yaml
from hallmark.api.training_run import TrainingRun, spec_digest
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.exits import ExitCode
from hallmark.cli.files import read_object
from hallmark.cli.local_show import show_outcome
from hallmark.cli.objects import Standing, parsed_or_raise, standing_of
from hallmark.cli.options import DryRun
from hallmark.cli.output import Format, Output, console, plain, print_as, say
from hallmark.cli.waiting import Deadline, Timeout, until, wait_for
from hallmark.cluster.cluster import CONFLICT, ApiError, Cluster
from hallmark.cluster.kinds import TRAINING_RUN, Obj
from hallmark.errors import ClusterError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(placed(train))


def train(
    place: Place,
    file: Annotated[Path, typer.Argument(metavar="RUN.YAML", help="A TrainingRun.")],
    wait: Annotated[bool, typer.Option(help="Follow it to its end.")] = True,
    timeout: Timeout = "1h",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Create a TrainingRun, show its progress, and say what came of it.

    Exit code 0: sealed; 10: refused, with the reason; 3: it still runs. The same run again is
    followed, not created.
    """
    run = read_object(file, TrainingRun, namespace=place.namespace)
    if place.asked:
        run = run.replace(metadata=run.metadata.replace(namespace=place.asked))
    obj = _as_written(run)
    if dry_run:
        typer.echo(to_yaml(obj), nl=False)
        return
    found = asyncio.run(_train(place, run, obj, until(timeout, wait=wait)))
    if output is not Format.TABLE:
        print_as(found.to_wire(), output)
    elif wait:
        _show(found)
    if wait and standing_of(found.status).kind != "good":
        raise typer.Exit(ExitCode.REFUSED)


def _as_written(run: TrainingRun) -> Obj:
    """Return the object for the API server: no status, and no part that nobody wrote."""
    spec = run.spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    metadata = run.metadata.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {
        "apiVersion": run.api_version,
        "kind": run.kind,
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": spec,
    }


async def _train(place: Place, run: TrainingRun, obj: Obj, end: Deadline) -> TrainingRun:
    namespace, name = run.metadata.namespace, run.metadata.name
    async with cluster_of(place.user) as cluster:
        created = await _create(cluster, run, obj)
        console(stderr=True).print(
            plain(f"{'Created' if created else 'Following'} TrainingRun {namespace}/{name}.")
        )
        if end is None:
            found = await cluster.get(TRAINING_RUN, namespace, name)
            return parsed_or_raise(TrainingRun, found or obj)
        return await _followed(cluster, namespace, name, end)


async def _create(cluster: Cluster, run: TrainingRun, obj: Obj) -> bool:
    """Create a run; tell whether it was. One of the same spec is the same run.

    Raises:
        ClusterError: another run has that name.
    """
    namespace, name = run.metadata.namespace, run.metadata.name
    try:
        await cluster.create(obj)
    except ApiError as error:
        if error.status != CONFLICT:
            raise
        found = await cluster.get(TRAINING_RUN, namespace, name)
        there = parsed_or_raise(TrainingRun, found) if found else None
        if there is None or spec_digest(there.spec) != spec_digest(run.spec):
            raise ClusterError(
                f"TrainingRun {namespace}/{name} is there already, with another spec, and a run "
                "never changes; give this one another metadata.name."
            ) from error
        return False
    return True


async def _followed(cluster: Cluster, namespace: str, name: str, end: Deadline) -> TrainingRun:
    """Show a run's progress until it is sealed or refused."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    screen = console(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("Waiting for the operator", total=100)
        told = ""

        def look(obj: Obj) -> TrainingRun | None:
            nonlocal told
            found = parsed_or_raise(TrainingRun, obj)
            now = standing_of(found.status)
            line, percent = _progress(found, now)
            bar.update(task, description=line, completed=percent)
            if line != told and not screen.is_terminal:
                screen.print(line)
            told = line
            return found if now.kind in {"good", "stopped"} else None

        return await wait_for(cluster, TRAINING_RUN, namespace, name, look, end)


def _progress(found: TrainingRun, now: Standing) -> tuple[str, int]:
    progress = found.status.progress
    if progress is not None:
        return plain(f"{progress.stage}: {progress.message}"), progress.percent
    done = 95 if found.status.manifest_digest else 0
    return plain(f"{now.reason}: {now.message}"), done


def _show(found: TrainingRun) -> None:
    now = standing_of(found.status)
    show_outcome(found)
    if now.kind == "good":
        name, namespace = found.status.model_version or "", found.metadata.namespace
        say(f"Sealed: ModelVersion {namespace}/{name}.", "green")
        say(f"A reviewer: hallmark approve {name} -n {namespace} --reason ...")
    else:
        say(f"{found.metadata.name} was refused ({now.reason}): {now.message}", "red")
