"""``hallmark approve``, ``deny`` and ``revoke``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from hallmark.api.generated import to_yaml
from hallmark.api.model_approval import Decision
from hallmark.cli.cluster import UserCluster
from hallmark.cli.decisions import model_approval, not_after, read_version
from hallmark.cli.options import AsGroups, AsUser, Context, DryRun, Namespace, Reason

Version = Annotated[str, typer.Argument(metavar="MODELVERSION", help="The ModelVersion's name.")]
Name = Annotated[str | None, typer.Option("--name", help="The ModelApproval's name.")]
Target = Annotated[
    list[str] | None,
    typer.Option("--target", help="A ModelDeployment that may serve it (default: all)."),
]
NotAfter = Annotated[
    str | None,
    typer.Option("--not-after", help="When it ends: 2027-01-31T00:00:00Z, or in 720h."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (approve, deny, revoke):
        app.command()(command)


def approve(
    version: Version,
    reason: Reason,
    namespace: Namespace = None,
    target: Target = None,
    end: NotAfter = None,
    name: Name = None,
    dry_run: DryRun = False,
    context: Context = None,
    as_user: AsUser = None,
    as_groups: AsGroups = None,
) -> None:
    """Approve one ModelVersion: exactly the bytes that its digests name."""
    cluster = UserCluster(context, as_user, as_groups)
    ends = not_after(end, datetime.now(UTC))
    _decide(
        cluster, version, Decision.APPROVED, namespace, reason, target or (), ends, name, dry_run
    )


def deny(
    version: Version,
    reason: Reason,
    namespace: Namespace = None,
    name: Name = None,
    dry_run: DryRun = False,
    context: Context = None,
    as_user: AsUser = None,
    as_groups: AsGroups = None,
) -> None:
    """Deny one ModelVersion, for good."""
    cluster = UserCluster(context, as_user, as_groups)
    _decide(cluster, version, Decision.DENIED, namespace, reason, (), None, name, dry_run)


def revoke(
    version: Version,
    reason: Reason,
    namespace: Namespace = None,
    name: Name = None,
    dry_run: DryRun = False,
    context: Context = None,
    as_user: AsUser = None,
    as_groups: AsGroups = None,
) -> None:
    """Revoke one ModelVersion, for good, also where it serves."""
    cluster = UserCluster(context, as_user, as_groups)
    _decide(cluster, version, Decision.REVOKED, namespace, reason, (), None, name, dry_run)


def _decide(
    cluster: UserCluster,
    version: str,
    decision: Decision,
    namespace: str | None,
    reason: str,
    targets: Sequence[str],
    end: str | None,
    name: str | None,
    dry_run: bool,
) -> None:
    found = read_version(cluster.get("modelversions", namespace or cluster.namespace, version))
    approver = cluster.user_name()
    approval = model_approval(found, decision, approver, reason, list(targets), end, name)
    if dry_run:
        typer.echo(to_yaml(approval), nl=False)
        return
    cluster.create("modelapprovals", approval)
    metadata = approval["metadata"]
    typer.echo(
        f"{decision} by {approver}: {found.spec.model} version {found.spec.version} "
        f"({version}, {found.spec.artifact.manifest_digest}).\n"
        f"See whether it counts: kubectl get mapr {metadata['name']} -n {metadata['namespace']}"
    )
