"""``hallmark keys list``: who trusts which key for what, until when, and what hangs on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hallmark.api import names
from hallmark.api.model_policy import ApproverKey
from hallmark.api.model_version import ModelVersion
from hallmark.api.trust import TrustedKey
from hallmark.cli.cluster import Place, cluster_of
from hallmark.cli.key_changes import keys_of
from hallmark.cli.key_places import current_key, read_policy, system_of
from hallmark.cli.objects import Objects, objects_of
from hallmark.cli.output import Format, Output, print_as, print_table, say, state
from hallmark.cluster.cluster import Cluster
from hallmark.errors import ClusterError
from hallmark.keys import KeyFault, Purpose, UnusableKey, usable_key
from hallmark.supply_chain.signing import named_signer


@dataclass(frozen=True)
class Hangs:
    """What hangs on a key, as far as the user may see it.

    Args:
        versions: that it sealed, or on which an approval by it counts.
        serving: ModelDeployments that serve one of those.
        hidden: whether there may be more, which the user may not see.
    """

    versions: tuple[str, ...] = ()
    serving: tuple[str, ...] = ()
    hidden: bool = False

    def sentence(self, purpose: Purpose) -> str:
        """Say it in a sentence."""
        if purpose is Purpose.AUDIT:
            return "No version hangs on it; verify the audit log with the keys that are left."
        did = "sealed" if purpose is Purpose.SEAL else "approved"
        serve = f"; {', '.join(self.serving)} serve of them" if self.serving else ""
        more = " There may be more, which you may not see." if self.hidden else ""
        return f"It {did} {len(self.versions)} versions{serve}.{more}"


def list_keys(
    place: Place,
    policy: Annotated[
        str, typer.Option("--policy", help="The ModelPolicy.")
    ] = names.DEFAULT_POLICY,
    output: Output = Format.TABLE,
) -> None:
    """Show each key of a ModelPolicy: purpose, validity, whether it signs now, what hangs on it.

    Versions are those that you may see, in all namespaces.
    """
    asyncio.run(_list(place, policy, output))


async def _list(place: Place, name: str, form: Format) -> None:
    async with cluster_of(place.user) as cluster:
        _, found = await read_policy(cluster, name)
        spec = found.spec
        objects = await _seen(cluster)
        namespace = system_of(place)
        current = {
            purpose: await current_key(cluster, namespace, purpose, spec) for purpose in Purpose
        }
    now = datetime.now(UTC)
    rows = [
        row_of(purpose, key, current[purpose], hanging(objects, purpose, key.key_id), now)
        for purpose in Purpose
        for key in keys_of(spec, purpose)
    ]
    if form is not Format.TABLE:
        print_as(rows, form)
        return
    columns = ("PURPOSE", "KEY", "APPROVER", "STATE", "SIGNS NOW", "VERSIONS", "SERVING")
    print_table(columns, (_cells(row) for row in rows))
    for sentence in objects.hidden:
        say(sentence)


def row_of(
    purpose: Purpose, key: TrustedKey, current: str | None, hangs: Hangs, now: datetime
) -> dict[str, Any]:
    """Return what is told of a key, for programs."""
    signs = None if purpose is Purpose.APPROVE or current is None else current == key.key_id
    return {
        "purpose": purpose.value,
        "keyId": key.key_id,
        "approver": key.approver if isinstance(key, ApproverKey) else None,
        "state": state_of(key, now),
        "validFrom": key.valid_from,
        "validUntil": key.valid_until,
        "revokedAt": key.revoked_at,
        "signsNow": signs,
        "versions": list(hangs.versions),
        "serving": list(hangs.serving),
    }


def state_of(key: TrustedKey, now: datetime) -> str:
    """Return how a key stands in one word."""
    found = usable_key(key, now)
    if not isinstance(found, UnusableKey):
        return "Valid"
    if found.fault is KeyFault.REVOKED:
        return "Revoked"
    if found.fault is KeyFault.MISCONFIGURED:
        return "Misconfigured"
    return "Retired" if "until" in found.why else "NotYetValid"


_COLOURS = {"Valid": "good", "Retired": "unknown", "NotYetValid": "waiting"}


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    signs = {True: "yes", False: "", None: "?" if row["purpose"] != Purpose.APPROVE else ""}
    ends = row["revokedAt"] or row["validUntil"] or ""
    said = f"{row['state']} {ends}".strip()
    return (
        row["purpose"],
        row["keyId"][:12],
        row["approver"] or "",
        state(said, _COLOURS.get(row["state"], "stopped")),
        signs[row["signsNow"]],
        len(row["versions"]),
        ", ".join(row["serving"]),
    )


def hanging(objects: Objects, purpose: Purpose, key_id: str) -> Hangs:
    """Return what hangs on a key among the objects that were seen."""
    found = [version for version in objects.versions if _hangs(version, purpose, key_id)]
    uses = {(version.metadata.namespace, version.metadata.name) for version in found}
    serving = [
        _named(deployment.metadata.namespace, deployment.metadata.name)
        for deployment in objects.deployments
        if (deployment.metadata.namespace, deployment.status.active_model_version) in uses
    ]
    versions = tuple(_named(*use) for use in sorted(uses))
    return Hangs(versions, tuple(serving), hidden=bool(objects.hidden))


async def used_by(cluster: Cluster, purpose: Purpose, key_id: str) -> Hangs:
    """Return what hangs on a key in all namespaces that the user may see."""
    return hanging(await _seen(cluster), purpose, key_id)


async def _seen(cluster: Cluster) -> Objects:
    """Return what the user may see; a key is told of, and revoked, by who may see nothing."""
    try:
        return await objects_of(cluster, None)
    except ClusterError as error:
        return Objects(hidden=(str(error),))


def _hangs(version: ModelVersion, purpose: Purpose, key_id: str) -> bool:
    if purpose is Purpose.SEAL:
        return key_id in _signers(version)
    return any(
        record.key_id == key_id and record.accepted and not record.withdrawn
        for record in version.status.approvals
    )


def _signers(version: ModelVersion) -> Iterator[str]:
    for signer in (version.status.key_id, named_signer(version.spec.bundle)):
        if signer is not None:
            yield signer


def _named(namespace: str, name: str) -> str:
    return f"{namespace}/{name}"
