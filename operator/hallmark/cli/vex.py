"""``hallmark vex``: a reviewer's signed word on a vulnerability in a sealed version."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hallmark.api.model_policy import ApproverKey
from hallmark.api.model_version import ModelVersion
from hallmark.cli.approvals import Version, read_key
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.evidence import (
    Credentials,
    Endpoint,
    StoreAccess,
    folder_in_store,
    sealed_in,
    store_of,
)
from hallmark.cli.objects import get_version, policy_of
from hallmark.cli.output import say
from hallmark.errors import ConfigurationError
from hallmark.supply_chain.vex import (
    Analysis,
    Assessment,
    Heard,
    Justification,
    file_name,
    parts_named,
    read_vex,
    sign_vex,
)

if TYPE_CHECKING:
    from hallmark.store import Store


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(placed(vex))


def vex(
    place: Place,
    name: Version,
    vulnerability: Annotated[str, typer.Option(help="Its id, such as CVE-2026-1234.")],
    package: Annotated[str, typer.Option(help="The package, as 'hallmark sbom' names it.")],
    analysis: Annotated[Analysis, typer.Option(help="What was found.")],
    detail: Annotated[str, typer.Option(help="In your words, for whoever reads it.")],
    sign_with: Annotated[
        Path,
        typer.Option(help="Your key as an approver: a PEM file, or a 'pkcs11:' URI."),
    ],
    justification: Annotated[
        Justification | None, typer.Option(help="Why it does not matter.")
    ] = None,
    credentials: Credentials = None,
    endpoint: Endpoint = None,
) -> None:
    """Say of a vulnerability whether a sealed version is affected (CycloneDX VEX).

    It is signed with your key and put beside the bundle, which stays as it is sealed. It counts
    where the ModelPolicy lists your key among its approvers, while that key is valid.
    """

    def said(bill: dict[str, Any]) -> Assessment:
        parts = parts_named(bill, package)
        if not parts:
            raise ConfigurationError(
                f"Expected a component '{package}' in the SBOM of {name}, found none; "
                f"look for it: hallmark sbom {name}."
            )
        now = datetime.now(UTC).replace(microsecond=0)
        return Assessment(vulnerability, parts, analysis, justification, detail, now)

    asyncio.run(_add(place, name, StoreAccess(credentials, endpoint), said, sign_with))


async def _add(
    place: Place,
    name: str,
    access: StoreAccess,
    said: Callable[[dict[str, Any]], Assessment],
    key: Path,
) -> None:
    async with cluster_of(place.user) as cluster:
        version = await get_version(cluster, place.namespace, name)
        policy_name, policy = await policy_of(cluster, place.namespace)
        store = await store_of(cluster, place.namespace, access)
    heard = await asyncio.to_thread(
        add_vex, store, version, policy.approvers if policy else (), said, key
    )
    if isinstance(heard, str):
        raise ConfigurationError(
            f"Expected a key that ModelPolicy '{policy_name}' lists among its approvers: {heard}"
        )
    say(heard.sentence())


def add_vex(
    store: Store,
    version: ModelVersion,
    keys: Sequence[ApproverKey],
    said: Callable[[dict[str, Any]], Assessment],
    key: Path,
) -> Heard | str:
    """Sign an assessment of a version and put it beside the bundle.

    Returns:
        What it says, or why it would count for nothing; then nothing is written.

    Raises:
        ArtifactError: the store failed, or holds other bytes than were sealed.
        ConfigurationError: the assessment makes no sense, or the key cannot be used.
    """
    sealed = sealed_in(store, version)
    envelope = sign_vex(read_key(key, "--sign-with"), sealed, said(dict(sealed.bill)))
    heard = read_vex(envelope, sealed, keys, datetime.now(UTC))
    if isinstance(heard, Heard):
        store.put_new(folder_in_store(version) + file_name(envelope), envelope)
    return heard
