"""``hallmark audit``: verify a log, acknowledge a break; publish and cosign (``published``)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from hallmark.api.names import ANNOTATION_ACKNOWLEDGE, AUDIT_ANCHOR, SYSTEM_NAMESPACE
from hallmark.api.texts import canonical_json
from hallmark.audit.command import verify
from hallmark.audit.outside import BREAK_KEY
from hallmark.cli import published
from hallmark.cli.cluster import User, cluster_of, user_name
from hallmark.cli.options import AsGroups, AsUser, Context, Reason
from hallmark.cluster.kinds import CONFIG_MAP, Obj
from hallmark.errors import ClusterError, ConfigurationError
from hallmark.policies.acknowledgement import Acknowledgement
from hallmark.resources.decisions import checked, require_one_line

app = typer.Typer(help="The audit log.", no_args_is_help=True)
published.register(app)


@app.callback()
def _audit() -> None:
    """The audit log."""


@app.command("verify")
def verify_audit(
    file: Annotated[Path, typer.Argument(help="The log's current file, secure_mlops.log.")],
    public_key: Annotated[
        Path | None,
        typer.Option(
            help="The audit key's public half (PEM); without it a log that was "
            "rewritten from the start is not noticed."
        ),
    ] = None,
    anchor: Annotated[
        Path | None,
        typer.Option(
            help=f"The key head.json of ConfigMap {AUDIT_ANCHOR}; without it an older copy of "
            "log and head is not noticed."
        ),
    ] = None,
) -> None:
    """Check that no record of a log was changed, removed or added."""
    if not verify(file, public_key, anchor, typer.echo):
        raise typer.Exit(1)


@app.command("acknowledge")
def acknowledge(
    break_id: Annotated[str, typer.Argument(metavar="BREAK", help="Its id.")],
    reason: Reason,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="The operator's namespace.")
    ] = SYSTEM_NAMESPACE,
    context: Context = None,
    as_user: AsUser = None,
    as_groups: AsGroups = None,
) -> None:
    """Say that a break of the audit log was looked at, so that promotions go on."""
    user = User(context, as_user, as_groups)
    asyncio.run(_acknowledge(user, namespace, break_id, reason))


async def _acknowledge(user: User, namespace: str, break_id: str, reason: str) -> None:
    async with cluster_of(user) as cluster:
        anchor = await cluster.get(CONFIG_MAP, namespace, AUDIT_ANCHOR)
        if anchor is None:
            raise ClusterError(f"Expected ConfigMap {AUDIT_ANCHOR} in {namespace}, found none.")
        _require_break(anchor, break_id)
        text = acknowledgement_text(break_id, await user_name(cluster), reason)
        change = {"metadata": {"annotations": {ANNOTATION_ACKNOWLEDGE: text}}}
        await cluster.merge(CONFIG_MAP, namespace, AUDIT_ANCHOR, change)
    typer.echo("Acknowledged; the operator records it within seconds, and promotes again.")


def _require_break(anchor: Obj, break_id: str) -> None:
    found = json.loads((anchor.get("data") or {}).get(BREAK_KEY) or "{}")
    if found.get("id") != break_id:
        waits = f"'{found['id']}': {found['message']}" if found else "none"
        raise ConfigurationError(
            f"Expected the id of the break that waits to be acknowledged, found '{break_id}'; the "
            f"one that waits is {waits}"
        )


def acknowledgement_text(break_id: str, user: str, reason: str) -> str:
    """Return the annotation's JSON.

    Raises:
        ConfigurationError: a value holds a quote, a backslash or a control character, or does not
            fit.
    """
    require_one_line({"--reason": reason, "your name": user})
    said = checked(Acknowledgement, **{"break": break_id}, by=user, reason=reason)
    return canonical_json(said.to_wire()).decode()
