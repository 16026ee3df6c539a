"""``hallmark rollback``, ``acknowledge``, ``promote``, ``pause``, ``resume`` and ``abort``."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated

import typer

from hallmark.api.model_deployment import ActionName
from hallmark.api.names import ANNOTATION_ACTION
from hallmark.cli.actions import action_text
from hallmark.cli.cluster import UserCluster
from hallmark.cli.options import AsGroups, AsUser, Context, Namespace, Reason

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
        app.command(action.value, help=text)(_command(action))


def _command(action: ActionName) -> Callable[..., None]:
    def run(
        deployment: Annotated[
            str, typer.Argument(metavar="MODELDEPLOYMENT", help="The ModelDeployment's name.")
        ],
        reason: Reason,
        namespace: Namespace = None,
        target: Annotated[
            str | None, typer.Option("--target", help="The ModelVersion it is about.")
        ] = None,
        context: Context = None,
        as_user: AsUser = None,
        as_groups: AsGroups = None,
    ) -> None:
        cluster = UserCluster(context, as_user, as_groups)
        where = namespace or cluster.namespace
        identity = secrets.token_hex(8)
        text = action_text(action, identity, cluster.user_name(), reason, target)
        cluster.annotate("modeldeployments", where, deployment, ANNOTATION_ACTION, text)
        typer.echo(
            f"Asked to {action} {where}/{deployment} (id {identity}).\nSee what came of it: "
            f"kubectl get mdep {deployment} -n {where} -o jsonpath='{{.status.lastAction}}'"
        )

    return run
