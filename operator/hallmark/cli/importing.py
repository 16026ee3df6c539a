"""``hallmark import``: an exported registry, brought into a cluster through its own front door."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hallmark.api.common import NamespacedResource
from hallmark.api.model_approval import ModelApproval
from hallmark.api.texts import parse_duration
from hallmark.api.training_run import TrainingRun
from hallmark.cli.cluster import Place, cluster_of, placed, user_name
from hallmark.cli.evidence import Credentials, Endpoint, StoreAccess, store_of
from hallmark.cli.exits import ExitCode
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.objects import parsed_or_raise
from hallmark.cli.options import DryRun
from hallmark.cli.output import Format, print_as, say
from hallmark.cli.trust import Trust, trusted_of
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import MODEL_APPROVAL, MODEL_VERSION, TRAINING_RUN, Kind, Obj
from hallmark.errors import ArtifactError, ClusterError, ConfigurationError, IntegrityError

if TYPE_CHECKING:
    from hallmark.store import Store
    from hallmark.verification.files import Files
    from hallmark.verification.restore import Restored

_POLL = 0.5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(placed(import_))


def import_(
    place: Place,
    folder: Annotated[Path, typer.Argument(help="What 'hallmark export' wrote.")],
    trust: Trust = None,
    credentials: Credentials = None,
    endpoint: Endpoint = None,
    timeout: Annotated[
        str, typer.Option(help="How long to wait for each version, as the operator adopts it.")
    ] = "5m",
    dry_run: DryRun = False,
) -> None:
    """Bring an export into this cluster: its versions, and the decisions that were signed.

    The export is verified first. Bundles are copied into the store, each version is adopted by a
    TrainingRun with 'sealed' (the policy must trust its key), and every attested decision is
    created anew. It may be repeated: what is there already stays.
    """
    try:
        patience = parse_duration(timeout)
    except ValueError as error:
        raise ConfigurationError(f"--timeout: {error}") from error
    with needs_the_extra():
        from hallmark.verification.oci import as_folder
    with as_folder(folder) as export:
        wanted, files = _verified(export, trust)
        if dry_run:
            objects = [one.run(f"<store>/{_folder(one)}", "<you>").to_wire() for one in wanted]
            print_as(objects, Format.YAML)
            return
        access = StoreAccess(credentials, endpoint)
        plain = asyncio.run(_import(place, wanted, files, access, patience))
    for name in plain:
        say(f"Not brought along: ModelApproval '{name}' is not signed; ask for a new decision.")


def _verified(folder: Path, trust: list[str] | None) -> tuple[list[Restored], Files]:
    with needs_the_extra():
        from hallmark.verification.files import LOG, REGISTRY, FolderFiles
        from hallmark.verification.log import log_of
        from hallmark.verification.opening import verify_export
        from hallmark.verification.registry import MAX_BYTES, read_registry
        from hallmark.verification.restore import restored
    trusted, now = trusted_of(trust or ()), datetime.now(UTC)
    verdict = verify_export(folder, trusted, now)
    if not verdict.ok:
        say("The export does not verify: hallmark verify says where.")
        raise typer.Exit(ExitCode.REFUSED)
    files = FolderFiles(folder)
    registry = read_registry(files.read(REGISTRY, MAX_BYTES))
    if isinstance(registry, str):
        raise IntegrityError(registry)
    log = log_of(folder / LOG, None, trusted, now)
    return list(restored(registry, files, log.believed if log else None)), files


async def _import(
    place: Place, wanted: list[Restored], files: Files, access: StoreAccess, patience: timedelta
) -> list[str]:
    plain: list[str] = []
    async with cluster_of(place.user) as cluster:
        requester = await user_name(cluster)
        for one in wanted:
            space = one.version.metadata.namespace
            store = await store_of(cluster, space, access)
            await asyncio.to_thread(_copy, one, files, store)
            run = one.run(store.uri_of(_folder(one)), requester)
            await _create(cluster, TRAINING_RUN, run)
            uid = await _adopted(cluster, one, patience)
            for approval in one.approvals(uid):
                _require_same(await _create(cluster, MODEL_APPROVAL, approval), approval)
            plain += one.plain
            for word in one.uncounted:
                say(
                    f"Not brought along: ModelApproval '{word}' counted for nothing where it was "
                    "made, or its approver asked for the version; ask another reviewer."
                )
            name = f"{space}/{one.version.metadata.name}"
            say(f"{name}: adopted, {len(one.attested)} decisions.")
            if one.untold:
                say(
                    f"{name}: its approvals are not brought along: without an audit log in the "
                    "export, whole and signed with a key of --trust audit=..., nobody knows "
                    "whether it was denied or revoked since."
                )
            elif one.lost:
                say(
                    f"{name} was denied or revoked (ModelApproval '{one.lost[0]}'), which nobody's "
                    f"signature tells here: its approvals are not brought along. Deny it here too."
                )
    return plain


def _folder(one: Restored) -> str:
    return one.files[0].rpartition("/")[0]


def _copy(one: Restored, files: Files, store: Store) -> None:
    """Copy a bundle's files; what stands there already must be the same.

    Raises:
        ArtifactError: it is not, or the store fails.
    """
    for name in one.files:
        fact = files.fact(name)
        data = files.read(name, fact.size) if fact else None
        if fact is None or data is None:
            raise ArtifactError(f"Expected {name} in the export, found none.")
        if store.put_new(name, data):
            continue
        standing, _ = store.digest_of(name)
        if standing != fact.digest and not name.endswith("model.sigstore.json"):
            raise ArtifactError(
                f"Expected '{name}' with {fact.digest} in {store.uri}, or nothing there, found "
                f"{standing}; look into it and remove it."
            )


async def _create(cluster: ApiCluster, kind: Kind, wanted: NamespacedResource) -> Obj | None:
    """Create an object, or return the one that has its name."""
    metadata = wanted.metadata
    if (there := await cluster.get(kind, metadata.namespace, metadata.name)) is not None:
        return there
    obj = wanted.to_wire()
    obj["metadata"] = {"name": metadata.name, "namespace": metadata.namespace}
    obj.pop("status", None)
    await cluster.create(obj)
    return None


def _require_same(there: Obj | None, wanted: ModelApproval) -> None:
    """Let nothing else take the place of a decision: a denial would be lost.

    Raises:
        ClusterError: the object of its name is another decision, or on another version.
    """
    if there is None:
        return
    found, spec = there["spec"], wanted.spec.to_wire()
    if any(found.get(part) != spec[part] for part in ("attestation", "modelVersion")):
        raise ClusterError(
            f"Expected ModelApproval '{wanted.metadata.name}' in {wanted.metadata.namespace} as "
            f"the export has it, or none, found another decision; delete that one and import again."
        )


async def _adopted(cluster: ApiCluster, one: Restored, patience: timedelta) -> str:
    """Return the uid of the new ModelVersion, once the operator has made it.

    Raises:
        ClusterError: it refused, another version has the name, or it took too long.
    """
    metadata = one.version.metadata
    end = datetime.now(UTC) + patience
    while datetime.now(UTC) < end:
        found = await cluster.get(MODEL_VERSION, metadata.namespace, metadata.name)
        if found is not None:
            return _same(one, found)
        run = await cluster.get(TRAINING_RUN, metadata.namespace, metadata.name)
        _require_not_refused(run)
        await asyncio.sleep(_POLL)
    raise ClusterError(
        f"Expected ModelVersion '{metadata.name}' within {patience}, found none; see 'hallmark "
        f"explain trun/{metadata.name} -n {metadata.namespace}', then import again."
    )


def _same(one: Restored, found: dict[str, Any]) -> str:
    digest, name = one.version.spec.artifact.manifest_digest, one.version.metadata.name
    there = found["spec"]["artifact"]["manifestDigest"]
    if there != digest:
        raise ClusterError(
            f"Expected ModelVersion '{name}' with {digest}, or none, found {there}; import into "
            "another cluster, or delete that version first."
        )
    return str(found["metadata"]["uid"])


def _require_not_refused(run: Obj | None) -> None:
    if run is None:
        return
    status = parsed_or_raise(TrainingRun, run).status
    stalled = status.condition("Stalled")
    if status.is_true("Stalled") and stalled is not None:
        raise ClusterError(f"The run '{run['metadata']['name']}' was refused: {stalled.message}")
