"""``hallmark rollback``, ``acknowledge``, ``promote``, ``pause``, ``hold`` and the other actions.

Each writes the annotation in which a person asks the operator for something.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
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
from hallmark.resources.decisions import action_patch, action_text, not_after

_HELP = {
    ActionName.ROLLBACK: "Go back to the last version that was stable, or to --target.",
    ActionName.ACKNOWLEDGE: "Say that a rollback or drift was seen, so that drift counts afresh.",
    ActionName.PROMOTE: "Give the candidate the traffic without waiting.",
    ActionName.PAUSE: "Promote nothing until it is resumed.",
    ActionName.RESUME: "Promote again.",
    ActionName.ABORT: "Give the candidate up.",
    ActionName.UNHOLD: "Lift a hold before its end.",
}
_HOLD = (
    "Keep the traffic where it is until --until: nothing is promoted, and drift rolls nothing "
    "back. A denial or a revocation takes effect all the same."
)
Name = Annotated[str, typer.Argument(metavar="MODELDEPLOYMENT", help="The ModelDeployment's name.")]


@dataclass(frozen=True)
class Asked:
    """What a person asks for."""

    action: ActionName
    reason: str
    target: str | None = None
    until: str | None = None
    """When a hold ends."""


def register(app: typer.Typer) -> None:
    """Add a command for each action."""
    for action, text in _HELP.items():
        app.command(action.value, help=text)(placed(_command(action)))
    app.command(ActionName.HOLD.value, help=_HOLD)(placed(hold))


def _command(action: ActionName) -> Callable[..., None]:
    def run(
        place: Place,
        deployment: Name,
        reason: Reason,
        target: Annotated[
            str | None, typer.Option("--target", help="The ModelVersion it is about.")
        ] = None,
        wait: Wait = False,
        timeout: Timeout = "60s",
    ) -> None:
        asked = Asked(action, reason, target)
        asyncio.run(_ask(place, deployment, asked, until(timeout, wait=wait)))

    return run


def hold(
    place: Place,
    deployment: Name,
    reason: Reason,
    ends: Annotated[
        str,
        typer.Option(
            "--until", help="Its end: a moment (2030-01-31T12:00:00Z) or a duration from now (4h)."
        ),
    ],
    wait: Wait = False,
    timeout: Timeout = "60s",
) -> None:
    """Ask for a hold."""
    end = not_after(ends, datetime.now(UTC), "--until")
    asked = Asked(ActionName.HOLD, reason, until=end)
    asyncio.run(_ask(place, deployment, asked, until(timeout, wait=wait)))


async def _ask(place: Place, name: str, asked: Asked, end: Deadline) -> None:
    identity, namespace = secrets.token_hex(8), place.namespace
    async with cluster_of(place.user) as cluster:
        user = await user_name(cluster)
        text = action_text(asked.action, identity, user, asked.reason, asked.target, asked.until)
        await cluster.merge(MODEL_DEPLOYMENT, namespace, name, action_patch(text))
        say(f"Asked to {asked.action} {namespace}/{name} (id {identity}).")
        if end is None:
            typer.echo(
                f"See what came of it: kubectl get mdep {name} -n {namespace} "
                f"-o jsonpath='{{.status.lastAction}}'"
            )
        else:
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
