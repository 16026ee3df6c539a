"""``hallmark review``: what a decision on a version is about, and the digest of all that."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hallmark.api.model_version import ModelVersion
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.compare import Change, Side, differences
from hallmark.cli.evidence import (
    Credentials,
    Endpoint,
    StoreAccess,
    read_evidence,
    show_changes,
    store_of,
)
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.objects import Objects, objects_of
from hallmark.cli.output import Format, Output, console, plain, print_as, print_table, say
from hallmark.cluster.cluster import ApiError
from hallmark.errors import ArtifactError, ClusterError, ConfigurationError
from hallmark.policies.model_version.shown import Shown, serving_version, shown_of

if TYPE_CHECKING:
    from hallmark.store import Store

FromExport = Annotated[
    Path | None,
    typer.Option(
        "--export",
        help="A folder that 'hallmark export' wrote, instead of the cluster; verify it first.",
    ),
]


@dataclass(frozen=True)
class Offered:
    """A version, and what it would replace.

    Attributes:
        version: What is decided on.
        serving: What serves, or None.
        shown: The digest of both.
        objects: Among which they were found.
    """

    version: ModelVersion
    serving: ModelVersion | None
    shown: Shown
    objects: Objects


@dataclass(frozen=True)
class Reviewed:
    """What a reviewer is shown.

    Attributes:
        version: The evidence of what is decided on.
        serving: That of what serves, or None.
        digest: Of all of it; None where a part could not be read.
        hidden: Sentences on what could not be read.
    """

    version: Side
    serving: Side | None
    digest: str | None
    hidden: tuple[str, ...]

    @property
    def changes(self) -> list[Change]:
        """What differs from what serves, as far as it is known."""
        return differences(self.serving, self.version) if self.serving else []


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(placed(review))


def review(
    place: Place,
    name: Annotated[str, typer.Argument(metavar="MODELVERSION", help="The ModelVersion.")],
    export: FromExport = None,
    credentials: Credentials = None,
    endpoint: Endpoint = None,
    output: Output = Format.TABLE,
) -> None:
    """Show gates and what differs from what serves, and the digest of all that is shown.

    'hallmark approve --shown' takes the digest: it does not count if something else serves by then.
    """
    if export is None:
        found = asyncio.run(_of_cluster(place, name, StoreAccess(credentials, endpoint)))
    else:
        with needs_the_extra():
            from hallmark.store import open_store
        offer = offered(exported(export, place.asked), name)
        found = _reviewed(offer, open_store(f"file://{export.resolve()}"), [])
    if output is Format.TABLE:
        _show(found)
    else:
        print_as(_document(found), output)
    for sentence in found.hidden:
        console(stderr=True).print(plain(sentence))


async def _of_cluster(place: Place, name: str, access: StoreAccess) -> Reviewed:
    async with cluster_of(place.user) as cluster:
        offer = offered(await objects_of(cluster, place.namespace), name)
        store, hidden = None, []
        try:
            store = await store_of(cluster, place.namespace, access)
        except (ArtifactError, ConfigurationError, ApiError) as error:
            hidden.append(f"Reports and SBOMs cannot be read: {error}")
        return await asyncio.to_thread(_reviewed, offer, store, hidden)


def exported(folder: Path, namespace: str | None) -> Objects:
    """Return the objects of an export, of a namespace or of all, as they stand in it.

    Raises:
        ConfigurationError: it is none.
    """
    with needs_the_extra():
        from hallmark.verification import registry as exports
        from hallmark.verification.files import REGISTRY, FolderFiles
    found = exports.read_registry(FolderFiles(folder).read(REGISTRY, exports.MAX_BYTES))
    if isinstance(found, str):
        raise ConfigurationError(f"--export: expected an export in {folder}. {found}")
    spaces = {namespace} if namespace else set(found.namespaces)
    deployments = [
        (entry, exports.deployment_of(entry))
        for entry in found.deployments
        if entry.namespace in spaces
    ]
    return Objects(
        runs=tuple(map(exports.run_of, found.runs)),
        versions=tuple(
            exports.version_of(entry) for entry in found.versions if entry.namespace in spaces
        ),
        deployments=tuple(made for _, made in deployments if made is not None),
        hidden=tuple(
            f"The export does not say what Deployment {entry.name} asks for, so that nobody can "
            "tell what serves; ask the cluster."
            for entry, made in deployments
            if made is None
        ),
    )


def offered(objects: Objects, name: str) -> Offered:
    """Return a version and what it would replace.

    Raises:
        ClusterError: there is no such version, or more than one.
    """
    named = [found for found in objects.versions if found.metadata.name == name]
    if len(named) != 1:
        known = ", ".join(sorted(found.metadata.name for found in objects.versions)) or "none"
        raise ClusterError(f"Expected one ModelVersion {name}; there are: {known}.")
    (version,) = named
    space = version.metadata.namespace
    versions = [found for found in objects.versions if found.metadata.namespace == space]
    deployments = [found for found in objects.deployments if found.metadata.namespace == space]
    shown = shown_of(version, deployments, versions)
    return Offered(version, serving_version(version, deployments, versions), shown, objects)


def require_shown(offer: Offered, digest: str) -> None:
    """Raise where what was shown is not what is shown now.

    Raises:
        ConfigurationError: it is not; the sentence says beside what it was shown.
    """
    shown = offer.shown
    if digest == shown.digest:
        return
    name = offer.version.metadata.name
    now = f"beside {shown.beside}, which serves" if shown.beside else "while nothing serves"
    other = shown.otherwise.get(digest)
    then = "no version that is here" if other is None else (other or "nothing that served")
    raise ConfigurationError(
        f"--shown: expected {shown.digest}, as {name} is shown now, {now}; found {digest}, as it "
        f"is beside {then}. Look again: hallmark review {name}"
    )


def _reviewed(offer: Offered, store: Store | None, hidden: list[str]) -> Reviewed:
    hidden = [*offer.objects.hidden, *hidden]
    version = _side(offer, offer.version, store, hidden)
    serving = _side(offer, offer.serving, store, hidden) if offer.serving else None
    whole = all(one.report and one.sbom for one in (version, serving) if one)
    digest = offer.shown.digest if whole and not offer.objects.hidden else None
    return Reviewed(version, serving, digest, tuple(dict.fromkeys(hidden)))


def _side(offer: Offered, version: ModelVersion, store: Store | None, hidden: list[str]) -> Side:
    """Return the evidence of a version; why a part of it cannot be read is added to ``hidden``."""
    uid = version.spec.training_run.uid
    run = next((found for found in offer.objects.runs if found.metadata.uid == uid), None)
    side = Side(version, run.spec if run else None)
    if store is None:
        return side
    try:
        report, document = read_evidence(store, version)
    except ArtifactError as error:
        hidden.append(f"Report and SBOM of {version.metadata.name} cannot be read: {error}")
        return side
    return replace(side, report=report, sbom=document)


def _show(found: Reviewed) -> None:
    version = found.version.version
    report = found.version.report
    if report is not None:
        rows = [
            (
                gate.metric,
                f"{gate.comparison} {gate.threshold}",
                gate.value or gate.inconclusive or "-",
                "passed" if gate.passed else "failed",
            )
            for gate in report.gates
        ]
        print_table(("GATE", "EXPECTED", "MEASURED", ""), rows)
    if found.serving is None:
        say("Nothing serves that it would replace.")
    else:
        show_changes(found.changes, found.serving.version.metadata.name, version.metadata.name)
    typer.echo(f"manifest     {version.spec.artifact.manifest_digest}")
    typer.echo(f"gate report  {version.spec.gate_report_digest}")
    typer.echo(f"SBOM         {version.spec.sbom_digest}")
    if found.digest is None:
        say("Not all evidence could be shown, so that there is no digest of it.")
        return
    typer.echo(f"shown        {found.digest}")
    typer.echo(f"hallmark approve {version.metadata.name} --shown {found.digest} --reason ...")


def _document(found: Reviewed) -> dict[str, Any]:
    spec = found.version.version.spec
    report = found.version.report
    return {
        "modelVersion": found.version.version.metadata.name,
        "beside": found.serving.version.metadata.name if found.serving else None,
        "manifestDigest": spec.artifact.manifest_digest,
        "gateReportDigest": spec.gate_report_digest,
        "sbomDigest": spec.sbom_digest,
        "shownDigest": found.digest,
        "gates": [gate.to_wire() for gate in report.gates] if report else None,
        "changes": [asdict(one) for one in found.changes],
        "hidden": list(found.hidden),
    }
