"""``hallmark keys create``: a key that nobody trusts yet."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric import ec

from hallmark.audit.succession import HANDOVER
from hallmark.cli.cluster import Place, cluster_of
from hallmark.cli.key_audit import word_of_the_old_key
from hallmark.cli.key_places import new_secret_of, system_of
from hallmark.cli.keys import Folder, trusted_key
from hallmark.errors import ConfigurationError
from hallmark.keys import Purpose, private_pem, public_pem
from hallmark.new_files import write_new

ForPurpose = Annotated[Purpose, typer.Argument(help="What the key is for.")]


def create(
    place: Place,
    purpose: ForPurpose,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the Secret's manifest into this folder; for 'approve', the key's file."
        ),
    ] = None,
) -> None:
    """Make another key: a Secret, or a file for an approver. Nobody trusts it yet.

    The Secret has the key's id in its name, so that none is replaced. Beside a new audit key lies
    the old one's signed word on it, without which the log would break: whoever makes it reads the
    old one's Secret.
    """
    if purpose is Purpose.APPROVE:
        _create_file(output)
        return
    asyncio.run(_create_secret(place, purpose, output))


def _create_file(output: Path | None) -> None:
    """Write an approver's new key; its public half goes to the output."""
    if output is None:
        raise ConfigurationError(
            "Expected --output FILE, where the approver's private key is to be written: it is his, "
            "and goes into no Secret."
        )
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        write_new(output, private_pem(key), 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"--output: {output} cannot be made ({error.strerror}); no key is overwritten."
        ) from error
    typer.echo(
        f"{output} is yours alone. Hand on what follows: hallmark keys add approve FILE --approver "
        "NAME",
        err=True,
    )
    typer.echo(public_pem(key.public_key()), nl=False)


async def _create_secret(place: Place, purpose: Purpose, output: Path | None) -> None:
    system = system_of(place)
    secret = new_secret_of(purpose, system)
    name = secret["metadata"]["name"]
    if purpose is Purpose.AUDIT or output is None:
        async with cluster_of(place.user) as cluster:
            if purpose is Purpose.AUDIT:
                word = await word_of_the_old_key(cluster, system, secret)
                secret["data"][HANDOVER] = base64.b64encode(word).decode()
            if output is None:
                await cluster.create(secret)
    if output is not None:
        await Folder(output).create(secret)
    typer.echo(
        f"Secret {name} made. Next: hallmark keys add {purpose} secret/{name}, then "
        f"hallmark keys use {purpose} {name[-12:]}",
        err=True,
    )
    typer.echo(trusted_key(name, secret["data"]).public_key, nl=False)
