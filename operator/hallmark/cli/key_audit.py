"""Another audit key: the old one's word on it, and its Secret mounted in the operator."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import typer

from hallmark.api import names
from hallmark.api.generated import to_yaml
from hallmark.api.trust import TrustedKey
from hallmark.audit.succession import HANDOVER, hand_over, read_handover
from hallmark.cli.cluster import Place, cluster_of
from hallmark.cli.key_changes import found_key
from hallmark.cli.key_places import (
    AUDIT_VOLUME,
    PRIVATE,
    current_key,
    data_of,
    mounted_audit_secret,
    read_entry,
    read_policy,
    require_private_half,
    secret_of_key,
    system_of,
)
from hallmark.cli.keys import trusted_key
from hallmark.cluster.cluster import Cluster
from hallmark.cluster.kinds import APPS_DEPLOYMENT, SECRET, Obj
from hallmark.errors import ConfigurationError
from hallmark.keys import Purpose, UnusableKey, key_id, load_public_key, open_signer, usable_key


async def word_of_the_old_key(cluster: Cluster, namespace: str, secret: Obj) -> bytes:
    """Return the handover by the key that the operator has mounted."""
    _, mounted = await mounted_audit_secret(cluster, namespace)
    old = await cluster.get(SECRET, namespace, mounted)
    if old is None:
        raise ConfigurationError(
            f"Expected the old audit key in the Secret {namespace}/{mounted}, found none: without "
            "its word the log would break. Without it, replace the Secret and acknowledge the "
            "break (docs/audit.md)."
        )
    signer = open_signer(read_entry(old, PRIVATE))
    new = load_public_key(trusted_key("", data_of(secret)).public_key)
    return hand_over(signer, new).to_bytes()


async def use_audit(place: Place, policy: str, beginning: str, *, dry_run: bool) -> None:
    """Mount another audit key; the Deployment's strategy lets the old operator end first."""
    system, purpose = system_of(place), Purpose.AUDIT
    async with cluster_of(place.user) as cluster:
        _, found = await read_policy(cluster, policy)
        key = found_key(found.spec, purpose, beginning)
        usable = usable_key(key, datetime.now(UTC))
        if isinstance(usable, UnusableKey):
            raise ConfigurationError(
                f"Expected a key that counts, found that {key.key_id[:12]} {usable.why}."
            )
        secret = require_private_half(
            await secret_of_key(cluster, system, purpose, key.key_id), key, purpose
        )
        current = await current_key(cluster, system, purpose, found.spec)
        if current != key.key_id:
            _require_word(secret, key, current)
        deployment, _ = await mounted_audit_secret(cluster, system)
        name = str(secret["metadata"]["name"])
        patch = mount_of(name)
        shown = json.dumps(patch)
        typer.echo(
            f"The same: kubectl -n {system} patch deployment {names.OPERATOR_NAME} -p '{shown}'",
            err=True,
        )
        if dry_run:
            head = {"apiVersion": "apps/v1", "kind": "Deployment"}
            metadata = {"name": names.OPERATOR_NAME, "namespace": system}
            typer.echo(to_yaml({**head, "metadata": metadata, **patch}), nl=False)
            return
        await _mount(cluster, system, deployment, name)
    typer.echo("The operator starts anew, and the log is handed over as it begins.", err=True)


def _require_word(secret: Obj, key: TrustedKey, current: str | None) -> None:
    """Refuse a key on which the one that signs the log now has said nothing: a break of the log.

    Raises:
        ConfigurationError: it is such a key.
    """
    said = None
    if HANDOVER in data_of(secret):
        keys = read_handover(read_entry(secret, HANDOVER))
        said = key_id(keys.old) if key_id(keys.new) == key.key_id else None
    if said is None or (current is not None and said != current):
        raise ConfigurationError(
            f"Expected beside {key.key_id[:12]} the word of the key that signs the log now "
            f"({(current or 'unknown')[:12]}), found "
            f"{'that of ' + said[:12] if said else 'none'}: the log would break. Make the key with "
            "'hallmark keys create audit'."
        )


def mount_of(secret: str) -> dict[str, Any]:
    """Return the strategic merge patch that mounts another audit key in the operator."""
    volume = {"name": AUDIT_VOLUME, "secret": {"secretName": secret}}
    return {"spec": {"template": {"spec": {"volumes": [volume]}}}}


async def _mount(cluster: Cluster, namespace: str, deployment: Obj, secret: str) -> None:
    volumes = [
        {**volume, "secret": {**volume["secret"], "secretName": secret}}
        if volume["name"] == AUDIT_VOLUME
        else volume
        for volume in deployment["spec"]["template"]["spec"]["volumes"]
    ]
    version = deployment["metadata"]["resourceVersion"]
    patch = {
        "metadata": {"resourceVersion": version},
        "spec": {"template": {"spec": {"volumes": volumes}}},
    }
    await cluster.merge(APPS_DEPLOYMENT, namespace, names.OPERATOR_NAME, patch)
