"""``hallmark rollback``, ``acknowledge``, ``promote``, ``pause``, ``resume`` and ``abort``.

Each writes the annotation in which a person asks the operator for something.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Annotated

import typer

from hallmark.api.model_deployment import ActionName
from hallmark.cli.cluster import Place, cluster_of, placed, user_name
from hallmark.cli.exits import ExitCode
from hallmark.cli.options import Reason
from hallmark.cli.output import say
from hallmark.cli.waiting import Deadline, Timeout, Wait, until, wait_for
from hallmark.cluster.cluster import Cluster
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, Obj
from hallmark.resources.decisions import action_patch, action_text

_HELP = {
    ActionName.ROLLBACK: "Go back to the last version that was stable, or to --target.",
    ActionName.ACKNOWLEDGE: "Say that a rollback or drift was seen, so that drift counts afresh.",
    ActionName.PROMOTE: "Give the candidate the traffic without waiting.",
    ActionName.PAUSE: "Promote nothing until it is resumed.",
    ActionName.RESUME: "Promote again.",
    ActionName.ABORT: "Give the candidate up.",
}


def register(app: typer.Typer) -> None:
    """Add a command for each action."""
    for action, text in _HELP.items():
        app.command(action.value, help=text)(placed(_command(action)))


def _command(action: ActionName) -> Callable[..., None]:
    def run(
        place: Place,
        deployment: Annotated[
            str, typer.Argument(metavar="MODELDEPLOYMENT", help="The ModelDeployment's name.")
        ],
        reason: Reason,
        target: Annotated[
            str | None, typer.Option("--target", help="The ModelVersion it is about.")
        ] = None,
        wait: Wait = False,
        timeout: Timeout = "60s",
    ) -> None:
        asyncio.run(_ask(place, deployment, action, reason, target, until(timeout, wait=wait)))

    return run


async def _ask(
    place: Place, name: str, action: ActionName, reason: str, target: str | None, end: Deadline
) -> None:
    identity, namespace = secrets.token_hex(8), place.namespace
    async with cluster_of(place.user) as cluster:
        text = action_text(action, identity, await user_name(cluster), reason, target)
        await cluster.merge(MODEL_DEPLOYMENT, namespace, name, action_patch(text))
        typer.echo(
            f"Asked to {action} {namespace}/{name} (id {identity}).\nSee what came of it: "
            f"kubectl get mdep {name} -n {namespace} -o jsonpath='{{.status.lastAction}}'"
        )
        if end is not None:
            await _outcome(cluster, namespace, name, identity, end)


async def _outcome(
    cluster: Cluster, namespace: str, name: str, identity: str, end: Deadline
) -> None:
    """Wait until the operator has run the action, and say what came of it."""

    def outcome(found: Obj) -> str | None:
        last = (found.get("status") or {}).get("lastAction") or {}
        return str(last.get("outcome", "")) if last.get("id") == identity else None

    said = await wait_for(cluster, MODEL_DEPLOYMENT, namespace, name, outcome, end)
    say(said)
    if said.startswith("Nothing was done"):
        raise typer.Exit(ExitCode.REFUSED)
