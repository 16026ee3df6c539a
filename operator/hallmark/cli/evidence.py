"""``hallmark diff`` and ``hallmark sbom``: the evidence of versions, as far as it can be read.

The objects are in the cluster; reports and SBOMs are in the store that the policy names, which
takes credentials of its own: those of the environment, or files as the operator has them.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from hallmark.api.artifacts import Manifest
from hallmark.api.files import MANIFEST, REPORT, SLOT_SBOM, final_name
from hallmark.api.model_version import ModelVersion
from hallmark.api.report import Report
from hallmark.api.texts import sha256_digest
from hallmark.api.training_run import TrainingRun
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.compare import Change, Side, components, differences
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.objects import get_version, parsed_or_raise, policy_of
from hallmark.cli.output import Format, Output, console, plain, print_as, print_table, say
from hallmark.cluster.cluster import ApiError, Cluster
from hallmark.cluster.kinds import TRAINING_RUN
from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.policies.model_version.words import words_said
from hallmark.policies.sealed import read_document
from hallmark.supply_chain.model_card import card_words
from hallmark.supply_chain.strict_json import parse_object
from hallmark.supply_chain.vex import Word, document as vex_document

if TYPE_CHECKING:
    from hallmark.store import Store

_FILE_BYTES = 16 << 20
_FORBIDDEN = 403

Credentials = Annotated[
    Path | None,
    typer.Option(
        "--store-credentials",
        help="A folder with access-key-id and secret-access-key (default: the environment's).",
    ),
]
Endpoint = Annotated[
    str | None,
    typer.Option("--store-endpoint", help="The store's address from here, if it is another."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(placed(diff))
    app.command()(placed(sbom))


@dataclass(frozen=True)
class StoreAccess:
    """How the store is reached from here."""

    credentials: Path | None
    endpoint: str | None


def diff(
    place: Place,
    before: Annotated[str, typer.Argument(metavar="VERSION", help="A ModelVersion.")],
    after: Annotated[str, typer.Argument(metavar="OTHER", help="Another one.")],
    credentials: Credentials = None,
    endpoint: Endpoint = None,
    output: Output = Format.TABLE,
) -> None:
    """Show what changed between two versions: data, parameters, metrics, groups, SBOM.

    What is in the store is compared where it can be read; what cannot be is said.
    """
    access = StoreAccess(credentials, endpoint)
    changes, hidden = asyncio.run(_diff(place, before, after, access))
    if output is not Format.TABLE:
        print_as({"changes": [asdict(one) for one in changes], "hidden": hidden}, output)
    else:
        show_changes(changes, before, after)
    for sentence in hidden:
        console(stderr=True).print(plain(sentence))


def show_changes(changes: list[Change], before: str, after: str) -> None:
    """Show what differs between two versions."""
    if not changes:
        say("Nothing differs in what could be compared.")
        return
    rows = [(one.part, one.what, one.before or "-", one.after or "-") for one in changes]
    print_table(("PART", "WHAT", plain(before), plain(after)), rows)


async def _diff(
    place: Place, before: str, after: str, access: StoreAccess
) -> tuple[list[Change], list[str]]:
    async with cluster_of(place.user) as cluster:
        first, said = await _side(cluster, place.namespace, before, access)
        second, more = await _side(cluster, place.namespace, after, access)
    return differences(first, second), sorted({*said, *more})


async def _side(
    cluster: Cluster, namespace: str, name: str, access: StoreAccess
) -> tuple[Side, list[str]]:
    version = await get_version(cluster, namespace, name)
    run = await cluster.get(TRAINING_RUN, namespace, version.spec.training_run.name)
    spec = parsed_or_raise(TrainingRun, run).spec if run else None
    try:
        store = await store_of(cluster, namespace, access)
        report, document = await asyncio.to_thread(read_evidence, store, version)
    except (ArtifactError, ConfigurationError, ApiError) as error:
        return Side(version, spec), [f"Reports and SBOMs are not compared: {error}"]
    return Side(version, spec, report, document), []


async def store_of(cluster: Cluster, namespace: str, access: StoreAccess) -> Store:
    """Return the store of the policy that applies to a namespace, as it is reached from here.

    Raises:
        ConfigurationError: no policy can be read.
    """
    name, found = await policy_of(cluster, namespace)
    if found is None:
        raise ConfigurationError(f"Expected the ModelPolicy '{name}', found none.")
    policy = found.store
    with needs_the_extra():
        from hallmark.store import open_store
    return open_store(
        policy.uri,
        endpoint=access.endpoint or policy.endpoint,
        region=policy.region,
        credentials=access.credentials,
    )


def read_evidence(store: Store, version: ModelVersion) -> tuple[Report, dict[str, Any]]:
    """Return a version's report and SBOM: exactly the bytes that its digests name.

    Raises:
        ArtifactError: they cannot be read, or are others.
    """
    folder = folder_in_store(version)
    run_id = sealed_manifest(store, version).run_id
    report = _sealed(store, folder + REPORT, version.spec.gate_report_digest)
    document = _sealed(store, folder + final_name(SLOT_SBOM, run_id), version.spec.sbom_digest)
    try:
        return read_document(Report, report), parse_object(document, _FILE_BYTES)
    except ValueError as error:
        raise ArtifactError(
            f"The evidence of {version.metadata.name} has a form that this command does not know."
        ) from error


def sealed_manifest(store: Store, version: ModelVersion) -> Manifest:
    """Return a version's manifest: exactly the bytes that its digest names.

    Raises:
        ArtifactError: it cannot be read, or is another.
    """
    path = folder_in_store(version) + MANIFEST
    data = _sealed(store, path, version.spec.artifact.manifest_digest)
    try:
        return read_document(Manifest, data)
    except ValueError as error:
        raise ArtifactError(
            f"{path} has a form that this command does not know; update it."
        ) from error


def folder_in_store(version: ModelVersion) -> str:
    """Return the bundle's folder below the store's root."""
    path = urlsplit(version.spec.artifact.uri).path.strip("/")
    start = path.find("models/")
    return f"{path[max(start, 0) :]}/"


def _sealed(store: Store, path: str, digest: str) -> bytes:
    data = store.get(path, limit=_FILE_BYTES)
    found = sha256_digest(data)
    if found != digest:
        raise ArtifactError(
            f"Expected '{path}' with {digest}, found {found}; somebody changed it in the store."
        )
    return data


def sbom(
    place: Place,
    name: Annotated[str, typer.Argument(metavar="MODELVERSION", help="The ModelVersion.")],
    search: Annotated[
        str | None, typer.Option(help="Only packages whose name holds this text.")
    ] = None,
    credentials: Credentials = None,
    endpoint: Endpoint = None,
    output: Output = Format.TABLE,
    vex: Annotated[
        bool, typer.Option("--vex", help="What reviewers say of vulnerabilities, as CycloneDX VEX.")
    ] = False,
) -> None:
    """Show what is in a version: its model card's words, its packages, what VEX says of them.

    With -o json, the CycloneDX document.
    """
    now = datetime.now(UTC)
    document, heard = asyncio.run(_sbom(place, name, StoreAccess(credentials, endpoint), now))
    if vex:
        print_as(
            vex_document(heard, document, now), Format.JSON if output is Format.TABLE else output
        )
        return
    if output is not Format.TABLE:
        print_as(document, output)
        return
    for topic, text in card_words(document):
        say(f"{topic}: {text}")
    found = components(document)
    wanted = {key: found[key] for key in sorted(found) if (search or "").lower() in key.lower()}
    print_table(("PACKAGE", "VERSION"), wanted.items())
    say(f"{len(wanted)} of {len(found)} packages.")
    for word in heard:
        say(word.sentence())


async def _sbom(
    place: Place, name: str, access: StoreAccess, now: datetime
) -> tuple[dict[str, Any], tuple[Word, ...]]:
    """Return a version's SBOM, and what reviewers say of vulnerabilities in it."""
    async with cluster_of(place.user) as cluster:
        version = await get_version(cluster, place.namespace, name)
        _, policy = await policy_of(cluster, place.namespace)
        store = await store_of(cluster, place.namespace, access)
    _, document = await asyncio.to_thread(read_evidence, store, version)
    return document, words_said(version.status.approvals, policy, now)
