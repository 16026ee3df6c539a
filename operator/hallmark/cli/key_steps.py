"""``hallmark keys``: a key's life after ``init``: create, add, use, retire, revoke."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from hallmark.api import names
from hallmark.api.generated import to_yaml
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.texts import parse_timestamp
from hallmark.api.trust import TrustedKey
from hallmark.cli import key_list
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.key_audit import use_audit
from hallmark.cli.key_changes import (
    Change,
    added,
    found_key,
    left_without,
    made_current,
    retired,
    revoked,
)
from hallmark.cli.key_making import ForPurpose, create
from hallmark.cli.key_places import (
    SECRET_OF,
    current_key,
    data_of,
    read_policy,
    require_private_half,
    secret_of_key,
    system_of,
)
from hallmark.cli.keys import trusted_key
from hallmark.cli.options import DryRun
from hallmark.cluster.cluster import Cluster
from hallmark.cluster.kinds import MODEL_POLICY, SECRET
from hallmark.errors import ConfigurationError
from hallmark.files import read_line
from hallmark.keys import Purpose, key_id, load_public_key, public_pem
from hallmark.resources.decisions import not_after

SECOND = timedelta(seconds=1)
Step = Callable[[Cluster, ModelPolicy], Awaitable[Change]]
"""What a command makes of a policy as it is now."""
KeyId = Annotated[str, typer.Argument(help="The key's id, or how it begins.")]
PolicyName = Annotated[str, typer.Option("--policy", help="The ModelPolicy.")]
Force = Annotated[
    bool, typer.Option("--force", help="Do it, though nobody could sign any more then.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(placed(key_list.list_keys))
    for command in (create, add, use, retire, revoke):
        app.command()(placed(command))


def add(
    place: Place,
    purpose: ForPurpose,
    key: Annotated[str, typer.Argument(help="The file of a public key in PEM, or secret/NAME.")],
    approver: Annotated[
        str | None, typer.Option(help="Whose key it is, as the API server knows him.")
    ] = None,
    policy: PolicyName = names.DEFAULT_POLICY,
    dry_run: DryRun = False,
) -> None:
    """Let a ModelPolicy trust one more key. Nothing signs with it yet."""

    async def step(cluster: Cluster, found: ModelPolicy) -> Change:
        trusted = await _public_half(cluster, system_of(place), key)
        return added(found.spec, purpose, trusted, approver or "")

    asyncio.run(_change(place, policy, step, dry_run=dry_run))


def use(
    place: Place,
    purpose: ForPurpose,
    key: KeyId,
    policy: PolicyName = names.DEFAULT_POLICY,
    dry_run: DryRun = False,
) -> None:
    """Sign with another key from now on; those before go on verifying.

    Sealing Jobs that begin later seal with it. The operator starts anew for another audit key.
    """
    if purpose is Purpose.APPROVE:
        raise ConfigurationError(
            "Expected 'seal' or 'audit': an approver takes the key that --attest-with names."
        )
    system = system_of(place)
    if purpose is Purpose.AUDIT:
        asyncio.run(use_audit(place, policy, key, dry_run=dry_run))
        return

    async def step(cluster: Cluster, found: ModelPolicy) -> Change:
        trusted = found_key(found.spec, purpose, key)
        secret = await secret_of_key(cluster, system, purpose, trusted.key_id)
        held = require_private_half(secret, trusted, purpose)
        first = held["metadata"]["name"] == SECRET_OF[purpose]
        return made_current(found.spec, trusted, first=first, now=datetime.now(UTC))

    asyncio.run(_change(place, policy, step, dry_run=dry_run))


def retire(
    place: Place,
    purpose: ForPurpose,
    key: KeyId,
    at: Annotated[
        str | None, typer.Option(help="When: 2027-01-31T00:00:00Z, or in 720h; default: now.")
    ] = None,
    policy: PolicyName = names.DEFAULT_POLICY,
    dry_run: DryRun = False,
) -> None:
    """End a key's validity. What it signed before goes on counting; nothing new does.

    A key that somebody else may have is revoked, not retired.
    """
    now = datetime.now(UTC)
    end = not_after(at, now, "--at")

    async def step(cluster: Cluster, found: ModelPolicy) -> Change:
        trusted = found_key(found.spec, purpose, key)
        current = await current_key(cluster, system_of(place), purpose, found.spec)
        # The API server counts creation in whole seconds.
        moment = parse_timestamp(end) if end else now.replace(microsecond=0) + SECOND
        return retired(found.spec, purpose, trusted, moment, current)

    asyncio.run(_change(place, policy, step, dry_run=dry_run))


def revoke(
    place: Place,
    purpose: ForPurpose,
    key: KeyId,
    force: Force = False,
    policy: PolicyName = names.DEFAULT_POLICY,
    dry_run: DryRun = False,
) -> None:
    """Revoke a key that somebody else may have: nothing that it ever signed counts from now on.

    What serves and was sealed by it, or approved by it alone, ends as the policy's
    ``onKeyRevocation`` says (default: Stop). It cannot be undone for what fell with it.
    """
    now = datetime.now(UTC)

    async def step(cluster: Cluster, found: ModelPolicy) -> Change:
        trusted = found_key(found.spec, purpose, key)
        current = await current_key(cluster, system_of(place), purpose, found.spec)
        lacking = left_without(found.spec, purpose, trusted, now, current)
        if lacking and not force:
            raise ConfigurationError(
                f"{trusted.key_id[:12]} is not revoked yet: {lacking} If it cannot wait, add "
                "--force: what it signed is blocked at once, and nothing new can be signed until "
                "another key is current."
            )
        hit = await key_list.used_by(cluster, purpose, trusted.key_id)
        effect = found.spec.approvals.on_key_revocation
        typer.echo(f"{hit.sentence(purpose)} onKeyRevocation: {effect}.", err=True)
        return revoked(found.spec, purpose, trusted, now)

    asyncio.run(_change(place, policy, step, dry_run=dry_run))


# -- how ----------------------------------------------------------------------------------------


async def _change(place: Place, name: str, step: Step, *, dry_run: bool) -> None:
    """Change a policy as it is now, and show the command that does the same."""
    async with cluster_of(place.user) as cluster:
        obj, found = await read_policy(cluster, name)
        change = await step(cluster, found)
        if change.operations:
            typer.echo(f"The same: {change.command(name)}", err=True)
        if dry_run:
            manifest = {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                "metadata": {"name": name},
                "spec": change.spec.to_wire(),
            }
            typer.echo(to_yaml(manifest), nl=False)
            return
        patch = {
            "metadata": {"resourceVersion": obj["metadata"]["resourceVersion"]},
            "spec": dict(change.fields),
        }
        await cluster.merge(MODEL_POLICY, None, name, patch)
    typer.echo(f"ModelPolicy {name} changed. See 'hallmark keys list --policy {name}'.", err=True)


async def _public_half(cluster: Cluster, namespace: str, named: str) -> TrustedKey:
    """Return the public key in a file, or in a Secret that is named ``secret/NAME``."""
    kind, slash, name = named.partition("/")
    if slash and kind == "secret":
        found = await cluster.get(SECRET, namespace, name)
        if found is None:
            raise ConfigurationError(f"Expected a Secret {namespace}/{name}, found none.")
        return trusted_key(name, data_of(found))
    try:
        public = public_pem(load_public_key(read_line(Path(named))))
    except OSError as error:
        raise ConfigurationError(
            f"Expected the file of a public key or secret/NAME, found that {named} cannot be read "
            f"({type(error).__name__})."
        ) from error
    return TrustedKey(key_id=key_id(public), public_key=public)
